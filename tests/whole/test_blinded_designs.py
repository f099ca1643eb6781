"""Blinded output does not know the arms: every design, of parcels, their whole graph and their connections."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import pytest
from outputs import visible
from series_trial import OPTIONS, series_trial
from swapped import contents, plain, telling, write_key

LABELS = [f"{number:02}" for number in range(1, 10)]
ASKED = (
    *OPTIONS,
    "--n-permutations",
    "20",
    "--edge-statistic",
    "nbs",
    "--cluster-threshold",
    "1.5",
    "--outcomes",
    "hamd",
)
TWO, THREE = ("ketamine", "midazolam"), ("ketamine", "midazolam", "esketine")
WILLIAMS = [
    tuple(THREE[place] for place in order)
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0))
]
LETTERS = {"ketamine": "B", "midazolam": "C", "esketine": "A"}
NAMES = (b"ketamine", b"midazolam", b"esketine")
ARM = ("--arm", "treatment", "--reference-arm")


def turned(names):
    """Return the swap in which each arm takes the name of the next."""
    return dict(zip(names, (*names[1:], names[0]), strict=True))


def parallel(names):
    """Return everyone's arm, of as unequal sizes as can be: a swap that is not blinded would show."""
    return {label: names[min(place % 4, len(names) - 1)] for place, label in enumerate(LABELS)}


def ordered(swap):
    """Return everyone's order of two treatments, which five have one way and four the other."""
    return {
        label: tuple(swap.get(one, one) for one in TWO[:: 1 if place % 2 else -1]) for place, label in enumerate(LABELS)
    }


def of_arms(names):
    def write(trial, swap):
        trial.write_people({"treatment": pd.Series({who: swap.get(arm, arm) for who, arm in parallel(names).items()})})
        trial.write_sessions({label: scores(label) for label in LABELS})

    return write


def of_sequences(trial, swap):
    trial.write_people({"sequence": pd.Series({who: "-".join(order) for who, order in ordered(swap).items()})})
    trial.write_sessions({label: scores(label) for label in LABELS})


def of_three_treatments(trial, swap):
    """Everyone has all three, in the six orders of a Williams design, three orders oftener than the others."""
    orders = {who: tuple(swap.get(one, one) for one in WILLIAMS[place % 6]) for place, who in enumerate(LABELS)}
    trial.write_people({"sequence": pd.Series({who: "-".join(order) for who, order in orders.items()})})
    trial.write_sessions({label: scores(label, 3) for label in LABELS})


def of_sessions(trial, swap):
    trial.write_people({"age": pd.Series({label: 30 + int(label) ** 2 % 7 for label in LABELS})})
    given = {
        who: {str(n): scores(who)[str(n)] | {"treatment": one} for n, one in enumerate(order, 1)}
        for who, order in ordered(swap).items()
    }
    trial.write_sessions(given)


def scores(label, n_sessions=2):
    return {str(n): {"hamd": 20 - 3 * n + int(label) * (n + 1) % 7} for n in range(1, n_sessions + 1)}


class Design(NamedTuple):
    """How the tables are written, which options say the arms, which of them are there, and how often one is scanned."""

    write: Callable
    options: Callable
    names: tuple[str, ...]
    n_sessions: int = 2


def of_reference(swap):
    return (*ARM, swap.get("midazolam", "midazolam"))


def crossed(swap):
    return ("--design", "crossover")


def crossed_to(swap):
    return ("--design", "crossover", "--reference-arm", swap.get("midazolam", "midazolam"))


DESIGNS = {
    "connections of two arms": Design(of_arms(TWO), of_reference, TWO),
    "three arms": Design(of_arms(THREE), of_reference, THREE),
    "cross-over by sequence": Design(of_sequences, crossed, TWO),
    "cross-over by session": Design(of_sessions, crossed, TWO),
    "cross-over of three treatments": Design(of_three_treatments, crossed_to, THREE, 3),
}


@pytest.fixture(scope="module")
def processed(tmp_path_factory, app):
    """Nine people, of whom one lacks the last scan, by how often they are scanned."""
    made = {}

    def of(n_sessions):
        if n_sessions not in made:
            made[n_sessions] = scanned(tmp_path_factory.mktemp("series") / "trial", n_sessions, app)
        return made[n_sessions]

    return of


def scanned(root, n_sessions, app):
    sessions = [str(n) for n in range(1, n_sessions + 1)]
    scans = [(label, one) for label in LABELS for one in sessions if (label, one) != ("09", sessions[-1])]
    trial = series_trial(root, scans)
    of_arms(TWO)(trial, {})
    outcome = app(trial.bids, trial.out, "participant", *OPTIONS)
    assert outcome.code == 0, outcome.said
    return trial


@pytest.fixture(
    scope="module", params=[(design, mode) for design in DESIGNS for mode in ("pooled", "between")], ids=str
)
def both(request, processed, tmp_path_factory, app):
    """The same trial twice, the second with all arms swapped, the key too."""
    design, mode = request.param
    one = DESIGNS[design]
    root, found = tmp_path_factory.mktemp("swapped"), []
    for name, swap in (("a", {}), ("b", turned(one.names))):
        made = processed(one.n_sessions).copy(root / "trial")
        one.write(made, swap)
        write_key(made.key, {arm: LETTERS[arm] for arm in one.names}, swap)
        outcome = app(made.bids, made.out, "group", *ASKED, *one.options(swap), "--blind", mode, "--key", made.key)
        assert outcome.code == 0, outcome.said
        found.append((made.root.rename(root / name), outcome.said))
    return request.param, found


def test_nothing_differs_when_the_arms_are_swapped_and_nothing_names_one(both):
    (design, mode), ((one, said), (other, also_said)) = both
    first, second = contents(one / "out"), contents(other / "out")
    assert sorted(first) == sorted(second)
    assert not [name for name in first if first[name] != second[name]]
    assert plain(said.encode()) == plain(also_said.encode())
    assert telling(one / "out", said, NAMES) == telling(other / "out", also_said, NAMES) == []
    tables = [data for name, data in first.items() if name.endswith(b"_edges.tsv")]
    assert tables, f"{design}: connections are described, or compared in letters"
    assert all((b"p_fwe" in data.partition(b"\n")[0]) == (mode == "between") for data in tables)
    page = visible((one / "out" / "group" / "index.html").read_text())
    assert ("Everyone is one group, and nothing is tested" in page) == (mode == "pooled")
