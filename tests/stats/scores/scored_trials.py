"""The trials that R has analysed, its results, and the likelihood written out for all scores at once."""

from pathlib import Path

import numpy as np
import pandas as pd

from bids_app.stats.scores import fit_mmrm

HERE = Path(__file__).parent
COVARIATES = {"complete": [], "unbalanced": ["age"], "dropout": ["age", "site1", "site2"]}
TRIALS = pd.read_csv(HERE / "trials.tsv", sep="\t")
REFERENCE = pd.read_csv(HERE / "reference.tsv", sep="\t")


def arrays(name):
    """Return scores, arm, baseline and covariates of a trial."""
    rows = TRIALS[TRIALS["trial"] == name]
    scores = rows[[f"score{visit}" for visit in range(1, 5)]].dropna(axis=1, how="all").to_numpy()
    rows = rows.assign(site1=rows["site"] == 1, site2=rows["site"] == 2)
    return scores, rows["arm"].to_numpy(), rows["baseline"].to_numpy(), rows[COVARIATES[name]].to_numpy(dtype=float)


def fitted(name, structure="unstructured"):
    return fit_mmrm(*arrays(name), structures=[structure])


def reference(name, structure, source):
    """Return what R found, by contrast."""
    rows = REFERENCE[REFERENCE[["trial", "structure", "source"]].eq([name, structure, source]).all(axis=1)]
    assert len(rows)
    return rows.set_index("contrast")[["estimate", "standard_error", "df"]]


def contrast_weights(fit, words):
    """Return the weights of a contrast as reference.R calls it."""
    kind, arm, *visits = words.split()
    if kind == "mean":
        found = np.zeros(fit.shape)
        found[int(arm), int(visits[0]) - 1] = 1
        return found
    return fit.weights(int(arm), [int(visit) - 1 for visit in visits] or range(fit.shape[1]))


def found_by(fit, names, method):
    """Return the contrasts as `reference` has them."""
    rows = {name: fit.contrast(contrast_weights(fit, name), method=method) for name in names}
    return pd.DataFrame({name: vars(one) for name, one in rows.items()}).T[["estimate", "standard_error", "df"]]


def all_differences(fit):
    """Return the weights of every other arm against the first at every follow-up."""
    arms, visits = fit.shape
    return np.array([fit.weights(arm, [visit]) for arm in range(1, arms) for visit in range(visits)])


class Dense:
    """The model of a trial written out: X, y, and V of all scores, each a function of the (M, M) covariance."""

    def __init__(self, scores, arm, baseline, covariates):
        there = np.isfinite(scores).any(axis=1)
        scores, arm, baseline, covariates = scores[there], arm[there], baseline[there], covariates[there]
        self.who, self.visit = np.nonzero(np.isfinite(scores))
        self.y = scores[self.who, self.visit]
        n_visits, columns = scores.shape[1], []
        columns += [(arm[self.who] == k) & (self.visit == j) for k in range(arm.max() + 1) for j in range(n_visits)]
        columns += [(baseline - baseline.mean())[self.who] * (self.visit == j) for j in range(n_visits)]
        columns += [(one - one.mean())[self.who] for one in covariates.T]
        self.X = np.column_stack(columns).astype(float)

    def V(self, covariance):
        return covariance[np.ix_(self.visit, self.visit)] * (self.who[:, None] == self.who)

    def phi(self, covariance):
        return np.linalg.inv(self.X.T @ np.linalg.solve(self.V(covariance), self.X))

    def loglik(self, covariance):
        V, X = self.V(covariance), self.X
        information = X.T @ np.linalg.solve(V, X)
        residual = self.y - X @ np.linalg.solve(information, X.T @ np.linalg.solve(V, self.y))
        determinants = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
        size = len(self.y) - X.shape[1]
        return -(size * np.log(2 * np.pi) + determinants + residual @ np.linalg.solve(V, residual)) / 2
