"""The nodal measures: one table, read by the command line, the sidecars, the README and the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """What a nodal map holds.

    Attributes
    ----------
    name : str
        Key on the command line and in the ``maps`` of a graph.
    label : str
        Heading of a figure or a column.
    unit : str
        Unit of the values.
    range : (float, float or None)
        Smallest and largest possible value; None where the largest is the number of other nodes.
    description : str
        One sentence, with the formula, where a is the adjacency, w the weight (Pearson r over
        the edges), k the degree and s the strength.
    reference : str
        Whose definition it is.
    """

    name: str
    label: str
    unit: str
    range: tuple[float, float | None]
    description: str
    reference: str


MEASURES = {
    measure.name: measure
    for measure in (
        Measure(
            name="degree",
            label="Degree",
            unit="edges",
            range=(0, None),
            description="Number of nodes whose r with this node is above the threshold, k_i = sum_j a_ij.",
            reference="Rubinov & Sporns 2010, doi:10.1016/j.neuroimage.2009.10.003",
        ),
        Measure(
            name="strength",
            label="Strength",
            unit="sum of r",
            range=(0, None),
            description="Sum of the correlations above the threshold, s_i = sum_j a_ij w_ij.",
            reference="Barrat et al. 2004, doi:10.1073/pnas.0400087101",
        ),
        Measure(
            name="clustering",
            label="Clustering",
            unit="fraction",
            range=(0, 1),
            description=(
                "Fraction of the pairs of neighbours that are neighbours of each other, "
                "C_i = sum_jh a_ij a_ih a_jh / (k_i (k_i - 1)); 0 below two neighbours."
            ),
            reference="Watts & Strogatz 1998, doi:10.1038/30918",
        ),
        Measure(
            name="clustering-weighted",
            label="Weighted clustering",
            unit="fraction",
            range=(0, 1),
            description=(
                "Clustering in which a pair of neighbours counts by the mean weight of its two edges, "
                "C_i = sum_jh (w_ij + w_ih) / 2 a_ij a_ih a_jh / (s_i (k_i - 1)); 0 below two neighbours."
            ),
            reference="Barrat et al. 2004, doi:10.1073/pnas.0400087101",
        ),
    )
}


def check_metrics(metrics):
    """Raise ValueError unless every name is a key of `MEASURES`.

    Parameters
    ----------
    metrics : iterable of str

    Examples
    --------
    >>> check_metrics(["degree", "closeness"])
    Traceback (most recent call last):
    ValueError: unknown metrics: closeness; known are degree, strength, clustering, clustering-weighted
    """
    unknown = [name for name in metrics if name not in MEASURES]
    if unknown:
        raise ValueError(f"unknown metrics: {', '.join(unknown)}; known are {', '.join(MEASURES)}")


def check_threshold(threshold):
    """Raise ValueError unless 0 <= threshold < 1.

    Parameters
    ----------
    threshold : float
        Pearson r above which two nodes are joined.

    Examples
    --------
    >>> check_threshold(1)
    Traceback (most recent call last):
    ValueError: threshold must be at least 0 and below 1, not 1
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be at least 0 and below 1, not {threshold}")
