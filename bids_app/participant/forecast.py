"""What a run would find in each scan, from its tables and headers: minutes left, grid, memory and time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bids_app.bids.findings import Finding
from bids_app.bids.names import is_surface
from bids_app.bids.runs import BoldRun, Inputs
from bids_app.bids.timing import in_header, repetition_time
from bids_app.bids.values import counted
from bids_app.errors import TrialgraphError
from bids_app.participant.confounds import read_confounds, received_confounds
from bids_app.participant.memory import graph_gb
from bids_app.participant.nodes import find_grid
from bids_app.settings.settings import Settings, Signal
from bids_app.space.grid import Grid
from bids_app.system.images import open_bold
from bids_app.trial.visit_scans import too_little

ABOUT = "Forecast"
N_VOLUMES = 200  # of the products that are timed
PAIRS_AT_ONCE = 2048
# Processor time of a scan of 64,292 nodes, 12 % of the pairs joined: graphs against the bare products, and the rest.
GRAPH_AGAINST_PRODUCTS, REST_SECONDS = 4.5, 20.0


@dataclass(frozen=True)
class Outlook:
    """What a run would find in a scan.

    Attributes
    ----------
    run : BoldRun
    minutes : float or None
        Of data that are left after dummy scans and censoring; None where the scan would fail.
    voxel : float or None
        Longest edge of the data's voxels in mm; None on surfaces.
    reason : str
        Why the scan would fail.
    """

    run: BoldRun
    minutes: float | None = None
    voxel: float | None = None
    reason: str = ""


def outlook(run: BoldRun, options: Signal) -> Outlook:
    """Read the header, the sidecar and the confounds of a scan as a run does, and nothing of its data.

    Parameters
    ----------
    run : runs.BoldRun
    options : settings.Signal

    Returns
    -------
    Outlook
    """
    if is_surface(run.bold):
        return Outlook(run)
    try:
        image = open_bold(run.bold)
        seconds = repetition_time(run.bold.name, run.repetition_time, in_header(image)).seconds
        n_volumes = image.shape[3]
        if run.denoised:
            confounds = received_confounds(run, n_volumes)
        else:
            confounds = read_confounds(run.bold, run.confounds, n_volumes, options)
    except TrialgraphError as error:
        return Outlook(run, reason=str(error))
    return Outlook(run, float(confounds.kept.sum() * seconds / 60), max(image.header.get_zooms()[:3]))


def forecast(settings: Settings, inputs: Inputs, outlooks: Sequence[Outlook]) -> tuple[Finding, ...]:
    """Say what the scans, the grid and the machine leave to expect.

    Parameters
    ----------
    settings : Settings
    inputs : Inputs
    outlooks : list of Outlook

    Returns
    -------
    tuple of Finding
    """
    return (*_failing(outlooks), *_short(settings.signal, outlooks), *_of_grid(settings, inputs, outlooks))


def _failing(outlooks: Sequence[Outlook]) -> Iterator[Finding]:
    for one in outlooks:
        if one.reason:
            yield Finding(ABOUT, f"{one.run.label} would fail: {one.reason}", warning=True)


def _short(options: Signal, outlooks: Sequence[Outlook]) -> Iterator[Finding]:
    """Warn of scans that leave less than --min-minutes; the runs of a visit count together."""
    left: dict[str, float] = {}
    for one in outlooks:
        if one.minutes is not None:
            visit = f"sub-{one.run.entities['sub']}" + (f" ses-{ses}" if (ses := one.run.entities.get("ses")) else "")
            left[visit] = left.get(visit, 0.0) + one.minutes
    short = {visit: minutes for visit, minutes in left.items() if too_little(minutes, options.min_minutes)}
    if short:
        named = ", ".join(f"{visit} ({minutes:.1f})" for visit, minutes in list(short.items())[:6])
        more = f" and {len(short) - 6} more" if len(short) > 6 else ""
        text = (
            f"{len(short)} of {len(left)} visits have less than {options.min_minutes:g} minutes of data left after "
            f"censoring, and would not be compared (--min-minutes, --fd-threshold): {named}{more}."
        )
        yield Finding(ABOUT, text, warning=True)


def _of_grid(settings: Settings, inputs: Inputs, outlooks: Sequence[Outlook]) -> Iterator[Finding]:
    if not settings.graph.mapped or not outlooks:
        return
    try:
        grid = find_grid(settings, inputs)
    except TrialgraphError as error:
        yield Finding(ABOUT, str(error), warning=True)
        return
    yield Finding(ABOUT, f"Nodes: {grid}. {_cost(settings, grid.n_nodes, len(inputs.runs))}")
    coarse = max((one.voxel for one in outlooks if one.voxel is not None), default=0.0)
    if isinstance(grid, Grid) and coarse > 1.5 * max(grid.voxel_size):
        text = (
            f"The data have voxels of {coarse:g} mm: on the finer grid of the analysis neighbours are interpolated "
            "from the same data, and their correlations are high for that alone. Give --voxel-size native, or larger."
        )
        yield Finding(ABOUT, text, warning=True)


def _cost(settings: Settings, n_nodes: int, n_scans: int) -> str:
    """Say what memory and time to expect; the time from products of this machine that are timed now."""
    n_cpus = settings.resources.n_cpus
    alone = replace(settings, resources=replace(settings.resources, mem_gb=None))
    seconds = REST_SECONDS + n_nodes**2 / 2 * _seconds_of_a_pair() * GRAPH_AGAINST_PRODUCTS
    wall, on = _lasting(seconds * n_scans / n_cpus), counted(n_cpus, "processor")
    return (
        f"A scan takes up to {graph_gb(n_nodes, alone):.1f} GB of memory and about {_lasting(seconds)} of processor "
        f"time, all {n_scans} about {wall} on {on} (a tenth of the pairs joined; denser graphs take longer)."
    )


def _seconds_of_a_pair() -> float:
    """Return the processor time of one correlation of `N_VOLUMES`, from products of single precision."""
    draws = np.random.default_rng(0).standard_normal((2, PAIRS_AT_ONCE, N_VOLUMES)).astype(np.float32)
    rows, columns = draws[0], draws[1].T
    rows @ columns  # the first call prepares
    begun = time.process_time()
    for _ in range(4):
        rows @ columns
    return (time.process_time() - begun) / (4 * PAIRS_AT_ONCE**2)


def _lasting(seconds: float) -> str:
    """Return a length of time for people.

    Examples
    --------
    >>> [_lasting(seconds) for seconds in (0.2, 45.0, 400.0, 20_000.0)]
    ['1 s', '45 s', '7 min', '5.6 h']
    """
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
