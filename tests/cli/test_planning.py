"""trialgraph plan: what is open stays open, nothing is replaced, and exit codes know."""

import pytest

from bids_app.cli.main import main
from bids_app.settings.plan import read_plan

PLAN = """
[metrics]
primary = "degree"
[trial]
reference = "b"
followup = "day3"
covariates = ["age"]
[outcomes]
primary = ["hamd17"]
"""


@pytest.fixture
def bids(tmp_path):
    """A data set of four with a scan at each of two sessions; its tables are up to each test."""

    def make(arms=("a", "b"), sessions=("baseline", "day3"), column="arm"):
        folder = tmp_path / "bids"
        for number in range(1, 5):
            for session in sessions:
                (folder / f"sub-{number}" / f"ses-{session}" / "func").mkdir(parents=True)
            rows = "".join(f"ses-{session}\t{20 - number}\n" for session in sessions)
            (folder / f"sub-{number}" / f"sub-{number}_sessions.tsv").write_text(f"session_id\thamd17\n{rows}")
        people = "".join(f"sub-{number}\t{arms[number % len(arms)]}\t{20 + number}\n" for number in range(1, 5))
        (folder / "participants.tsv").write_text(f"participant_id\t{column}\tage\n{people}")
        return str(folder)

    return make


@pytest.fixture
def plan(tmp_path):
    def write(text=PLAN):
        (tmp_path / "plan.toml").write_text(text)
        return str(tmp_path / "plan.toml")

    return write


def test_a_reference_that_is_open_is_a_comment_with_the_choices(bids, capsys):
    assert main(["plan", "init", bids()]) == 0
    draft = capsys.readouterr().out
    assert 'arm = "arm"\n# choose: Which arm is the reference: a or b?' in draft
    assert '# reference = "b or a"' in draft or '# reference = "a or b"' in draft
    assert "\nreference" not in draft
    assert 'baseline = "baseline"\nfollowup = ["day3"]' in draft


def test_arms_and_visits_that_are_open_are_comments(bids, capsys):
    assert main(["plan", "init", bids(column="letter", sessions=("drug", "nothing"))]) == 0
    draft = capsys.readouterr().out
    assert "# choose: No column of participants.tsv is known to hold the arm; there are letter (2 values)" in draft
    assert "\narm" not in draft
    assert "\nbaseline" not in draft
    assert "# choose: Weak evidence of which came first: " in draft


def test_what_is_found_is_a_plan_once_the_measure_is_chosen(bids, tmp_path):
    path = tmp_path / "plan.toml"
    assert main(["plan", "init", bids(arms=("ketamine", "placebo")), "-o", str(path)]) == 0
    path.write_text(path.read_text().replace('# primary = "degree"', 'primary = "degree"'))
    plan = read_plan(path)
    assert (plan.metric, plan.arm, plan.reference, plan.followup) == ("degree", "arm", "placebo", ("day3",))
    assert plan.further["arms"] == ("ketamine", "placebo")


def test_a_file_that_is_there_is_never_replaced(bids, plan, capsys):
    path = plan()
    assert main(["plan", "init", bids(), "-o", path]) == 73
    assert "is there already" in capsys.readouterr().err
    assert main(["plan", "sap", path, "-o", path.replace(".toml", ".pdf")]) == 64


def test_no_data_set_is_a_missing_input(tmp_path, plan):
    assert main(["plan", "init", str(tmp_path / "none")]) == 66
    assert main(["plan", "check", str(tmp_path / "none.toml")]) == 66
    (tmp_path / "empty").mkdir()
    assert main(["plan", "init", str(tmp_path / "empty")]) == 66


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (PLAN, 0, "a plan that can be used; SHA-256"),
        (PLAN.replace("primary = [", "primry = ["), 64, "(did you mean primary?)"),
        ("[metrics", 64, ""),
        (PLAN.replace('"age"', '"weight"'), 65, "weight"),
        (PLAN.replace('"hamd17"', '"madrs"'), 65, "madrs"),
        (PLAN.replace('reference = "b"', 'reference = "c"'), 65, "--reference-arm c"),
        (PLAN.replace('"day3"', '"day9"'), 65, "day9"),
        (
            PLAN + '[[objective]]\nname = "x"\nrole = "primary"\nmeasure = "degree"\narm = "b"\n',
            65,
            "objective 'x' is of no comparison that would be made: a − b at ses-day3",
        ),
        (PLAN + "[protocol]\nn_planned = {a = 3}\n", 0, "Participants: n_planned: planned 3 a, used 2 a"),
    ],
)
def test_a_check_says_what_is_wrong_and_what_the_data_lack(bids, plan, capsys, text, code, said):
    assert main(["plan", "check", plan(text), bids()]) == code
    heard = capsys.readouterr()
    assert said in " ".join((heard.out + heard.err).split())


def test_without_data_the_plan_alone_is_checked(plan, capsys):
    assert main(["plan", "check", plan(PLAN.replace('"hamd17"', '"madrs"'))]) == 0
    assert "No objective" in capsys.readouterr().out
