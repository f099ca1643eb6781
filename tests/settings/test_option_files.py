"""A file of options says what the command line says, and holds the plan."""

from pathlib import Path

import pytest

from bids_app.cli import settings_of
from bids_app.errors import MissingInputError, UsageError
from bids_app.settings.config import read_config
from bids_app.system.provenance import digest_of_file

OPTIONS = """
derivatives = ["fmriprep=prep"]
n_cpus = 2
[graph]
voxel-size = "native"
threshold = [0.2, 0.3]
[trial]
arm = "treatment"
covariates = ["age", "sex"]
baseline_motion = false
[outcomes]
outcomes = ["hamd17"]
"""
WORDS = [
    *("--derivatives", "fmriprep=prep", "--n-cpus", "2", "--voxel-size", "native", "--threshold", "0.2", "0.3"),
    *("--arm", "treatment", "--covariates", "age", "sex", "--no-baseline-motion", "--outcomes", "hamd17"),
]
PLAN = """
smooth_maps = 4
[plan.metrics]
primary = "degree"
[plan.analysis]
alpha = 0.01
"""


@pytest.fixture
def config(tmp_path):
    def written(text):
        path = tmp_path / "trialgraph.toml"
        path.write_text(text)
        return path

    return written


def parsed(level, *words):
    return settings_of.parse(["bids", "out", level, *map(str, words)])


@pytest.mark.parametrize("level", ["participant", "group"])
def test_a_file_says_what_the_command_line_would(config, level):
    assert parsed(level, "--config", config(OPTIONS)) == parsed(level, *WORDS)


def test_the_command_line_goes_first(config):
    settings = parsed("group", "--config", config(OPTIONS), "--voxel-size", "4", "--arm", "group")
    assert (settings.graph.voxel_size, settings.trial.arm, settings.trial.covariates) == (4, "group", ("age", "sex"))


def test_the_plan_is_a_section_and_what_the_file_says_beside_it_departs(config):
    path = config(PLAN)
    settings = parsed("group", "--config", path)
    assert settings.trial.plan.metric == "degree"
    assert settings.trial.plan.sha256 == digest_of_file(path)
    assert settings.trial.alpha == 0.01
    assert [one.what for one in settings.trial.departed] == ["smooth_maps"]


def test_a_plan_on_the_command_line_takes_the_place_of_the_section(config, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text('[metrics]\nprimary = "strength"\n')
    assert parsed("group", "--config", config(PLAN), "--plan", other).trial.plan.metric == "strength"


def test_a_plan_may_be_named(config, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text('[metrics]\nprimary = "strength"\n')
    assert parsed("group", "--config", config(f'plan = "{other}"')).trial.plan.metric == "strength"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("voxel_sise = 4", r"voxel_sise is no option \(did you mean voxel_size\?\); --help-all lists them"),
        ("[graf]\nvoxel_size = 4", r"\[graf\] is no section \(did you mean graph\?\); there are scans, signal"),
        ("voxel_size = 4\n[graph]\nvoxel_size = 3", "voxel_size stands twice"),
        ("seed = 1\nrandom_seed = 2", "random_seed stands twice"),
        ('voxel_size = "big"', "voxel-size"),
        ('metrics = ["degre"]', r"did you mean degree\?"),
        ('[plan.metrics]\nprimary = "degre"', r"did you mean degree\?"),
        ("bids_dir = 'x'", "bids_dir is no option"),
        ("config = 'x'", "config is no option"),
        ("voxel_size = ", "not valid TOML"),
    ],
)
def test_what_no_option_takes_is_named_with_the_file(config, text, said):
    path = config(text)
    with pytest.raises(UsageError, match=said) as refused:
        read_config(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingInputError):
        read_config(Path(tmp_path / "none.toml"))
