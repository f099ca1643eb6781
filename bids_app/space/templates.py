"""Where a template's images lie, by the names of TemplateFlow. Imports nothing heavy."""

from pathlib import Path

BUNDLED_SPACE = "MNI152NLin2009aSym"
PREFERRED_SPACE = "MNI152NLin2009cAsym"
TISSUES = ("CSF", "GM", "WM")
PARTS = ("T1w", "desc-brain_mask", *(f"label-{tissue}_probseg" for tissue in TISSUES))


def template_space(folder: Path | None) -> str:
    """Return the space of a template folder, or of the template that nilearn carries if it is None.

    Examples
    --------
    >>> template_space(None), template_space(Path("cache/tpl-MNI152NLin2009cAsym"))
    ('MNI152NLin2009aSym', 'MNI152NLin2009cAsym')
    """
    return BUNDLED_SPACE if folder is None else folder.name.removeprefix("tpl-")


def template_file(folder: Path, part: str) -> Path | None:
    """Return one of a template's images, or None; TemplateFlow leaves empty files for what was not fetched."""
    path = folder / f"{folder.name}_res-02_{part}.nii.gz"
    return path if path.is_file() and path.stat().st_size else None


def cached_template(home: str | None) -> Path | None:
    """Return the folder of the preferred template in a cache of TemplateFlow if it is there whole, else None."""
    if not home:
        return None
    folder = Path(home).absolute() / f"tpl-{PREFERRED_SPACE}"
    return folder if all(template_file(folder, part) for part in PARTS) else None
