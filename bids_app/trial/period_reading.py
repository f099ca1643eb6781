"""What tables and labels say of the treatments that everyone was given in turn: read once, for every such design."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bids_app.bids.values import people
from bids_app.errors import DataError
from bids_app.settings.settings import Trial
from bids_app.trial.arms import REFERENCE_LEVELS
from bids_app.trial.period_sessions import Visit
from bids_app.trial.tables import Tables
from bids_app.trial.treatment_tables import Given, Stated, stated_orders, treatments_of_sessions
from bids_app.trial.treatments import Treatments, find_treatments, of_labels


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of who was given what, before anything is concluded.

    Attributes
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    trial : settings.Trial
    stated : list of Stated
        What columns of participants.tsv say of the order: of sequences, or one for each period.
    given : Given or None
        What a column of sessions.tsv says was given at each session.
    visits : list of (str, str)
        Participant and session of every scan, and of every score of a session that others were scanned at.
    words : dict of str
        The name by every word that stands for a treatment, in the tables or the labels of the sessions.
    named : str
        Where these were found, for people.
    """

    tables: Tables
    scanned: Collection[Visit]
    trial: Trial
    stated: list[Stated]
    given: Given | None
    visits: list[Visit]
    words: Mapping[str, str]
    named: str

    @property
    def has_sessions(self) -> bool:
        """Whether any scan has a session."""
        return any(session for _, session in self.scanned)

    @property
    def where(self) -> str:
        """What tells the treatment of a session, for people."""
        return "the labels of the sessions" if self.given is None else self.given.source

    def two_treatments(self) -> Treatments:
        """Settle the two treatments by all words that tables have for them, else by the labels of the sessions."""
        return find_treatments(self.words, self.trial, self.named)

    def of_visits(self, treatments: Treatments) -> dict[Visit, str]:
        """Return the treatment of each session: by sessions.tsv, and by the labels where these name all treatments."""
        named = {} if self.given is None else self.given.of(treatments)
        said = {visit: name for visit, name in named.items() if visit in self.visits}
        labels = {session: treatments.of_session(session) for session in {session for _, session in self.visits}}
        by_label = {session: found[0] for session, found in labels.items() if found}
        if set(by_label.values()) != set(treatments.names):
            return said
        wrong = [visit for visit, name in said.items() if by_label.get(visit[1], name) != name]
        if wrong:
            raise DataError(
                f"The labels of the sessions and sessions.tsv say different treatments: {people(wrong)}. Correct one."
            )
        return said | {visit: by_label[visit[1]] for visit in self.visits if visit[1] in by_label}


def read_treatments(tables: Tables, scanned: Collection[Visit], trial: Trial) -> Reading:
    """Read who was given what, by each way in which people write it.

    Parameters
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    trial : settings.Trial

    Returns
    -------
    Reading

    Raises
    ------
    UsageError
        ``--arm`` says no order of treatments, or several columns of sessions.tsv could hold them.
    """
    labels = {session for _, session in scanned}
    stated, given = stated_orders(tables, trial), treatments_of_sessions(tables)
    words, named = _all_words(stated, given, labels)
    return Reading(
        tables=tables,
        scanned=scanned,
        trial=trial,
        stated=stated,
        given=given,
        visits=sorted({*scanned, *(visit for visit in tables.sessions.index if visit[1] in labels)}),
        words=words,
        named=named,
    )


def _all_words(stated: list[Stated], given: Given | None, sessions: Collection[str]) -> tuple[dict[str, str], str]:
    """Return the name by every word for a treatment, and where they were found."""
    words = {word: name for one in stated for word, name in one.words.items()}
    if given is not None:
        words |= given.words
    named = " and ".join(dict.fromkeys([*(one.source for one in stated), *([given.source] if given else [])]))
    labels = of_labels(sessions)
    if not words:
        named = "the tables name none, and what the sessions are called"
    elif all(len(word) == 1 for word in words) and set(labels) & set(REFERENCE_LEVELS):
        named += " and the labels of the sessions"  # which say what the letters stand for, or cannot be told from them
    else:
        labels = []
    return words | {label: label for label in labels}, named
