"""The clinical outcomes of a study of several comparisons: one model of all arms and all visits of each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.files import save_described
from bids_app.bids.result_names import study_name
from bids_app.group.family import of_all_arms
from bids_app.group.gathering import tables_of_chosen
from bids_app.group.notes import Notes
from bids_app.group.targets import TrialScans
from bids_app.group.trial_tables import draws_of, read_scores, retold, scale_of
from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.settings.deviation import Deviation
from bids_app.settings.roles import Role, below, outcome_model, role_of
from bids_app.settings.settings import SINGLE, Trial
from bids_app.stats.changes import CHANGES, CHANGES_COLUMNS, changes_table
from bids_app.stats.changes import MODEL as MODEL_OF_CHANGES
from bids_app.stats.repeated import (
    ANY,
    ANY_ARM,
    BASELINES,
    JOINT,
    MODEL,
    REPEATED_COLUMNS,
    RERANDOMIZED,
    RepeatedScores,
    repeated_table,
)
from bids_app.stats.scores.treatments import MODEL as OF_TREATMENTS
from bids_app.stats.scores.treatments import RERANDOMIZED as OF_TREATMENTS_REDRAWN
from bids_app.stats.scores.treatments import treatments_table
from bids_app.trial.covariates import code
from bids_app.trial.design import Design
from bids_app.trial.outcomes import name_of, outcome_table
from bids_app.trial.study import Study
from bids_app.trial.tables import Tables
from bids_app.trial.wording import SEVERAL_PERIODS, Wording

ROLE = {
    "role": "What the plan says that the row counts for: primary, secondary, or exploratory, as all is without a plan "
    "and as ordinal outcomes are, which ranks compare. F of any difference, or the only difference, has the role of "
    "the outcome, and the others the one below"
}
ONE_COLUMN = "{name} has one column of follow-up scores, which cannot be of all {n} follow-ups"

WITHOUT_MIXED = {  # what decides in place of ANCOVA where a design has no arms
    "one-group": "Student's t of the mean change",
    "paired": "Student's t of the mean difference",
    "crossover": "least squares of the periods",
}


def write_repeated(trial: TrialScans, options: Trial, notes: Notes) -> Path | None:
    """Write every arm against the reference at every follow-up, by one model of each outcome.

    Of one group every later visit against the first.

    Parameters
    ----------
    trial : TrialScans
        Of several comparisons.
    options : settings.Trial
        With where what was done departs from the plan.
    notes : Notes
        To which is added which planned outcome no row decides.

    Returns
    -------
    Path or None
        None where no outcomes are asked for.
    """
    if not options.outcomes:
        return None
    words, path = trial.study.first.words, trial.settings.group_dir / study_name("mmrm")
    table, left = outcomes_of_all(trial.study, options, trial.settings.selection.participants)
    departed = list(undecided(table, left, options))
    notes.undecided(departed)
    columns, about = (_described if words.several else _changes_described)(table, words)
    first = trial.study.first
    about |= {"ReferenceArm": first.levels[0]} if words.several else {"FirstVisit": first.baseline}
    about["NotModelled"] = left
    about["Deviations"] = [one.record for one in departed]
    save_described(path, table, columns, **about)
    return path


def outcomes_of_all(study: Study, options: Trial, participants: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Compare the outcomes of all arms at all follow-ups, and say what each row counts for.

    Returns
    -------
    table : DataFrame
    left : list of str
        As from `read_repeated`.
    """
    words = study.first.words
    if study.first.orders:
        return outcomes_of_treatments(study, options, participants), []
    outcomes, left = read_repeated(study, options, participants)
    if not words.several:
        table = changes_table(outcomes)
        return table.assign(role=_roles(table, options)), left
    table = repeated_table(outcomes, randomized=words.randomized, **draws_of(options, words))
    table = retold(table, words).replace({"active": {ANY_ARM: words.of(ANY_ARM)}})
    if not words.randomized:
        table = table.drop(columns="p_rerandomized")
    return table.assign(role=_roles(table, options)), left


def outcomes_of_treatments(study: Study, options: Trial, participants: Sequence[str] = ()) -> pd.DataFrame:
    """Compare the outcomes of all treatments of a cross-over trial of several, and say what each row counts for."""
    design, words = study.first, study.first.words
    scores = read_scores(tables_of_chosen(study.tables, participants), design, options)
    weighted = [(one.name, one.row(design.levels)) for one in study.weighted]
    table = treatments_table(
        scores.outcomes if scores else {}, design.levels, weighted, **draws_of(options, words)
    ).replace({"active": {ANY_ARM: "any treatment"}})
    return table.assign(role=_roles(table, options))


def _described(table: pd.DataFrame, words: Wording) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what the columns mean, and what the model is, of this table and in the words of the design."""
    if words.key == SEVERAL_PERIODS.key:
        return _described_treatments(table)
    used = [name for name in BASELINES if name in set(table["baseline"])]
    entered = "; ".join(f"{name}: {BASELINES[name]}" for name in used)
    columns = REPEATED_COLUMNS | ROLE | {"baseline": f"How the baseline enters; {entered}"}
    model = " ".join(MODEL.format(baseline=" ".join(BASELINES[name] for name in used)).split())
    drawn = bool(table.get("p_rerandomized", pd.Series()).notna().any())
    model += f" {RERANDOMIZED}" if drawn else ""
    about = {"Model": words.of(model), "LabelsRedrawn": drawn, **_about(table, JOINT, words)}
    return {name: words.of(text) for name, text in columns.items()}, about


def _changes_described(table: pd.DataFrame, words: Wording) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the same of one group."""
    about = {"Model": MODEL_OF_CHANGES, "LabelsRedrawn": False, **_about(table, CHANGES, words)}
    return CHANGES_COLUMNS | ROLE, about


def _about(table: pd.DataFrame, joint: Iterable[str], words: Wording) -> dict[str, Any]:
    """Return which covariance each outcome has and which F there are, and what must be read first."""
    forms = table.dropna(subset=["covariance"]).drop_duplicates("outcome").set_index("outcome")["covariance"]
    tested = [name for name in joint if (table["f"].notna() & (table["followup"] == name)).any()]
    warning = {"Warning": words.warning} if words.warning else {}
    return {"Covariance": forms.to_dict(), "JointTests": tested, **warning}


def _described_treatments(table: pd.DataFrame) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what the columns mean, and what the model is, of all treatments of a cross-over trial."""
    told = {
        "active": "Treatment that is compared; any treatment: all but the reference; or the name of weights",
        "followup": f"Empty, for all periods are in the model; {ANY}: F of any difference",
        "mean_active": "Mean under the compared treatment, not adjusted; none of several",
        "mean_reference": "The same of the reference",
        "p_rerandomized": OF_TREATMENTS_REDRAWN,
    }
    columns = {name: text.replace("arm", "treatment") for name, text in REPEATED_COLUMNS.items()} | told | ROLE
    forms = table.dropna(subset=["covariance"]).drop_duplicates("outcome").set_index("outcome")["covariance"]
    drawn = bool(table["p_rerandomized"].notna().any())
    about: dict[str, Any] = {"Model": f"{OF_TREATMENTS} {OF_TREATMENTS_REDRAWN}" if drawn else OF_TREATMENTS}
    about |= {"Covariance": forms.to_dict(), "LabelsRedrawn": drawn}
    return columns, about | {"JointTests": [ANY] if table["f"].notna().any() else []}


def read_repeated(
    study: Study, options: Trial, participants: Sequence[str] = ()
) -> tuple[dict[str, RepeatedScores], list[str]]:
    """Collect the outcomes of everyone in any arm, at the baseline and at the follow-ups of a study.

    Parameters
    ----------
    study : Study
    options : settings.Trial
    participants : sequence of str, optional
        Whom --participant-label chose; everyone by default.

    Returns
    -------
    outcomes : dict of RepeatedScores
        By name. Follow-ups at which an outcome was never measured are not there.
    left : list of str
        Which outcomes are none of several follow-ups, and why.
    """
    tables, designs = (
        tables_of_chosen(study.tables, participants),
        of_all_arms([one for one in study.designs if not one.summary("followup")]),
    )
    cutoffs, outcomes, left = parse_cutoffs(options.cutoffs), {}, []
    for word in dict.fromkeys(scale_of(word, cutoffs) for word in options.outcomes):
        found = dict(_by_followup(tables, designs, word, options))
        name, values = name_of(word), [rows["followup"] for rows in found.values()]
        if name not in tables.sessions and any(one.equals(other) for one, other in pairwise(values)):
            left.append(ONE_COLUMN.format(name=name, n=len(designs)))
        elif found:
            weighted = tuple((one.name, one.row(designs[0].arms)) for one in study.weighted)
            outcomes[name] = replace(_joined(found, tables, designs[0], options), weighted=weighted)
    return outcomes, left


def _by_followup(
    tables: Tables, designs: Sequence[Design], word: str, options: Trial
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each follow-up with arm, stratum, baseline and follow-up of everyone, if anybody has a score then."""
    for design in designs:
        if word in tables.sessions and design.followup not in _measured(tables, word):
            continue
        rows = outcome_table(tables, design, [word], options.strata)
        scores = rows.pivot(index="participant", columns="visit", values="value")
        who = rows.drop_duplicates("participant").set_index("participant")[["arm", "stratum"]]
        yield design.followup, who.join(scores.reindex(columns=["baseline", "followup"]))


def _measured(tables: Tables, name: str) -> set[str]:
    """Return the sessions at which anybody has a score."""
    return set(tables.sessions[name].dropna().index.get_level_values("session_id"))


def _joined(found: dict[str, pd.DataFrame], tables: Tables, design: Design, options: Trial) -> RepeatedScores:
    rows = next(iter(found.values()))
    participants = list(rows.index)
    covariates = code(tables, design, options.covariates, participants, whom=design.words.enrolled).table
    baseline = rows["baseline"].to_numpy(float)
    return RepeatedScores(
        arms=design.arms,
        followups=tuple(found),
        arm=rows["arm"].map({name: number for number, name in enumerate(design.arms)}).to_numpy(int),
        baseline=baseline if np.isfinite(baseline).any() else None,
        values=np.column_stack([one["followup"].reindex(participants).to_numpy(float) for one in found.values()]),
        covariates=covariates.to_numpy(float) if len(covariates.columns) else None,
        strata=rows["stratum"].to_numpy(str) if rows["stratum"].nunique() > 1 else None,
    )


def _roles(table: pd.DataFrame, options: Trial) -> list[Role]:
    """Say what each row counts for: one row of an outcome has its role, if the model decides."""
    decides = outcome_model(options, alone=False) == "mmrm"
    n_rows = table.groupby("outcome")["outcome"].transform("size")
    own = ((table["followup"] == ANY) | (n_rows == 1)) & decides
    roles = [_role(str(name), options) for name in table["outcome"]]
    return [role if one else below(role) for role, one in zip(roles, own, strict=True)]


def _role(outcome: str, options: Trial) -> Role:
    if outcome in options.ordinal:
        return "exploratory"
    return role_of(options.plan, outcome=outcome, departed=options.departed)


def undecided(table: pd.DataFrame, left: Sequence[str], options: Trial) -> Iterator[Deviation]:
    """Yield which primary outcomes of the plan no row of all comparisons decides, and why."""
    decided = set(table.loc[(table["role"] == "primary") & table["p"].notna(), "outcome"])
    for word in (options.plan and options.plan.primary_outcomes) or ():
        name, _, cutoff = name_of(word).partition(":")
        if role_of(options.plan, outcome=name_of(word), departed=options.departed) == "primary" and (
            cutoff or name not in decided
        ):
            yield Deviation("primary_outcomes", name_of(word), _why(table, left, options, (name, cutoff)))


def _one_of(options: Trial) -> str:
    """Say what a comparison by itself is of."""
    if options.design in SINGLE:
        return "one later visit"
    return "two treatments" if options.design == "crossover" else "one follow-up"


def _why(table: pd.DataFrame, left: Sequence[str], options: Trial, endpoint: tuple[str, str]) -> str:
    name, cutoff = endpoint
    each = "each comparison by itself, none of which decides"
    if cutoff or name in options.ordinal:
        return f"{each}: {'shares' if cutoff else 'ranks'} are of {_one_of(options)}"
    if outcome_model(options, alone=False) == "ancova":
        return f"{each}: {WITHOUT_MIXED.get(options.design, 'ancova')} is of {_one_of(options)}"
    notes = [one for one in left if one.startswith(f"{name} ")]
    notes += [str(note) for note in table.loc[table["outcome"] == name, "note"] if note]
    return f"{each}: {notes[0] if notes else 'it has no scores'}"
