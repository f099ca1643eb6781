"""Two treatments within participants of whom nobody knows the order: which session was of which."""

from bids_app.bids.findings import Finding
from bids_app.bids.values import people
from bids_app.errors import DataError
from bids_app.trial.period_reading import Reading
from bids_app.trial.period_sessions import PeriodSessions
from bids_app.trial.sequences import Sequences

UNNAMED = (
    "Nothing says which session was of which treatment: --design paired needs sessions that are named by treatment (as "
    "ses-placebo and ses-drug), or a column treatment in sub-*_sessions.tsv; there are sessions {sessions}."
)


def find_pairs(read: Reading) -> Sequences:
    """Settle which session was of which of two treatments: as sessions.tsv or the labels of the sessions say.

    Parameters
    ----------
    read : Reading

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
    treatments = read.two_treatments()
    found = PeriodSessions(read.tables, read.visits, treatments, read.trial)
    outcomes = found.one_of_each(read.of_visits(treatments))
    if {*outcomes.values()} != {*treatments.names}:
        raise DataError(UNNAMED.format(sessions=", ".join(filter(None, found.sessions)) or "without a name"))
    active, reference = treatments.both
    text = f"{active!r} is compared with {reference!r} within participants. Which session was of which treatment is "
    said = [Finding("Treatments", f"{text}said by {read.where}.")]
    orders = [one.orders(treatments) for one in read.stated if one.n_periods < 3] + [found.timed(outcomes)[0]]
    if longer := [one.source for one in read.stated if one.n_periods > 2]:
        text = f"{' and '.join(longer)} of participants.tsv says the order of more than two periods, and is not used"
        said.append(Finding("Treatments", f"{text}: the periods are taken to be alike.", warning=True))
    elif known := sorted({name for of in orders for name in of}):
        text = f"What came first is known of {people(known)} ({len(known)}), and not used: --design crossover uses it, "
        said.append(Finding("Treatments", f"{text}and is free of what the periods differ in.", warning=True))
    return Sequences(active, reference, {}, outcomes, "", (*said, *found.unused(outcomes)))
