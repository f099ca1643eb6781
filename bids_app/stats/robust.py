"""The part of a heteroscedasticity-consistent covariance that holds the residuals, and a kernel for rearrangements."""

import numpy as np
from numba import njit

# Voxels done at a time: the rows of a chunk stay in the cache while the participants are gone through.
CHUNK = 256
# Leverages closer to 1 are 1 but for rounding.
FULL_LEVERAGE = 1e-10


@njit(cache=True, nogil=True)
def hc3_meat(  # noqa: C901 - one pass over memory: its loops do not come apart
    tested: tuple[np.ndarray, ...], fixed: tuple[np.ndarray, ...], solution: tuple[np.ndarray, ...], meat: np.ndarray
) -> None:
    r"""Add up :math:`\sum_i \tilde x_i \tilde x_i' e_i^2 / (1 - h_i)^2` of B draws that have the same outcome.

    Parameters
    ----------
    tested : tuple of (B, n, q) and (K, B, q, V) float64 ndarray
        Tested columns without nuisance, and their products with the units of the voxel-wise regressors.
    fixed : tuple of (K, n, V), (n, V) and (n, V) float64 ndarray
        Those units; the outcome without nuisance and regressors; the leverage of nuisance and regressors.
    solution : tuple of (B, q, V) and (B, q, q, V) float64 ndarray
        Coefficients, and the inverse of the tested columns' sums of products.
    meat : (B, q, q, V) float64 ndarray
        Filled; infinite where a participant alone determines a tested column, so that t is 0.
    """
    (columns, cross), (units, outcome, leverage), (coefficients, inverse) = tested, fixed, solution
    x = np.empty(columns.shape[2])
    meat[:] = 0.0
    for draw in range(len(columns)):
        for i in range(outcome.shape[0]):
            for v in range(outcome.shape[1]):
                residual, share = outcome[i, v], 0.0
                for a in range(x.size):
                    x[a] = columns[draw, i, a]
                    for k in range(units.shape[0]):
                        x[a] -= cross[k, draw, a, v] * units[k, i, v]
                    residual -= x[a] * coefficients[draw, a, v]
                for a in range(x.size):
                    for b in range(x.size):
                        share += x[a] * inverse[draw, a, b, v] * x[b]
                free = 1.0 - leverage[i, v] - share
                for a in range(x.size):
                    for b in range(x.size):
                        if free > FULL_LEVERAGE:
                            meat[draw, a, b, v] += x[a] * x[b] * (residual / free) ** 2
                        elif a == b and share > FULL_LEVERAGE:
                            meat[draw, a, b, v] = np.inf


@njit(cache=True, nogil=True, error_model="numpy")  # division that may raise is not done several at once
def hc3_meat_of_one(
    tested: tuple[np.ndarray, ...], fixed: tuple[np.ndarray, ...], solution: tuple[np.ndarray, ...], meat: np.ndarray
) -> None:
    """Do what `hc3_meat` does, for a single tested column: faster, several voxels at once, from the cache."""
    (columns, cross), (units, outcome, leverage), (coefficients, inverse) = tested, fixed, solution
    chunk = np.empty(CHUNK)
    meat[:] = 0.0
    for start in range(0, outcome.shape[1], CHUNK):
        stop = min(start + CHUNK, outcome.shape[1])
        x = chunk[: stop - start]
        for draw in range(len(columns)):
            variance, coefficient = inverse[draw, 0, 0, start:stop], coefficients[draw, 0, start:stop]
            own_meat = meat[draw, 0, 0, start:stop]
            for i in range(outcome.shape[0]):
                x[:] = columns[draw, i, 0]
                for k in range(units.shape[0]):
                    products, unit = cross[k, draw, 0, start:stop], units[k, i, start:stop]
                    for v in range(x.size):
                        x[v] -= products[v] * unit[v]
                own_outcome, own_leverage = outcome[i, start:stop], leverage[i, start:stop]
                for v in range(x.size):
                    share = x[v] * x[v] * variance[v]
                    free = 1.0 - own_leverage[v] - share
                    full = free <= FULL_LEVERAGE
                    weighted = x[v] * (own_outcome[v] - x[v] * coefficient[v]) / (1.0 if full else free)
                    alone = np.inf if share > FULL_LEVERAGE else 0.0
                    own_meat[v] += alone if full else weighted * weighted


@njit(cache=True, nogil=True)
def rearranged_products(unit: np.ndarray, outcome: np.ndarray, order: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return the products of a regressor with B rearrangements of the outcome, voxel by voxel.

    Parameters
    ----------
    unit, outcome : (n, V) float64 ndarray
    order : (B, n) int64 ndarray
    signs : (B, n) float64 ndarray

    Returns
    -------
    (B, V) float64 ndarray
    """
    products = np.zeros((len(order), unit.shape[1]))
    for start in range(0, unit.shape[1], CHUNK):
        stop = min(start + CHUNK, unit.shape[1])
        for draw in range(len(order)):
            own = products[draw, start:stop]
            for i in range(len(unit)):
                sign, one, other = signs[draw, i], unit[i, start:stop], outcome[order[draw, i], start:stop]
                for v in range(own.size):
                    own[v] += sign * one[v] * other[v]
    return products
