"""What an option is by default and what it may be stands in one place, and what is given is told from what is not."""

import dataclasses
import math

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from bids_app.cli.settings_of import parse
from bids_app.errors import UsageError
from bids_app.settings.checks import check_settings
from bids_app.settings.fields import said_default
from bids_app.settings.parser import app_parser, read_given, with_defaults
from bids_app.settings.plan import SECTIONS, read_plan
from bids_app.settings.plan_keys import planned_actions
from bids_app.settings.settings import BY_OPTION, Graph, ParcelGraph, Preprocessing, Selection, Signal, Trial

CALL = ["bids", "out", "group"]
ACTIONS = {action.dest: action for action in app_parser()._actions if action.option_strings}
# Their default depends on other options, or on the machine.
DEPENDING = {"threshold", "parcel_threshold", "parcel_density", "parcel_metrics", "n_cpus"}
RANGED = sorted(name for name, of in BY_OPTION.items() if of.metadata.get("allowed"))
PLANNED = {
    f"{section}.{key}": action.dest for section, keys in planned_actions().items() for key, action in keys.items()
}


@pytest.mark.parametrize("name", sorted(BY_OPTION.keys() & ACTIONS.keys()))
def test_the_parser_has_the_default_and_the_choices_of_the_setting(name):
    of, action = BY_OPTION[name], ACTIONS[name]
    assert action.choices == of.metadata.get("choices")
    if name not in DEPENDING:
        assert action.default == said_default(of)


def test_every_range_is_that_of_an_option():
    assert set(RANGED) <= set(ACTIONS)


def test_without_options_every_part_of_the_settings_is_its_default():
    settings = parse(CALL)
    parts = (settings.selection, settings.signal, settings.graph, settings.graph.parcels, settings.trial)
    assert parts == (Selection(), Signal(), Graph(), ParcelGraph(), Trial())
    assert settings.preprocessing.mode == Preprocessing().mode


def in_plan(name, number):
    """Return the text of a plan that says a number, or None where no plan can."""
    for place, dest in PLANNED.items():
        if dest == name:
            section, key = place.split(".")
            return f'metrics.primary = "degree"\n{section}.{key} = {number!r}\n'
    return None


def refused(read):
    try:
        read()
    except UsageError as error:
        return "must be" in str(error)
    return False


@pytest.mark.parametrize("name", RANGED)
@drawn(number=st.sampled_from([-1, 0, 0.5, 1, 2, 3, 1e-9, -0.1, 0.999, 7, math.inf, math.nan]))
def test_checks_and_plan_refuse_the_same_numbers(name, number, tmp_path_factory):
    allowed, action = BY_OPTION[name].metadata["allowed"], ACTIONS[name]
    if action.type is int or "int" in str(BY_OPTION[name].type):
        if not float(number).is_integer():
            return
        number = int(number)
    fits = allowed.fits(number)
    folder = tmp_path_factory.getbasetemp()
    (folder / "bids").mkdir(exist_ok=True)
    settings = parse([str(folder / "bids"), str(folder / "out"), "group", action.option_strings[0], str(number)])
    assert refused(lambda: check_settings(dataclasses.replace(settings, dry_run=True))) is not fits
    if plan := in_plan(name, number):
        (folder / "plan.toml").write_text(plan)
        assert refused(lambda: read_plan(folder / "plan.toml")) is not fits


def test_the_numbers_of_a_plan_have_a_range():
    sections = {f"{section}.{key}" for section, keys in SECTIONS.items() for key in keys}
    numbers = {"threshold", "density", "alpha", "fd_threshold", "min_minutes", "smooth_maps", "n_permutations"}
    assert {PLANNED[place] for place in sections & PLANNED.keys()} & set(RANGED) >= numbers | {"voxel_size"}


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("", {}),
        ("--hc3", {"hc3": True}),
        ("--no-baseline-motion", {"baseline_motion": False}),
        ("--threshold 0.25", {"threshold": [0.25]}),
        ("--density 0.1 0.1:0.2:0.1", {"density": [0.1, 0.1, 0.2]}),
        ("--alpha 0.05", {"alpha": 0.05}),
        ("--dummy-scans auto", {"dummy_scans": None}),
        ("--dummy-scans -2", {"dummy_scans": -2}),
        ("--bandpass off --random-seed -1", {"bandpass": ["off"], "random_seed": -1}),
        ("-vv --verbose", {"verbose": 3}),
        ("--covariates age sex --denoise friston24", {"covariates": ["age", "sex"], "denoise": "friston24"}),
    ],
)
def test_what_is_given_is_all_that_is_read_even_if_it_is_the_default(words, given):
    read = read_given([*CALL, *words.split()])
    assert {name: value for name, value in read.items() if name not in ("bids_dir", "output_dir", "level")} == given
    assert vars(with_defaults(read)) == vars(app_parser().parse_args([*CALL, *words.split()]))
