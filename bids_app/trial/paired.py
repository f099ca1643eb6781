"""Two treatments within participants of whom nobody knows the order: which session was of which."""

from collections.abc import Collection

from bids_app.bids.findings import Finding
from bids_app.bids.values import people
from bids_app.errors import DataError
from bids_app.settings.settings import Trial
from bids_app.trial.period_sessions import PeriodSessions, Visit
from bids_app.trial.sequences import Sequences, treatments_of, treatments_of_visits, visits_of, where
from bids_app.trial.tables import Tables
from bids_app.trial.treatment_tables import stated_orders, treatments_of_sessions

UNNAMED = (
    "Nothing says which session was of which treatment: --design paired needs sessions that are named by treatment (as "
    "ses-placebo and ses-drug), or a column treatment in sub-*_sessions.tsv; there are sessions {sessions}."
)


def find_pairs(tables: Tables, scanned: Collection[Visit], trial: Trial) -> Sequences:
    """Settle which session was of which of two treatments: as sessions.tsv or the labels of the sessions say.

    Parameters
    ----------
    tables : Tables
    scanned : set of (str, str)
        Participant and session of every scan.
    trial : settings.Trial

    Returns
    -------
    Sequences
        In no order: each session is called by its treatment.

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    DataError
        Nothing says which session was of which treatment.
    """
    labels = {session for _, session in scanned}
    visits = visits_of(tables, scanned)
    stated, given = stated_orders(tables, trial), treatments_of_sessions(tables)
    treatments = treatments_of(stated, given, labels, trial)
    found = PeriodSessions(tables, visits, treatments, trial)
    outcomes = found.one_of_each(treatments_of_visits(given, treatments, visits))
    if {*outcomes.values()} != {*treatments.names}:
        raise DataError(UNNAMED.format(sessions=", ".join(filter(None, found.sessions)) or "without a name"))
    active, reference = treatments.both
    text = f"{active!r} is compared with {reference!r} within participants. Which session was of which treatment is "
    said = [Finding("Treatments", f"{text}said by {where(given)}.")]
    orders = [one.orders(treatments) for one in stated if one.n_periods < 3] + [found.timed(outcomes)[0]]
    if longer := [one.source for one in stated if one.n_periods > 2]:
        text = f"{' and '.join(longer)} of participants.tsv says the order of more than two periods, and is not used"
        said.append(Finding("Treatments", f"{text}: the periods are taken to be alike.", warning=True))
    elif known := sorted({name for of in orders for name in of}):
        text = f"What came first is known of {people(known)} ({len(known)}), and not used: --design crossover uses it, "
        said.append(Finding("Treatments", f"{text}and is free of what the periods differ in.", warning=True))
    return Sequences(active, reference, {}, outcomes, "", (*said, *found.unused(outcomes)))
