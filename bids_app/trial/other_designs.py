"""What can be done where the tables hold no arms: the designs that need none, named by their options."""

from collections.abc import Collection

from bids_app.trial.arms import REFERENCE_LEVELS
from bids_app.trial.session_labels import meaning_of
from bids_app.trial.treatments import of_labels

TWO_TREATMENTS = (
    "Sessions are named by treatment ({sessions}): give --design paired, which compares the treatments within "
    "participants and takes the periods to be alike, or --design crossover, which needs to know who had what first "
    "(acq_time of the sessions, or a column sequence in participants.tsv)."
)
CHANGE = "To test how everyone changes from the first visit to each later one, without arms, give --design one-group."
ONE_VISIT = (
    "To describe everyone at the one visit, or with --slopes test what goes along with a covariate, without arms, give "
    "--design one-group."
)


def other_designs(scanned: Collection[tuple[str, str]]) -> str:
    """Say which designs need no arms, and what each would do with these scans.

    Parameters
    ----------
    scanned : set of (str, str)
        Participant and session of every scan.

    Examples
    --------
    >>> other_designs({("01", "pre"), ("01", "post")})[:60]
    'To test how everyone changes from the first visit to each la'
    """
    several = len({session for _, session in scanned}) > 1
    return by_treatment(scanned) or (CHANGE if several else ONE_VISIT)


def by_treatment(scanned: Collection[tuple[str, str]]) -> str:
    """Say what is made of sessions that are named by two treatments; nothing where they are not."""
    treatments = two_treatments({session for _, session in scanned})
    return TWO_TREATMENTS.format(sessions=", ".join(f"ses-{one}" for one in treatments)) if treatments else ""


def two_treatments(sessions: Collection[str]) -> list[str]:
    """Return the labels of sessions that are named by two treatments, one of them a known reference; or none.

    Examples
    --------
    >>> two_treatments(["placebo", "psilocybin"]), two_treatments(["pre", "post"])
    (['placebo', 'psilocybin'], [])
    """
    names = of_labels(sessions)
    known = len(names) == 2 and len({*names} & {*REFERENCE_LEVELS}) == 1
    return sorted(one for one in sessions if meaning_of(one).rest in names) if known else []
