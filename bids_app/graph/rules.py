"""Which pairs of nodes are joined. Imports nothing heavy."""

from dataclasses import dataclass

MATRICES = {
    "pearson": "Pearson correlation",
    "fisher": "Pearson correlation, Fisher-transformed",
    "partial": "partial correlation, the covariance shrunk after Ledoit and Wolf",
    "spearman": "Spearman rank correlation",
}
NEGATIVES = {
    "drop": "negative correlations are no edges",
    "absolute": "edges by the magnitude of the correlation, which is their weight",
    "keep": "edges by the magnitude of the correlation, whose sign their weight keeps",
}


@dataclass(frozen=True, order=True)
class EdgeRule:
    """Join the pairs above a correlation, or the strongest share of all pairs.

    Attributes
    ----------
    kind : {"r", "density"}
        ``r``: pairs whose Pearson r is above the value. ``density``: the value times N (N - 1) / 2 pairs,
        rounded to the nearest whole number, of the largest r.
    value : float
        An r in [0, 1), or a density in (0, 1]. Negative correlations are no edges by either rule.

    Raises
    ------
    ValueError
        The kind is unknown or the value out of its range.

    Examples
    --------
    >>> EdgeRule("r", 0.25).label, EdgeRule("density", 0.1).label
    ('r025', 'd01')
    >>> EdgeRule.parse("r025").text, EdgeRule("density", 0.1).n_edges(5)
    ('r > 0.25', 1)
    """

    kind: str
    value: float

    def __post_init__(self) -> None:
        if self.kind not in ("r", "density"):
            raise ValueError(f"an edge rule is of kind r or density, not {self.kind}")
        if self.kind == "r" and not 0 <= self.value < 1:
            raise ValueError(f"threshold must be at least 0 and below 1, not {self.value}")
        if self.kind == "density" and not 0 < self.value <= 1:
            raise ValueError(f"density must be above 0 and at most 1, not {self.value}")

    @classmethod
    def parse(cls, label: str) -> "EdgeRule":
        """Return the rule of a `label`."""
        return cls({"r": "r", "d": "density"}[label[0]], float(f"{label[1]}.{label[2:]}"))

    @property
    def label(self) -> str:
        """The rule as a BIDS label: r025, d005, d01 for 10 %."""
        digits = f"{self.value:.6f}".rstrip("0").replace(".", "")
        return {"r": "r", "density": "d"}[self.kind] + digits

    @property
    def text(self) -> str:
        """The rule for people."""
        return f"r > {self.value:g}" if self.kind == "r" else f"strongest {100 * self.value:g} % of pairs"

    def n_edges(self, n_nodes: int) -> int:
        """Return how many edges a density asks for."""
        return round(self.value * (n_nodes * (n_nodes - 1) // 2))


@dataclass(frozen=True)
class Linking:
    """How the correlations of parcels become edges.

    Attributes
    ----------
    negative : str
        Key of `NEGATIVES`.
    backbone : bool
        The maximum spanning tree is always among the edges, so that no parcel is cut off by the threshold.
    fisher : bool
        Weights are Fisher-transformed; which pairs are joined is not touched by it.

    Raises
    ------
    ValueError
        ``negative`` is unknown.

    Examples
    --------
    >>> Linking().label, Linking("absolute", backbone=True).label
    ('', 'absoluteTree')
    """

    negative: str = "drop"
    backbone: bool = False
    fisher: bool = False

    def __post_init__(self) -> None:
        if self.negative not in NEGATIVES:
            raise ValueError(f"negative must be one of {', '.join(NEGATIVES)}, not {self.negative!r}")

    @property
    def label(self) -> str:
        """What file names are told apart by; nothing for the default."""
        first = {"drop": "", "absolute": "absolute", "keep": "signed"}[self.negative]
        return first + (("Tree" if first else "tree") if self.backbone else "")

    @property
    def text(self) -> str:
        """The choices for people."""
        parts = [NEGATIVES[self.negative]]
        parts += ["the maximum spanning tree is always among the edges"] if self.backbone else []
        return "; ".join([*parts, *(["weights are Fisher-transformed"] if self.fisher else [])])
