"""Files of CONN by session and condition, and the texts of GRETNA, with the variables and folders of their own code.

CONN: alfnie/conn, conn_process.m, the two calls of `save` that end step 7. GRETNA: sandywang/GRETNA,
GUI/gretna_RUN_StaticFC.m. DPABI: y_ExtractROISignal.m.
"""

import numpy as np
import pytest
from matlab import save_v5, save_v73, smooth_series

from bids_app.errors import DataError
from bids_app.importing.contents import read_content
from bids_app.importing.meaning import judge

BOTH = pytest.mark.parametrize("save", [save_v5, save_v73])
SERIES = smooth_series(1, 60, 3)
NAMES = ["atlas.FP r", "atlas.FP l", "atlas.IC r"]
XYZ = [np.array([[x, 0.0, 1.0]]) for x in range(3)]
TISSUE = SERIES[:, :1] * 2


def cells(series):
    return [series[:, [j]] for j in range(series.shape[1])]


def condition_file(save, folder, series, weights, name="rest"):
    """Write ROI_Subject001_Condition001.mat: of one condition, with covariates behind the regions, and derivatives."""
    data = [TISSUE[: len(series)], *cells(series), np.ones((len(series), 6))]
    return save(
        folder / "ROI_Subject001_Condition001.mat",
        data=data,
        d1data=data,
        fbdata=[[one, one] for one in data],
        names=["White Matter", *NAMES, "realignment"],
        xyz=[np.full((1, 3), np.nan), *XYZ, np.full((1, 3), np.nan)],
        source=[np.array([[1.0]])] * 4,
        conditionweights=[np.asarray(one, dtype=float)[:, None] for one in (weights, np.hanning(len(series)))],
        conditionname=name,
        crop=0.0,
    )


def session_file(save, folder, conditions, sessions=(30, 30)):
    """Write ROI_Subject001_Condition000.mat: all volumes of all sessions, and the weights of all conditions."""
    return save(
        folder / "ROI_Subject001_Condition000.mat",
        data=[TISSUE, *cells(SERIES)],
        names=["White Matter", *NAMES],
        xyz=[np.full((1, 3), np.nan), *XYZ],
        source=[np.array([[1.0]])] * 4,
        crop=0.0,
        data_sessions=np.repeat(np.arange(1, len(sessions) + 1), sessions).astype(float)[:, None],
        conditionsweights=[[np.asarray(one, dtype=float)[:, None], np.ones((60, 1))] for one in conditions.values()],
        conditionsnames=list(conditions),
        conditionsnamesvalid=list(conditions),
    )


@BOTH
def test_a_condition_of_conn_is_the_volumes_that_have_a_weight(tmp_path, save):
    weights = np.ones(60)
    whole = read_content(condition_file(save, tmp_path, SERIES, weights))
    np.testing.assert_array_equal(whole.values, SERIES)
    np.testing.assert_array_equal(whole.coordinates, np.concatenate(XYZ))
    assert whole.names == NAMES
    assert whole.said[0].endswith("left out as no regions: White Matter, realignment.")
    assert whole.said[1].endswith("the condition is rest.")
    weights[:5] = 0
    weights[5] = 0.4
    part = read_content(condition_file(save, tmp_path, SERIES, weights))
    assert np.isnan(part.values[:5]).all()
    np.testing.assert_array_equal(part.values[5:], SERIES[5:])
    assert "5 volumes of weight 0 left out" in part.said[2]
    assert "CONN weighs the volumes of this condition by 0.4 to 1; here each counts the same" in part.said[3]
    np.testing.assert_array_equal(judge(part).values[5:], SERIES[5:])
    with pytest.raises(DataError, match="no volume is of the condition task"):
        read_content(condition_file(save, tmp_path, SERIES, np.zeros(60), "task"))
    with pytest.raises(DataError, match="weights of the condition are of 50 volumes, the series of 60"):
        read_content(condition_file(save, tmp_path, SERIES, np.ones(50)))


@BOTH
def test_sessions_of_conn_are_not_taken_for_one_scan(tmp_path, save):
    path = session_file(save, tmp_path, {"rest": np.r_[np.zeros(2), np.ones(58)]})
    with pytest.raises(DataError, match=r"holds sessions 1, 2 of CONN one behind the other: say which in the column"):
        read_content(path)
    with pytest.raises(DataError, match="index 3 is none of its sessions, 1, 2"):
        read_content(path, index=3)
    first, second = read_content(path, index=1), read_content(path, index=2)
    assert np.isnan(first.values[:2]).all()
    np.testing.assert_array_equal(first.values[2:], SERIES[2:30])
    np.testing.assert_array_equal(second.values, SERIES[30:])
    assert any("session 2 of 1, 2" in one for one in second.said)


@BOTH
def test_several_conditions_of_conn_are_asked_for(tmp_path, save):
    half = np.repeat([1.0, 0], 30)
    path = session_file(save, tmp_path, {"rest": half, "task": 1 - half}, sessions=(60,))
    with pytest.raises(DataError, match=r"holds all conditions \(rest, task\): give ROI_Subject\*_Condition001\.mat"):
        read_content(path)
    whole = read_content(path, index=1)
    np.testing.assert_array_equal(whole.values, SERIES)
    assert "whatever their condition (rest, task)" in whole.said[-1]


def test_series_of_conn_before_denoising_are_refused(tmp_path):
    path = save_v5(tmp_path / "ROI_Subject001_Session001.mat", data=cells(SERIES), names=NAMES, xyz=XYZ)
    with pytest.raises(DataError, match="before CONN denoised them; those after it are results/preprocessing/ROI_Sub"):
        read_content(path)


def test_a_condition_has_no_sessions_to_choose_from(tmp_path):
    with pytest.raises(DataError, match="does not say which volumes are of which session"):
        read_content(condition_file(save_v5, tmp_path, SERIES, np.ones(60)), index=1)


def gretna(folder, series, label="sub01", **kept):
    """Write what a run of static connectivity leaves of one participant."""
    r = np.corrcoef(series.T)
    np.fill_diagonal(r, 0)
    tables = {"GretnaTimeCourse": series, "GretnaSFCMatrixR": r, "GretnaSFCMatrixZ": 0.5 * np.log((1 + r) / (1 - r))}
    starts = {"GretnaTimeCourse": "", "GretnaSFCMatrixR": "r", "GretnaSFCMatrixZ": "z"}
    paths = {name: folder / name / f"{starts[name]}{label}.txt" for name in tables}
    for name, path in paths.items():
        path.parent.mkdir(exist_ok=True)
        np.savetxt(path, tables[name], delimiter="\t", fmt="%.16e")
    np.savetxt(folder / "GretnaSFCMatrixR" / "NodalIndex.txt", kept.get("index", np.arange(series.shape[1]) * 10 + 1))
    places = np.arange(series.shape[1] * 3).reshape(-1, 3)
    rows = [f"{x}.00\t{y}.00\t{z}.00\t1\t1\t-" for x, y, z in places]
    (folder / "GretnaSFCMatrixR" / "Example_AAL90.node").write_text("\n".join(rows) + "\n")
    return paths.values(), places


def test_folders_of_gretna_say_what_its_texts_hold(tmp_path):
    series = smooth_series(3, 60, 7)
    r = np.corrcoef(series.T)
    (course, of_r, of_z), places = gretna(tmp_path, series)
    found = judge(read_content(course))
    assert found.stat is None
    np.testing.assert_allclose(found.values, series, rtol=1e-15)
    assert found.names == ["1", "11", "21", "31", "41", "51", "61"]
    np.testing.assert_array_equal(found.coordinates, places)
    assert found.tool == "GRETNA"
    assert "as GRETNA writes its time courses" in found.said[0]
    for path, why in ((of_r, "GretnaSFCMatrixR"), (of_z, "GretnaSFCMatrixZ")):
        found = judge(read_content(path))
        np.testing.assert_allclose(found.values, r, atol=1e-12)
        assert f"its folder is GRETNA's {why}" in found.said[0]


def test_of_gretna_what_does_not_fit_is_not_used(tmp_path):
    """As many volumes as regions, and numbers of another atlas."""
    (course, of_r, _), _ = gretna(tmp_path, smooth_series(3, 60, 7), index=np.arange(5))
    assert read_content(course).names is None
    assert judge(read_content(of_r)).names[0] == "region1"
    (tmp_path / "other.txt").write_bytes(of_r.read_bytes())
    with pytest.raises(DataError, match="nothing says whether it holds r or Fisher's z"):
        judge(read_content(tmp_path / "other.txt"))


def test_dpabi_s_texts_are_what_its_mat_files_are(tmp_path):
    series = smooth_series(4, 60, 3)
    with np.errstate(divide="ignore"):
        z = np.arctanh(np.where(np.eye(3, dtype=bool), 1, np.corrcoef(series.T)))
    for name, values in (("ROISignals", series), ("ROICorrelation_FisherZ", z)):
        np.savetxt(tmp_path / f"{name}_Sub_001.txt", values, delimiter="\t", fmt="%.16e")
        save_v5(tmp_path / f"{name}_Sub_001.mat", **{name: values})
        texts, arrays = (judge(read_content(tmp_path / f"{name}_Sub_001.{kind}")) for kind in ("txt", "mat"))
        np.testing.assert_allclose(texts.values, arrays.values, rtol=0, atol=1e-14)
        assert texts.stat == arrays.stat
        assert texts.tool == arrays.tool == "DPABI"
