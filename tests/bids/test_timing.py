"""The repetition time, masks, places and framewise displacement of a scan: read right, or refused with a word."""

import json
import math

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conftest import AFFINE, SHAPE, SMALL, bold_data, brain, save_bold
from hypothesis import given
from hypothesis import strategies as st

from bids_app.bids.masks import binarized
from bids_app.bids.timing import InHeader, declared, in_header, repetition_time
from bids_app.errors import DataError
from bids_app.participant.confounds import framewise_displacement
from bids_app.participant.denoise import check_band
from bids_app.participant.quality import degrees_of_freedom
from bids_app.system.images import open_image


def image_with(zoom, unit):
    image = nib.Nifti1Image(np.zeros((2, 2, 2, 3), dtype=np.float32), np.eye(4))
    image.header.set_zooms((1, 1, 1, zoom))
    image.header.set_xyzt_units("mm", unit)
    return image


@pytest.mark.parametrize(("zoom", "unit"), [(2.0, "sec"), (2000.0, "msec"), (2e6, "usec"), (2.0, "unknown")])
def test_the_unit_of_the_header_is_honoured(zoom, unit):
    assert repetition_time("x", None, in_header(image_with(zoom, unit))).seconds == pytest.approx(2.0)


@pytest.mark.parametrize("unit", ["hz", "ppm", "rads"])
def test_a_unit_that_is_no_time_is_none(unit):
    found = repetition_time("x", None, in_header(image_with(2.0, unit)))
    assert "no unit of time" in found.warnings[0]


@pytest.mark.parametrize("wrong", [2000, 0, -2, 1e-9, math.inf, math.nan, "two", "2.0", True, {"s": 2}, [0, 2, 5], []])
def test_a_repetition_time_that_cannot_be_is_refused(wrong):
    with pytest.raises(DataError, match="x"):
        repetition_time("x.nii", wrong, InHeader(2.0, "sec"))


@pytest.mark.parametrize(("value", "unit"), [(2000.0, None), (2000.0, "sec"), (2.0, "msec"), (2.0, "usec")])
def test_so_is_one_in_the_header(value, unit):
    with pytest.raises(DataError, match="must be between"):
        repetition_time("x", None, InHeader(value, unit))


def test_one_without_a_unit_is_no_evidence():
    with pytest.raises(DataError, match="says 1 without a unit"):
        repetition_time("x", None, InHeader(1.0, None))
    assert repetition_time("x", None, InHeader(1.0, "sec")).seconds == 1


def test_milliseconds_are_asked_about():
    with pytest.raises(DataError, match=r"Is it 2 s, written in milliseconds\?"):
        repetition_time("x", 2000, None)


@given(seconds=st.floats(0.06, 29), unit=st.sampled_from([("sec", 1), ("msec", 1e3), ("usec", 1e6), (None, 1)]))
def test_the_sidecar_goes_first_and_a_difference_is_said(seconds, unit):
    same = repetition_time("x", seconds, InHeader(seconds * unit[1], unit[0]))
    assert (same.seconds, same.source, same.warnings) == (seconds, "sidecar", ())
    other = repetition_time("x", seconds, InHeader(seconds * 1.5 * unit[1] + 0.001, unit[0] or "sec"))
    assert other.seconds == seconds
    assert len(other.warnings) == 1


def test_other_words_for_it():
    assert declared({"VolumeTiming": [0, 1.5, 3]}) == [0, 1.5, 3]
    assert repetition_time("x", [0, 1.5, 3], None).seconds == 1.5
    assert declared({"RepetitionTime": 2, "SamplingFrequency": 9}) == 2


def test_both_levels_of_a_header_in_milliseconds(trial, app, tmp_path):
    """The same maps as with seconds, and the same band."""
    bold = trial.file("*preproc_bold.nii.gz")
    assert app(trial.bids, tmp_path / "seconds", "participant", *SMALL).code == 0
    bold.with_name(bold.name.replace(".nii.gz", ".json")).write_text('{"TaskName": "rest"}')
    image = nib.load(bold)
    data = np.asanyarray(image.dataobj)
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_zooms((15, 15, 15, 2000))
    image.header.set_xyzt_units("mm", "msec")
    nib.save(image, bold)
    assert app(trial.bids, tmp_path / "milliseconds", "participant", *SMALL).code == 0
    maps = [next((tmp_path / one).rglob("*desc-r025_boldmap.nii.gz")) for one in ("seconds", "milliseconds")]
    np.testing.assert_array_equal(*(nib.load(path).get_fdata() for path in maps))
    sidecar = json.loads(maps[1].with_name(maps[1].name.replace(".nii.gz", ".json")).read_text())
    assert (sidecar["RepetitionTime"], sidecar["RepetitionTimeSource"]) == (2.0, "header")
    assert sidecar["MinutesKept"] == 2.0
    assert sidecar["Bandpass"] == [0.01, 0.1]


@pytest.mark.parametrize(("band", "seconds"), [((0.01, 0.1), 5.0), ((0.01, 0.25), 2.0), ((0.3, 0.4), 2.0)])
def test_a_band_that_no_filter_passes_is_refused(band, seconds):
    with pytest.raises(DataError, match="highest frequency there is"):
        check_band(band, seconds)
    check_band((0.01, 0.1), 4.9)
    check_band(None, 100)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((200, 26, 2.0, (0.01, 0.1)), 200 * 0.36 - 26 - 1),
        ((200, 26, 2.0, (0.0, 0.1)), 200 * 0.4 - 26 - 2),
        ((200, 0, 2.0, None), 198),
    ],
)
def test_degrees_of_freedom_count_band_confounds_trend_and_mean(arguments, expected):
    assert degrees_of_freedom(*arguments) == pytest.approx(expected)
    assert degrees_of_freedom(*arguments, detrend=False) == pytest.approx(expected + 1)


def test_a_scan_without_degrees_of_freedom_is_an_error(trial, app, tmp_path):
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL, "--denoise", "24p", "--bandpass", "0.01", "0.05")
    assert outcome.code == 65
    assert "no degrees of freedom are left" in outcome.said


def test_the_trend_is_removed_or_not_and_it_is_said(empty_trial, app, tmp_path):
    bold = empty_trial.add_run()
    empty_trial.add_arms(s01="placebo")
    ramp = 200.0 * np.linspace(-1, 1, 60) * np.random.default_rng(0).random(SHAPE)[..., None]
    save_bold(bold, (bold_data(1, 60) + ramp).astype(np.float32))
    found = {}
    for word in ("linear", "none"):
        options = (*SMALL, "--denoise", "none", "--bandpass", "off", "--detrend", word)
        assert app(empty_trial.bids, tmp_path / word, "participant", *options).code == 0
        (path,) = (tmp_path / word).rglob("*desc-r025_boldmap.json")
        found[word] = json.loads(path.read_text())
        text = (tmp_path / word / "logs" / "CITATION.md").read_text()
        assert ("the linear trend" in text) is (word == "linear")
    assert [found[word]["Detrend"] for word in found] == [True, False]
    assert found["none"]["DegreesOfFreedomLeft"] == found["linear"]["DegreesOfFreedomLeft"] + 1
    assert found["none"]["MeanCorrelationAfter"] > found["linear"]["MeanCorrelationAfter"] + 0.3  # they share the ramp


@pytest.mark.parametrize("codes", [(0, 0), (0, 1), (1, 0), (4, 4)])
@pytest.mark.parametrize("which", ["bold", "mask"])
def test_an_image_must_say_where_it_lies(trial, app, tmp_path, codes, which):
    path = trial.file("*preproc_bold.nii.gz" if which == "bold" else "*brain_mask.nii.gz")
    image = nib.load(path)
    image = nib.Nifti1Image(np.asanyarray(image.dataobj), AFFINE, image.header)
    image.set_sform(AFFINE, codes[0])
    image.set_qform(AFFINE, codes[1])
    nib.save(image, path)
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL)
    assert outcome.code == (65 if codes == (0, 0) else 0), outcome.said
    assert ("does not say where the image lies" in outcome.said) is (codes == (0, 0))


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([1.0, 0, 1, 1])])
def test_a_place_that_is_none_is_refused(tmp_path, affine):
    image = nib.Nifti1Image(np.ones((3, 3, 3), dtype=np.uint8), np.eye(4))
    image.header["sform_code"] = 1
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = affine[:3]
    raw = tmp_path / "x.nii"
    with raw.open("wb") as file:
        file.write(image.header.binaryblock + b"\0" * 4 + np.ones(27, dtype=np.uint8).tobytes())
    with pytest.raises(DataError, match=r"singular|no readable image"):
        open_image(raw)


@pytest.mark.parametrize("spoil", ["fractions", "percent", "nan", "255"])
def test_a_mask_that_is_not_binary(trial, app, tmp_path, spoil):
    path = trial.file("*brain_mask.nii.gz")
    assert app(trial.bids, tmp_path / "plain", "participant", *SMALL).code == 0
    inside = brain().astype(np.float32)
    values = {
        "fractions": np.where(inside > 0, 0.8, 0.3),
        "percent": np.where(inside > 0, 80.5, 30.0),
        "nan": np.where(inside > 0, 1.0, np.nan),
        "255": inside * 255,
    }[spoil]
    nib.save(nib.Nifti1Image(values.astype(np.float32), AFFINE), path)
    outcome = app(trial.bids, tmp_path / "spoilt", "participant", *SMALL)
    assert outcome.code == 0, outcome.said
    maps = [next((tmp_path / one).rglob("*desc-r025_boldmap.nii.gz")) for one in ("plain", "spoilt")]
    np.testing.assert_array_equal(*(nib.load(one).get_fdata() for one in maps))
    warnings = json.loads(maps[1].with_name(maps[1].name.replace(".nii.gz", ".json")).read_text())["Warnings"]
    assert any("cut at" in text for text in warnings) is (spoil in ("fractions", "percent"))


def test_an_image_of_something_else_is_no_mask():
    with pytest.raises(DataError, match="is no mask"):
        binarized(np.random.default_rng(0).normal(500, 100, (3, 3, 3)), "x.nii")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_fractions_are_cut_at_one_half(values):
    inside, note = binarized(np.array(values), "x")
    whole = all(min(value, 1 - value) <= 1e-3 for value in values)
    assert inside.tolist() == [value > 0.5 if whole else value >= 0.5 for value in values]
    assert (note is None) is whole


def test_displacement_by_hand():
    """0.1 + 0.2 + 0.3 mm, and (0.001 + 0.002 + 0.003) rad on 50 mm."""
    moved = np.array([[0.0] * 6, [0.1, -0.2, 0.3, 0.001, -0.002, 0.003]])
    np.testing.assert_allclose(framewise_displacement(moved), [np.nan, 0.6 + 0.3])


def spoil_table(trial, *columns):
    path = trial.file("*confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    table["rot_x"] = np.where(np.arange(60) == 30, 0.05, 0.0)  # 2.5 mm there and back
    table.drop(columns=list(columns)).to_csv(path, sep="\t", na_rep="n/a", index=False)


@pytest.mark.parametrize("spoil", ["column", "values"])
def test_displacement_that_is_missing_is_computed(trial, app, tmp_path, spoil):
    spoil_table(trial, *(["framewise_displacement"] if spoil == "column" else []))
    if spoil == "values":
        path = trial.file("*confounds_timeseries.tsv")
        pd.read_csv(path, sep="\t", na_values="n/a").assign(framewise_displacement=np.nan).to_csv(
            path, sep="\t", na_rep="n/a", index=False
        )
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL).code == 0
    (path,) = (tmp_path / "out").rglob("*desc-r025_boldmap.json")
    sidecar = json.loads(path.read_text())
    assert sidecar["NumberOfVolumesCensored"] == 2
    assert "computed from the six motion parameters" in sidecar["Warnings"][0]
    assert sidecar["FramewiseDisplacementSource"].startswith("the six motion parameters")


def test_displacement_that_cannot_be_known_is_an_error_or_off(trial, app, tmp_path):
    spoil_table(trial, "framewise_displacement", "trans_x")
    options = (*SMALL, "--denoise", "none")
    outcome = app(trial.bids, tmp_path / "out", "participant", *options)
    assert outcome.code == 65
    assert "volumes cannot be censored by motion" in outcome.said
    assert app(trial.bids, tmp_path / "out", "participant", *options, "--fd-threshold", "off").code == 0
    (path,) = (tmp_path / "out").rglob("*desc-r025_boldmap.json")
    assert json.loads(path.read_text())["FramewiseDisplacementThreshold"] == "off"
    assert "No volume was censored for motion" in (tmp_path / "out" / "logs" / "CITATION.md").read_text()


def test_a_long_gap_is_said(trial, app, tmp_path):
    path = trial.file("*confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    table.loc[20:46, "framewise_displacement"] = 3.0
    table.to_csv(path, sep="\t", na_rep="n/a", index=False)
    options = (*SMALL, "--denoise", "none", "--bandpass", "0.01", "0.2")
    assert app(trial.bids, tmp_path / "out", "participant", *options).code == 0
    (path,) = (tmp_path / "out").rglob("*desc-r025_boldmap.json")
    assert "A gap of 54 s of censored volumes was bridged" in json.loads(path.read_text())["Warnings"][0]
    assert "A gap of 54 s" in (tmp_path / "out" / "sub-01.html").read_text()
