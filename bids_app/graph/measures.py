"""The measures, nodal and global: tables read by the command line, the sidecars, the README and the report.

Longer than other files because it is one table.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

RUBINOV = "Rubinov & Sporns 2010, doi:10.1016/j.neuroimage.2009.10.003"
BARRAT = "Barrat et al. 2004, doi:10.1073/pnas.0400087101"
WATTS = "Watts & Strogatz 1998, doi:10.1038/30918"
LATORA = "Latora & Marchiori 2001, doi:10.1103/PhysRevLett.87.198701"
ONNELA = "Onnela et al. 2005, doi:10.1103/PhysRevE.71.065103"
BONACICH = "Bonacich 1972, doi:10.1080/0022250X.1972.9989806"
ZHANG = "Zhang & Horvath 2005, doi:10.2202/1544-6115.1128"
COSTANTINI = "Costantini & Perugini 2014, doi:10.1371/journal.pone.0088669"
GUIMERA = "Guimerà & Amaral 2005, doi:10.1038/nature03288"
SEIDMAN = "Seidman 1983, doi:10.1016/0378-8733(83)90028-X"
LIANG = "Liang et al. 2013, doi:10.1073/pnas.1214900110"
SAAD = "Saad et al. 2013, doi:10.1089/brain.2013.0156"
WINK = "Wink et al. 2012, doi:10.1089/brain.2012.0087"
FREEMAN = "Freeman 1977, doi:10.2307/3033543"
NEWMAN = "Newman 2003, doi:10.1137/S003614450342480"
NEWMAN_GIRVAN = "Newman & Girvan 2004, doi:10.1103/PhysRevE.69.026113"
MIXING = "Newman 2002, doi:10.1103/PhysRevLett.89.208701"
COLIZZA = "Colizza et al. 2006, doi:10.1038/nphys209"
HUMPHRIES = "Humphries & Gurney 2008, doi:10.1371/journal.pone.0002051"


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
        Smallest and largest possible value; None where there is no fixed bound.
    description : str
        One sentence, with the formula, where a is the adjacency, w the weight (Pearson r over
        the edges), r any correlation, k the degree, s the strength and d the count of edges on the shortest path.
    reference : str
        Whose definition it is.
    has_edges : bool
        False if the measure is of all correlations, whatever the threshold.
    needs : {None, "coordinates", "modules"}
        What it is computed from beside the time series.
    is_label : bool
        True if the values are names, not amounts: not averaged, smoothed or compared.
    cost : str
        How the work grows at voxel level, with N nodes, E edges and T volumes.
    of_parcels : bool
        True if it is measured on parcels alone: on voxels it would take days.
    """

    name: str
    label: str
    unit: str
    range: tuple[float | None, float | None]
    description: str
    reference: str
    has_edges: bool = True
    needs: str | None = None
    is_label: bool = False
    cost: str = "N² T"
    of_parcels: bool = False


_TABLE = (
    Measure(
        name="degree",
        label="Degree",
        unit="edges",
        range=(0, None),
        description="Number of nodes that are joined to this node, k_i = sum_j a_ij.",
        reference=RUBINOV,
    ),
    Measure(
        name="strength",
        label="Strength",
        unit="sum of r",
        range=(0, None),
        description="Sum of the correlations over the edges, s_i = sum_j a_ij w_ij.",
        reference=BARRAT,
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
        reference=WATTS,
        cost="N² T + E N / 512",
    ),
    Measure(
        name="clustering-weighted",
        label="Weighted clustering",
        unit="fraction",
        range=(0, 1),
        description=(
            "Clustering in which a pair of neighbours counts by the mean weight of its two edges (Barrat), "
            "C_i = sum_jh (w_ij + w_ih) / 2 a_ij a_ih a_jh / (s_i (k_i - 1)); 0 below two neighbours."
        ),
        reference=BARRAT,
        cost="N² T + E N / 512",
    ),
    Measure(
        name="clustering-onnela",
        label="Weighted clustering (Onnela)",
        unit="fraction",
        range=(0, 1),
        description=(
            "Mean over the pairs of neighbours of the geometric mean of the triangle's weights, not scaled by the "
            "scan's largest weight, C_i = sum_jh (w_ij w_ih w_jh)^(1/3) / (k_i (k_i - 1)); 0 below two neighbours."
        ),
        reference=ONNELA,
        cost="N³",
    ),
    Measure(
        name="strength-fisher",
        label="Strength (Fisher z)",
        unit="sum of z",
        range=(0, None),
        description="Sum of the Fisher-transformed correlations over the edges, sum_j a_ij artanh(w_ij).",
        reference=BARRAT,
    ),
    Measure(
        name="degree-short",
        label="Short-range degree",
        unit="edges",
        range=(0, None),
        description="Number of nodes within the dividing distance that are joined to this node.",
        reference=LIANG,
        needs="coordinates",
    ),
    Measure(
        name="degree-long",
        label="Long-range degree",
        unit="edges",
        range=(0, None),
        description="Number of nodes beyond the dividing distance that are joined to this node.",
        reference=LIANG,
        needs="coordinates",
    ),
    Measure(
        name="eigenvector",
        label="Eigenvector centrality",
        unit="1",
        range=(0, 1),
        description="Entry of the leading eigenvector of the adjacency, of norm 1: large beside large neighbours.",
        reference=BONACICH,
        cost="N² T + iterations N² / 16",
    ),
    Measure(
        name="eigenvector-weighted",
        label="Weighted eigenvector centrality",
        unit="1",
        range=(0, 1),
        description="Entry of the leading eigenvector of the weights over the edges, of norm 1.",
        reference=BONACICH,
        cost="N² T + iterations E T",
    ),
    Measure(
        name="efficiency",
        label="Nodal efficiency",
        unit="1",
        range=(0, 1),
        description="Mean inverse length of the shortest paths to all others, sum_j 1/d_ij / (N - 1); none adds 0.",
        reference=LATORA,
        cost="N² T + N³ / 512 at worst",
    ),
    Measure(
        name="path-length",
        label="Nodal path length",
        unit="edges",
        range=(1, None),
        description=(
            "Harmonic mean length of the shortest paths to all others, the inverse of nodal efficiency; "
            "undefined for a node without neighbours."
        ),
        reference=LATORA,
        cost="N² T + N³ / 512 at worst",
    ),
    Measure(
        name="path-length-mean",
        label="Nodal path length (arithmetic)",
        unit="edges",
        range=(1, None),
        description=(
            "Mean length of the shortest paths to the nodes that can be reached; "
            "undefined for a node without neighbours."
        ),
        reference=WATTS,
        cost="N² T + N³ / 512 at worst",
    ),
    Measure(
        name="local-efficiency",
        label="Local efficiency",
        unit="1",
        range=(0, 1),
        description=(
            "Mean inverse length of the shortest paths among the neighbours of the node, the node itself removed; "
            "0 below two neighbours."
        ),
        reference=LATORA,
        cost="parcels only",
        of_parcels=True,
    ),
    Measure(
        name="betweenness",
        label="Betweenness centrality",
        unit="fraction",
        range=(0, 1),
        description="Share of the shortest paths between all pairs of other nodes that run through this node.",
        reference=FREEMAN,
        cost="parcels only",
        of_parcels=True,
    ),
    Measure(
        name="core-number",
        label="k-core number",
        unit="edges",
        range=(0, None),
        description="Largest k such that the node is left when nodes of degree below k are removed again and again.",
        reference=SEIDMAN,
        cost="N² T + E",
    ),
    Measure(
        name="participation",
        label="Participation coefficient",
        unit="1",
        range=(0, 1),
        description=(
            "How evenly the edges are spread over the networks m of the partition, P_i = 1 - sum_m (k_im / k_i)²; "
            "0 without edges, undefined outside the partition, whose edges alone count."
        ),
        reference=GUIMERA,
        needs="modules",
    ),
    Measure(
        name="module-degree",
        label="Within-module degree",
        unit="standard deviations",
        range=(None, None),
        description=(
            "Edges to the node's own network, z-scored over that network; "
            "0 where all have the same, undefined outside the partition."
        ),
        reference=GUIMERA,
        needs="modules",
    ),
    Measure(
        name="component",
        label="Component",
        unit="label",
        range=(1, None),
        description="Connected component of the node, 1 for the largest.",
        reference=RUBINOV,
        is_label=True,
    ),
    Measure(
        name="component-size",
        label="Component size",
        unit="nodes",
        range=(1, None),
        description="Number of nodes in the connected component of the node.",
        reference=RUBINOV,
    ),
    Measure(
        name="global-correlation",
        label="Global mean correlation",
        unit="r",
        range=(-1, 1),
        description="Mean correlation with all others, sum_j r_ij / (N - 1).",
        reference=SAAD,
        has_edges=False,
        cost="N T",
    ),
    Measure(
        name="strength-signed",
        label="Signed strength",
        unit="sum of r",
        range=(None, None),
        description="Sum of the correlations with all others, negative ones included, sum_j r_ij.",
        reference=RUBINOV,
        has_edges=False,
        cost="N T",
    ),
    Measure(
        name="clustering-zhang",
        label="Threshold-free clustering",
        unit="1",
        range=(0, 1),
        description=(
            "Zhang-Horvath clustering of the weights v = (1 + r) / 2, "
            "C_i = sum_jh v_ij v_ih v_jh / ((sum_j v_ij)² - sum_j v_ij²), with no self-connections."
        ),
        reference=ZHANG,
        has_edges=False,
        cost="N T²",
    ),
    Measure(
        name="clustering-signed",
        label="Signed clustering",
        unit="1",
        range=(-1, 1),
        description=(
            "Costantini-Perugini clustering of all correlations with their signs, "
            "C_i = sum_jh r_ij r_ih r_jh / ((sum_j |r_ij|)² - sum_j r_ij²), with no self-connections."
        ),
        reference=COSTANTINI,
        has_edges=False,
        cost="N T² + N² T",
    ),
    Measure(
        name="eigenvector-full",
        label="Threshold-free eigenvector centrality",
        unit="1",
        range=(0, 1),
        description="Entry of the leading eigenvector of (1 + r) / 2, of norm 1 (fast eigenvector centrality mapping).",
        reference=WINK,
        has_edges=False,
        cost="N T²",
    ),
)
MEASURES = {measure.name: measure for measure in _TABLE}
VOXEL_MEASURES = {name: measure for name, measure in MEASURES.items() if not measure.of_parcels}
DEFAULT_METRICS = ("degree", "strength", "clustering", "clustering-weighted")
UNSIGNED = ("clustering-weighted", "eigenvector-weighted")  # weights that cancel each other leave these undefined


def needing_modules(metrics: Iterable[str]) -> list[str]:
    """List those of the measures that are defined by networks of nodes.

    Examples
    --------
    >>> needing_modules(["degree", "participation"])
    ['participation']
    """
    return [name for name in metrics if MEASURES[name].needs == "modules"]


def check_metrics(
    metrics: Iterable[str], given: Collection[str] = ("coordinates", "modules"), table: Mapping[str, Measure] = MEASURES
) -> None:
    """Raise ValueError unless every name is a key of the table and what it needs is given.

    Parameters
    ----------
    metrics : iterable of str
    given : collection of str
        What there is of ``coordinates`` and ``modules``.
    table : dict of Measure

    Examples
    --------
    >>> check_metrics(["degree", "participation"], given=[])
    Traceback (most recent call last):
    ValueError: participation cannot be computed without modules
    """
    unknown = [name for name in metrics if name not in table]
    if unknown:
        raise ValueError(f"unknown metrics: {', '.join(unknown)}; known are {', '.join(table)}")
    for name in metrics:
        if MEASURES[name].needs not in (None, *given):
            raise ValueError(f"{name} cannot be computed without {MEASURES[name].needs}")


def _of_graph(
    name: str, label: str, limits: tuple[float | None, float | None], description: str, reference: str, unit: str = "1"
) -> Measure:
    return Measure(name, label, unit, limits, description, reference, cost="parcels only", of_parcels=True)


_GLOBALS = (
    _of_graph("density", "Density", (0, 1), "Share of all pairs of nodes that are joined.", RUBINOV, "fraction"),
    _of_graph(
        "mean-strength", "Mean strength", (None, None), "Mean over the nodes of the strength.", BARRAT, "sum of r"
    ),
    _of_graph("clustering", "Clustering", (0, 1), "Mean over the nodes of the clustering.", WATTS, "fraction"),
    _of_graph(
        "transitivity",
        "Transitivity",
        (0, 1),
        "Three times the triangles over the paths of two edges; 0 where there is none.",
        NEWMAN,
        "fraction",
    ),
    _of_graph(
        "path-length",
        "Characteristic path length",
        (1, None),
        "Harmonic mean length of the shortest paths between all pairs, the inverse of global efficiency; "
        "undefined without edges.",
        LATORA,
        "edges",
    ),
    _of_graph(
        "path-length-mean",
        "Characteristic path length (arithmetic)",
        (1, None),
        "Mean length of the shortest paths between the pairs that reach each other; undefined without edges.",
        WATTS,
        "edges",
    ),
    _of_graph(
        "global-efficiency",
        "Global efficiency",
        (0, 1),
        "Mean inverse length of the shortest paths between all pairs; a pair that is not connected adds 0.",
        LATORA,
    ),
    _of_graph("local-efficiency", "Local efficiency", (0, 1), "Mean over the nodes of the local efficiency.", LATORA),
    _of_graph(
        "modularity",
        "Modularity",
        (-0.5, 1),
        "Largest modularity Q that repeated runs of Louvain, from seeded random orders of the nodes, find; "
        "undefined without edges.",
        NEWMAN_GIRVAN,
    ),
    _of_graph(
        "assortativity",
        "Assortativity",
        (-1, 1),
        "Correlation over the edges between the degrees at their two ends; undefined where all degrees are the same.",
        MIXING,
    ),
    _of_graph(
        "rich-club",
        "Rich club",
        (0, 1),
        "Share of the pairs of hubs that are joined; hubs have a degree above the mean by more than a standard "
        "deviation; undefined below two hubs.",
        COLIZZA,
        "fraction",
    ),
    _of_graph(
        "rich-club-normalized",
        "Rich club, normalized",
        (0, None),
        "Rich club over its mean in the null graphs, which have the same degrees and so the same hubs; "
        "undefined below two hubs, or where no null graph joins any.",
        COLIZZA,
        "ratio",
    ),
    _of_graph(
        "gamma",
        "Small world, gamma",
        (0, None),
        "Clustering over its mean in the null graphs; undefined where these have none.",
        HUMPHRIES,
        "ratio",
    ),
    _of_graph(
        "lambda",
        "Small world, lambda",
        (0, None),
        "Characteristic path length over its mean in the null graphs; undefined without edges.",
        HUMPHRIES,
        "ratio",
    ),
    _of_graph(
        "sigma",
        "Small world, sigma",
        (0, None),
        "Gamma over lambda; undefined where one of them is.",
        HUMPHRIES,
        "ratio",
    ),
)
GLOBALS = {measure.name: measure for measure in _GLOBALS}
ALL_GLOBALS = Measure(
    name="global",
    label="Global measures",
    unit="that of each measure",
    range=(None, None),
    description="Measures of the graph as a whole, each compared as the maps are and corrected over all of them.",
    reference=RUBINOV,
    of_parcels=True,
)
CONNECTIVITY = Measure(
    name="connectivity",
    label="Connectivity",
    unit="z",
    range=(None, None),
    description="Correlation of two parcels, Fisher-transformed.",
    reference="Zalesky et al. 2010, doi:10.1016/j.neuroimage.2010.06.041",
    has_edges=False,
    of_parcels=True,
)
