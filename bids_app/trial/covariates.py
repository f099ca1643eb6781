"""What the arms are adjusted for: the one place where columns of the tables become covariates and strata."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import Codebook, all_numbers, in_order, is_number, match, people, words_of
from bids_app.errors import DataError, UsageError
from bids_app.trial.coding_findings import coding_findings
from bids_app.trial.design import Design
from bids_app.trial.tables import Tables

LONGEST_MEANING = 24


@dataclass(frozen=True)
class Column:
    """A column that is measured before treatment.

    Attributes
    ----------
    name : str
    values : Series
        Of everyone in the tables, by participant: float where ``is_number``, else words; NaN where missing.
    is_number : bool
    codebook : values.Codebook
    """

    name: str
    values: pd.Series
    is_number: bool
    codebook: Codebook

    def label(self, level: str) -> str:
        """Name the column of the model that a level has, with what the level means."""
        return f"{self.name}[{self.named(level)}]"

    def named(self, level: str) -> str:
        """Return a level with its meaning, if it is described."""
        known = match(level, self.codebook.levels)
        meaning = "" if known is None else self.codebook.levels[known]
        short = meaning if len(meaning) <= LONGEST_MEANING else f"{meaning[: LONGEST_MEANING - 1].rstrip()}…"
        return f"{level}: {short}" if short and short.casefold() != level.casefold() else level


@dataclass(frozen=True)
class Coded:
    """Covariates as numbers.

    Attributes
    ----------
    table : DataFrame
        Indexed by participant, NaN where missing; a category has a column for each of its levels but the first.
    findings : tuple of Finding
        How each was coded, and what is odd about it.
    """

    table: pd.DataFrame
    findings: tuple[Finding, ...]


def read_column(tables: Tables, design: Design, name: str) -> Column:
    """Look a column up among the participants' tables, then in the first visit's, and settle what it means.

    Raises
    ------
    UsageError
        There is no such column.
    DataError
        It is of numbers, but not all of it.
    """
    everyone = tables.participants.index
    if name in tables.participants:
        found = tables.participants[name]
    elif name in tables.sessions and design.treatments:
        raise UsageError(
            f"{name} is a column of sessions: in a cross-over trial every session is after a treatment. Columns of "
            "participants.tsv can be adjusted for."
        )
    elif name in tables.sessions:
        visits = pd.MultiIndex.from_product([everyone, [design.visits[design.first]]])
        found = tables.sessions[name].reindex(visits).set_axis(everyone)
    else:
        known = ", ".join([*tables.participants, *tables.sessions])
        raise UsageError(f"No column {name} in participants.tsv, sessions.tsv or phenotype/; there are {known}.")
    codebook = tables.codebook(name)
    number = is_number(found, codebook)
    return Column(name, all_numbers(found, f"Column {name}") if number else words_of(found), number, codebook)


def code(
    tables: Tables, design: Design, names: Sequence[str], participants: list[str], whom: str = "analysed"
) -> Coded:
    """Code columns of the tables as covariates of some participants.

    Parameters
    ----------
    tables : design.Tables
    design : design.Design
    names : sequence of str
        Columns of the participants' tables, or of the baseline visit's.
    participants : list of str
    whom : str, optional
        What the participants are called.

    Returns
    -------
    Coded
        A level that none of them has, and what does not vary among them, has no column.

    Raises
    ------
    UsageError
        There is no such column.
    DataError
        A column of numbers holds words, or nothing for these participants.
    """
    columns: dict[str, pd.Series] = {}
    findings: list[Finding] = []
    for name in dict.fromkeys(names):
        column = read_column(tables, design, name)
        own = column.values.reindex(participants)
        if own.isna().all():
            raise DataError(f"Covariate {name} has no value for anyone {whom}.")
        varying = {name: own} if column.is_number else _dummies(column, own)
        varying = {label: values for label, values in varying.items() if values.nunique() > 1}
        columns |= varying
        findings += coding_findings(column, own, whom, used=bool(varying))
    return Coded(pd.DataFrame(columns, index=pd.Index(participants), dtype=float), tuple(findings))


def _dummies(column: Column, own: pd.Series) -> dict[str, pd.Series]:
    """Return 0 and 1 for each level but the first, and NaN where the level is not known."""
    levels = in_order(own.dropna())[1:]
    return {column.label(level): (own == level).astype(float).where(own.notna()) for level in levels}


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """Replace what is missing by the mean of the others.

    Parameters
    ----------
    table : DataFrame of float
        As from `code`.

    Notes
    -----
    What is measured before randomization is independent of the arm, so that its mean biases no difference between
    the arms and costs nobody's follow-up: White & Thompson (2005), doi:10.1002/sim.1981. The dummies of a category
    are replaced by the shares of its levels, which adds no column for the unknown.

    Examples
    --------
    >>> filled(pd.DataFrame({"age": [20.0, None, 40.0], "sex[M]": [1.0, 0.0, None]})).to_numpy().tolist()
    [[20.0, 1.0], [30.0, 0.0], [40.0, 0.5]]
    """
    return table.fillna(table.mean())


def model_covariates(
    tables: Tables, design: Design, names: Sequence[str], analysed: pd.DataFrame, *, adjust_motion: bool = True
) -> Coded:
    """Code what the arms are adjusted for among those analysed: the baseline motion, then the columns named.

    Parameters
    ----------
    tables : design.Tables
    design : design.Design
    names : sequence of str
    analysed : DataFrame
        The rows of `flow.participant_flow` of those who are compared.
    adjust_motion : bool, optional
        Whether the baseline motion is among the covariates.

    Returns
    -------
    Coded
        Indexed by participant_id; nothing is missing.
    """
    participants = [label.removeprefix("sub-") for label in analysed["participant_id"]]
    coded = code(tables, design, names, participants)
    table, findings = coded.table, coded.findings
    if adjust_motion:
        motion = motion_of(analysed, design)
        table, findings = with_motion(table, motion), (*_motion_said(motion, design), *findings)
    return Coded(filled(table).set_axis(analysed["participant_id"]), findings)


def motion_of(flow: pd.DataFrame, design: Design) -> pd.Series:
    """Return the mean FD at the first visit, by participant, from the flow of participants."""
    participants = flow["participant_id"].str.removeprefix("sub-").tolist()
    return pd.Series(flow[f"{design.first}_mean_fd"].to_numpy(float), index=participants, name=design.motion)


def with_motion(table: pd.DataFrame, motion: pd.Series, members: np.ndarray | None = None) -> pd.DataFrame:
    """Put the mean FD of `motion_of` before the covariates, if it varies among some members; some may lack it."""
    own = motion if members is None else motion[members]
    return pd.concat([motion.to_frame(), table], axis=1) if own.nunique() > 1 else table


def _motion_said(motion: pd.Series, design: Design) -> Iterator[Finding]:
    missing, arms = motion.index[motion.isna()], design.words.arms
    at, baseline = (" at baseline", "baseline ") if design.baseline is not None else ("", "")
    if len(missing) == len(motion):
        text = f"No {baseline}scan has a mean framewise displacement: the {arms} are not adjusted for motion."
        yield Finding("Motion", text, warning=True)
    elif len(missing):
        text = (
            f"The mean framewise displacement{at} is not known for {people(missing)} ({len(missing)} of "
            f"{len(motion)} analysed); it is replaced by the mean of the others, {motion.mean():.3g} mm, and the "
            f"{arms} are adjusted for it."
        )
        yield Finding("Motion", text, warning=True)
    if motion.nunique() == 1:
        yield Finding("Motion", f"The mean framewise displacement{at} is the same for everyone: not adjusted for.")


def slopes(tables: Tables, design: Design, names: Sequence[str], participants: list[str]) -> Coded:
    """Code the covariates whose slopes are mapped, which must be numbers; nothing is missing.

    Raises
    ------
    UsageError
        A column is of words, or is not there.
    """
    for name in names:
        if not read_column(tables, design, name).is_number:
            raise UsageError(f"--slopes {name}: a column of numbers is needed; it holds words.")
    coded = code(tables, design, names, participants)
    if constant := [name for name in names if name not in coded.table]:
        raise DataError(f"--slopes {', '.join(constant)}: the same for everyone analysed.")
    return Coded(filled(coded.table).reset_index(drop=True), coded.findings)


def balance_columns(tables: Tables, design: Design, names: Sequence[str], participants: list[str]) -> pd.DataFrame:
    """Return columns to describe the arms by: numbers, or categories with what their levels mean."""
    columns = {}
    for name in names:
        column = read_column(tables, design, name)
        values = column.values.reindex(participants)
        columns[name] = values if column.is_number else values.map(column.named, na_action="ignore")
    return pd.DataFrame(columns, index=pd.Index(participants))
