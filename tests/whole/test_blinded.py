"""A blinded trial: nothing tells the arms apart until the key is used, and the record says when that was."""

import gzip
import json
import re
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import SMALL
from outputs import mean_of, table, visible
from series_trial import TrialFolder
from swapped import contents, plain, write_key

ARMS = {"01": "midazolam", "02": "ketamine", "03": "midazolam", "04": "ketamine", "05": "midazolam", "06": "ketamine"}
OTHERS = {"10": "healthy", "11": "withdrawn"}  # who were not scanned
ASKED = (
    *(*SMALL, "--mem-gb", "4", "--arm", "treatment", "--arms", "ketamine", "midazolam", "--no-baseline-motion"),
    *("--reference-arm", "midazolam", "--n-permutations", "30", "--outcomes", "hamd"),
)
LETTERS = {"ketamine": "B", "midazolam": "A", "healthy": "C"}
SWAP = {"ketamine": "midazolam", "midazolam": "ketamine"}
PLAN = """
[metrics]
primary = "degree"
[trial]
arm = "treatment"
reference = "midazolam"
[protocol]
n_planned = {ketamine = 3, midazolam = 4}
blinding = "The vials of ketamine and midazolam look alike."
[[objective]]
name = "Degree anywhere after ketamine"
role = "primary"
arm = "ketamine"
reference = "midazolam"
measure = "degree"
visit = "2"
"""
NAMES = (b"ketamine", b"midazolam", b"vial-", b"comparator", b"healthy", b"0.5 mg")


class Blinded(TrialFolder):
    """A trial, what was made of it, and where its key is."""

    @property
    def plan(self):
        return self.root / "plan.toml"

    @property
    def log(self):
        return self.out / "logs" / "blinding.jsonl"

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def write_people(self, swap):
        rows = [
            (f"sub-{label}", swap.get(arm, arm), 30 + int(label) ** 2 % 17, f"vial-{swap.get(arm, arm)[0]}")
            for label, arm in (ARMS | OTHERS).items()
        ]
        names = ["participant_id", "treatment", "age", "kit"]
        pd.DataFrame(rows, columns=names).to_csv(self.bids / "participants.tsv", sep="\t", index=False)


@pytest.fixture(scope="module")
def processed(finished, tmp_path_factory):
    """Three in each of two arms, of whom one lacks the second scan, and two who are in neither."""
    trial, out, _ = finished
    made = Blinded(tmp_path_factory.mktemp("blinded") / "trial")
    shutil.copytree(trial.bids, made.bids)
    shutil.copytree(out, made.out)
    for label in ARMS:
        (made.bids / f"sub-{label}").mkdir(exist_ok=True)
        rows = "".join(f"ses-{one}\t{score(label, int(one))}\n" for one in ("1", "2"))
        (made.bids / f"sub-{label}" / f"sub-{label}_sessions.tsv").write_text(f"session_id\thamd\n{rows}")
    made.write_people({})
    levels = {"ketamine": "0.5 mg/kg", "midazolam": "active comparator"}
    (made.bids / "participants.json").write_text(json.dumps({"treatment": {"Levels": levels}}))
    made.plan.write_text(PLAN)
    return made


def score(label, session):
    return 20 - session * 3 + (int(label) * (2 * session + 1)) % 7


def run(app, made, *words):
    return app(made.bids, made.out, "group", *ASKED, "--plan", made.plan, *words)


def blinded_run(app, made, what):
    return run(app, made, "--blind", what, "--key", made.key)


@pytest.fixture(scope="module", params=["pooled", "between"])
def both(request, processed, tmp_path_factory, app):
    """The same trial twice, the second with all arms swapped, the key too."""
    root, found = tmp_path_factory.mktemp(request.param), []
    for name, swap in (("a", {}), ("b", SWAP)):
        made = processed.copy(root / "trial")
        made.write_people(swap)
        write_key(made.key, LETTERS, swap)
        outcome = blinded_run(app, made, request.param)
        assert outcome.code == 0, outcome.said
        found.append((Blinded(made.root.rename(root / name)), outcome))
    return request.param, found


def test_nothing_differs_when_the_arms_are_swapped(both):
    _, ((one, said), (other, also_said)) = both
    first, second = contents(one.out), contents(other.out)
    assert sorted(first) == sorted(second)
    assert not [name for name in first if first[name] != second[name]]
    assert plain(said.said.encode()) == plain(also_said.said.encode())
    assert len([name for name in first if name.startswith(b"group/")]) > 15


def test_no_file_and_no_message_names_an_arm(both):
    _, found = both
    for made, outcome in found:
        files = {path: path.read_bytes() for path in made.out.rglob("*") if path.is_file()}
        files = {path: gzip.decompress(data) if path.suffix == ".gz" else data for path, data in files.items()}
        for name in NAMES:
            assert not [path for path, data in files.items() if name in data.lower()], name
            assert not [path for path in files if name in str(path.relative_to(made.out)).lower().encode()]
            assert name not in outcome.said.lower().encode()
        said = json.loads((made.out / "group" / "manifest.json").read_text())["Options"]["trial"]
        assert said.get("reference_arm") in (None, "B")


def test_the_page_says_what_is_held_back(both):
    what, ((made, _), _) = both
    page = visible((made.out / "group" / "index.html").read_text())
    methods = (made.out / "logs" / "CITATION.md").read_text()
    assert ("There was no analysis plan" in methods, "## Blinding" in methods) == (False, True)
    (published,) = (made.out / "logs").glob("*_group_*/published.json")
    assert json.loads(published.read_text())["Tested"] == (what == "between")
    if what == "pooled":
        assert "Everyone is one group, and nothing is tested. Held back is" in page
        assert "Blinded: everyone as one group at 2 visits" in page
        assert not [path for path in (made.out / "group").rglob("*") if "pFwe" in path.name]
    else:
        assert "The arms are letters, drawn by chance" in page
        assert "A − B" in page
    assert "nan" not in page.lower().split()


@pytest.mark.parametrize("both", ["between"], indirect=True)
def test_letters_have_the_numbers_of_their_arms_and_a_fixed_direction(both):
    _, found = both
    for made, _ in found:
        folder = made.out / "group"
        flow = table(folder, "flow").set_index("participant_id")["arm"]
        assert {name: flow[f"sub-{name}"] for name in ARMS} == {name: LETTERS[arm] for name, arm in ARMS.items()}
        assert flow["sub-10"] == "C"
        names = list(ARMS)[:5]  # who have both visits
        before, after = (np.array([mean_of(made.out, name, session) for name in names]) for session in ("1", "2"))
        is_a = np.array([LETTERS[ARMS[name]] == "A" for name in names])
        fit = sm.OLS(after, np.column_stack([np.ones(5), is_a, before])).fit()
        (row,) = table(folder, "wholebrain").to_dict("records")
        assert row["followup_mean_A"] == pytest.approx(after[is_a].mean(), rel=1e-6)
        assert (row["difference"], row["t"]) == pytest.approx((fit.params[1], fit.tvalues[1]), rel=1e-5)


@pytest.mark.parametrize("both", ["pooled"], indirect=True)
def test_spread_is_that_of_everyone_at_two_visits(both):
    _, ((made, _), _) = both
    rows = table(made.out / "group", "spread").set_index("of")
    names = list(ARMS)[:5]  # who have both
    before, after = (np.array([mean_of(made.out, name, session) for name in names]) for session in ("1", "2"))
    whole = rows.loc["mean over nodes"]
    expected = [before.std(ddof=1), after.std(ddof=1), (after - before).std(ddof=1), np.corrcoef(before, after)[0, 1]]
    assert whole[["sd_first", "sd_later", "sd_change", "r"]].to_numpy(float) == pytest.approx(expected, rel=1e-5)
    assert (whole["n"], rows.loc["median node", "n"]) == (5, 5)
    folder = made.out / "group" / "contrast-everyone_ses-2"
    scores = pd.read_csv(folder / "tables" / "contrast-everyone_description.tsv", sep="\t")
    expected = {session: np.mean([score(name, session) for name in ARMS]) for session in (1, 2)}
    assert scores.set_index("visit")["mean"].to_dict() == pytest.approx(expected)


def walk_through(made):
    """Return the calls of the documentation, on a trial."""
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    places = {
        "demo/sourcedata/trial/bids": made.bids,
        "out": made.out,
        "keeper/key.json": made.key,
        "plan.toml": made.plan,
    }
    calls = re.findall("^    trialgraph (.*--key.*)$", page, re.MULTILINE)
    return [[str(places.get(word, word)) for word in call.split()] for call in calls]


@pytest.fixture(scope="module")
def unblinded(processed, tmp_path_factory, app):
    """A trial through all steps: looked at as one group, then unblinded by its plan, then by another plan."""
    made = processed.copy(tmp_path_factory.mktemp("steps") / "trial")
    first, last = walk_through(made)
    said = {"pooled": app(*first, *ASKED)}
    said["mode"] = stat.S_IMODE(made.key.stat().st_mode)
    said["key"] = made.key.read_text()
    said["again"] = run(app, made, "--reports-only")
    said["by name"] = run(app, made)
    said["preview"] = run(app, made, "--dry-run")
    said["logged before"] = made.log.read_text()
    said["unblinded"] = app(*last)
    said["page"] = visible((made.out / "group" / "index.html").read_text())
    made.plan.write_text(PLAN + "[analysis]\nalpha = 0.01\n")
    said["late"] = run(app, made, "--dry-run")
    return made, said


def test_the_steps_of_a_blinded_trial(unblinded):
    made, said = unblinded
    assert [said[step].code for step in ("pooled", "again", "by name", "preview")] == [0, 0, 64, 64]
    assert said["mode"] == 0o600
    assert json.loads(said["key"])["letters"].keys() == LETTERS.keys()
    assert f"trialgraph unblind {made.out} --key FILE" in said["by name"].said
    assert "ketamine" not in said["logged before"]
    assert said["unblinded"].code == 0, said["unblinded"].said
    events = made.events()
    assert [one["Event"] for one in events] == ["sealed", "blinded", "unblinded", "compared"]
    assert events[2]["Letters"] == json.loads(said["key"])["letters"]
    assert events[2]["Plan"] == events[1]["Plan"]
    assert "ketamine − midazolam" in said["page"]
    methods = (made.out / "logs" / "CITATION.md").read_text()
    assert "## Blinding\n\nThe arms were sealed" in methods
    assert "The arms were sealed, looked at 1 time while blinded, and unblinded by" in said["page"]
    late = "plan: planned settled before the arms were known, used one first used, or changed, after the trial was"
    assert late not in said["page"]
    assert late in said["late"].said
