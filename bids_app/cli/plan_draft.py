"""A plan to begin with, from the tables of a data set: what is found is filled in, what is open is a comment."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import pandas as pd

from bids_app import __version__
from bids_app.bids.values import in_order
from bids_app.errors import DataError, TrialgraphError
from bids_app.settings.objectives import CORRECTIONS, HEDGES_G, STRATEGIES, SUMMARIES
from bids_app.settings.settings import Trial
from bids_app.trial.arms import Arms, arm_column, find_arms, listed
from bids_app.trial.tables import Tables, read_tables
from bids_app.trial.visit_order import Order, order_of
from bids_app.trial.visits import Visits, find_visits, scanned_visits

T = TypeVar("T")
MOST_LEVELS = 12  # of a column that is no number, to be a covariate
OF_TIME = ("acq_time", "session_id")
HEAD = f"""# The plan of the analysis of {{name}}, written by trialgraph {__version__} from the tables of the data set.
#
# What the tables say is filled in. What stands below "# choose" is yours to decide: take away the # and keep what you
# mean. Then: trialgraph plan check {{path}} BIDS. Commit or register the file before the follow-up data are seen.
# Every option that changes a result can be a key here: docs/plan.toml lists all; what is left out has its default.
"""


class Found(NamedTuple):
    """What the tables hold of a trial; an error in place of what is open.

    Attributes
    ----------
    column : str or error
        Which column of participants.tsv holds the arm.
    arms : Arms or error
    visits : Visits or error
    numbers : Series
        Participants by value of that column.
    covariates, outcomes : list of str
        Columns that could be such, and what they hold.
    """

    column: "str | TrialgraphError"
    arms: "Arms | TrialgraphError"
    visits: "Visits | TrialgraphError"
    numbers: "pd.Series"
    covariates: list[tuple[str, str]]
    outcomes: list[tuple[str, str]]


def scans_of(bids_dir: Path) -> set[tuple[str, str]]:
    """Return participant and session of every scan of a data set: of the raw one and of its derivatives."""
    folders = [*bids_dir.glob("sub-*"), *bids_dir.glob("derivatives/*/sub-*")]
    found: list[tuple[str, str | None]] = []
    for folder in filter(Path.is_dir, folders):
        sessions = [one.name.removeprefix("ses-") for one in folder.glob("ses-*") if _scanned(one)]
        there: list[str | None] = [*sessions] or [None] * _scanned(folder)
        found += [(folder.name.removeprefix("sub-"), one) for one in there]
    return scanned_visits(found)


def _scanned(folder: Path) -> bool:
    return (folder / "func").is_dir()


def look(bids_dir: Path) -> Found:
    """Look at the tables of a data set, and take nothing for granted that they leave open.

    Parameters
    ----------
    bids_dir : Path

    Raises
    ------
    MissingInputError
        There is no participants.tsv.
    """
    tables, scanned = read_tables(bids_dir), scans_of(bids_dir)
    column = _or_error(lambda: arm_column(tables, Trial()))
    known = column if isinstance(column, str) else None
    order = order_of(scanned, tables.moments, tables.logged)
    return Found(
        column=column,
        arms=_or_error(lambda: find_arms(tables, Trial())),
        visits=_or_error(lambda: _visits(scanned, order)),
        numbers=tables.participants[known].value_counts() if known else pd.Series(dtype=int),
        covariates=list(_covariates(tables, known)),
        outcomes=list(_outcomes(tables)),
    )


def _visits(scanned: Collection[tuple[str, str]], order: Order) -> Visits:
    """Return the visits; what only weak evidence says is not found."""
    if not scanned:
        raise DataError("There are no scans yet, in the data set or in its derivatives, that would name the sessions.")
    found = find_visits(order, scanned, Trial())
    if order.weak:
        raise DataError(f"Weak evidence of which came first: {order.evidence}.")
    return found


def _or_error(find: Callable[[], T]) -> "T | TrialgraphError":
    try:
        return find()
    except TrialgraphError as error:
        return error


def _covariates(tables: Tables, arm: str | None) -> Iterator[tuple[str, str]]:
    """Yield the columns of participants.tsv that could be covariates, and what they hold."""
    for name, column in tables.participants.items():
        words = column.dropna().astype(str)
        numbers = pd.to_numeric(words, errors="coerce").dropna()
        if str(name) == arm or words.nunique() < 2:
            continue
        if len(numbers) == len(words):
            yield str(name), f"{numbers.min():g} to {numbers.max():g}"
        elif words.nunique() <= MOST_LEVELS:
            yield str(name), listed(words)


def _outcomes(tables: Tables) -> Iterator[tuple[str, str]]:
    """Yield the columns of numbers that tables have by visit, and at which."""
    for name, column in tables.sessions.items():
        words = column.dropna()
        if str(name) in OF_TIME or not len(words) or pd.to_numeric(words, errors="coerce").isna().any():
            continue
        sessions = in_order(words.index.get_level_values("session_id").unique())
        yield str(name), f"{len(words)} scores at {', '.join(f'ses-{one}' for one in sessions)}"


def draft(found: Found, name: str, path: str = "plan.toml") -> str:
    """Write a plan as a TOML file with comments.

    Parameters
    ----------
    found : Found
    name : str
        Of the data set.
    path : str, optional
        Of the plan, for what is said of it.
    """
    parts = [HEAD.format(name=name, path=path), _of_trial(found), _of_measures(), _of_outcomes(found)]
    return "\n".join([*parts, _of_protocol(found), _of_objectives(found)])


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _open(key: str, value: str, why: str) -> list[str]:
    return [f"# choose: {why}", f"# {key} = {value}"]


def _why(error: object) -> str:
    return " ".join(str(error).split())


def _of_trial(found: Found) -> str:
    lines = ["[trial]", 'design = "parallel"           # or groups, crossover, one-group, paired: see docs/designs.md']
    if isinstance(found.column, str):
        lines.append(f"arm = {_text(found.column)}")
    else:
        lines += _open("arm", '""', _why(found.column))
    if isinstance(found.arms, Arms):
        lines += [f"arms = {_text([*found.arms.others, found.arms.reference])}"]
        lines += [f"reference = {_text(found.arms.reference)}"]
    else:
        lines += _open("reference", _text(" or ".join(map(str, found.numbers.index))), _why(found.arms))
    if isinstance(found.visits, Visits):
        lines += [f"baseline = {_text(found.visits.baseline)}"] if found.visits.baseline else []
        lines += [f"followup = {_text(list(found.visits.followups))}"]
    else:
        lines += [*_open("baseline", '""', _why(found.visits)), '# followup = [""]']
    columns = [one for one, _ in found.covariates]
    lines += _open("covariates", _text(columns), f"measured before randomization? {_holding(found.covariates)}")
    lines += _open("strata", _text(columns[:1]), "what stratified the randomization; none: leave it out")
    return "\n".join([*lines, ""])


def _holding(columns: Sequence[tuple[str, str]]) -> str:
    return "; ".join(f"{name}: {what}" for name, what in columns) or "no column is there"


def _of_measures() -> str:
    lines = ["[metrics]", *_open("primary", '"degree"', "the one graph measure that the trial is judged by")]
    lines += _open("secondary", '["clustering"]', "others; docs/measures lists all")
    lines += ["", "[graph]", *_open("threshold", "0.25", "two nodes are joined if their r is above this, or density")]
    lines += ["", "[analysis]", *_open("regions", '["name=mask.nii.gz"]', "regions named beforehand, or parcels")]
    defaults = ["alpha = 0.05                  # as these three are by default", "n_permutations = 10000", "seed = 0"]
    return "\n".join([*lines, *defaults, ""])


def _of_outcomes(found: Found) -> str:
    names = [one for one, _ in found.outcomes]
    lines = ["[outcomes]", *_open("primary", _text(names[:1]), _holding(found.outcomes))]
    return "\n".join([*lines, *_open("secondary", _text(names[1:]), "the others"), ""])


def _of_protocol(found: Found) -> str:
    arms = [*found.arms.others, found.arms.reference] if isinstance(found.arms, Arms) else []
    numbers = ", ".join(f"{_text(arm)} = {found.numbers.get(arm, 0)}" for arm in arms)
    lines = ["[protocol]", *_open("title", '""', "of the trial"), *_open("registration", '""', "its number")]
    lines += _open("correction", f'"{next(iter(CORRECTIONS))}"', f"over several objectives: {'; '.join(CORRECTIONS)}")
    lines += _open("n_planned", f"{{{numbers}}}", "as the protocol has it; the tables hold so many now")
    lines += _open("n_reason", '""', "why so many")
    return "\n".join([*lines, *_open("stopping", '""', "when the trial ends, and who looks before"), ""])


def _of_objectives(found: Found) -> str:
    arms, visits = found.arms, found.visits
    lines = [
        "# choose: what the trial is to find out, a section for each, in the order in which it is tested. Each is an",
        "# estimand as ICH E9(R1) has it: treatment, population, endpoint, intercurrent events, summary.",
        "# [[objective]]",
        '# name = "Degree anywhere in grey matter"',
        '# role = "primary"            # or secondary',
        '# population = "everyone randomized"',
    ]
    if isinstance(arms, Arms):
        lines += [f"# arm = {_text(arms.others[0])}"] if len(arms.others) == 1 else []
        lines += [f"# arm = {_text(' or '.join(arms.others))}"] if len(arms.others) > 1 else []
        lines += [f"# reference = {_text(arms.reference)}"]
    lines += [
        '# measure = "degree"         # or outcome; with region = "..." of [analysis] regions; or of an',
        '# atlas: whole_graph = "modularity", or connections = "its name"',
    ]
    if isinstance(visits, Visits):
        lines += [f"# visit = {_text(' or '.join(visits.followups))}"]
    return "\n".join(
        [
            *lines,
            f'# summary = "{next(iter(SUMMARIES))}"   # {"; ".join((*SUMMARIES, HEDGES_G))}',
            "# [[objective.event]]        # what may happen after randomization and bears on the endpoint",
            '# name = "rescue medication"',
            f'# strategy = "{next(iter(STRATEGIES))}"   # {"; ".join(STRATEGIES)}',
            '# column = "rescue"          # of sessions.tsv or participants.tsv, yes or no: it is counted by arm',
            "# prepared = false            # true: the data were prepared as the strategy asks",
            "",
        ]
    )
