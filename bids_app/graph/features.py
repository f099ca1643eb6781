"""Features: what is mapped and compared, a measure on the graph of one edge rule. Imports nothing heavy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bids_app.graph.measures import ALL_GLOBALS, CONNECTIVITY, MEASURES, Measure
from bids_app.graph.rules import EdgeRule

FULL = "full"  # of all correlations, without edges
AREA = "auc"  # area under the curve over the densities
KNOWN = MEASURES | {one.name: one for one in (ALL_GLOBALS, CONNECTIVITY)}


@dataclass(frozen=True)
class Feature:
    """A measure on the graph of one edge rule.

    Attributes
    ----------
    metric : str
        Key of `KNOWN`: a nodal measure, or all that are global, or the connectivity of pairs.
    edges : str
        Label of an `EdgeRule`, ``full`` for a measure without edges, ``auc`` for the area over the densities.

    Examples
    --------
    >>> feature = Feature("clustering-weighted", "r025")
    >>> feature.label, feature.title, feature.unit
    ('clusteringWeightedR025', 'Weighted clustering, r > 0.25', 'fraction')
    >>> Feature.parse(feature.key) == feature
    True
    """

    metric: str
    edges: str

    @classmethod
    def parse(cls, key: str) -> "Feature":
        """Return the feature of a `key`."""
        return cls(*key.split("@"))

    @property
    def key(self) -> str:
        """The feature in one word."""
        return f"{self.metric}@{self.edges}"

    @property
    def label(self) -> str:
        """The feature as a BIDS label."""
        return camel([*self.metric.split("-"), self.edges])

    @property
    def title(self) -> str:
        """The feature for people."""
        return ", ".join(part for part in (self.measure.label, edges_text(self.edges)) if part)

    @property
    def measure(self) -> Measure:
        """The measure's entry in the table."""
        return KNOWN[self.metric]

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return f"{self.measure.unit} × density" if self.edges == AREA else self.measure.unit


def short_titles(features: Iterable[Feature]) -> dict[Feature, str]:
    """Say each feature in few words within a sentence: the edge rule only where a measure has several.

    Examples
    --------
    >>> pairs = [("degree", "r025"), ("strength", "r025"), ("strength", "r03")]
    >>> list(short_titles(Feature(*pair) for pair in pairs).values())
    ['degree', 'strength, r > 0.25', 'strength, r > 0.3']
    """
    features = list(features)
    metrics = [one.metric for one in features]
    said = {one: one.title if metrics.count(one.metric) > 1 else one.measure.label for one in features}
    return {one: text[0].lower() + text[1:] if text[1:2].islower() else text for one, text in said.items()}


def camel(words: Iterable[str | None]) -> str:
    """Join words as a BIDS label; empty ones, and None, are left out.

    Examples
    --------
    >>> camel(["partial", "", "absoluteTree", None]), camel([])
    ('partialAbsoluteTree', '')
    """
    first, *rest = [word for word in words if word] or [""]
    return "".join([first, *(word[0].upper() + word[1:] for word in rest)])


def edges_text(edges: str) -> str:
    """Say for people which pairs are joined.

    Examples
    --------
    >>> edges_text("d01"), edges_text("full")
    ('strongest 10 % of pairs', '')
    """
    if edges in (FULL, AREA):
        return {FULL: "", AREA: "area over the densities"}[edges]
    return EdgeRule.parse(edges).text


def mapped_features(metrics: Iterable[str], rules: Sequence[EdgeRule]) -> list[Feature]:
    """Return what the participant level maps, in the order of the metrics.

    Parameters
    ----------
    metrics : sequence of str
    rules : sequence of EdgeRule
        Two densities or more also give the area under their curve.

    Examples
    --------
    >>> [feature.key for feature in mapped_features(["degree", "global-correlation"], [EdgeRule("r", 0.3)])]
    ['degree@r03', 'global-correlation@full']
    """
    has_area = sum(rule.kind == "density" for rule in rules) > 1
    features = []
    for metric in metrics:
        if not KNOWN[metric].has_edges:
            features.append(Feature(metric, FULL))
            continue
        features += [Feature(metric, rule.label) for rule in rules]
        if has_area and not KNOWN[metric].is_label:
            features.append(Feature(metric, AREA))
    return features


def compared_features(metrics: Iterable[str], rules: Sequence[EdgeRule]) -> list[Feature]:
    """Return what the group level compares: no labels, and in place of several densities the area over them.

    Examples
    --------
    >>> rules = [EdgeRule("r", 0.3), EdgeRule("density", 0.05), EdgeRule("density", 0.1)]
    >>> [feature.key for feature in compared_features(["degree", "component"], rules)]
    ['degree@r03', 'degree@auc']
    """
    features = mapped_features(metrics, rules)
    densities = {rule.label for rule in rules if rule.kind == "density"}
    replaced = densities if len(densities) > 1 else set()
    return [feature for feature in features if not feature.measure.is_label and feature.edges not in replaced]
