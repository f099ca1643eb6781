"""Only scans that were made alike are compared, else the lists say who differs in what."""

from pathlib import Path

import pytest
from conftest import SMALL, SmallTrial
from hypothesis import given
from hypothesis import strategies as st

from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.group.alike import MADE_BY, Made, differences, made, require_alike

ALIKE = {"Denoising": "simple", "Bandpass": [0.01, 0.1], "Detrend": True, "AnalysisMask": "grey matter", "Code": "a"}


def scans(**changed):
    """Six scans, three of each arm; what is changed is so for the drug."""
    return [Made(f"sub-0{n}", "drug" if n > 3 else "placebo", ALIKE | (changed if n > 3 else {})) for n in range(1, 7)]


@pytest.mark.parametrize(
    ("changed", "fragment"),
    [
        ({"Denoising": "24p"}, "24p in 3 scans (sub-04, sub-05, sub-06)"),
        ({"Bandpass": "off"}, "band-pass"),
        ({"Detrend": None}, "not recorded in 3 scans"),
        ({"AnalysisMask": "own.nii (SHA-256 1)"}, "analysis mask"),
        ({"FramewiseDisplacementThreshold": 0.2}, "motion threshold"),
        ({"Cohort": "2"}, "cohort of the template"),
        ({"AtlasDigest": "b"}, "atlas"),
        ({"Code": "b"}, "code of trialgraph"),
        ({"Resolution": "4 mm isotropic analysis grid"}, "grid"),
    ],
)
def test_what_differs_is_refused_with_the_lists_and_the_arm(changed, fragment):
    with pytest.raises(DataError, match="were not made alike") as caught:
        require_alike("voxels", scans(**changed))
    assert fragment in str(caught.value)
    assert "This goes with the arm" in str(caught.value)
    (accepted,) = require_alike("voxels", scans(**changed), accept_mixed=True)
    assert accepted.warning
    assert fragment in accepted.text


def test_what_differs_within_the_arms_is_not_said_to_go_with_them():
    mixed = [Made(f"sub-0{n}", "drug" if n > 3 else "placebo", ALIKE | {"Code": str(n % 2)}) for n in range(1, 7)]
    with pytest.raises(DataError) as caught:
        require_alike("voxels", mixed)
    assert "goes with the arm" not in str(caught.value)


def test_repetition_times_may_differ_and_are_said():
    (found,) = require_alike("voxels", scans(RepetitionTime=1.5))
    assert not found.warning
    assert "repetition time in s" in found.text
    assert require_alike("voxels", scans()) == ()


@given(
    st.lists(st.dictionaries(st.sampled_from(sorted(MADE_BY)), st.integers(0, 2)), min_size=1, max_size=8), st.randoms()
)
def test_every_scan_is_in_one_list_of_each_difference_whatever_the_order(facts, random):
    given_scans = [Made(str(number), "drug", one) for number, one in enumerate(facts)]
    shuffled = random.sample(given_scans, len(given_scans))
    found, again = differences(given_scans, MADE_BY), differences(shuffled, MADE_BY)
    assert {key: set(values) for key, values in found.items()} == {key: set(values) for key, values in again.items()}
    for key in MADE_BY:
        distinct = {one.get(key) for one in facts}
        assert (key in found) is (len(distinct) > 1)
        if key in found:
            listed = [scan.scan for scans_of in found[key].values() for scan in scans_of]
            assert sorted(listed, key=int) == [scan.scan for scan in given_scans]


def test_cohort_and_dataset_are_read_from_the_name_and_the_sources():
    known = {"Scan": "sub-01", "Sources": ["bids:fmriprep:a.nii"], "NumberOfVolumesKept": 100}
    scan = Scan({"sub": "01", "cohort": "2"}, Path("x.nii"), known)
    found = made(scan, "drug")
    assert (found.scan, found.facts["Cohort"], found.facts["Dataset"]) == ("sub-01", "2", "fmriprep")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, app):
    """Placebo cleaned in one way, drug in another, into one folder."""
    root = tmp_path_factory.mktemp("mixed")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for participant in ("01", "02", "03", "04", "05", "06"):
        for session in ("1", "2"):
            trial.add_run(participant, session)
    trial.add_arms(s01="placebo", s02="placebo", s03="placebo", s04="drug", s05="drug", s06="drug")
    for who, more in (
        (("01", "02", "03"), ()),
        (("04", "05", "06"), ("--denoise", "none", "--bandpass", "off", "--fd-threshold", "0.3")),
    ):
        assert app(trial.bids, root / "out", "participant", *SMALL, *more, "--participant-label", *who).code == 0
    return trial, root / "out"


def test_arms_that_were_cleaned_otherwise_are_not_compared(mixed, app):
    trial, out = mixed
    outcome = app(trial.bids, out, "group", *SMALL, "--n-permutations", "20")
    assert outcome.code == 65
    for what in ("denoising", "band-pass", "motion threshold", "goes with the arm", "--accept-mixed"):
        assert what in outcome.said
    assert not (out / "group" / "index.html").exists()


def test_unless_that_is_accepted_and_then_the_page_says_it(mixed, app):
    trial, out = mixed
    outcome = app(trial.bids, out, "group", *SMALL, "--n-permutations", "20", "--accept-mixed")
    assert outcome.code == 0, outcome.said
    page = (out / "group" / "index.html").read_text()
    assert "Read this first" in page
    assert "compared because of --accept-mixed" in page
