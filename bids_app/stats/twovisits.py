"""One value of everyone randomized, before and after treatment, with what is missing left missing."""

from dataclasses import dataclass, fields, replace

import numpy as np

from bids_app.stats.design import independent_columns, nuisance


@dataclass(frozen=True)
class TwoVisits:
    """A score, or a region's value, of n participants at two visits.

    Attributes
    ----------
    arm : (n,) int ndarray
        As randomized: 1 for the active arm, 0 for the reference arm.
    baseline : (n,) float ndarray or None
        NaN where missing; None for a value that exists at follow-up only, such as a change score.
    followup : (n,) float ndarray
        NaN where missing.
    covariates : (n, k) float ndarray or None
        Measured before randomization.
    strata : (n,) ndarray of labels or None
        Strata of the randomization.
    of_baselines : (n,) float ndarray or None
        Of a cross-over trial, whose periods stand for the visits, the difference of the baselines of the periods.
    is_change : bool
        The follow-up is a slope or a difference by itself: the change is the follow-up.
    """

    arm: np.ndarray
    baseline: np.ndarray | None
    followup: np.ndarray
    covariates: np.ndarray | None = None
    strata: np.ndarray | None = None
    of_baselines: np.ndarray | None = None
    is_change: bool = False

    @property
    def observed(self) -> np.ndarray:
        """Who has a follow-up, (n,) bool."""
        return np.isfinite(self.followup)

    @property
    def change(self) -> np.ndarray:
        """Follow-up minus baseline, (n,) float; the value itself of one visit."""
        return self.followup if self.is_change or self.baseline is None else self.followup - self.baseline

    def of(self, members: np.ndarray) -> "TwoVisits":
        """Return those for whom ``members``, (n,) bool, is true."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: one[members] for name, one in values.items() if isinstance(one, np.ndarray)})

    def completers(self) -> "TwoVisits":
        """Return those with a follow-up, a missing baseline replaced as by `filled`."""
        return self.filled().of(self.observed)

    def filled(self) -> "TwoVisits":
        """Replace missing baselines and covariates by their mean over everyone randomized.

        Notes
        -----
        What is measured before randomization is independent of the arm, so that its mean biases no difference
        between the arms and costs nobody's follow-up: White & Thompson (2005), doi:10.1002/sim.1981.
        """
        baseline = None if self.baseline is None else filled(self.baseline)
        return replace(self, baseline=baseline, covariates=None if self.covariates is None else filled(self.covariates))

    def nuisance(self) -> np.ndarray:
        """Return what the arms are adjusted for beside the baseline, without columns that add nothing to the others.

        Returns
        -------
        (n, m) float64 ndarray
            As `design.nuisance`.
        """
        covariates = self.covariates
        if covariates is not None:
            covariates = independent_columns(covariates, self.strata)
        return nuisance(len(self.arm), covariates, self.strata)

    def design(self, baseline: np.ndarray | None = None) -> np.ndarray:
        """Return the arm, the baseline if one is given, and the `nuisance`, (n, p) float64."""
        columns = [self.arm, *([] if baseline is None else [baseline]), self.nuisance()]
        return np.column_stack(columns).astype(np.float64)


def filled(values: np.ndarray) -> np.ndarray:
    """Return values (n,) or (n, k) with those that are missing replaced by the mean of the others."""
    known = np.isfinite(values)
    means = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, values, means)
