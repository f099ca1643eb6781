"""What the graphs of a scan take in memory; apart from the workflow, for `check` says it and needs no Nipype."""

from bids_app.settings.settings import Settings

SERIES_GB = 0.5  # what a graph takes beside its bits


def bits_gb(settings: Settings) -> float | None:
    """Return what the bits of one scan's graphs may take in memory, None for as much as there is."""
    allowed = settings.resources.mem_gb
    return None if allowed is None else max(allowed - SERIES_GB, 0.1)


def graph_gb(n_nodes: int, settings: Settings) -> float:
    """Estimate the memory of a scan's graphs, whose bits share the pass over the correlations as far as allowed."""
    whole, allowed = len(settings.graph.rules) * n_nodes**2 / 8e9, bits_gb(settings)
    return SERIES_GB + (whole if allowed is None else min(whole, allowed))
