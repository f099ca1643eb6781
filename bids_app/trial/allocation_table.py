"""The allocations that the trial's procedure could have drawn, from a table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bids_app.bids.tables import read_table
from bids_app.bids.values import as_text
from bids_app.errors import DataError
from bids_app.trial.design import Design


def read_allocations(path: Path, participants: Sequence[str], design: Design) -> np.ndarray:
    """Read the allocations that the trial's procedure could have drawn.

    Parameters
    ----------
    path : Path
        A table with the column participant_id, and a column for each allocation: the arms by name, or 1 and 0.
    participants : sequence of str
        Whose allocations are wanted, in this order.
    design : Design

    Returns
    -------
    (D, n) int8 ndarray
        1 for the active arm.

    Raises
    ------
    DataError
        Someone is not in the table, or a value is no arm.
    """
    table = read_table(path, ["participant_id"])
    if absent := [label for label in participants if label not in table.index]:
        raise DataError(f"{path}: no row for {', '.join(absent[:5])}; everyone who is compared must be there.")
    values = table.loc[list(participants)].map(as_text)
    known = {name: number for number, name in enumerate(design.arms)} | {"1": 1, "0": 0}
    if strange := sorted(set(values.to_numpy().ravel()) - set(known)):
        listed = " and ".join(filter(None, [*design.compared[:2]])) if not design.orders else ", ".join(design.arms)
        raise DataError(f"{path}: {', '.join(strange[:5])} is no arm; they are {listed}.")
    return values.map(known.get).to_numpy(np.int8).T
