"""The clinical outcomes of everyone randomized, from whichever table holds them, as one long table."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bids_app.bids.values import all_numbers
from bids_app.errors import DataError, UsageError
from bids_app.settings.deviation import Deviation
from bids_app.settings.roles import below, role_of
from bids_app.stats.manyperiods import ManyPeriods
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.arms import arm_words
from bids_app.trial.crossed_values import many_periods
from bids_app.trial.design import BASELINES, Design
from bids_app.trial.keys import likely, plain_key
from bids_app.trial.session_labels import compared, meaning_of
from bids_app.trial.strata import strata as strata_of
from bids_app.trial.tables import Tables

if TYPE_CHECKING:  # which imports the parser
    from bids_app.settings.plan import Plan

OUTCOME_COLUMNS = {
    "participant": "Participant, without sub-",
    "arm": "Arm that the participant was randomized to",
    "stratum": "Stratum of the randomization",
    "visit": "baseline, followup, or the label of another session (with ses- if it is one of these words)",
    "outcome": "Name of the outcome",
    "value": "Score; n/a where there is none",
}
WRITTEN_COLUMNS = {"participant_id": "Participant"} | {
    name: text for name, text in OUTCOME_COLUMNS.items() if name != "participant"
}
ROLE_COLUMN = {
    "role": "What the plan says that the row counts for: primary, secondary, or exploratory, as all is without a plan"
}


def outcome_table(tables: Tables, design: Design, outcomes: Iterable[str], strata: Sequence[str] = ()) -> pd.DataFrame:
    """List every score of everyone who was randomized to one of the arms of a design.

    Parameters
    ----------
    tables : design.Tables
    design : design.Design
    outcomes : list of str
        A column of sessions.tsv or of a phenotype table per session; or a column of participants.tsv, which then
        is of the follow-up only, or one of two such columns, one per visit, that differ by a word for the visit
        (hamd_pre and hamd_post, hamd_ses-1 and hamd_ses-2). ``NAME=BASELINE_COLUMN,FOLLOWUP_COLUMN`` says which.
    strata : tuple of str, optional
        Columns of participants.tsv.

    Returns
    -------
    DataFrame
        Columns as `OUTCOME_COLUMNS`. Everyone has a row for both visits, if need be without a value; other
        sessions have a row where there is a value.

    Raises
    ------
    UsageError
        An outcome is not there, or could be several columns.
    DataError
        An outcome holds something else than numbers.
    """
    arms = _arms(tables, design)
    who = pd.DataFrame({"arm": arms, "stratum": _strata(arms.index, tables, strata)})
    parts = []
    for word in dict.fromkeys(outcomes):
        name, scores = _scores(word, tables, design)
        visits = list(dict.fromkeys([*design.visits, *scores.index.get_level_values("visit")]))
        everyone = pd.MultiIndex.from_product([arms.index, visits], names=["participant", "visit"])
        values = scores.reindex(everyone)
        asked = np.isin(values.index.get_level_values("visit"), list(design.visits))
        rows = values[asked | values.notna()].rename("value").reset_index()
        parts.append(rows.assign(outcome=name).join(who, on="participant"))
    return pd.concat(parts, ignore_index=True)[list(OUTCOME_COLUMNS)]


def two_visits(table: pd.DataFrame, outcome: str, design: Design, covariates: pd.DataFrame | None = None) -> TwoVisits:
    """Turn an outcome of the long table into what `bids_app.stats` compares.

    Parameters
    ----------
    table : DataFrame
        From `outcome_table`.
    outcome : str
    design : design.Design
    covariates : DataFrame, optional
        Numbers measured before randomization, indexed by participant.

    Returns
    -------
    TwoVisits
        Participants in the order of the table.
    """
    rows = table[table["outcome"] == outcome]
    wide = rows.pivot(index="participant", columns="visit", values="value")
    first = rows.drop_duplicates("participant").set_index("participant")
    wide = wide.reindex(first.index).reindex(columns=["baseline", "followup", *BASELINES])
    before = wide[BASELINES[0]] - wide[BASELINES[1]]
    return TwoVisits(
        arm=(first["arm"] == design.active).to_numpy(int),
        baseline=wide["baseline"].to_numpy(float) if wide["baseline"].notna().any() else None,
        followup=wide["followup"].to_numpy(float),
        covariates=None if covariates is None else covariates.reindex(first.index).to_numpy(float),
        strata=first["stratum"].to_numpy(str) if first["stratum"].nunique() > 1 else None,
        of_baselines=before.to_numpy(float) if design.has_baselines and before.notna().any() else None,
        is_change=design.is_change,
    )


def of_all_periods(
    table: pd.DataFrame, outcome: str, design: Design, covariates: pd.DataFrame | None = None
) -> ManyPeriods:
    """Turn an outcome of the long table of a cross-over trial of several periods into what is compared."""
    rows = table[table["outcome"] == outcome]
    first = rows.drop_duplicates("participant").set_index("participant")
    wide = rows.pivot(index="participant", columns="visit", values="value").reindex(first.index)
    values = {str(visit): wide[visit].to_numpy(float) for visit in wide}
    periods = list(design.visits)[: design.n_periods]
    if lacking := [design.called[visit] for visit in periods if not np.isfinite(values.get(visit, np.nan)).any()]:
        raise DataError(f"Outcome {outcome} has no value in {' and '.join(lacking)}: every period is compared.")
    known = [visit for visit, of in values.items() if visit in periods or np.isfinite(of).any()]
    return many_periods(
        design,
        {visit: values[visit] for visit in known},
        first["arm"].map(design.arms.index).to_numpy(int),
        None if covariates is None else covariates.reindex(first.index).to_numpy(float),
        first["stratum"].to_numpy(str) if first["stratum"].nunique() > 1 else None,
    )


def outcome_columns(design: Design) -> dict[str, str]:
    """Describe the columns of the outcomes as they are written."""
    if not design.treatments:
        return WRITTEN_COLUMNS
    visits = f"{' or '.join(design.columns.values())}, or the label of another session"
    return WRITTEN_COLUMNS | {"arm": design.words.of(WRITTEN_COLUMNS["arm"]), "visit": visits}


def scores_as_written(table: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Return the scores with the participants and the visits as every table calls them."""
    named = table.rename(columns={"participant": "participant_id"})
    return of_visits(named.assign(participant_id="sub-" + named["participant_id"].astype(str)), design)


def of_visits(table: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Return a table for people, whose column ``visit`` says the periods of a cross-over trial."""
    return table.assign(visit=table["visit"].replace(design.columns))


def with_roles(
    table: pd.DataFrame, plan: "Plan | None", departed: Sequence[Deviation] = (), *, alone: bool = True
) -> pd.DataFrame:
    """Tag the rows of the clinical table.

    Parameters
    ----------
    table : DataFrame
        From `stats.clinical.clinical_table`.
    plan : plan.Plan or None
        Its outcomes are names, or ``NAME:CUTOFF`` such as hamd17:response.
    departed : list of Deviation, optional
        From `roles.deviations`.
    alone : bool, optional
        Whether this comparison is the only one.

    Returns
    -------
    DataFrame
        With the column ``role``, as `ROLE_COLUMN` describes it. The main analysis of an endpoint has the role that
        the plan gives the endpoint, or of one comparison of several the one below; the other ways to analyse it are
        exploratory.
    """
    roles = []
    for row in table.itertuples():
        endpoint = str(row.outcome) if row.endpoint == "score" else f"{row.outcome}:{row.endpoint}"
        role = role_of(plan, outcome=endpoint, departed=departed)
        role = role if alone else below(role)
        roles.append(role if row.analysis == "main" else "exploratory")
    return table.assign(role=roles)


def name_of(word: str) -> str:
    """Return what an outcome of the command line is called: NAME=BASELINE,FOLLOWUP is NAME."""
    return word.partition("=")[0]


def _arms(tables: Tables, design: Design) -> pd.Series:
    text = arm_words(tables, design)
    return text[text.isin(design.arms)].rename_axis("participant")


def _strata(participants: Iterable[str], tables: Tables, names: Sequence[str]) -> np.ndarray | str:
    found = strata_of(tables, names, list(participants))
    return "all" if found is None else found


def _scores(word: str, tables: Tables, design: Design) -> tuple[str, pd.Series]:
    """Return an outcome's name, and its numbers by participant and visit."""
    name, equals, columns = word.partition("=")
    if equals:
        return name, _of_columns(
            tables, dict(zip(("baseline", "followup"), _named(word, columns, tables), strict=True))
        )
    if name in tables.sessions:
        return name, _of_sessions(tables, design, name)
    if name in tables.participants:
        return name, _of_columns(tables, {"followup": name})
    return name, _of_columns(tables, _pair(name, tables, design))


def _named(word: str, columns: str, tables: Tables) -> list[str]:
    names = columns.split(",")
    if len(names) != 2:
        raise UsageError(f"--outcomes {word}: write NAME=BASELINE_COLUMN,FOLLOWUP_COLUMN.")
    if unknown := [column for column in names if column not in tables.participants]:
        raise UsageError(
            f"--outcomes {word}: no column {', '.join(unknown)} in participants.tsv or phenotype/; "
            f"there are {', '.join(tables.participants.columns)}."
        )
    return names


def _of_sessions(tables: Tables, design: Design, name: str) -> pd.Series:
    values = _numbers(name, tables.sessions[name])
    _require_followup(name, values.dropna(), design)
    roles: dict[str | None, str] = {session: visit for visit, session in design.visits.items()}
    other: dict[str | None, str] = {
        role: f"ses-{role}" for role in roles.values()
    }  # a session of that name that is not compared
    visits = values.index.get_level_values("session_id").map(lambda session: {**other, **roles}.get(session, session))
    index = pd.MultiIndex.from_arrays(
        [values.index.get_level_values("participant_id"), visits], names=["participant", "visit"]
    )
    return values.set_axis(index)


def _require_followup(name: str, known: pd.Series, design: Design) -> None:
    """Refuse an outcome that is known at other visits only: its labels are then probably written otherwise."""
    sessions = list(dict.fromkeys(known.index.get_level_values("session_id")))
    if design.followup in sessions:
        return
    meant = {session: likely(session, filter(None, design.visits.values())) for session in sessions}
    cause = "".join(f" ses-{session} may be meant for ses-{other}." for session, other in meant.items() if other)
    raise DataError(
        f"Outcome {name} has no value at the {design.called['followup']}, ses-{design.followup}: the tables have it at "
        f"{', '.join(f'ses-{session}' for session in sessions)}.{cause} Give the sessions of the tables the labels of "
        "the scans."
    )


def _of_columns(tables: Tables, columns: Mapping[str, str]) -> pd.Series:
    visits = {visit: _numbers(column, tables.participants[column]) for visit, column in columns.items()}
    scores = pd.concat(visits, names=["visit"]).swaplevel()
    return scores.rename_axis(index={scores.index.names[0]: "participant"})


def _pair(name: str, tables: Tables, design: Design) -> dict[str, str]:
    """Find the two columns of participants.tsv that hold an outcome, one per visit."""
    labels = {column: label for column in tables.participants.columns if (label := visit_of(column, name))}
    found = {
        visit: [column for column, label in labels.items() if plain_key(label) == plain_key(session)]
        for visit, session in design.visits.items()
    }
    if not any(found.get(name) for name in BASELINES):  # scores may be of the periods alone
        found = {visit: columns for visit, columns in found.items() if visit not in BASELINES}
    if not all(found.values()):
        found = _by_meaning(labels) or found
    for visit, columns in found.items():
        if len(columns) > 1:
            raise UsageError(
                f"--outcomes {name}: the {visit} could be {', '.join(columns)}; "
                f"write {name}=BASELINE_COLUMN,FOLLOWUP_COLUMN."
            )
    if not all(found.values()):
        raise UsageError(
            f"--outcomes {name}: no such column. Per visit there are {_listed(tables.sessions)}; "
            f"per participant {_listed(tables.participants)}."
        )
    return {visit: columns[0] for visit, columns in found.items()}


def visit_of(column: str, name: str) -> str:
    """Return the visit that a column's name says beside the outcome's: pre of hamd_pre, ses-1 of ses-1.HAMD."""
    around = re.fullmatch(
        rf"(?P<before>.*?)[_\-. ]?{re.escape(name)}[_\-. ]?(?P<after>.*)", column, flags=re.IGNORECASE
    )
    parts = [part for part in around.groups() if part] if around else []
    label = parts[0] if len(parts) == 1 else ""
    return label if meaning_of(label).says_something or label.casefold().startswith("ses-") else ""


def _by_meaning(labels: Mapping[str, str]) -> dict[str, list[str]] | None:
    """Tell baseline from follow-up by what the labels mean, where two columns are the only ones or say so in words."""
    meanings = {column: meaning_of(label) for column, label in labels.items()}
    if len(meanings) == 2:
        first, second = meanings
        sign = compared(meanings[first], meanings[second])
        pair = (first, second) if sign > 0 else (second, first)
        return {"baseline": [pair[0]], "followup": [pair[1]]} if sign else None
    return {
        "baseline": [column for column, meaning in meanings.items() if meaning.phase == -1],
        "followup": [column for column, meaning in meanings.items() if meaning.phase == 1],
    }


def _listed(table: pd.DataFrame) -> str:
    numeric = [str(column) for column in table if pd.api.types.is_numeric_dtype(table[column])]
    return ", ".join(numeric) or "none"


def _numbers(name: str, column: pd.Series) -> pd.Series:
    numbers = all_numbers(column, f"Outcome {name}")
    if numbers.isna().all():
        raise DataError(f"Outcome {name} has no value for anyone.")
    return numbers
