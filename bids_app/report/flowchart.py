"""Participants and scans per arm from first to last, in the manner of CONSORT."""

from collections import Counter
from typing import Any

import pandas as pd

from bids_app.trial.design import Design
from bids_app.trial.flow import counts, groups


def flowchart(flow: pd.DataFrame, arms: Design) -> dict[str, Any]:
    """Return what the chart of participants shows.

    Parameters
    ----------
    flow : DataFrame
        As `flow.participant_flow` has it.
    arms : design.Design

    Returns
    -------
    dict
        ``total``, ``analysed``, and ``arms``: for each of `flow.groups` its name, ``first`` count,
        ``steps`` (text and count), ``left_out`` (reason and count, the most frequent first) and ``analysed``.

    Examples
    --------
    >>> import pandas as pd
    >>> flow = pd.DataFrame({"participant_id": ["sub-1", "sub-2"], "arm": ["a", "b"], "baseline_scans": [1, 1],
    ...                      "followup_scans": [1, 0], "analysed": [True, False], "reason": [None, "no follow-up"]})
    >>> chart = flowchart(flow, Design("arm", "a", "b", "1", "2"))
    >>> [(arm["name"], arm["analysed"], arm["left_out"]) for arm in chart["arms"]]
    [('a', 1, []), ('b', 0, [('no follow-up', 1)])]
    """
    table = counts(flow, arms)
    return {
        "total": len(flow),
        "analysed": int(flow["analysed"].sum()),
        "arms": [_arm(flow[members], name, table[name]) for name, members in groups(flow, arms).items()],
    }


def _arm(flow: pd.DataFrame, name: str, column: pd.Series) -> dict[str, Any]:
    reasons = Counter(flow.loc[~flow["analysed"], "reason"].fillna("no reason given"))
    return {
        "name": name,
        "first": int(column.iloc[0]),
        "steps": [(str(step), int(count)) for step, count in column.iloc[1:-1].items()],
        "left_out": reasons.most_common(),
        "analysed": int(column["analysed"]),
    }
