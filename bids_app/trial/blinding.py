"""A trial that is blinded: its tables and options with letters in place of the arms, or without arms.

What comes after sees neither names of arms nor what follows from them. With ``--blind`` everyone is one group, and each
visit is described; with ``--blind between`` letters are compared. Who is A is drawn by chance (`blinding_key`).
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.files import save_table
from bids_app.bids.findings import Finding
from bids_app.bids.tables import read_table
from bids_app.bids.values import as_text, in_order, words_of
from bids_app.errors import DataError, UsageError
from bids_app.settings.deviation import Deviation
from bids_app.settings.objectives import Protocol
from bids_app.settings.plan import Plan
from bids_app.settings.settings import CONTRASTS, SINGLE, Settings, Trial
from bids_app.trial.arms import compared_arms, find_arms, other_arms
from bids_app.trial.blinding_key import Key, draw_key, read_key
from bids_app.trial.blinding_log import SEALED, append_event, whole_blinding
from bids_app.trial.design import PERIODS
from bids_app.trial.periods_found import SeveralPeriods
from bids_app.trial.sequences import Sequences
from bids_app.trial.study import EVERYONE, find_study
from bids_app.trial.tables import Tables
from bids_app.trial.treatment_tables import treatments_of_sessions
from bids_app.trial.visit_order import order_of
from bids_app.trial.visits import find_visits

POOLED, BETWEEN = "pooled", "between"
ABOUT = "Blinding"
HELD = "held back while blinded"
OF_ARMS = ("arms", "reference", "contrasts", "dose", "allocations", "allocations, SHA-256")  # keys of a plan
TELLING_LENGTH = 3  # letters of a name that is not in a label by chance
SEQUENCE = "sequence"
OTHERS = "others"  # who is in the tables and in no arm that is compared
WITHOUT = {
    POOLED: "Everyone is one group, and nothing is tested. Held back is what could tell the arms apart or what they "
    "differ in: who is in which arm, how many each has, motion, outcomes and maps by arm, and every comparison.",
    BETWEEN: "The arms are letters, drawn by chance and not in the order of anything; differences are A minus B, and "
    "which of them is the reference is not said. What is read here is still a comparison of the arms: who has read it "
    "can no longer decide about the analysis without having seen its result.",
}


@dataclass(frozen=True)
class Masked:
    """What is told apart of the arms before they are letters.

    Attributes
    ----------
    column : str
        Of the arms; of a cross-over trial what the order is known by.
    compared, others : tuple of str
        The arms, or treatments, that are compared; and the others in the tables.
    members : Series of str
        Of each participant the arm, or the order of treatments; NaN where there is none.
    sequences : Sequences or SeveralPeriods or None
    """

    column: str
    compared: tuple[str, ...]
    others: tuple[str, ...]
    members: pd.Series
    sequences: Sequences | SeveralPeriods | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names of arms."""
        return (*self.compared, *self.others)


def blinded(settings: Settings, tables: Tables, scanned: Collection[tuple[str, str]]) -> tuple[Settings, Tables]:
    """Return the options and tables of a blinded trial, by the key of the call or one that is drawn and sealed.

    Parameters
    ----------
    settings : Settings
        With ``blind`` and ``key``; its output folder is there.
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.

    Returns
    -------
    Settings
    Tables

    Raises
    ------
    UsageError
        What the arms are called is in labels of participants or sessions, a covariate tells the arm, or the output
        folder holds what was not blinded.
    DataError
        The key is another one, or the log of the blinding was changed.
    """
    trial = settings.trial
    if trial.design in SINGLE:
        raise UsageError(
            f"--blind with --design {trial.design}: there are no arms that could be blinded. Leave it out."
        )
    masked = _told_apart(tables, scanned, trial)
    _refuse_labels(masked, tables, scanned)
    _refuse_telling(masked, tables, trial)
    key = _key(settings, masked)
    if settings.blind == BETWEEN:
        told, of_tables = _in_letters(masked, key, tables)
        options = _between(settings, masked, key, tables)
    else:
        told, of_tables = _without_arms(masked, tables)
        options = _pooled(settings, masked, tables, scanned)
    said = (Finding(ABOUT, WITHOUT[str(settings.blind)], warning=True), *of_tables, *_held(settings, masked))
    kept = _kept(tables.findings, masked)
    if n := len(tables.findings) - len(kept):
        what = "one thing" if n == 1 else f"{n} things"
        said = (*said, Finding(ABOUT, f"Of the tables {what} that names arms, or their column, is not said here."))
    return options, replace(told, findings=(*kept, *said))


def digest_of_tables(tables: Tables) -> str:
    """Return the SHA-256 of the participants' table as it is analysed: that of the file would tell who is in which arm.

    Parameters
    ----------
    tables : Tables
    """
    return hashlib.sha256(tables.participants.to_csv(sep="\t").encode()).hexdigest()


def _told_apart(tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> Masked:
    if trial.design == "crossover":
        found = find_study(tables, scanned, trial).sequences
        if found is None:
            raise DataError("The sequences of the cross-over trial are not known, so that they cannot be blinded.")
        members = pd.Series(
            {
                name: "-".join(found.orders[name]) if name in found.orders else None
                for name in tables.participants.index
            },
            dtype=object,
        )
        return Masked(found.evidence, found.treatments, (), members, found)
    column, compared, _ = compared_arms(tables, trial)
    others = other_arms(tables, column, compared)
    return Masked(column, tuple(compared), tuple(others), words_of(tables.participants[column]))


def _key(settings: Settings, masked: Masked) -> Key:
    """Return the key: that which is sealed, or one that is drawn now; the seal is in the log before anything else."""
    path, log = settings.key, whole_blinding(settings.output_dir)
    if path is None:
        raise UsageError("--blind needs --key FILE, outside the output folder, for which letter is which arm.")
    if unblinding := log.unblinding:
        raise UsageError(
            f"{settings.output_dir} was unblinded by {unblinding.get('User')} on {unblinding.get('Time')}: nothing in "
            "it is blind any more. Leave --blind out."
        )
    if not path.exists():
        if log.seal:
            raise UsageError(f"--key {path} is not there, and {settings.output_dir} was sealed with a key. Give that.")
        draw_key(masked.compared, masked.others, settings.call).write(path)
    key = read_key(path)
    if log.seal not in (None, key.digest):
        raise DataError(f"--key {path} is another key than that with which {settings.output_dir} was sealed.")
    if missing := set(masked.names) - set(key.letters):
        raise DataError(f"--key {path} has no letter for {', '.join(sorted(missing))}: it is of other tables.")
    if log.seal is None:
        _refuse_seen(settings.output_dir)
        append_event(settings.output_dir, SEALED, Seal=key.digest, Letters=key.in_use)
    return key


def _refuse_seen(output_dir: Path) -> None:
    """Refuse to seal a folder in which the arms were compared by name."""
    seen = [output_dir / name for name in ("group", "group-earlier", ".partial-group", ".partial-group-before")]
    seen += sorted((output_dir / "logs").glob("*_group_*"))
    if there := [str(path.relative_to(output_dir)) for path in seen if path.exists()]:
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""
        raise UsageError(
            f"{output_dir} holds what a run of the group level left that was not blinded: "
            f"{', '.join(there[:3])}{more}. Blind an output folder that only the participant level wrote to, or move "
            "these away."
        )


def _refuse_labels(masked: Masked, tables: Tables, scanned: Collection[tuple[str, str]]) -> None:
    """Refuse names of arms in the labels of participants and sessions, which are in every file."""
    labels = {f"sub-{one}" for one in tables.participants.index}
    labels |= {f"{entity}-{one}" for visit in scanned for entity, one in zip(("sub", "ses"), visit, strict=True)}
    if telling := in_order(label for label in labels if _names_one(label, masked.names)):
        raise UsageError(
            f"--blind: {', '.join(telling[:3])} say the arm, and are in the names of all files. Give them other labels."
        )


def _names_one(text: str, names: Iterable[str]) -> bool:
    """Say whether a text holds the name of an arm; short ones and numbers may be there by chance."""
    plain = "".join(text.casefold().split())
    return any(
        len(word) >= TELLING_LENGTH and not word.isdigit() and word in plain
        for word in ("".join(name.casefold().split()) for name in names)
    )


def _tells(column: pd.Series, masked: Masked) -> bool:
    """Say whether a column says the arm: by its name, or as a code that goes with it."""
    words = words_of(column).dropna()
    if any(_names_one(str(word), masked.names) for word in words.unique()):
        return True
    if isinstance(words.index, pd.MultiIndex) and _is_code(words, _given(masked), masked):
        return True
    if isinstance(words.index, pd.MultiIndex):
        words = words.groupby(level=0).agg(lambda own: "\0".join(sorted(set(own))))
    return _is_code(words, masked.members, masked)


def _given(masked: Masked) -> pd.Series:
    """Return what was given at each visit of a cross-over trial, by participant and session."""
    found = masked.sequences
    given = {}
    for visit, period in (found.periods if found else {}).items():
        place = PERIODS.index(period) if period in PERIODS else period
        if found and isinstance(place, int) and visit[0] in found.orders:
            given[visit] = found.orders[visit[0]][place]
    index = pd.MultiIndex.from_tuples(list(given), names=["participant_id", "session_id"]) if given else None
    return pd.Series(list(given.values()), index=index, dtype=object)


def _is_code(words: pd.Series, arms: pd.Series, masked: Masked) -> bool:
    """Say whether each word goes along with one arm, or one order, and there are hardly more words than these."""
    members = arms[arms.notna()].reindex(words.index).dropna()
    both = pd.DataFrame({"word": words.reindex(members.index), "arm": members})
    n_words, n_arms = both["word"].nunique(), both["arm"].nunique()
    alone = bool((both.groupby("word")["arm"].nunique() == 1).all())
    return 1 < n_arms <= n_words and n_words <= max(n_arms, len(masked.names)) and alone


def _telling(table: pd.DataFrame, masked: Masked) -> list[str]:
    own = () if masked.sequences else (masked.column,)
    return [str(name) for name in table if name not in own and _tells(table[name], masked)]


def _refuse_telling(masked: Masked, tables: Tables, trial: Trial) -> None:
    telling = {*_telling(tables.participants, masked), *_telling(tables.sessions, masked)}
    objectives = trial.plan.objectives if trial.plan else ()
    asked = {
        "--covariates": trial.covariates,
        "--strata": trial.strata,
        "--slopes": trial.slopes,
        "an event of the plan": [str(event.column) for one in objectives for event in one.events if event.column],
        "--outcomes": [name for word in trial.outcomes for name in word.replace("=", ",").split(",")],
    }
    for option, names in asked.items():
        if wrong := [name for name in names if name in (*telling, masked.column)]:
            raise UsageError(f"--blind with {option} {' '.join(wrong)}: it says the arm. Leave it out while blinded.")


def _without(masked: Masked, tables: Tables) -> tuple[Tables, tuple[Finding, ...]]:
    """Return the tables without the columns that say the arm beside its own."""
    of_people, of_visits = _telling(tables.participants, masked), _telling(tables.sessions, masked)
    given = treatments_of_sessions(tables) if masked.sequences else None
    n = len([name for name in (*of_people, *of_visits) if name != masked.column])
    says = "1 more column of the tables says" if n == 1 else f"{n} more columns of the tables say"
    text = f"{says} the arm, and {'is' if n == 1 else 'are'} left out while blinded."
    left = {*of_people, *of_visits, masked.column}
    kept = replace(
        tables,
        participants=tables.participants.drop(columns=of_people),
        sessions=tables.sessions.drop(columns=of_visits),
        levels={name: levels for name, levels in tables.levels.items() if name not in left},
    )
    if given is not None:  # by which the sessions are known: it is told in letters where these are compared
        name = given.source.partition(" of ")[0]
        kept = replace(kept, sessions=kept.sessions.assign(**{name: tables.sessions[name]}))
    return kept, (Finding(ABOUT, text),) if n else ()


def _without_arms(masked: Masked, tables: Tables) -> tuple[Tables, tuple[Finding, ...]]:
    """Return the tables of one group."""
    kept, said = _without(masked, tables)
    there = masked.members.notna() if masked.sequences else masked.members.isin(masked.compared)
    group = pd.Series(np.where(there, EVERYONE, OTHERS), index=there.index, dtype=object).where(masked.members.notna())
    participants = kept.participants.assign(**{masked.column: group})
    sessions = kept.sessions
    if masked.sequences and (given := treatments_of_sessions(tables)):
        sessions = sessions.drop(columns=given.source.partition(" of ")[0])
    return replace(kept, participants=participants, sessions=sessions), said


def _in_letters(masked: Masked, key: Key, tables: Tables) -> tuple[Tables, tuple[Finding, ...]]:
    """Return the tables with letters in place of arms."""
    kept, said = _without(masked, tables)
    if masked.sequences is None:
        words = masked.members.map(lambda word: key.letters.get(word, word), na_action="ignore")
        return replace(kept, participants=kept.participants.assign(**{masked.column: words})), said
    order = masked.sequences.orders
    words = pd.Series(
        {name: "-".join(key.letters[one] for one in order[name]) for name in kept.participants.index if name in order},
        dtype=object,
    )
    participants, sessions = kept.participants.assign(**{SEQUENCE: words}), kept.sessions
    if given := treatments_of_sessions(tables):
        letters = {word: key.letters.get(name) for word, name in given.words.items()}
        name = given.source.partition(" of ")[0]
        sessions = sessions.assign(**{name: words_of(sessions[name]).map(letters.get, na_action="ignore")})
    return replace(kept, participants=participants, sessions=sessions), said


def _between(settings: Settings, masked: Masked, key: Key, tables: Tables) -> Settings:
    """Return the options of a comparison of letters: the last stands where the reference does, whichever arm it is."""
    trial, letters = settings.trial, tuple(sorted(key.letters[one] for one in masked.compared))
    masked_trial = replace(
        trial,
        arm=None if masked.sequences else masked.column,
        arms=letters,
        reference_arm=letters[-1],
        contrasts=("all-pairs",) if len(letters) > 2 else ("reference",),
        dose=(),
        allocations=_allocations(settings, masked, key, tables) if trial.allocations else None,
        plan=_plan(trial.plan) if trial.plan else None,
        departed=tuple(_departed(one) for one in trial.departed),
    )
    return replace(settings, trial=masked_trial, key=None, call=None)


def _pooled(settings: Settings, masked: Masked, tables: Tables, scanned: Collection[tuple[str, str]]) -> Settings:
    """Return the options of one group that is described at each visit."""
    trial = settings.trial
    described = Trial(
        design="one-group",
        arm=masked.column,
        estimator="post",
        followup=_sessions(masked, tables, scanned, trial),
        covariates=trial.covariates,
        strata=trial.strata,
        baseline_motion=False,
        map_values=trial.map_values,
        min_per_arm=trial.min_per_arm,
        edge_statistic=trial.edge_statistic,  # which says that connections are looked at
        accept_mixed=trial.accept_mixed,
        outcomes=tuple(one for one in trial.outcomes if one in tables.sessions),
        alpha=trial.alpha,
    )
    return replace(settings, trial=described, key=None, call=None)


def _sessions(masked: Masked, tables: Tables, scanned: Collection[tuple[str, str]], trial: Trial) -> tuple[str, ...]:
    """Return the sessions in their order; none where there is one only."""
    if masked.sequences is not None:
        found = order_of(scanned, tables.moments, tables.logged).sessions
        sessions = tuple(found) or tuple(in_order(session for _, session in scanned))
    elif len({session for _, session in scanned}) < 2:
        return ()
    else:
        visits = find_visits(order_of(scanned, tables.moments, tables.logged), scanned, trial)
        sessions = (*visits.baselines, *visits.followups)
    return sessions if len(sessions) > 1 else ()


def _allocations(settings: Settings, masked: Masked, key: Key, tables: Tables) -> Path:
    """Write the table of possible allocations in letters to the work folder."""
    path = Path(str(settings.trial.allocations))
    table = read_table(path, ["participant_id"]).map(as_text)
    letters = dict(key.letters)
    if set(table.to_numpy().ravel()) & ({"0", "1"} - set(letters)):  # of two arms, 0 is the reference
        arms = find_arms(tables, settings.trial)
        letters |= {"0": letters[arms.reference], "1": letters[arms.others[0]]}
    kept = settings.work_dir / "allocations.tsv"
    save_table(kept, table.map(lambda word: letters.get(word, word)).reset_index())
    return kept


def _plan(plan: Plan) -> Plan:
    """Return a plan without what it says of the arms."""
    further = {name: HELD if name in OF_ARMS else value for name, value in plan.further.items()}
    hashes = {name: value for name, value in plan.hashes.items() if name not in OF_ARMS}
    protocol = Protocol(correction=plan.protocol.correction)  # the rest is words, and numbers by arm
    reference = HELD if plan.reference else None
    return replace(plan, reference=reference, further=further, hashes=hashes, objectives=(), protocol=protocol)


def _departed(one: Deviation) -> Deviation:
    return Deviation(one.what, HELD, HELD) if one.what in OF_ARMS else one


def _kept(findings: Iterable[Finding], masked: Masked) -> tuple[Finding, ...]:
    """Leave out what is said of the arms' own column, or names them."""
    return tuple(
        one
        for one in findings
        if not _names_one(one.text, masked.names)
        and not {masked.column, *(repr(name) for name in masked.names)} & {*one.text.replace(",", " ").split()}
    )


def _held(settings: Settings, masked: Masked) -> Iterator[Finding]:
    """Say what else was asked for and is held back."""
    trial, pooled = settings.trial, settings.blind != BETWEEN
    asked: dict[str, Any] = {
        "comparisons by weights": [one for one in trial.contrasts if one not in CONTRASTS],
        "the slope over the dose": trial.dose,
        "the objectives of the plan": trial.plan and trial.plan.objectives,
    }
    if pooled:
        asked |= {
            "slopes": trial.slopes,
            "responders": trial.cutoffs,
            "regions": trial.regions,
            "what follow-ups come to": trial.over_followups,
            "robustness": trial.robustness or trial.also,
            "outcomes that are no column of the visits": [one for one in trial.outcomes if "=" in one],
        }
    if names := [name for name, value in asked.items() if value]:
        yield Finding(ABOUT, f"Asked for, and made once the trial is unblinded: {', '.join(names)}.")
    if pooled and len(masked.members) > masked.members.isin(masked.compared).sum() and not masked.sequences:
        yield Finding(ABOUT, "Who is in none of the arms that are compared stands in the flow, and is not described.")


def letters_said(letters: Mapping[str, str]) -> str:
    """Say which letter was which arm, once that may be known.

    Examples
    --------
    >>> letters_said({"placebo": "B", "drug": "A"})
    'A was drug, B was placebo'
    """
    return ", ".join(f"{letter} was {name}" for name, letter in sorted(letters.items(), key=lambda pair: pair[1]))
