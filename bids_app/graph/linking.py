"""From the correlations of parcels to the edges of their graph and their weights."""

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree

from bids_app.graph.edges import LARGEST_R
from bids_app.graph.rules import EdgeRule, Linking

THRESHOLD = EdgeRule("r", 0.25)


def edge_weights(r: np.ndarray, rule: EdgeRule = THRESHOLD, linking: Linking | None = None) -> np.ndarray:
    """Return the weights of the pairs that are edges.

    Parameters
    ----------
    r : (P, P) float64 ndarray
        Symmetric correlations, diagonal 0.
    rule : EdgeRule
        Of equal correlations at the edge of a density, those that come first by row, then column, are edges.
    linking : Linking, optional

    Returns
    -------
    (P, P) float64 ndarray
        Symmetric, 0 where there is no edge.

    Notes
    -----
    A density counts the edges of the spanning tree too; a threshold adds them to the edges it makes. In place of
    distances the tree takes the largest correlations (or magnitudes): no other tree has a larger sum. With
    negatives dropped it lacks the branches that only a negative correlation could be.

    Examples
    --------
    The second pair is the stronger one in magnitude, the third joins what would fall apart.

    >>> r = np.array([[0, 0.5, -0.7], [0.5, 0, 0.1], [-0.7, 0.1, 0]])
    >>> edge_weights(r, EdgeRule("density", 1 / 3), Linking("keep"))[0]
    array([ 0. ,  0. , -0.7])
    >>> edge_weights(r, EdgeRule("r", 0.4), Linking(backbone=True))[1]
    array([0.5, 0. , 0.1])
    """
    linking = linking or Linking()
    size = r if linking.negative == "drop" else np.abs(r)
    rows, columns = np.triu_indices(len(r), 1)
    strength = size[rows, columns]
    in_tree = _in_tree(strength, len(r)) if linking.backbone else np.zeros(len(strength), dtype=bool)
    if rule.kind == "r":
        joined = in_tree | (strength > rule.value)
    else:
        joined = np.zeros_like(in_tree)
        joined[np.lexsort((-strength, ~in_tree))[: max(rule.n_edges(len(r)), in_tree.sum())]] = True
    joined &= strength > 0
    weights = np.zeros_like(r)
    values = (r if linking.negative == "keep" else size)[rows, columns]
    weights[rows[joined], columns[joined]] = fisher(values[joined]) if linking.fisher else values[joined]
    return weights + weights.T


def _in_tree(strength: np.ndarray, n_nodes: int) -> np.ndarray:
    """Say which pairs, in the order of the upper triangle, are of the maximum spanning tree."""
    rows, columns = np.triu_indices(n_nodes, 1)
    order = np.argsort(-strength, kind="stable")
    rank = np.zeros((n_nodes, n_nodes))  # ranks in place of distances: 0 would be no pair, and ties have one order
    rank[rows[order], columns[order]] = np.arange(1, len(order) + 1)
    return minimum_spanning_tree(rank).toarray()[rows, columns] > 0


def fisher(r: np.ndarray) -> np.ndarray:
    """Return artanh of correlations, those of 1 moved to what rounding allows.

    Examples
    --------
    >>> fisher(np.array([0.0, 0.5])).round(3)
    array([0.   , 0.549])
    """
    return np.arctanh(np.clip(r, -LARGEST_R, LARGEST_R))
