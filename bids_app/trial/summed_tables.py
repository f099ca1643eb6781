"""Scores of visits that are made of several sessions: the tables with what they come to."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import all_numbers, is_number
from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.settings.settings import Trial
from bids_app.trial.design import Design
from bids_app.trial.keys import plain_key
from bids_app.trial.outcomes import name_of, visit_of
from bids_app.trial.summaries import Summary, listed
from bids_app.trial.tables import Tables


def with_summaries(tables: Tables, summaries: Iterable[Summary], outcomes: Iterable[str] = ()) -> Tables:
    """Return the tables with the weighted sums of the numbers of several sessions, of who has all of them.

    Parameters
    ----------
    tables : Tables
    summaries : iterable of Summary
        Each becomes a session of sessions.tsv.
    outcomes : iterable of str
        Those that participants.tsv holds in a column for each session get a column too.
    """
    for one in summaries:
        columns = {_column(name, one): _of_columns(tables, name, one) for name in map(name_of, outcomes)}
        known = {name: values for name, values in columns.items() if values is not None}
        sessions = pd.concat([tables.sessions, *_of_sessions(tables, one)])
        tables = replace(tables, participants=tables.participants.assign(**known), sessions=sessions)
    return tables


def left_of(tables: Tables, design: Design, trial: Trial) -> dict[str, str]:
    """Return which outcomes a comparison of several sessions has nothing of, and what is said of each."""
    summary = design.summary("followup")
    if summary is None:
        return {}
    scales = {one: one if "=" in one else one.partition(":")[0] for one in trial.outcomes}
    said = f"is not known of anyone at all of {listed(summary.sessions)}: not compared as the {summary.called}."
    return {
        word: f"Outcome {name_of(scale)} {said}"
        for word, scale in scales.items()
        if not _is_known(tables, scale, summary)
    }


def unsummed(tables: Tables, design: Design, trial: Trial) -> Iterator[Finding]:
    """Say which outcomes and cut-offs a comparison of several sessions leaves out."""
    for text in left_of(tables, design, trial).values():
        yield Finding("Outcomes", text, warning=True)
    if design.is_change and parse_cutoffs(trial.cutoffs):
        text = f"Cut-offs are of scores: who reached them is not compared as the {design.called['followup']}."
        yield Finding("Outcomes", text)


def _is_known(tables: Tables, word: str, summary: Summary) -> bool:
    if word in tables.sessions:
        own = tables.sessions.index.get_level_values("session_id") == summary.name
        return bool(tables.sessions.loc[own, word].notna().any())
    return "=" not in word and word not in tables.participants and _column(word, summary) in tables.participants


def _column(name: str, summary: Summary) -> str:
    return f"{name}_ses-{summary.name}"


def _of_columns(tables: Tables, name: str, summary: Summary) -> pd.Series | None:
    """Return the sum over the columns of participants.tsv that hold an outcome, None where one is not found."""
    labels = {column: plain_key(label) for column in map(str, tables.participants) if (label := visit_of(column, name))}
    of = {one: [name for name, label in labels.items() if label == plain_key(one)] for one in summary.sessions}
    if name in tables.sessions or any(len(columns) != 1 for columns in of.values()):
        return None
    found = {one: all_numbers(tables.participants[column], f"Outcome {name}") for one, (column,) in of.items()}
    return _sum(pd.DataFrame(found), summary)


def _of_sessions(tables: Tables, summary: Summary) -> Iterator[pd.DataFrame]:
    """Yield the rows of sessions.tsv that a summary adds; words are known there if averaged sessions agree."""
    columns = {}
    for name in map(str, tables.sessions):
        column = tables.sessions[name]
        if column.notna().any() and is_number(column, tables.codebook(name)):
            columns[name] = _sum(all_numbers(column, f"Column {name}").unstack(), summary)
        elif not summary.needs_all:
            columns[name] = _same(column.unstack().reindex(columns=list(summary.sessions)))
    if columns:
        rows = pd.DataFrame(columns)
        index = pd.MultiIndex.from_product([rows.index, [summary.name]], names=tables.sessions.index.names)
        yield rows.set_axis(index)


def _same(words: pd.DataFrame) -> pd.Series:
    return words.bfill(axis=1).iloc[:, 0].where(words.nunique(axis=1) == 1)


def _sum(values: pd.DataFrame, summary: Summary) -> pd.Series:
    if not summary.needs_all:
        return values.reindex(columns=list(summary.sessions)).mean(axis=1)
    return (values.reindex(columns=list(summary.sessions)) * np.array(summary.weights)).sum(axis=1, skipna=False)
