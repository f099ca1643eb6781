"""What was found, as data: the box at the top of the page is made of it, and so is results.json."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from bids_app.bids.values import joined
from bids_app.report.pages import fixed, interval, p_value
from bids_app.report.words import said
from bids_app.settings.interim import SPENDING
from bids_app.settings.roles import ROLES, Role
from bids_app.stats.power import detectable_effect
from bids_app.trial.comparison_record import Arms, Inference, Looked

Row = Mapping[str, Any]
N_PLACES = 6  # of a statement that are said in the box and in the paragraph; all are in results.json and in the tables
POWER, CORRELATION = 0.8, 0.5


@dataclass(frozen=True, kw_only=True)
class Result:
    """One value that was tested: of a measure in a region, or of an outcome.

    Attributes
    ----------
    estimand : str
        What was estimated, in words.
    measure : str
        The measure, or the outcome.
    which_p : str
        The column of the tables that p is from, and so what it is corrected over.
    hedges_g, g_low, g_high : float or None
        Of the mean over the region.
    peak_hedges_g : float or None
        Of the one node with the largest statistic, which was chosen for being large.
    files : tuple of str
        Beside results.json.
    """

    estimand: str
    measure: str
    role: Role
    p: float
    which_p: str
    files: tuple[str, ...]
    region: str | None = None
    cluster: str | None = None
    edges: str | None = None
    direction: str | None = None
    n: int | None = None
    effect: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    hedges_g: float | None = None
    g_low: float | None = None
    g_high: float | None = None
    peak_hedges_g: float | None = None


@dataclass(frozen=True)
class Found:
    """One place where the arms differ, in words and as the results of every measure there."""

    place: str
    text: str
    results: tuple[Result, ...]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What was found by all that has one role on one route, or of one outcome.

    Attributes
    ----------
    about : str
        The route or the outcome.
    differs : bool
        Whether the arms differ significantly.
    tested : int
        How many values p is corrected over.
    """

    role: Role
    about: str
    text: str
    differs: bool
    tested: int = 1
    found: tuple[Found, ...] = ()
    results: tuple[Result, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """How many draws the headline of a route is from, and whether they stopped because p was settled.

    Attributes
    ----------
    at_most : int or None
        How many there could have been; None where the number was fixed.
    not_settled : tuple of str
        Results of which another seed could find p on the other side of alpha.
    """

    about: str
    draws: int
    at_most: int | None = None
    not_settled: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AtLook:
    """What an interim look says: whether what is primary crosses the boundary that was planned for it.

    Attributes
    ----------
    planned : float
        Participants, or their share.
    level : float
        That p was compared with.
    alpha_spent, alpha : float
        By this look and those before, and by all together.
    crossed : bool
        Whether a primary result is significant.
    """

    look: int
    looks: int
    planned: float
    spending: str
    level: float
    alpha_spent: float
    alpha: float
    crossed: bool
    text: str


@dataclass(frozen=True)
class Answer:
    """What was found, as the box of the page and results.json have it.

    Attributes
    ----------
    statements : tuple of Statement
        What counts most first.
    could_see : str
        What the trial could have seen where something was not found.
    objectives : tuple of dict
        Those of the plan, with what came of each: what is confirmed is said by them alone.
    """

    contrast: str
    analysed: dict[str, int]
    statements: tuple[Statement, ...]
    could_see: str
    objectives: tuple[Mapping[str, Any], ...] = ()
    draws: tuple[Drawn, ...] = ()
    interim: AtLook | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content of results.json."""
        return asdict(self)


def answer(
    arms: Arms,
    inference: Inference,
    statements: Iterable[Statement],
    draws: Iterable[Drawn] = (),
    interim: Looked | None = None,
    objectives: Iterable[Mapping[str, Any]] = (),
) -> Answer:
    """Put the statements in the order of what they count for; of one role, in the order that they come in.

    A primary outcome goes before a primary measure: patients are treated for it, and it takes one line.
    """
    ordered = sorted(statements, key=lambda one: (ROLES.index(one.role), one.role == "primary" and not one.results))
    could_see = "" if all(one.differs for one in ordered) else _could_see(arms, inference)
    return Answer(
        arms.contrast,
        dict(arms.number_analysed),
        tuple(ordered),
        could_see,
        objectives=tuple(objectives),
        draws=tuple(draws),
        interim=_at_look(interim, inference, ordered),
    )


def _at_look(interim: Looked | None, inference: Inference, statements: Sequence[Statement]) -> AtLook | None:
    """Say which look it is, what it spends, and whether the plan allows to stop."""
    if interim is None or interim.look is None:
        return None
    planned, look, looks = cast(float, interim.look_planned), interim.look, cast(int, interim.looks)
    spent, alpha = cast(float, interim.alpha_spent), cast(float, interim.alpha_of_all_looks)
    primary = [one for one in statements if one.role == "primary"]
    crossing = [one.about for one in primary if one.differs]
    at = f"{planned:.0%} of the participants".replace("%", " %") if planned <= 1 else f"{planned:.0f} participants"
    text = (
        f"Look {look} of {looks}, planned at {at}: p is compared with {inference.alpha}, which is what "
        f"{SPENDING[str(interim.spending)]} spending leaves to this look; with those before it {spent:g} of {alpha:g} "
        "is spent. "
    )
    if interim.jointly:
        text += "Corrected p counts the draws that no earlier look would have stopped at. "
    if not primary:
        text += "No result is primary, so that nothing here says whether to stop."
    elif look == looks:
        text += "It is the last look."
    elif crossing:
        text += f"The boundary is crossed ({joined(crossing)}): the plan allows to stop because the arms differ."
    else:
        text += "No primary result crosses the boundary: the trial goes on as planned."
    return AtLook(
        look=look,
        looks=looks,
        planned=planned,
        spending=str(interim.spending),
        level=inference.alpha,
        alpha_spent=spent,
        alpha=alpha,
        crossed=bool(crossing),
        text=text,
    )


def _could_see(arms: Arms, inference: Inference) -> str:
    """Say how large a difference would have been found: that nothing was found does not say that nothing is there."""
    sizes = tuple(arms.number_analysed.values())
    if arms.orders or len(sizes) != 2 or min(sizes) < 2:
        return ""
    least = detectable_effect(*sizes, alpha=inference.alpha, power=POWER)
    adjusted = (
        f"; {fixed(least * (1 - CORRELATION**2) ** 0.5)} by ANCOVA if baseline and follow-up correlate "
        f"{fixed(CORRELATION, 1)}"
        if arms.baseline_session and not arms.treatments
        else ""
    )
    return (
        f"Where no difference is significant, that does not show that there is none: with {joined(map(str, sizes))} "
        f"{'per sequence' if arms.treatments else 'analysed'}, one value tested by itself at a two-sided p ≤ "
        f"{inference.alpha} is found with {POWER:.0%} power if g is {fixed(least)} (two-sample t test{adjusted}). "
        "Correction over many values needs more."
    ).replace("80%", "80 %")


def not_tested(about: str, arms: Arms) -> Statement:
    """Say that people are described, and that nothing was tested."""
    n = sum(arms.number_analysed.values())
    text = f"{n} participants are described as one group at one visit. Nothing was tested."
    return Statement(role="exploratory", about=about, text=text, differs=False)


def endpoint_of(row: Row) -> str:
    """Return what an outcome is called, or what is reached of it."""
    return row["outcome"] if row["endpoint"] == "score" else f"{row['outcome']}, {row['endpoint']}"


def outcome_statements(rows: Sequence[Row], arms: Arms, inference: Inference, file: str) -> list[Statement]:
    """Say of each endpoint whether the arms differ, by the row that it is judged by."""
    return [_outcome(row, arms, inference, file) for row in rows if row["analysis"] == "main"]


def _outcome(row: Row, arms: Arms, inference: Inference, file: str) -> Statement:
    name = endpoint_of(row)
    differs = row["p"] <= inference.alpha
    sizes = [row[name] for name in ("n_active", "n_reference") if name in row]  # of one group there is one
    sizes = [max(sizes)] if arms.orders else sizes  # who are the same people
    verb = "differ" if differs else "do not differ significantly"
    effect = f", {row['effect_kind']} {interval(row, 'effect_size', 'effect_low', 'effect_high', 2)}"
    text = (
        f"the {arms.words.compared} {verb}: {arms.contrast} {interval(row, 'estimate', 'ci_low', 'ci_high')}"
        f"{effect if row['effect_size'] == row['effect_size'] and row['effect_kind'] else ''}, p {equal(row['p'])} "
        f"({said(row['method'])}, {row['population']}, n = {joined(f'{n:.0f}' for n in sizes)})."
    )
    of_g = row["effect_kind"] == "Hedges g"
    result = Result(
        estimand=f"{row['method']}, {row['population']}",
        measure=name,
        role=row["role"],
        p=row["p"],
        which_p="p",
        files=(file,),
        n=int(sum(sizes)),
        effect=row["estimate"],
        ci_low=row["ci_low"],
        ci_high=row["ci_high"],
        hedges_g=row["effect_size"] if of_g else None,
        g_low=row["effect_low"] if of_g else None,
        g_high=row["effect_high"] if of_g else None,
    )
    return Statement(role=row["role"], about=name, text=text, differs=bool(differs), results=(result,))


def equal(p: float, inference: Inference | None = None) -> str:
    """Write a p after the word: how it compares, and that it is the smallest possible where it is.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> drawn = SimpleNamespace(draws=2000, all_allocations_enumerated=False, tail_approximation=False, smallest_p=5e-4)
    >>> equal(0.031), equal(0.00001), equal(0.0005, drawn)
    ('= 0.031', '< 0.0001', '≤ 0.0005 (the smallest possible with 2,000 draws)')
    """
    exact = inference is None or inference.all_allocations_enumerated or inference.tail_approximation
    if inference is not None and not exact and p <= 1.001 * inference.smallest_p:
        return f"≤ {p_value(p)} (the smallest possible with {inference.draws:,} draws)"
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"
