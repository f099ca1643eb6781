"""Which sessions are the baselines of the periods of a cross-over trial: as --baseline says, or their labels."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

from bids_app.bids.findings import Finding
from bids_app.bids.values import in_order, people
from bids_app.errors import DataError, UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.design import BASELINES
from bids_app.trial.period_orders import baseline_name, period_name
from bids_app.trial.session_labels import meaning_of
from bids_app.trial.tables import Tables
from bids_app.trial.treatments import Treatments

Visit = tuple[str, str]  # participant and session
OWN = "Each period of a cross-over trial has its own baseline, or none has; a common one before period 1 is not used."


@dataclass(frozen=True)
class PeriodBaselines:
    """What is looked through for the sessions before treatment within each period.

    Attributes
    ----------
    treatments : Treatments
    trial : settings.Trial
    """

    treatments: Treatments
    trial: Trial

    def of_treatment(self, of_visits: Mapping[Visit, str], sessions: Collection[str]) -> dict[Visit, str]:
        """Return those whose treatment is known, of each participant one of a treatment.

        Without --baseline these are the sessions whose labels mean before treatment, if both treatments have such and
        others too.
        """
        wanted = self.trial.baseline
        if wanted and not any(self.is_named(session, wanted) for session in sessions):
            raise UsageError(f"--baseline {' '.join(wanted)}: sessions are {', '.join(sessions)}. {OWN}")
        found = {visit: name for visit, name in of_visits.items() if self.is_before(visit[1])}
        after = {name for visit, name in of_visits.items() if visit not in found}
        if not wanted and not set(found.values()) == after == set(self.treatments.names):
            return {}
        if found and set(found.values()) != set(self.treatments.names):
            raise UsageError(f"--baseline {' '.join(wanted)}: baselines of {' '.join({*found.values()})} only. {OWN}")
        once = {(participant, name) for (participant, _), name in found.items()}
        if len(once) < len(found):
            labels = ", ".join(f"ses-{one}" for one in in_order(session for _, session in found))
            raise UsageError(
                f"Several sessions could be the baseline of a treatment: {labels}. Choose with --baseline."
            )
        return found

    def in_order(self, sessions: Collection[str], n_periods: int = 2) -> tuple[str, ...]:
        """Return those, one of each period, that are of the same label for everyone, in no order; or none."""
        wanted = self.trial.baseline
        found = wanted or tuple(one for one in sessions if self.is_before(one))
        if unknown := [one for one in wanted if one not in sessions]:
            raise UsageError(f"--baseline {' '.join(unknown)}: no such session; there are {', '.join(sessions)}. {OWN}")
        if wanted and len(wanted) != n_periods:
            count = "two" if n_periods == 2 else n_periods
            raise UsageError(f"--baseline {' '.join(wanted)}: there are {count} periods. {OWN}")
        if both := sorted({*wanted} & {*self.trial.followup}):
            raise UsageError(f"--baseline and --followup are both {' '.join(both)}.")
        return found if len(found) == n_periods and (wanted or len(sessions) == 2 * n_periods) else ()

    def is_named(self, session: str, wanted: Collection[str]) -> bool:
        """Say whether an option names a session, by its label or by what the label says beside the treatment."""
        found = self.treatments.of_session(session)
        return session in wanted or (found is not None and found[1] in [one.lower() for one in wanted])

    def is_before(self, session: str) -> bool:
        """Say whether a session is a baseline, as --baseline or its label says."""
        if self.trial.baseline:
            return self.is_named(session, self.trial.baseline)
        found = self.treatments.of_session(session)
        named = self.is_named(session, self.trial.followup)
        return not named and meaning_of(found[1] if found else session).phase == -1


def said_of(periods: Mapping[Visit, str], trial: Trial) -> tuple[Finding, ...]:
    """Say which sessions are the baselines of the periods."""
    labels = {name: in_order({visit[1] for visit, of in periods.items() if of == name}) for name in BASELINES}
    if not any(labels.values()):
        return ()
    first, second = (" and ".join(f"ses-{one}" for one in of) for of in labels.values())
    each = first if first == second else f"{first} of period 1 and {second} of period 2"
    why = "--baseline says so" if trial.baseline else "the labels mean before treatment"
    text = f"{each}: baselines within the periods, because {why}. Their difference is adjusted for."
    return (Finding("Visits", text),)


def require_before(periods: Mapping[Visit, str], tables: Tables, n_periods: int = 2) -> None:
    """Refuse baselines that were not before the outcome of their period, and after that of the one before.

    Raises
    ------
    DataError
        By ``acq_time`` of somebody.
    """
    known = tables.times
    times = {(visit[0], period): known[visit] for visit, period in periods.items() if visit in known}
    wrong = {
        who: f"{first} and {second}"
        for first, second in pairwise(name(n) for n in range(n_periods) for name in (baseline_name, period_name))
        for who, period in times
        if period == first and (who, second) in times and times[who, first] >= times[who, second]
    }
    if wrong:
        one = sorted(wrong)[0]
        raise DataError(
            f"acq_time of {people(sorted(wrong))}: baselines and periods are not in turn ({wrong[one]} of sub-{one}). "
            "Say which sessions they are with --baseline and --followup."
        )
