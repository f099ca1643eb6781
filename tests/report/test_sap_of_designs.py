"""The text of an analysis plan of every design: who is in the row that decides, and how draws are made."""

import pandas as pd
import pytest

from bids_app.cli.main import main
from bids_app.group.repeated_outcomes import undecided
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Trial

PLAN = """
[metrics]
primary = "degree"
[trial]
design = "{design}"
followup = ["day3", "day14"]
[outcomes]
primary = ["hamd"]
outcome_model = "ancova"
"""
DECIDES = {
    "one-group": ("the signs of everyone's changes are flipped", "Student's t of one sample, the mean change"),
    "paired": ("the signs of everyone's changes are flipped", "Student's t of one sample, the mean change"),
    "groups": ("residuals are permuted", "ANCOVA on the baseline, of everyone with a follow-up"),
    "parallel": ("labels of the arms are drawn again", "ANCOVA on the baseline, of everyone with a follow-up"),
    "crossover": ("labels of the arms are drawn again", "between the sequences, of everyone with both periods"),
}


@pytest.mark.parametrize("design", DECIDES)
def test_the_text_says_of_every_design_what_is_done_in_it(tmp_path, capsys, design):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(design=design))
    assert main(["plan", "sap", str(path)]) == 0
    text = capsys.readouterr().out
    for said in DECIDES[design]:
        assert said in text
    assert ("All who were randomized" in text) == (design in ("parallel", "crossover"))
    assert ("bounds and tipping points" in text) == (design not in ("one-group", "paired"))


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ("parallel", "ancova is of one follow-up"),
        ("one-group", "Student's t of the mean change is of one later visit"),
        ("crossover", "least squares of the periods is of two treatments"),
    ],
)
def test_why_no_row_of_all_decides_is_said_in_the_words_of_the_design(design, said):
    options = Trial(design=design, outcome_model="ancova", plan=Plan("degree", primary_outcomes=("hamd",)))
    table = pd.DataFrame({"role": ["secondary"], "p": [0.1], "outcome": ["hamd"], "note": [""]})
    (one,) = undecided(table, [], options)
    assert one.text.endswith(f"each comparison by itself, none of which decides: {said}")
