"""The tables of the trial as a whole: clinical outcomes, missing follow-ups, balance and motion."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from bids_app.bids.files import save_described
from bids_app.bids.findings import Finding
from bids_app.bids.values import people
from bids_app.errors import DataError, UsageError
from bids_app.group.sample import Sample
from bids_app.group.treatments import analyses_of_several
from bids_app.group.value_keys import KEY_COLUMNS, keyed
from bids_app.settings.cutoffs import Cutoff, parse_cutoffs
from bids_app.settings.deviation import Deviation
from bids_app.settings.roles import outcome_model
from bids_app.settings.settings import Trial
from bids_app.stats.clinical import (
    by_mixed_model,
    change_table,
    clinical_columns,
    clinical_table,
    crossover_table,
    methods_of,
    several_periods_table,
)
from bids_app.stats.manyperiods import CARRIED
from bids_app.stats.missing import TIPPING_COLUMNS, missing_columns, missing_table, tipping_table
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.coding_findings import odd_numbers
from bids_app.trial.covariates import code
from bids_app.trial.design import Design
from bids_app.trial.flow_table import with_heads
from bids_app.trial.outcomes import (
    ROLE_COLUMN,
    name_of,
    of_all_periods,
    outcome_columns,
    outcome_table,
    scores_as_written,
    two_visits,
    with_roles,
)
from bids_app.trial.summed_tables import left_of
from bids_app.trial.tables import Tables
from bids_app.trial.wording import Wording

if TYPE_CHECKING:  # which holds the scores and notes of this module
    from bids_app.group.targets import GroupRun

logger = logging.getLogger("bids_app")


@dataclass(frozen=True)
class Scores:
    """The clinical outcomes of everyone randomized.

    Attributes
    ----------
    table : DataFrame
        As from `outcomes.outcome_table`.
    outcomes : dict of TwoVisits, or of several periods of ManyPeriods
        By name, in the order of ``participants``.
    participants : list of str
    successes : dict of dict of (n,) float ndarray
        By outcome and cut-off, who reached it: 1 or 0, NaN where it is not known.
    findings : tuple of Finding
        What is odd about the scores and about the covariates of everyone randomized.
    """

    table: pd.DataFrame
    outcomes: dict[str, Any]
    participants: list[str]
    successes: dict[str, dict[str, np.ndarray]]
    findings: tuple[Finding, ...] = ()


def read_scores(tables: Tables, design: Design, trial: Trial) -> Scores | None:
    """Collect the outcomes that are asked for, or None.

    Raises
    ------
    UsageError
        A name is unknown: of an outcome, or of what another option says about one.
    DataError
        An outcome is no number, or has no baseline for a cut-off in percent of it.
    """
    cutoffs = parse_cutoffs(trial.cutoffs)
    words = list(dict.fromkeys(scale_of(word, cutoffs) for word in trial.outcomes))
    left = {scale_of(word, cutoffs) for word in left_of(tables, design, trial)}
    names = [name_of(word) for word in words]
    said: dict[str, Sequence[str]] = {"--ordinal": trial.ordinal, "--higher-is-better": trial.higher_is_better}
    said["--cutoffs"] = [cutoff.outcome for cutoff in cutoffs]
    for option, members in said.items():
        if unknown := [name for name in dict.fromkeys(members) if name not in names]:
            raise UsageError(
                f"{option} {', '.join(unknown)}: not an outcome; --outcomes are {', '.join(names) or 'none'}."
            )
    words = [word for word in words if word not in left]
    names = list(map(name_of, words))
    if not words:
        return None
    table = outcome_table(tables, design, words, trial.strata)
    participants = list(table["participant"].drop_duplicates())
    enrolled = design.words.enrolled
    coded = code(tables, design, trial.covariates, participants, whom=enrolled)
    covariates = coded.table if len(coded.table.columns) else None
    of_visits_there = of_all_periods if design.orders else two_visits
    outcomes: dict[str, Any] = {name: of_visits_there(table, name, design, covariates) for name in names}
    of_each = table.groupby("outcome", sort=False)
    reached = [] if design.is_change else [one for one in cutoffs if one.outcome in outcomes]
    odd = [one for name, rows in of_each for one in _odd_scores(str(name), rows, enrolled, design)]
    findings = (*(one for one in coded.findings if one.warning), *odd)
    return Scores(table, outcomes, participants, _successes(outcomes, reached), findings)


def _odd_scores(name: str, rows: pd.DataFrame, enrolled: str, design: Design) -> Iterator[Finding]:
    """Warn of scores that may be codes for missing values, and of baselines that are missing."""
    values = rows.set_index("participant")["value"]
    yield from odd_numbers(f"Outcome {name}", values)
    if design.treatments or design.single:  # nothing of a period is adjusted for
        return
    before = values[(rows["visit"] == "baseline").to_numpy()]
    missing = before.index[before.isna()]
    if 0 < len(missing) < len(before):
        text = (
            f"Outcome {name} has no baseline for {len(missing)} of {len(before)} {enrolled} ({people(missing)}); where "
            f"it is adjusted for, it is the mean of the others, {before.mean():.4g} (White & Thompson 2005)."
        )
        yield Finding("Values", text, warning=True)


LEAST_WITH_SYMPTOM = 4  # of each arm


def symptom_changes(scores: Scores | None, sample: Sample) -> pd.DataFrame:
    """Return the outcomes' changes of those whose maps are compared, to be held against the maps' changes.

    Parameters
    ----------
    scores : Scores or None
    sample : sample.Sample

    Returns
    -------
    DataFrame
        n rows in the order of the sample, a column for each outcome that four of each arm have; NaN where missing.
    """
    if scores is None or sample.design.treatments:
        return pd.DataFrame()
    participants = sample.covariates.index.str.removeprefix("sub-")
    columns = {}
    for name, data in scores.outcomes.items():
        values = pd.Series(data.change, index=scores.participants, dtype=float).reindex(participants).to_numpy()
        known = [np.isfinite(values[sample.arm == arm]).sum() for arm in np.unique(sample.arm)]
        if min(known) >= LEAST_WITH_SYMPTOM and np.nanstd(values) > 0:
            columns[name] = values
        else:
            logger.warning("%s: its change is known for too few of those compared to be held against the maps.", name)
    return pd.DataFrame(columns)


def scale_of(word: str, cutoffs: Iterable[Cutoff]) -> str:
    """Return the outcome that a word of the command line or the plan is about: hamd17 of hamd17:response."""
    name, colon, cutoff = word.partition(":")
    if not colon or "=" in word:
        return word
    if (name, cutoff) not in [(one.outcome, one.name) for one in cutoffs]:
        raise UsageError(f"Outcome {word}: --cutoffs does not say what {cutoff} of {name} is.")
    return name


def write_outcomes(run: "GroupRun") -> None:
    """Write the scores, the table of the outcomes, and what missing follow-ups may do to them.

    Parameters
    ----------
    run : targets.GroupRun
        With scores.
    """
    trial, notes, words = run.settings.trial, run.notes, run.design.words
    participants = run.settings.selection.participants
    scores = cast(Scores, run.scores)
    save_described(run.trial_path("scores"), scores_as_written(scores.table, run.design), outcome_columns(run.design))
    draws = draws_of(trial, words)
    with notes.softly("Clinical outcomes", asked=True):
        table = outcomes_of(scores, run.design, trial, alone=run.alone)
        notes.undecided(undecided(table, trial))
        table = retold(of_chosen(table, participants), words)
        kind = {"crossover": run.design.treatments is not None, "several": run.design.orders is not None}
        columns = clinical_columns(table, single=run.design.single, **kind) | ROLE_COLUMN
        shown = table if run.design.orders else with_heads(table, run.design.columns)
        save_described(run.trial_path("outcomes"), shown, columns, Methods=methods_of(table))
    if not words.bounded:  # the bounds are those of an effect of what chance allotted
        return
    with notes.softly("Missing follow-ups of the outcomes"):
        table = of_chosen(missing_table(scores.outcomes, **draws), participants)
        save_described(run.trial_path("missing"), keyed(table), missing_columns(table) | KEY_COLUMNS)
    with notes.softly("Tipping points of the outcomes"):
        table = tipping_table(scores.outcomes, alpha=trial.alpha, seed=trial.random_seed)
        save_described(run.trial_path("tipping"), keyed(table), TIPPING_COLUMNS | KEY_COLUMNS)


def outcomes_of(scores: Scores, design: Design, trial: Trial, *, alone: bool) -> pd.DataFrame:
    """Compare the outcomes of a comparison, which is the only one or not, and say what each row counts for."""
    draws, model = draws_of(trial, design.words), outcome_model(trial, alone=alone)
    ranked: dict[str, Any] = {"ordinal": trial.ordinal, "higher_is_better": trial.higher_is_better}
    if design.orders:
        table = several_periods_table(scores.outcomes, carried=CARRIED in analyses_of_several(design), **draws)
    elif design.treatments:
        table = crossover_table(scores.outcomes, **ranked, **draws)
    elif design.single:
        own = draws | {"n_draws": trial.n_draws}
        table = change_table(scores.outcomes, ordinal=trial.ordinal, **own)
    else:
        own = draws | {"n_draws": draws["n_draws"] if design.words.randomized else None}
        table = clinical_table(scores.outcomes, successes=scores.successes, **ranked, **own)
        table = by_mixed_model(table) if model == "mmrm" else table
    return with_roles(table, trial.plan, trial.departed, alone=alone)


def undecided(table: pd.DataFrame, trial: Trial) -> Iterator[Deviation]:
    """Yield which primary outcomes are decided by another model than planned, or by none."""
    for row in table[table["role"] == "primary"].to_dict("records"):
        name, method = row["outcome"], row["method"]
        score = row["endpoint"] == "score" and name not in trial.ordinal
        if score and trial.outcome_model == "mmrm" and not method.startswith("mixed"):
            yield Deviation("primary_outcomes", f"{name} by mmrm", f"{name} by {method}")
        if np.isnan(row["p"]):
            what = name if row["endpoint"] == "score" else f"{name}:{row['endpoint']}"
            yield Deviation("primary_outcomes", f"{what} by {method}", row["note"] or "nothing that has a p")


def draws_of(trial: Trial, words: Wording) -> dict[str, Any]:
    """Return how often labels are re-drawn to test a value by itself: never where nobody was randomized."""
    return {"n_draws": trial.n_draws if words.randomized else 0, "seed": trial.random_seed}


def retold(table: pd.DataFrame, words: Wording) -> pd.DataFrame:
    """Say of whom estimates are, and what must be known of them, in the words of the design."""
    return table.assign(**{name: table[name].map(words.of) for name in ("population", "note") if name in table})


def of_chosen(table: pd.DataFrame, participants: Collection[str]) -> pd.DataFrame:
    """Say of whom a table is where --participant-label chose them: no longer of everyone randomized.

    Examples
    --------
    >>> of_chosen(pd.DataFrame({"population": ["everyone randomized"]}), ("01",))["population"][0]
    'everyone chosen by --participant-label'
    """
    if not participants:
        return table
    words = table["population"].str.replace("everyone randomized", "everyone chosen by --participant-label")
    return table.assign(population=words)


def _successes(outcomes: Mapping[str, TwoVisits], cutoffs: Iterable[Cutoff]) -> dict[str, dict[str, np.ndarray]]:
    """Return who reached each cut-off."""
    successes: dict[str, dict[str, np.ndarray]] = {}
    for cutoff in cutoffs:
        data = outcomes[cutoff.outcome]
        if data.baseline is None and cutoff.sign == "=":
            raise DataError(f"--cutoffs {cutoff.outcome}:{cutoff.name}: there is no baseline to change from.")
        reached = cutoff.reached(np.nan * data.followup if data.baseline is None else data.baseline, data.followup)
        successes.setdefault(cutoff.outcome, {})[cutoff.name] = reached
    return successes
