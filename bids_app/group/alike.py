"""Whether scans that are compared were made alike: what differs and changes numbers is refused, with the lists."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bids_app.bids.findings import Finding
from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.trial.wording import PARALLEL, Wording

SHOWN = 4
NOT_RECORDED = "not recorded"
# What a sidecar says of how a map or table was made, and what people call it. Where these differ, numbers differ.
MADE_BY = {
    "SpatialReference": "template space",
    "Cohort": "cohort of the template",
    "Resolution": "grid",
    "AnalysisMask": "analysis mask (--mask)",
    "Denoising": "denoising (--denoise)",
    "Bandpass": "band-pass (--bandpass)",
    "Detrend": "linear trend (--detrend)",
    "EchoCombination": "combination of echoes",
    "FramewiseDisplacementThreshold": "motion threshold in mm (--fd-threshold)",
    "Censoring": "censoring of the images as they were received",
    "EdgeRule": "edge rule (--threshold, --density)",
    "SmoothingFWHM": "smoothing of the maps (--smooth-maps)",
    "Matrix": "matrix (--matrix)",
    "NegativeEdges": "negative edges (--negative)",
    "Backbone": "backbone (--backbone)",
    "NumberOfNullGraphs": "null graphs (--n-null-graphs)",
    "AtlasDigest": "atlas, as it was laid over the nodes (--atlas)",
    "Software": "version of trialgraph",
    "Code": "code of trialgraph",
}
# What may rightly differ from scan to scan, but is worth a word.
WORTH_A_WORD = {
    "RepetitionTime": "repetition time in s",
    "FramewiseDisplacementSource": "source of the framewise displacement",
    "Dataset": "preprocessed dataset",
}


@dataclass(frozen=True)
class Made:
    """How one scan that is compared was made.

    Attributes
    ----------
    scan : str
        Its name for people.
    arm : str
        Or of a cross-over trial what was given.
    facts : dict
        Of its sidecar.
    """

    scan: str
    arm: str
    facts: dict[str, Any]


def made(scan: Scan, arm: str) -> Made:
    """Collect how a scan was made, from its sidecar and its name.

    Parameters
    ----------
    scan : scans.Scan
    arm : str
    """
    facts = dict(scan.sidecar)
    facts["Cohort"] = scan.entities.get("cohort")
    datasets = {str(uri).split(":")[1] for uri in scan.facts.origin.sources or () if str(uri).startswith("bids:")}
    facts["Dataset"] = ", ".join(sorted(datasets)) or None
    return Made(scan.facts.origin.scan or scan.path.name, arm, facts)


def differences(scans: Sequence[Made], keys: Iterable[str]) -> dict[str, dict[str, list[Made]]]:
    """Sort scans by each key that not all have the same value of.

    Parameters
    ----------
    scans : list of Made
    keys : iterable of str

    Returns
    -------
    dict of dict of list
        By key, then by value as text, the commonest first.

    Examples
    --------
    >>> one, other = Made("a", "drug", {"Detrend": True}), Made("b", "placebo", {"Detrend": False})
    >>> list(differences([one, other], ["Detrend"])["Detrend"])
    ['false', 'true']
    """
    found: dict[str, dict[str, list[Made]]] = {}
    for key in keys:
        by_value: defaultdict[str, list[Made]] = defaultdict(list)
        for scan in scans:
            by_value[_text(scan.facts.get(key))].append(scan)
        if len(by_value) > 1:
            found[key] = dict(sorted(by_value.items(), key=lambda item: (-len(item[1]), item[0])))
    return found


def require_alike(
    name: str, scans: Sequence[Made], *, accept_mixed: bool = False, words: Wording = PARALLEL
) -> tuple[Finding, ...]:
    """Refuse scans that were not made alike.

    Parameters
    ----------
    name : str
        Of what is compared, for people.
    scans : list of Made
        Those that are compared, of both visits.
    accept_mixed : bool, optional
        Compare them all the same, and say so.
    words : Wording, optional
        What is said of the arms.

    Returns
    -------
    tuple of Finding

    Raises
    ------
    DataError
        They differ in what changes numbers, and this is not accepted.
    """
    unlike = differences(scans, MADE_BY)
    if "Code" in unlike and "Software" in unlike:
        del unlike["Code"]
    said = [_said(MADE_BY[key], values, words) for key, values in unlike.items()]
    if said and not accept_mixed:
        raise DataError(
            f"{name}: the scans that would be compared were not made alike. {' '.join(said)} Run the participant level "
            "again on those that differ, or leave them out; --accept-mixed compares them all the same."
        )
    others = differences(scans, WORTH_A_WORD)
    worth = [_said(WORTH_A_WORD[key], values, words) for key, values in others.items()]
    refused = [
        Finding("Scans", f"Not made alike, and compared because of --accept-mixed. {text}", True) for text in said
    ]
    return (
        *refused,
        *(Finding("Scans", f"{name}: {text.replace('They differ', 'the scans differ', 1)}") for text in worth),
    )


def _said(what: str, values: Mapping[str, Sequence[Made]], words: Wording) -> str:
    listed = "; ".join(f"{value} in {_of(found)}" for value, found in values.items())
    return f"They differ in the {what}: {listed}.{_with_arm(values, words)}"


def _of(found: Sequence[Made]) -> str:
    names = [scan.scan for scan in found]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} scans ({', '.join(names[:SHOWN])}{more})"


def _with_arm(values: Mapping[str, Sequence[Made]], words: Wording) -> str:
    """Say so where the arms differ in a value as a whole: their difference could then be due to that alone."""
    arms = [{scan.arm for scan in found} for found in values.values()]
    if all(len(one) == 1 for one in arms) and len(set.union(*arms)) > 1:
        one, several = words.compared.removesuffix("s"), words.compared
        return f" This goes with the {one}, so that a difference between the {several} could come from it alone."
    return ""


def _text(value: object) -> str:
    if value is None:
        return NOT_RECORDED
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
