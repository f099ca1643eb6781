"""Series of parcels in columns of AFNI and in CIFTI, and the flags of DCAN, as their tools write them."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, ParcelsAxis, ScalarAxis, SeriesAxis
from scipy.io import savemat

from bids_app.bids.series_runs import SeriesRun
from bids_app.errors import DataError
from bids_app.participant.motion_mask import flagged_volumes
from bids_app.participant.parcel_series import table_parcels
from bids_app.participant.series_table import read_series

ENTITIES = {"sub": "01", "task": "rest", "atlas": "AAL"}
SERIES = np.random.default_rng(2).normal(100, 3, (40, 3)).round(4)
STEPS = np.arange(51) / 100  # FD_range of the parsers: 0:0.01:0.5


def lines_of(series, separator, before=""):
    return "".join(before + separator.join(f"{one:.4f}" for one in row) + "\n" for row in series)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # clean_roi_csv in CPAC/timeseries/timeseries_analysis.py: tabs become commas, comments with a path go
        ("#Mean_1,Mean_2,Mean_7\n" + lines_of(SERIES, ",", ","), ["Mean_1", "Mean_2", "Mean_7"]),
        ("#\tMean_1 \tMean_2 \tMean_7 \n" + lines_of(SERIES, "\t", "\t"), ["Mean_1", "Mean_2", "Mean_7"]),
        ("# 3dmaskave of a file\n" + lines_of(SERIES, " "), ["parcel1", "parcel2", "parcel3"]),
        (lines_of(SERIES, "  ", " "), ["parcel1", "parcel2", "parcel3"]),
    ],
)
def test_columns_of_afni(tmp_path, text, names):
    path = tmp_path / "x_timeseries.1D"
    path.write_text(text)
    found = read_series(path)
    np.testing.assert_array_equal(found.values, SERIES)
    assert found.names == names
    assert found.seconds is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3\n1 2\n", "its rows have 2, 3 columns"),
        ("1 2 x\n1 2 3\n", "cannot be read as a table of numbers"),
        ("# nothing\n", "its rows have no columns"),
        ("5@0\n5@1\n", "cannot be read as a table of numbers"),  # AFNI's short form of 0 0 0 0 0
    ],
)
def test_what_is_no_table_of_afni(tmp_path, text, said):
    (tmp_path / "x_timeseries.1D").write_text(text)
    with pytest.raises(DataError, match=said):
        read_series(tmp_path / "x_timeseries.1D")


def test_a_count_of_volumes_in_afni_is_no_parcel(tmp_path):
    counted = np.column_stack([np.arange(40), SERIES])
    (tmp_path / "x_timeseries.1D").write_text("# index a b c\n" + lines_of(counted, " "))
    found = read_series(tmp_path / "x_timeseries.1D")
    assert found.names == ["a", "b", "c"]
    assert "it counts the volumes" in found.said[0]


def save_cifti(path, series, axis, step=0.8):
    axes = (SeriesAxis(0, step, len(series)), axis)
    nib.save(nib.Cifti2Image(series.astype(np.float32), nib.cifti2.Cifti2Header.from_axes(axes)), path)
    return path


def parcels():
    model = BrainModelAxis.from_mask(np.ones(6, dtype=bool), name="CortexLeft")
    return ParcelsAxis.from_brain_models(
        [(name, model[2 * j : 2 * j + 2]) for j, name in enumerate(("V1", "V2", "A1"))]
    )


def test_parcels_of_cifti_have_their_names_and_the_seconds_of_the_header(tmp_path):
    """As wb_command -cifti-parcellate leaves them; the second parcel has no data."""
    series = SERIES.copy()
    series[:, 1] = 0
    path = save_cifti(tmp_path / "x_timeseries.ptseries.nii", series, parcels())
    found = read_series(path)
    np.testing.assert_array_equal(found.values, series.astype(np.float32))
    assert found.names == ["V1", "V2", "A1"]
    of_run = table_parcels(SeriesRun(ENTITIES, path, None, ("bids::x",)))
    assert of_run.facts.volumes.repetition_time == pytest.approx(0.8)
    assert of_run.facts.volumes.minutes_kept == pytest.approx(40 * 0.8 / 60)
    assert of_run.table["coverage"].tolist() == [1, 0, 1]
    told = table_parcels(SeriesRun(ENTITIES, path, 0.72, ("bids::x",)))
    assert told.facts.volumes.repetition_time == 0.72  # what the sidecar says comes first


def test_what_is_no_series_of_parcels_is_refused(tmp_path):
    path = tmp_path / "x_timeseries.ptseries.nii"
    save_cifti(path, SERIES, BrainModelAxis.from_mask(np.ones(3, dtype=bool), name="CortexLeft"))
    with pytest.raises(DataError, match="holds SeriesAxis x BrainModelAxis; series of parcels"):
        read_series(path)
    axes = (ScalarAxis(["a", "b"]), parcels())
    nib.save(nib.Cifti2Image(np.ones((2, 3), np.float32), nib.cifti2.Cifti2Header.from_axes(axes)), path)
    with pytest.raises(DataError, match="holds ScalarAxis x ParcelsAxis"):
        read_series(path)
    path.write_bytes(b"x" * 600)
    with pytest.raises(DataError, match="cannot be read as an image of CIFTI"):
        read_series(path)


def save_mask(path, displacement, **more):
    """Write motion_data as subject_power_2014_FD_only_parse.m of the Fair lab does: a 1 x 51 cell of structures."""
    cells = np.empty((1, len(STEPS)), dtype=object)
    for j, step in enumerate(STEPS):
        removal = (displacement > step).astype(float)[:, None]
        kept = int((removal == 0).sum())
        cells[0, j] = {"skip": 0, "epi_TR": 0.8, "FD_threshold": step, "frame_removal": removal}
        cells[0, j] |= {"format_string": "40+", "total_frame_count": len(removal), "remaining_frame_count": kept}
        cells[0, j] |= {"remaining_seconds": 0.8 * kept, **{key: value[:, None] for key, value in more.items()}}
    savemat(path, {"motion_data": cells})
    return path


def test_flags_of_dcan_at_each_threshold(tmp_path):
    displacement = np.random.default_rng(4).uniform(0, 0.8, 40)
    path = save_mask(tmp_path / "x_desc-filtered_motion_mask.mat", displacement)
    for above in (0.0, 0.2, 0.3, 0.5):
        np.testing.assert_array_equal(flagged_volumes(path, above), displacement > above)
    assert not flagged_volumes(path, np.inf).any()
    with pytest.raises(DataError, match=r"0 to 0\.5 mm in 51 steps, and not for 0\.9 mm: choose .* --fd-threshold"):
        flagged_volumes(path, 0.9)
    everything = np.ones(40)
    both = save_mask(tmp_path / "y_motion_mask.mat", displacement, combined_removal=everything)
    assert flagged_volumes(both, 0.2).all()  # with outliers of the signal


def test_flagged_volumes_are_left_out_and_it_is_said(tmp_path):
    displacement = np.where(np.arange(40) % 5 == 0, 0.4, 0.1)
    mask = save_mask(tmp_path / "x_motion_mask.mat", displacement)
    path = save_cifti(tmp_path / "x_timeseries.ptseries.nii", SERIES, parcels())
    found = table_parcels(SeriesRun(ENTITIES, path, None, ("bids::x",), outliers=mask, flagged_above=0.3))
    np.testing.assert_array_equal(found.series, SERIES[displacement < 0.3].astype(np.float32).T)
    assert found.facts.volumes.kept == 32
    assert "flagged at a framewise displacement above 0.3 mm were left out here" in found.facts.volumes.censoring


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"FD_data": np.ones(3)}, "holds no cell motion_data of structures; it holds FD_data"),
        ({"motion_data": np.array([[{"FD_threshold": 0.5}]], dtype=object)}, "frame_removal is no list of 0 and 1"),
        ({"motion_data": np.array([[{"frame_removal": 0}]], dtype=object)}, "has no FD_threshold"),
    ],
)
def test_what_is_no_mask_of_dcan(tmp_path, held, said):
    savemat(tmp_path / "x_motion_mask.mat", held)
    with pytest.raises(DataError, match=said):
        flagged_volumes(tmp_path / "x_motion_mask.mat", 0.5)
