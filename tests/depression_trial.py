"""A simulated trial of a depression scale, and its tables for the formulas of statsmodels."""

import numpy as np
import pandas as pd

from bids_app.stats.twovisits import TwoVisits


def simulated(seed=1, *, n=44, effect=-5.0, missing=4, covariates=True):
    """A trial of a depression scale: SD 4 at baseline, 6 at follow-up, missing at random."""
    generator = np.random.default_rng(seed)
    arm = generator.permutation(np.arange(n) % 2)
    strata = np.where(np.arange(n) % 3 == 0, "a", "b")
    baseline = 25 + 4 * generator.standard_normal(n)
    followup = 18 + 0.8 * (baseline - 25) + effect * arm + 4.5 * generator.standard_normal(n)
    followup[generator.permutation(n)[:missing]] = np.nan
    age = generator.normal(40, 10, (n, 1)) if covariates else None
    return TwoVisits(arm, baseline, followup, age, strata)


def frame(data):
    columns = {"arm": data.arm, "baseline": data.baseline, "followup": data.followup, "stratum": data.strata}
    return pd.DataFrame({**columns, "age": data.covariates[:, 0], "change": data.change})


def long(data):
    wide = frame(data).reset_index(names="participant")
    rows = wide.melt(["participant", "arm", "age", "stratum"], ["baseline", "followup"], "visit").dropna()
    return rows.assign(follow=(rows["visit"] == "followup").astype(int))
