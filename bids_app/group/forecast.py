"""What memory the tests of the group level will take, said before they begin, and how many threads share it."""

from collections.abc import Callable, Iterable

from bids_app.bids.findings import Finding
from bids_app.bids.values import counted
from bids_app.errors import UsageError
from bids_app.group.sample import Sample
from bids_app.settings.settings import Resources, Settings, Trial
from bids_app.stats.footprint import Footprint
from bids_app.system.machine import PROCESS_GB

ABOUT = "Forecast"


def gb_of_test(sample: Sample, trial: Trial, *, n_features: int, n_jobs: int = 1) -> float:
    """Estimate the memory of the process that makes one test of a sample, in GB, the maps that it reads included.

    Parameters
    ----------
    sample : Sample
        With or without its maps.
    trial : settings.Trial
    n_features : int
        Measures of the sample: all are tested in one process where they stop to draw together.
    n_jobs : int, optional
        Threads.
    """
    one = Footprint(
        n=len(sample.arm),
        n_voxels=int(sample.kept.sum()),
        n_visits=len(sample.design.visits),
        n_tested=max(1, len(sample.design.levels) - 1),
        n_nuisance=sample.nuisance().shape[1],
        robust=trial.hc3,
        rearranged=trial.scheme != "rerandomize",
        most_neighbours=2 if sample.grid is None else trial.connectivity,
    )
    return PROCESS_GB + (n_features if trial.until_settled else 1) * (one.maps + one.held(n_jobs)) / 1e9


def threads_of_each(n_tests: int, gb_of: Callable[[int], float], resources: Resources) -> int:
    """Return the threads of each test: as few as keep the processors busy with the tests that there is memory for.

    Parameters
    ----------
    n_tests : int
    gb_of : callable
        From the threads of a test to the GB of the largest.
    resources : settings.Resources

    Examples
    --------
    Of eight tests, two at a time have room.

    >>> threads_of_each(8, lambda n_jobs: 1.2 + 0.3 * n_jobs, Resources(n_cpus=4, mem_gb=4.0))
    2
    >>> threads_of_each(8, lambda n_jobs: 1.2 + 0.3 * n_jobs, Resources(n_cpus=4))
    1
    """
    room, n_cpus = resources.mem_gb or float("inf"), resources.n_cpus
    for n_jobs in range(max(1, n_cpus // n_tests), n_cpus + 1):
        if gb_of(n_jobs) * min(n_tests, n_cpus // n_jobs) <= room:
            return n_jobs
    return max((n_jobs for n_jobs in range(1, n_cpus) if gb_of(n_jobs) <= room), default=1)


def forecast(settings: Settings, samples: Iterable[tuple[str, Sample]]) -> tuple[Finding, ...]:
    """Say what memory the largest test takes, and refuse one that there is none for.

    Parameters
    ----------
    settings : Settings
    samples : iterable of (str, Sample)
        With the name of its route.

    Returns
    -------
    tuple of Finding
        None where that is little beside the process itself.

    Raises
    ------
    UsageError
        A test takes more than ``--mem-gb``, or by default than most of what the machine has.
    """
    trial, allowed = settings.trial, settings.resources.mem_gb
    needed = [(gb_of_test(one, trial, n_features=len(one.features)), name, one) for name, one in samples]
    most, name, sample = max(needed, key=lambda one: one[0])
    of = "all measures together" if trial.until_settled else "a measure"
    size = f"{counted(len(sample.arm), 'participant')}, {counted(len(sample.design.visits), 'visit')}"
    text = f"{name}: the test of {of} takes up to {most:.1f} GB of memory ({size}, {sample.kept.sum()} nodes)"
    if allowed is not None and most > allowed and not settings.resources.plugin:
        raise UsageError(
            f"{text}, and there are {allowed:.1f} GB (--mem-gb). Give it more memory; fewer measures at a time "
            "(--metrics), larger voxels (--voxel-size, at the participant level too) or an atlas take less."
        )
    return () if most < 2 * PROCESS_GB else (Finding(ABOUT, f"{text}."),)
