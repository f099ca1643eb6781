"""The flow of participants as it is written, and read again."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bids_app.trial.design import PERIODS, Design
from bids_app.trial.flow import VISITS

FLOW_COLUMNS = {
    "participant_id": "Participant",
    "arm": "Arm that the participant was randomized to",
    **{f"{visit}_scans": f"Scans at {visit}" for visit in VISITS},
    **{f"{visit}_volumes": f"Volumes kept at {visit}" for visit in VISITS},
    **{f"{visit}_minutes": f"Minutes of data kept at {visit}" for visit in VISITS},
    **{f"{visit}_mean_fd": f"Mean framewise displacement at {visit}, mm" for visit in VISITS},
    **{f"{visit}_coverage": f"Share of the analysis mask with a signal at {visit}" for visit in VISITS},
    "analysed": "Whether the participant is in the comparison",
    "reason": "Why not: no scan, or scanned, excluded: too few minutes of data kept or too little of the mask covered",
}


def flow_columns(design: Design) -> dict[str, str]:
    """Describe the columns of the flow as it is written: of a cross-over trial periods in place of visits."""
    columns = {**FLOW_COLUMNS, "arm": design.words.of(FLOW_COLUMNS["arm"])}
    if not design.treatments:
        return columns
    for visit, label in design.columns.items():
        own = {name: columns.pop(name) for name in list(columns) if name.startswith(f"{visit}_")}
        said = {f"{label}_session": f"Session that was {design.called[visit]}"}
        columns |= said | {
            name.replace(visit, label): text.replace(visit, design.called[visit]) for name, text in own.items()
        }
    return columns


def written(flow: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Return the flow with the columns of `flow_columns`; `read_flow` takes them back."""
    return with_heads(flow, design.columns)


def with_heads(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a table whose columns begin with other names.

    Examples
    --------
    >>> list(with_heads(pd.DataFrame(columns=["baseline_scans", "baseline", "arm"]), {"baseline": "period1"}))
    ['period1_scans', 'baseline', 'arm']
    """
    heads = {column: str(column).partition("_") for column in table}
    changed = {column: f"{names[head]}_{rest}" for column, (head, _, rest) in heads.items() if head in names and rest}
    return table.rename(columns=changed)


def read_flow(path: Path) -> pd.DataFrame:
    """Read the flow of participants as it was written, arms as words: an arm may be called 1, TRUE or None."""
    flow = pd.read_csv(path, sep="\t", na_values=["n/a"], keep_default_na=False, dtype={"arm": str})
    return with_heads(flow, dict(zip(PERIODS, VISITS, strict=True)))
