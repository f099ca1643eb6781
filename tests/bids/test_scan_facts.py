"""What is known of a scan survives the way through a sidecar, whose keys and their order are fixed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.bids.files import save_json, sidecar_of
from bids_app.bids.scan_facts import SERIES_RECEIVED, Cleaning, Origin, Quality, ScanFacts, Volumes
from bids_app.bids.scans import Scan
from bids_app.errors import DataError

NUMBERS = st.none() | st.floats(allow_infinity=False)
TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=5).filter(lambda text: text != "n/a")
WORDS = st.none() | st.lists(st.sampled_from(["csf", "rot_x", "cosine00"]), max_size=3).map(tuple)
FACTS = st.builds(
    ScanFacts,
    origin=st.builds(Origin, scan=TEXTS, sources=WORDS, software=TEXTS, code=TEXTS),
    volumes=st.builds(
        Volumes,
        repetition_time=NUMBERS,
        censoring=TEXTS,
        total=st.none() | st.integers(0, 999),
        kept=st.integers(0, 999),
        minutes_kept=NUMBERS,
        threshold=st.just("off") | NUMBERS,
        mean_displacement=NUMBERS,
    ),
    cleaning=st.builds(
        Cleaning,
        denoising=st.just(SERIES_RECEIVED) | TEXTS,
        confounds=WORDS,
        bandpass=st.sampled_from([None, "off", (0.01, 0.1)]),
        detrend=st.none() | st.booleans(),
        echoes=TEXTS,
    ),
    quality=st.builds(Quality, coverage=NUMBERS, dvars_before=NUMBERS, degrees_of_freedom=NUMBERS),
    warnings=WORDS,
    source_digests=st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("cd")),
    atlas_digest=TEXTS,
)
OF_A_SCAN = """Scan Sources Software Code RepetitionTime RepetitionTimeSource FramewiseDisplacementSource Censoring
NumberOfVolumes NumberOfDummyScans NumberOfVolumesCensored NumberOfVolumesKept MinutesKept
FramewiseDisplacementThreshold MeanFramewiseDisplacement MaxFramewiseDisplacement Denoising Confounds Bandpass Detrend
EchoCombination Coverage TemporalSignalToNoise MeanDvarsBefore MeanDvarsAfter MeanCorrelationBefore MeanCorrelationAfter
CorrelationWithDistanceBefore CorrelationWithDistanceAfter DegreesOfFreedomLeft Warnings SourceDigests AtlasDigest"""


def facts(denoising):
    return ScanFacts(origin=Origin(), volumes=Volumes(kept=7, censoring="none"), cleaning=Cleaning(denoising=denoising))


def test_keys_and_their_order_are_those_of_all_sidecars_before():
    assert list(facts("simple").to_json()) == OF_A_SCAN.split()


def test_a_table_of_series_says_its_censoring_after_its_cleaning():
    said = [key for key, value in facts(SERIES_RECEIVED).to_json().items() if value is not None]
    assert said == ["NumberOfVolumesKept", "Denoising", "Censoring"]


@given(FACTS)
def test_what_is_read_back_is_written_alike(tmp_path_factory, known):
    """Also among what else a sidecar says, with nine digits, and numbers that are not finite."""
    first, second = (tmp_path_factory.mktemp("facts") / name for name in ("first.json", "second.json"))
    save_json(first, {"Description": "A map.", **known.to_json(), "Mean": 1.5})
    save_json(second, ScanFacts.from_json(json.loads(first.read_text())).to_json())
    kept = {key: value for key, value in json.loads(first.read_text()).items() if key not in ("Description", "Mean")}
    assert list(json.loads(second.read_text()).items()) == list(kept.items())


def test_a_sidecar_of_an_earlier_version_may_say_less():
    read = ScanFacts.from_json({"NumberOfVolumesKept": 7})
    assert read == ScanFacts(origin=Origin(), volumes=Volumes(kept=7), cleaning=Cleaning())


def test_a_sidecar_without_its_volumes_is_named(tmp_path):
    path = tmp_path / "sub-01_boldmap.nii.gz"
    save_json(sidecar_of(path), {"Scan": "sub-01"})
    with pytest.raises(DataError, match=r"sub-01_boldmap\.json lacks NumberOfVolumesKept"):
        _ = Scan({"sub": "01"}, Path(path)).facts
