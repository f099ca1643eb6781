"""The table of measures as text, for the README."""

from bids_app.graph.measures import MEASURES


def measures_table() -> str:
    """Return the measures as a table in Markdown.

    Examples
    --------
    >>> print(measures_table().splitlines()[2])
    | `degree` | Number of nodes that are joined to this node, k_i = sum_j a_ij. | edges | N² T |
    """
    rows = ["| measure | definition | unit | work per scan |", "|---|---|---|---|"]
    for name, measure in MEASURES.items():
        definition = measure.description.replace("|", r"\|")
        rows.append(f"| `{name}` | {definition} | {measure.unit} | {measure.cost} |")
    return "\n".join(rows)
