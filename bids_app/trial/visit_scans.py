"""What the scans of a visit come to: motion and data kept, whether they are enough, and what each weighs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from bids_app.bids.scans import Scan

MIN_COVERAGE = 0.5
ROUNDING = 1 - 1e-9  # 1350 volumes of 1.4 s are a hair less than 31.5 minutes
NO_SCAN = "no scan"
EXCLUDED = "scanned, excluded: "


def weights(scans: Sequence[Scan]) -> np.ndarray:
    """Return the weight of each scan of a visit: its share of the volumes kept, times the weight of its session.

    Where these are not known, as of matrices, all weigh the same.

    Examples
    --------
    >>> from bids_app.bids.scans import Scan
    >>> weights([Scan({}, None, {"NumberOfVolumesKept": kept}) for kept in (150, 50)])
    array([0.75, 0.25])
    """
    kept = np.array([scan.facts.volumes.kept for scan in scans], dtype=float)
    kept = kept if np.isfinite(kept).all() else np.ones(len(scans))  # of matrices it is not known
    total = np.array([kept[[other.part == one.part for other in scans]].sum() for one in scans])
    return kept / total * [1.0 if scan.part is None else scan.part[1] for scan in scans]


def facts_of(scans: Sequence[Scan], min_minutes: float) -> tuple[dict[str, float], str | None]:
    """Return what there is of a visit, and why it cannot be compared or None."""
    if parts := list(dict.fromkeys(scan.part[0] for scan in scans if scan.part)):
        return _of_several(parts, scans, min_minutes)
    if not scans:
        nothing = dict.fromkeys(("minutes", "mean_fd", "coverage"), np.nan)
        return {"scans": 0, "volumes": 0, **nothing}, NO_SCAN
    minutes = known([scan.facts.volumes.minutes_kept for scan in scans]).sum()
    unknown = any(scan.facts.volumes.minutes_kept is None for scan in scans)
    facts = {
        "scans": len(scans),
        "volumes": sum(scan.facts.volumes.kept for scan in scans),
        "minutes": np.nan if unknown else minutes,
        "mean_fd": _weighted([scan.facts.volumes.mean_displacement for scan in scans], weights(scans)),
        "coverage": _weighted([scan.facts.quality.coverage for scan in scans], weights(scans)),
    }
    if not unknown and too_little(minutes, min_minutes):
        return facts, f"{EXCLUDED}{minutes:.2f} min of data kept, less than {min_minutes:g}"
    if facts["coverage"] < MIN_COVERAGE:
        covered = f"{facts['coverage']:.0%} of the analysis mask covered, less than {MIN_COVERAGE:.0%}"
        return facts, EXCLUDED + covered
    return facts, None


def _of_several(
    sessions: Sequence[str], scans: Sequence[Scan], min_minutes: float
) -> tuple[dict[str, float], str | None]:
    """Return `facts_of` of several sessions together: minutes and coverage of that with the least, motion of all."""
    own = [[replace(scan, part=None) for scan in scans if scan.part and scan.part[0] == one] for one in sessions]
    found = [facts_of(of_session, min_minutes) for of_session in own]
    facts, kept = pd.DataFrame([facts for facts, _ in found]), [float(one.facts.volumes.kept) for one in scans]
    motion = _weighted([scan.facts.volumes.mean_displacement for scan in scans], np.array(kept))
    total = {"scans": len(scans), "volumes": sum(kept), "minutes": facts["minutes"].min(skipna=False)}
    reasons = [f"ses-{one}: {reason}" for one, (_, reason) in zip(sessions, found, strict=True) if reason]
    return {**total, "mean_fd": motion, "coverage": facts["coverage"].min(skipna=False)}, "; ".join(reasons) or None


def too_little(minutes: Any, min_minutes: float) -> Any:
    """Say whether minutes of data, a number or several, are fewer than are needed by more than rounding.

    Examples
    --------
    >>> too_little(1350 * 1.4 / 60, 31.5), too_little(31.49, 31.5), too_little(float("nan"), 31.5)
    (False, True, False)
    """
    return minutes < min_minutes * ROUNDING


def _is_known(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)


def known(values: Sequence[object]) -> np.ndarray:
    """Return the numbers among some values."""
    return np.array([value for value in values if _is_known(value)], dtype=float)


def _weighted(values: Sequence[object], shares: np.ndarray) -> float:
    """Return the mean of the values that are known, by their shares; NaN where none is."""
    there = np.array([_is_known(value) for value in values], dtype=bool)
    return float(known(values) @ shares[there] / shares[there].sum()) if there.any() else np.nan
