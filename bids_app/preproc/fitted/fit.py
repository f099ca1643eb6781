"""What fMRIPrep left of one run, by the names of its versions."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bids_app.bids.datasets import Dataset
from bids_app.bids.names import Name
from bids_app.preproc.distortion.readout import lacks
from bids_app.space.templates import TISSUES

REFERENCES = ("boldref", "run")  # 23.2 to 25.2 call a run's reference boldref, later ones run
SHARED = ("session", "subject")  # references of several runs, of later ones
ANATOMICAL = ("T1w", "anat")
PARTS = {
    "T1w": "desc-preproc_T1w",
    "mask": "desc-brain_mask",
    **{name: f"label-{name}_probseg" for name in TISSUES},
}
IMAGES = (".nii.gz", ".nii")
OF_A_RUN = ("sub", "ses", "task", "acq", "ce", "rec", "dir", "run")


@dataclass(frozen=True)
class Fit:
    """The files of one run and of the anatomy that it was aligned with.

    Attributes
    ----------
    dataset : Dataset
        fMRIPrep's.
    motion : Path or None
        A transform of every volume.
    reference : Path or None
        What stands for the run; distortions are corrected in it where fMRIPrep corrected them.
    coregistration : tuple of Path
        From the reference to the T1w, each of which takes points of the T1w nearer to those of the reference.
    normalization : Path or None
        From the T1w to the template.
    anatomy : dict of Path
        T1w, mask and the tissues.
    to_fieldmap : Path or None
        From the reference to the field map.
    coefficients : tuple of Path
        B-splines of the field in Hz.
    lacking : tuple of str
        What was looked for and is not there.
    """

    dataset: Dataset
    motion: Path | None = None
    reference: Path | None = None
    coregistration: tuple[Path, ...] = ()
    normalization: Path | None = None
    anatomy: Mapping[str, Path] = field(default_factory=dict)
    to_fieldmap: Path | None = None
    coefficients: tuple[Path, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        some = (self.motion, self.reference, *self.coregistration, self.normalization, self.to_fieldmap)
        return tuple(path for path in (*some, *self.anatomy.values(), *self.coefficients) if path is not None)


def run_key(entities: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what a raw run and its fit have in common; fMRIPrep may write the number of a run without its zeros.

    Examples
    --------
    >>> run_key({"sub": "01", "task": "rest", "run": "02", "desc": "hmc"})
    (('sub', '01'), ('task', 'rest'), ('run', '2'))
    """
    own = [(key, entities[key]) for key in OF_A_RUN if entities.get(key)]
    return tuple((key, (value.lstrip("0") or "0") if key == "run" else value) for key, value in own)


def is_motion(name: Name) -> bool:
    """Say whether a file holds the head motion of a run."""
    return _leads(name, ("orig",), REFERENCES)


class Folder:
    """The files of one participant in fMRIPrep's output.

    Parameters
    ----------
    dataset : Dataset
    participant : str
        Label.
    """

    def __init__(self, dataset: Dataset, participant: str) -> None:
        self.dataset = dataset
        self._root = dataset.path / f"sub-{participant}"

    @cached_property
    def _files(self) -> list[tuple[Name, Path]]:
        paths = sorted(path for kind in ("func", "anat", "fmap") for path in self._root.glob(f"**/{kind}/sub-*"))
        return [(Name.parse(path), path) for path in paths]

    @cached_property
    def spaces(self) -> set[str]:
        """The templates that a T1w was brought to."""
        return {name.entities["to"] for name, path in self._files if _is_normalization(name)}

    @cached_property
    def has_t2w_alone(self) -> bool:
        """Whether a T2w was brought to a template and no T1w, as NiBabies does with MCRIBS."""
        of_t2w = any(_is_normalization(name, ("T2w",)) for name, _ in self._files)
        return of_t2w and not self.spaces

    def fitted(self) -> set[tuple[tuple[str, str], ...]]:
        """Return the `run_key` of each run that was fitted."""
        return {run_key(name.entities) for name, _ in self._files if is_motion(name)}

    def fit(self, entities: Mapping[str, str], space: str) -> Fit:
        """Collect what belongs to a run.

        Parameters
        ----------
        entities : dict
            Of the raw run.
        space : str
            Of the template.
        """
        key = run_key(entities)
        own = [(name, path) for name, path in self._files if run_key(name.entities) == key]
        found = Fit(
            self.dataset,
            motion=_first(path for name, path in own if is_motion(name)),
            reference=_reference(own),
            coregistration=self._coregistration(own, entities.get("ses")),
            to_fieldmap=_first(path for name, path in own if _is_to_fieldmap(name)),
        )
        found = self._with_anatomy(found, entities.get("ses"), space)
        if found.to_fieldmap is not None:
            fieldmap = Name.parse(found.to_fieldmap).entities["to"]
            found = replace(found, coefficients=self._coefficients(fieldmap, entities.get("ses")))
        return replace(found, lacking=(*found.lacking, *_lacking(found, space)))

    def _coregistration(self, own: Iterable[tuple[Name, Path]], session: str | None) -> tuple[Path, ...]:
        straight = [path for name, path in own if _leads(name, REFERENCES, ANATOMICAL)]
        if straight:
            return (straight[0],)
        for shared in SHARED:
            first = _first(path for name, path in own if _leads(name, REFERENCES, (shared,)))
            owners = (session,) if shared == "session" else (None,)
            second = _first(
                path
                for name, path in self._files
                if _leads(name, (shared,), ANATOMICAL) and name.entities.get("ses") in owners
            )
            if first is not None and second is not None:
                return (second, first)
        return ()

    def _with_anatomy(self, found: Fit, session: str | None, space: str) -> Fit:
        """Take the T1w of the run's own session, else the one of the participant, else the only one."""
        forward = [item for item in self._files if _is_normalization(item[0]) and item[0].entities["to"] == space]
        of_session: dict[str | None, list[Path]] = {name.entities.get("ses"): [] for name, _ in forward}
        for name, path in forward:
            of_session[name.entities.get("ses")].append(path)
        chosen = next((of_session[one] for one in (session, None) if one in of_session), None)
        chosen = chosen or [path for _, path in forward]
        if len(chosen) > 1:
            return replace(found, lacking=(f"one T1w (there are {', '.join(path.name for path in chosen)})",))
        if not chosen:
            return found
        stem = chosen[0].name.partition("_from-")[0]
        beside = {what: [chosen[0].with_name(f"{stem}_{end}{kind}") for kind in IMAGES] for what, end in PARTS.items()}
        there = {what: next((path for path in paths if _exists(path)), None) for what, paths in beside.items()}
        lacking = tuple(f"{stem}_{PARTS[what]}.nii.gz" for what, path in there.items() if path is None)
        anatomy = {what: path for what, path in there.items() if path is not None}
        return replace(found, normalization=chosen[0], anatomy=anatomy, lacking=lacking)

    def _coefficients(self, fieldmap: str, session: str | None) -> tuple[Path, ...]:
        some = [
            (name.entities.get("ses"), path)
            for name, path in self._files
            if name.suffix == "fieldmap"
            and name.extension in IMAGES
            and name.entities.get("fmapid") == fieldmap
            and name.entities.get("desc", "").startswith("coeff")
        ]
        own = [path for ses, path in some if ses == session]
        return tuple(own or [path for _, path in some])


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()  # what is a link of git-annex is told as that where it is read


def _first(paths: Iterable[Path]) -> Path | None:
    return next(iter(paths), None)


def _leads(name: Name, sources: Collection[str], targets: Collection[str]) -> bool:
    ends = name.entities.get("from", ""), name.entities.get("to", "")
    return (name.suffix, name.extension) == ("xfm", ".txt") and ends[0] in sources and ends[1] in targets


def _is_normalization(name: Name, sources: Collection[str] = ANATOMICAL) -> bool:
    entities = name.entities
    return (name.suffix, name.extension) == ("xfm", ".h5") and entities.get("from") in sources and "to" in entities


def _is_to_fieldmap(name: Name) -> bool:
    elsewhere = (*ANATOMICAL, *SHARED, "T2w")
    return (
        (name.suffix, name.extension) == ("xfm", ".txt")
        and name.entities.get("from") in REFERENCES
        and name.entities.get("to") not in elsewhere
    )


def _reference(own: Iterable[tuple[Name, Path]]) -> Path | None:
    """Take the reference of the coregistration; else that of the motion, which lies where it lies."""
    found = {}
    for name, path in own:
        if name.suffix == "boldref" and name.extension in IMAGES:
            found[name.entities.get("space"), name.entities.get("desc")] = path
    wanted = ((None, "coreg"), ("run", None), (None, "hmc"), ("orig", "hmc"))
    return next((found[one] for one in wanted if one in found), None)


def _lacking(found: Fit, space: str) -> list[str]:
    looked_for = {
        "from-orig_to-boldref_mode-image_desc-hmc_xfm.txt": found.motion,
        "desc-coreg_boldref.nii.gz": found.reference,
        "from-boldref_to-T1w_mode-image_desc-coreg_xfm.txt": found.coregistration,
        f"from-T1w_to-{space}_mode-image_xfm.h5": found.normalization,
    }
    return [name for name, there in looked_for.items() if not there and not (name.endswith(".h5") and found.lacking)]


def not_corrected_because(fit: Fit, metadata: Mapping[str, Any]) -> str | None:
    """Say why what fMRIPrep fitted does not correct distortions, or None if it does."""
    if fit.to_fieldmap is None:
        return "fMRIPrep used no field map"
    if not fit.coefficients:
        return f"the coefficients of the field map of {fit.to_fieldmap.name} are not there"
    lacking = lacks(metadata)
    return None if lacking is None else f"the sidecar of the raw scan has {lacking}"
