import dataclasses
import os
from pathlib import Path

import pytest

from bids_app.errors import MissingInputError, OutputError, UsageError
from bids_app.settings.checks import check_settings
from bids_app.settings.named import NamedPath
from bids_app.settings.settings import Graph, Resources, Selection, Settings, Signal, Trial
from bids_app.system.environment import write_only_in


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "bids").mkdir()
    return Settings(tmp_path / "bids", tmp_path / "out", "participant", tmp_path / "work")


def test_settings_cannot_be_changed(settings):
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.level = "group"


def test_sound_settings_pass_and_the_folders_are_made(settings):
    check_settings(settings)
    assert settings.output_dir.is_dir()
    assert not settings.work_dir.exists()  # who marks it as its own makes it
    assert list(settings.bids_dir.iterdir()) == []


WRONG_NUMBERS = [
    ("graph", Graph(thresholds=(0.2, 1.2)), "--threshold 1.2: must be at least 0 and below 1"),
    ("graph", Graph(thresholds=(1.0,)), "--threshold 1.0"),
    ("graph", Graph(thresholds=(-0.1,)), "--threshold -0.1"),
    ("graph", Graph(thresholds=(float("nan"),)), "--threshold nan"),
    ("graph", Graph(voxel_size=0), "--voxel-size 0: must be 1 mm or more"),
    ("graph", Graph(smooth_maps=-1.0), "--smooth-maps -1.0"),
    ("graph", Graph(smooth_maps=float("inf")), "--smooth-maps inf"),
    ("signal", Signal(fd_threshold=0.0), "--fd-threshold 0.0: must be above 0 mm"),
    ("signal", Signal(min_minutes=-1.0), "--min-minutes -1.0"),
    ("signal", Signal(dummy_scans=-2), "--dummy-scans -2: must be 0 or more"),
    (
        "signal",
        Signal(bandpass=(0.1, 0.01)),
        "--bandpass 0.1 0.01: must be LOW HIGH in Hz with 0 <= LOW < HIGH",
    ),
    ("signal", Signal(bandpass=(-0.1, 0.01)), "--bandpass -0.1 0.01"),
    ("trial", Trial(n_permutations=0), "--n-permutations 0: must be 1 or more"),
    ("trial", Trial(n_permutations="auto", tail_approximation=True), "Leave one of them out"),
    ("trial", Trial(random_seed=-1), "--random-seed -1"),
    ("resources", Resources(n_cpus=0), "--n-cpus 0: must be 1 or more"),
    ("resources", Resources(omp_nthreads=0), "--omp-nthreads 0: must be 1 or more"),
    ("resources", Resources(mem_gb=0.0), "--mem-gb 0.0: must be above 0 GB"),
]


@pytest.mark.parametrize(("part", "wrong", "fragment"), WRONG_NUMBERS)
def test_a_number_out_of_its_range_is_named_with_the_range(settings, part, wrong, fragment):
    with pytest.raises(UsageError) as refused:
        check_settings(dataclasses.replace(settings, **{part: wrong}))
    assert fragment in str(refused.value)


@pytest.mark.parametrize(
    ("part", "sound"),
    [
        ("graph", Graph(thresholds=(0.0,), voxel_size=1, smooth_maps=0.0)),
        ("graph", Graph(voxel_size=None)),
        ("signal", Signal(bandpass=(0.0, 0.1), min_minutes=0.0, dummy_scans=0)),
        ("signal", Signal(bandpass=None, fd_threshold=float("inf"))),
        ("trial", Trial(n_permutations=1)),
        ("trial", Trial(n_permutations="auto")),
    ],
)
def test_the_ends_of_the_ranges_pass(settings, part, sound):
    check_settings(dataclasses.replace(settings, **{part: sound}))


@pytest.mark.parametrize("where", [".", "out", "sub-01/out", "sourcedata/out", "derivatives"])
@pytest.mark.parametrize("what", ["output", "work"])
def test_nothing_is_written_among_the_raw_data(settings, what, where):
    inside = settings.bids_dir / where
    with pytest.raises(UsageError, match=f"The {what} folder .* lies inside the BIDS folder"):
        check_settings(dataclasses.replace(settings, **{f"{what}_dir": inside}))
    assert list(settings.bids_dir.iterdir()) == []


def test_a_link_into_the_raw_data_is_seen_through(settings, tmp_path):
    (tmp_path / "link").symlink_to(settings.bids_dir)
    with pytest.raises(UsageError, match="lies inside the BIDS folder"):
        check_settings(dataclasses.replace(settings, output_dir=tmp_path / "link" / "out"))


def test_derivatives_of_the_dataset_are_a_place_to_write(settings):
    check_settings(dataclasses.replace(settings, output_dir=settings.bids_dir / "derivatives" / "trialgraph"))
    assert (settings.bids_dir / "derivatives" / "trialgraph").is_dir()


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"bids_dir": Path("/no/such/data")}, "BIDS folder: /no/such/data does not exist"),
        (
            {"selection": Selection(derivatives=(NamedPath("fmriprep", Path("/no/fmriprep")),))},
            "--derivatives: /no/fmriprep does not exist",
        ),
        ({"graph": Graph(mask="/no/mask.nii")}, "--mask: /no/mask.nii does not exist"),
    ],
)
def test_an_input_that_is_missing_is_named_before_anything_is_written(settings, change, fragment):
    with pytest.raises(MissingInputError, match=fragment):
        check_settings(dataclasses.replace(settings, **change))
    assert not settings.output_dir.exists()


def test_the_bids_folder_must_be_a_folder(settings, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MissingInputError, match="file is not a folder"):
        check_settings(dataclasses.replace(settings, bids_dir=tmp_path / "file"))


@pytest.mark.parametrize("what", ["output", "work"])
def test_a_file_in_place_of_a_folder_cannot_be_written_to(settings, tmp_path, what):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=rf"The {what} folder .*file\S* (cannot be created|is not writable)"):
        check_settings(dataclasses.replace(settings, **{f"{what}_dir": tmp_path / "file" / "deeper"}))


@pytest.mark.parametrize(("threshold", "label"), [(0.25, "r025"), (0.3, "r03"), (0.0, "r0"), (0.125, "r0125")])
def test_the_threshold_has_a_label_of_its_own(threshold, label):
    assert [rule.label for rule in Graph(thresholds=(threshold,)).rules] == [label]


def test_small_thresholds_have_a_label_that_bids_allows():
    assert Graph(thresholds=(0.00001,)).rules[0].label == "r000001"


@pytest.mark.parametrize("density", [0.0, -0.1, 1.01])
def test_densities_out_of_range(settings, density):
    with pytest.raises(UsageError, match=r"--density .* must be above 0 and at most 1"):
        check_settings(dataclasses.replace(settings, graph=Graph(densities=(density,))))


def test_measures_of_networks_need_networks(settings):
    with pytest.raises(UsageError, match=r"--metrics participation: .* --partition"):
        check_settings(dataclasses.replace(settings, graph=Graph(metrics=("degree", "participation"))))


def test_what_is_mapped_and_compared():
    graph = Graph(metrics=("degree", "component", "strength-signed"), thresholds=(), densities=(0.05, 0.1))
    assert [feature.key for feature in graph.mapped] == [
        *("degree@d005", "degree@d01", "degree@auc"),
        *("component@d005", "component@d01", "strength-signed@full"),
    ]
    assert [feature.label for feature in graph.compared] == ["degreeAuc", "strengthSignedFull"]


def test_libraries_write_below_the_work_folder_only(tmp_path, monkeypatch):
    variables = (
        "NUMBA_CACHE_DIR",
        "MPLCONFIGDIR",
        "XDG_CACHE_HOME",
        "TEMPLATEFLOW_HOME",
        "NIPYPE_CONFIG_DIR",
        "TMPDIR",
    )
    for variable in (*variables, "MPLBACKEND", "NO_ET", "NIPYPE_NO_ET", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", "/no/such/home")
    monkeypatch.setenv("XDG_CACHE_HOME", "/of/another/machine")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("LOGNAME", raising=False)
    write_only_in(tmp_path / "work")
    assert os.environ["TEMPLATEFLOW_HOME"] == str(tmp_path)
    assert os.environ["LOGNAME"]
    for variable in (
        "HOME",
        "NUMBA_CACHE_DIR",
        "MPLCONFIGDIR",
        "XDG_CACHE_HOME",
        "NIPYPE_CONFIG_DIR",
        "TMPDIR",
    ):
        assert Path(os.environ[variable]).is_relative_to(tmp_path / "work")
    assert Path(os.environ["TMPDIR"]).is_dir()


def test_a_work_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "work").touch()
    with pytest.raises(OutputError, match=r"The work folder .*work cannot be written"):
        write_only_in(tmp_path / "work")
