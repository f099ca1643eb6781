"""How many draws it took until p was settled, and where chance decides all the same: in the record of a comparison."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bids_app import stats
from bids_app.bids.files import read_table, save_json
from bids_app.bids.findings import Finding
from bids_app.bids.values import joined
from bids_app.group.analyses import Test
from bids_app.trial.comparison_record import ComparisonRecord, read_comparison

ABOUT = "Draws"


def record_draws(path: Path, comparisons: Mapping[Test, stats.Comparison]) -> None:
    """Write into design.json what is known only when all is compared.

    Parameters
    ----------
    path : Path
        As `record.write_design` wrote it.
    comparisons : dict of stats.Comparison
        Whose draws stopped when p was settled; where all draws there are were made, nothing is changed.
    """
    record = read_comparison(path)
    drawn = {test: one for test, one in comparisons.items() if one.stopping is not None}
    headline = [one for test, one in drawn.items() if test.analysis.key == record.analyses.headline]
    if not headline:
        return
    open_ = _not_settled(record, drawn)
    inference = replace(
        record.inference,
        draws=len(headline[0].max_statistics),
        draws_at_most=max(one.stopping.most for one in headline if one.stopping) + 1,
        not_settled=tuple(open_),
    )
    findings = (*record.findings, *_findings(record, drawn, open_))
    save_json(path, replace(record, inference=inference, findings=findings).to_json())


def said(path: Path) -> list[str]:
    """Log what the record says of the draws, and return what they were to settle and do not."""
    record = read_comparison(path)
    for one in record.findings:
        if one.about == ABOUT:
            one.say()
    return [unsettled(one, record.inference.alpha) for one in record.inference.not_settled or ()]


def said_together(path: Path, alpha: float) -> list[str]:
    """Say the same of the table of several comparisons that were tested together, as `several.write_family` wrote it.

    Parameters
    ----------
    path : Path
    alpha : float

    Returns
    -------
    list of str
    """
    table = read_table(path)
    return [
        unsettled(f"{row.measure} ({row.comparison})", alpha) for row in table[table["settled"] == "no"].itertuples()
    ]


def unsettled(what: str, alpha: float) -> str:
    """Say that the draws do not settle on which side of alpha p of something is."""
    return f"on which side of {alpha} p of {what} is, which so many draws do not settle"


def _not_settled(record: ComparisonRecord, comparisons: Mapping[Test, stats.Comparison]) -> list[str]:
    """Say of which results another seed could change on which side of alpha a corrected p is."""
    found: dict[str, None] = {}
    for tests in _by_analysis(comparisons).values():
        over_all = stats.by_chance([comparisons[test] for test in tests])
        for test, open_ in zip(tests, over_all, strict=True):
            if open_ or stats.by_chance([comparisons[test]])[0]:
                found[f"{test.feature.title} ({record.analyses.texts[test.analysis.key]})"] = None
    return list(found)


def _findings(
    record: ComparisonRecord, comparisons: Mapping[Test, stats.Comparison], not_settled: list[str]
) -> list[Finding]:
    counts = {
        record.analyses.texts[key]: len(comparisons[tests[0]].max_statistics)
        for key, tests in _by_analysis(comparisons).items()
    }
    made = joined(f"{count:,} for {text}" for text, count in counts.items())
    alpha = record.inference.alpha
    most = max((one.stopping.most + 1 for one in comparisons.values() if one.stopping), default=0)
    text = (
        f"Draws stopped when it was settled on which side of {alpha} all {most:,} would find every corrected p, of "
        f"maps and networks at the peaks: {made}. p is valid wherever they stop, and small ones are upper bounds: more "
        "draws could make them smaller. Where clusters end, p may be near the level still."
    )
    found = [Finding(ABOUT, text)]
    if not_settled:
        text = (
            f"{most:,} draws, the most that are made, do not settle on which side of {alpha} some p is: "
            f"{joined(not_settled)}. p is valid all the same, and counts as it is, for it is known what all "
            f"{most:,} of this seed say; another seed could say otherwise."
        )
        found.append(Finding(ABOUT, text, warning=True))
    return found


def _by_analysis(comparisons: Mapping[Test, stats.Comparison]) -> dict[str, list[Test]]:
    found: dict[str, list[Test]] = {}
    for test in comparisons:
        found.setdefault(test.analysis.key, []).append(test)
    return found
