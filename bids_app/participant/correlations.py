"""A matrix of correlations in the place of series: which other matrices can be made of it."""

from dataclasses import dataclass

import numpy as np

from bids_app.errors import DataError
from bids_app.graph.linking import fisher


@dataclass(frozen=True)
class Correlations:
    """Correlations of parcels as another tool made them.

    Attributes
    ----------
    called : str
        Their file, for messages.
    kind : str
        Key of `graph.MATRICES`: which correlation it is.
    r : (P, P) float64 ndarray
        Of ``fisher`` as r. Diagonal 1, NaN in the rows and columns of parcels without data.
    """

    called: str
    kind: str
    r: np.ndarray

    def as_kind(self, kind: str) -> np.ndarray:
        """Return the matrix as `graph.parcel_matrix` would of the series.

        Raises
        ------
        DataError
            The series would be needed.

        Examples
        --------
        >>> Correlations("x.tsv", "pearson", np.array([[1, 0.5], [0.5, 1]])).as_kind("fisher").round(4)
        array([[0.    , 0.5493],
               [0.5493, 0.    ]])
        """
        linear = ("pearson", "fisher")
        if kind != self.kind and not (kind in linear and self.kind in linear):
            raise DataError(
                f"{self.called}: --matrix {kind} cannot be made of a matrix of {self.kind} correlations; the series of "
                f"the parcels are needed. Choose --matrix {self.kind}."
            )
        if kind != "fisher":
            return self.r.copy()
        matrix = self.r.copy()
        np.fill_diagonal(matrix, np.where(np.isnan(np.diag(matrix)), np.nan, 0))
        return fisher(matrix)
