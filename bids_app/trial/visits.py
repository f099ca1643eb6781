"""Which visit is the baseline and which are the follow-ups: as told, else by the order in which they came."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bids_app.bids.findings import Finding
from bids_app.errors import DataError, UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.visit_order import Order

GROUPS_TOO = (
    "Groups that nobody randomized are compared at one visit too, with --design groups; with --design one-group "
    "everyone is described at it, or with --slopes tested for what goes along with a covariate."
)
Given = Mapping[str, tuple[str, ...]]  # the sessions that each option names


@dataclass(frozen=True)
class Visits:
    """The visits that are compared.

    Attributes
    ----------
    baselines : tuple of str
        Sessions, averaged where there are several; none where groups are compared at a visit by itself.
    followups : tuple of str
        Sessions; an empty one where the scans have none.
    findings : tuple of Finding
    """

    baselines: tuple[str, ...]
    followups: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def baseline(self) -> str | None:
        """What stands for the baseline where the label of a session does."""
        return "+".join(self.baselines) or None


def scanned_visits(visits: Iterable[tuple[str, str | None]]) -> set[tuple[str, str]]:
    """Return the visits of which there is a scan; those without a session only where none has one, as an empty one.

    Parameters
    ----------
    visits : iterable of (str, str or None)
        Participant and session.

    Examples
    --------
    >>> scanned_visits([("01", "pre"), ("02", None)]), scanned_visits([("01", None)])
    ({('01', 'pre')}, {('01', '')})
    """
    found = {(participant, session or "") for participant, session in visits}
    return {visit for visit in found if visit[1]} or found


def find_visits(order: Order, scanned: Collection[tuple[str, str]], trial: Trial) -> Visits:
    """Settle which session is the baseline and which are the follow-ups.

    Parameters
    ----------
    order : visit_order.Order
    scanned : set of (str, str)
        As from `scanned_visits`.
    trial : settings.Trial

    Returns
    -------
    Visits

    Raises
    ------
    UsageError
        It is not known, or what is said contradicts what is known.
    DataError
        There are not two visits.
    """
    sessions = list(order.sessions) or sorted({session for _, session in scanned})
    there = ", ".join(filter(None, sessions))
    given = {"baseline": trial.baseline, "followup": trial.followup}
    for option, session in ((option, one) for option, told in given.items() for one in told):
        if session not in sessions:
            raise UsageError(f"--{option} {session}: no scan of that session; there are {there or 'none'}.")
    if trial.design in ("groups", "one-group") and sessions and _alone(sessions, trial):
        alone = trial.followup or tuple(sessions)
        return Visits((), alone, _said_alone(alone, "compared" if trial.design == "groups" else "looked at"))
    if len(sessions) < 2:
        raise DataError(f"Two visits are needed; there are scans of {there or 'no session'}. {GROUPS_TOO}")
    if trial.design == "one-group" and len(trial.baseline) > 1:
        raise UsageError(f"--baseline {' '.join(trial.baseline)}: of one group, one session is the first.")
    if both := [one for one in trial.baseline if one in trial.followup]:
        raise UsageError(f"--baseline and --followup are both {both[0]}.")
    baseline, followups = _chosen(order, sessions, given)
    baselines = trial.baseline or (baseline,)
    doubts = tuple(Finding("Visits", text, warning=True) for text in order.doubts)
    evidence = tuple(_evidence(order, baselines, followup, given) for followup in followups)
    return Visits(baselines, followups, (*evidence, *doubts))


def _alone(sessions: Sequence[str], trial: Trial) -> bool:
    """Say whether groups are looked at at a visit by itself, and refuse what that leaves no baseline for."""
    if len(sessions) > 1:
        return bool(trial.followup) and trial.estimator == "post" and not trial.baseline
    if trial.design == "one-group":
        return True
    if trial.baseline:
        raise UsageError(
            f"--baseline {' '.join(trial.baseline)}: there are scans of this visit only; leave --baseline out."
        )
    if trial.estimator_told and trial.estimator != "post":
        raise UsageError(
            f"--estimator {trial.estimator}: there are scans of one visit only, and so no baseline. Leave it out, or "
            "give --estimator post."
        )
    return True


def _said_alone(sessions: Sequence[str], done: str) -> tuple[Finding, ...]:
    named = [f"ses-{session}" if session else "The one visit" for session in sessions]
    text = f"is {done} by itself: there is no baseline that it is adjusted for."
    return tuple(Finding("Visits", f"{name} {text}") for name in named)


def _chosen(order: Order, sessions: Sequence[str], given: Given) -> tuple[str, tuple[str, ...]]:
    """Return the baseline, of several the last, and the follow-ups: as given, else by the order of the sessions."""
    of = sorted(given["baseline"], key=sessions.index)
    given = {**given, "baseline": tuple(of[-1:])}
    told = [session for option in ("baseline", "followup") for session in given[option]]
    if all(given.values()):
        return given["baseline"][0], given["followup"]
    rest = [session for session in sessions if session not in (*told, *of)]
    if len(sessions) > 2 and (not order.sessions or order.weak or _dates(sessions)):
        raise UsageError(f"Sessions are {_listed(sessions)}: choose with --baseline and --followup.{_dates(sessions)}")
    if not told and not order.sessions:
        raise UsageError(
            f"Which visit came first, ses-{sessions[0]} or ses-{sessions[1]}? {order.evidence[0].upper()}"
            f"{order.evidence[1:]}. {' '.join((*order.doubts, 'Say so with --baseline and --followup.'))}"
        )
    if given["baseline"] and len(sessions) > 2:  # what came before it is no follow-up
        rest = [one for one in rest if sessions.index(one) > sessions.index(told[0])]
    baseline = (given["baseline"] or (rest.pop(0),))[0]
    followups = given["followup"] or tuple(rest)
    wrong = [one for one in followups if order.sessions and sessions.index(one) < sessions.index(baseline)]
    if told and (wrong or not followups):
        option, early = "baseline" if given["baseline"] else "followup", wrong[0] if wrong else sessions[0]
        raise UsageError(
            f"--{option} {told[0]} would make ses-{baseline} the baseline and ses-{early} the follow-up, but "
            f"ses-{early} came first ({order.evidence}). If that is meant, give both --baseline and --followup."
        )
    return baseline, followups


def _evidence(order: Order, baselines: Sequence[str], followup: str, given: Given) -> Finding:
    """Say by what evidence a follow-up is told from the baseline."""
    named = " and ".join(f"ses-{one}" for one in baselines)
    are = "is the baseline" if len(baselines) == 1 else "are the baseline"
    text = f"{named} {are} and ses-{followup} the follow-up, "
    if not all(given.values()):
        told = next((f"--{option} says so" for option, sessions in given.items() if sessions), None)
        known = order.evidence if order.sessions else "there are no others"
        only = ": nothing else says which came first" if order.weak else ""
        return Finding(
            "Visits", f"{text}because {' and '.join(filter(None, (told, known)))}{only}.", warning=order.weak
        )
    if {*baselines, followup} <= set(order.sessions):
        if max(map(order.sessions.index, baselines)) > order.sessions.index(followup):
            backwards = f"though ses-{followup} came first ({order.evidence}): the differences are backwards in time."
            return Finding("Visits", f"{text}as the command line or the plan says, {backwards}", warning=True)
        return Finding("Visits", f"{text}as the command line or the plan says; {order.evidence} too.")
    return Finding("Visits", f"{text}as the command line or the plan says; no other evidence was found.")


def _listed(sessions: Sequence[str], most: int = 12) -> str:
    return ", ".join(sessions[:most]) + (f" and {len(sessions) - most} more" if len(sessions) > most else "")


def _dates(sessions: Sequence[str]) -> str:
    """Say what to do where every session is named by its date: the same visit then has another label for everyone."""
    if not all(re.fullmatch(r"(19|20)\d{2}[01]\d[0-3]\d.*", session) for session in sessions):
        return ""
    return (
        " They are named by date. If everyone's dates differ, a visit has no label of its own: give it one in the "
        "preprocessed data (for example ses-baseline and ses-followup for everyone)."
    )
