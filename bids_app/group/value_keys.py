"""What a value is known by in tables: its outcome, or its region, measure and edges, as every table calls them."""

from collections.abc import Mapping

import pandas as pd

from bids_app.graph.features import Feature
from bids_app.group.result_tables import TABLE_COLUMNS

KEY_COLUMNS = {
    "outcome": "Clinical outcome",
    "region": "What the region is called",
    "measure": TABLE_COLUMNS["measure"],
    "edges": TABLE_COLUMNS["edges"],
    "name": "Name of the measure of the whole graph",
}
Keys = Mapping[str, Mapping[str, str]]  # by the name of the value


def key_of(feature: Feature, **more: str) -> dict[str, str]:
    """Return what a value of a measure is known by.

    Examples
    --------
    >>> key_of(Feature("degree", "r025"), region="PCC")
    {'region': 'PCC', 'measure': 'degree', 'edges': 'r025'}
    """
    return {**more, "measure": feature.metric, "edges": feature.edges}


def keyed(table: pd.DataFrame, keys: Keys | None = None) -> pd.DataFrame:
    """Put what each row's value is known by in place of the column ``value``; without keys, values are outcomes.

    Examples
    --------
    >>> keyed(pd.DataFrame({"value": ["hamd"], "p": [0.1]})).to_dict("records")
    [{'outcome': 'hamd', 'p': 0.1}]
    """
    if keys is None:
        return table.rename(columns={"value": "outcome"})
    known = pd.DataFrame([keys[str(name)] for name in table["value"]], index=table.index)
    return known.join(table.drop(columns="value"))
