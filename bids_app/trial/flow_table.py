"""The flow of participants as it is written, and read again."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bids_app.trial.design import PERIODS, Design
from bids_app.trial.flow import VISITS

FACTS = {
    "scans": "Scans at {visit}",
    "volumes": "Volumes kept at {visit}",
    "minutes": "Minutes of data kept at {visit}",
    "mean_fd": "Mean framewise displacement at {visit}, mm",
    "coverage": "Share of the analysis mask with a signal at {visit}",
}
FLOW_COLUMNS = {
    "participant_id": "Participant",
    "arm": "Arm that the participant was randomized to",
    **{f"{visit}_{name}": text.format(visit=visit) for name, text in FACTS.items() for visit in VISITS},
    "analysed": "Whether the participant is in the comparison",
    "reason": "Why not: no scan, or scanned, excluded: too few minutes of data kept or too little of the mask covered",
}


OF_SEVERAL = {
    **dict.fromkeys(("scans", "volumes"), "of all its sessions together, 0 where it is not there"),
    **dict.fromkeys(("minutes", "coverage"), "of that of its sessions with the least"),
    "mean_fd": "over all its sessions, by the volumes kept",
}


def flow_columns(design: Design) -> dict[str, str]:
    """Describe the columns of the flow as it is written: of a cross-over trial periods in place of visits."""
    columns = {**FLOW_COLUMNS, "arm": design.words.of(FLOW_COLUMNS["arm"])}
    for one in design.visits:
        if of := design.summary(one):
            if not of.needs_all:
                columns["baseline_sessions"] = f"Of how many sessions the baseline is the mean: the {of.text}"
            columns |= {
                f"{one}_{name}": f"{columns[f'{one}_{name}']} ({of.called}): {text}"
                for name, text in OF_SEVERAL.items()
            }
    if not design.own_sessions:
        return columns
    columns = {name: text for name, text in columns.items() if name.partition("_")[0] not in VISITS}
    for visit, label in design.columns.items():
        columns[f"{label}_session"] = f"Session that was {design.called[visit]}"
        columns |= {f"{label}_{name}": text.format(visit=design.called[visit]) for name, text in FACTS.items()}
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
