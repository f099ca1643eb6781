"""The strata of the randomization: the one place where columns of participants.tsv become blocks of exchange."""

from collections.abc import Iterator, Sequence

import numpy as np

from bids_app.bids.findings import Finding
from bids_app.bids.values import alike, numbers, people, words_of
from bids_app.errors import UsageError
from bids_app.trial.tables import Tables
from bids_app.trial.wording import PARALLEL, Wording


def strata(tables: Tables, names: Sequence[str], participants: list[str]) -> np.ndarray | None:
    """Return each participant's stratum, the combination of the columns named; None without columns.

    Parameters
    ----------
    tables : design.Tables
    names : sequence of str
        Columns of participants.tsv.
    participants : list of str

    Raises
    ------
    UsageError
        There is no such column.
    """
    if not names:
        return None
    if unknown := [name for name in names if name not in tables.participants]:
        raise UsageError(
            f"--strata {' '.join(unknown)}: participants.tsv has {', '.join(tables.participants.columns)}."
        )
    words = tables.participants.reindex(participants)[list(names)].apply(words_of)
    return words.fillna("n/a").astype(str).agg(" | ".join, axis=1).to_numpy(object)


def strata_said(
    tables: Tables, names: Sequence[str], participants: list[str], words: Wording = PARALLEL
) -> Iterator[Finding]:
    """Say what is odd about the strata: values that are missing, and words that differ by case only."""
    for name in names:
        column = words_of(tables.participants[name].reindex(participants))
        if (missing := column.index[column.isna()]).size:
            odd = ", which the randomization did not have" if words.randomized else ""
            text = f"{name} is not known for {people(missing)}: they are a stratum of their own, 'n/a'{odd}."
            yield Finding("Strata", text, warning=True)
        if same := alike(column.dropna()):
            groups = "; ".join(" and ".join(map(repr, group)) for group in same)
            text = f"{name}: {groups} differ by case, blanks or zeros only, and are taken as different strata."
            yield Finding("Strata", text, warning=True)
        read = numbers(column)
        if read.notna().all() and read.nunique() > max(5, len(read) / 4):
            text = f"{name} has {read.nunique()} different values for {len(read)} participants, each of them a stratum."
            yield Finding("Strata", text, warning=True)
