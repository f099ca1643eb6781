"""The part of a heteroscedasticity-consistent covariance that holds the residuals, and a kernel for rearrangements."""

import numpy as np
from numba import njit

# Voxels done at a time: the rows of a chunk stay in the cache while the participants are gone through.
CHUNK = 1024
# Leverages closer to 1 are 1 but for rounding.
FULL_LEVERAGE = 1e-10


@njit(cache=True, nogil=True)
def hc3_meat(columns, cross, units, outcome, leverage, coefficients, inverse, meat):
    r"""Add up :math:`\sum_i \tilde x_i \tilde x_i' e_i^2 / (1 - h_i)^2` of one draw.

    Parameters
    ----------
    columns : (n, q) float64 ndarray
        Tested columns without nuisance.
    cross : (K, q, V) float64 ndarray
        Their products with the units of the voxel-wise regressors.
    units : (K, n, V) float64 ndarray
    outcome : (n, V) float64 ndarray
        Without nuisance and regressors.
    leverage : (n, V) float64 ndarray
        Of nuisance and regressors.
    coefficients : (q, V) float64 ndarray
    inverse : (q, q, V) float64 ndarray
        Of the tested columns' sums of products.
    meat : (q, q, V) float64 ndarray
        Filled; infinite where a participant alone determines a tested column, so that t is 0.
    """
    q = columns.shape[1]
    x = np.empty(q)
    meat[:] = 0.0
    for i in range(outcome.shape[0]):
        for v in range(outcome.shape[1]):
            residual, free = outcome[i, v], 1.0 - leverage[i, v]
            for a in range(q):
                x[a] = columns[i, a]
                for k in range(units.shape[0]):
                    x[a] -= cross[k, a, v] * units[k, i, v]
                residual -= x[a] * coefficients[a, v]
            for a in range(q):
                for b in range(q):
                    free -= x[a] * inverse[a, b, v] * x[b]
            scale = (residual / free) ** 2 if free > FULL_LEVERAGE else np.inf
            for a in range(q):
                for b in range(q):
                    if free > FULL_LEVERAGE or (abs(x[a]) > FULL_LEVERAGE and abs(x[b]) > FULL_LEVERAGE):
                        meat[a, b, v] += x[a] * x[b] * scale


@njit(cache=True, nogil=True)
def rearranged_products(unit, outcome, order, signs):
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
            for i in range(len(unit)):
                source, sign = order[draw, i], signs[draw, i]
                for v in range(start, stop):
                    products[draw, v] += sign * unit[i, v] * outcome[source, v]
    return products
