import numpy as np
import pandas as pd
import pytest
from matlab import save_v5, save_v73, smooth_series

from bids_app.errors import DataError, MissingInputError
from bids_app.importing.contents import read_content
from bids_app.importing.mat_files import read_mat

NAMES = ["atlas.FP r (Frontal Pole Right)", "atlas.FP l (Frontal Pole Left)", "networks.DefaultMode.MPFC (1,55,-3)"]


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_numbers_texts_and_cells_of_both_versions(tmp_path, save):
    values = np.arange(12.0).reshape(3, 4)
    found = read_mat(
        save(tmp_path / "x.mat", values=values, names=["a b", "c"], xyz=[np.array([[1.0, 2, 3]])], text="hello")
    )
    np.testing.assert_array_equal(found["values"], values)  # the axes are those of MATLAB
    assert found["names"] == ["a b", "c"]
    np.testing.assert_array_equal(found["xyz"][0].ravel(), [1, 2, 3])
    assert found["text"] == "hello"
    assert set(found) == {"values", "names", "xyz", "text"}


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_structures_and_cells_of_cells_of_both_versions(tmp_path, save):
    inner = {"FD_threshold": 0.5, "frame_removal": np.array([[0.0], [1]]), "format_string": "1x1+"}
    found = read_mat(save(tmp_path / "x.mat", one=inner, many=[inner, inner], deep=[[np.ones((3, 1))], ["a"]]))
    for one in (found["one"], *found["many"]):
        assert set(one) == set(inner)
        np.testing.assert_array_equal(one["frame_removal"], [[0], [1]])
        assert one["FD_threshold"].item() == 0.5
        assert one["format_string"] == "1x1+"
    np.testing.assert_array_equal(found["deep"][0][0], np.ones((3, 1)))
    assert found["deep"][1] == ["a"]


def conn_subject(save, path):
    series = smooth_series(1, 60, 3)
    data = [*series.T[:, :, np.newaxis], series[:, :1] * 2, np.ones((60, 6))]
    names = [*NAMES, "White Matter", "realignment"]
    xyz = [np.array([[x, 0.0, 1.0]]) for x in range(5)]
    return save(path / "ROI_Subject001_Condition001.mat", data=data, names=names, xyz=xyz), series


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_conn_series(tmp_path, save):
    path, series = conn_subject(save, tmp_path)
    with pytest.raises(DataError, match=r"which overlap: atlas, networks\. Choose with --part"):
        read_content(path)
    found = read_content(path, part="atlas")
    np.testing.assert_array_equal(found.values, series[:, :2])
    assert found.names == NAMES[:2]
    np.testing.assert_array_equal(found.coordinates, [[0, 0, 1], [1, 0, 1]])
    assert found.said == ("ROI_Subject001_Condition001.mat: left out as no regions: White Matter, realignment.",)
    with pytest.raises(DataError, match="no region of aal; there are atlas, networks"):
        read_content(path, part="aal")


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_conn_matrices_of_all_participants(tmp_path, save):
    """Z is names x names2 x participants; names2 has the names in an order of its own, and more."""
    names, names2 = ["A", "B", "C"], ["C", "A", "B", "CSF"]
    z = np.random.default_rng(0).normal(size=(3, 4, 2))
    if save is save_v73:  # which holds one matrix here
        z = z[:, :, 1]
    xyz = [np.array([[x, 5.0, 5.0]]) for x in (3, 1, 2, 9)]
    path = save(tmp_path / "resultsROI_Condition001.mat", Z=z, names=names, names2=names2, xyz=xyz)
    if z.ndim == 3:
        with pytest.raises(DataError, match="holds 2 matrices: say which, from 1, in the column index"):
            read_content(path)
        with pytest.raises(DataError, match="index 3 is none of its 2"):
            read_content(path, index=3)
    found = read_content(path, index=2)
    last = z[:, :, 1] if z.ndim == 3 else z
    np.testing.assert_array_equal(found.values, last[:, [1, 2, 0]])
    np.testing.assert_array_equal(found.coordinates[:, 0], [1, 2, 3])
    assert found.names == names


def test_dpabi_names_are_in_the_key_beside(tmp_path):
    path = save_v5(tmp_path / "ROISignals_sub-01.mat", ROISignals=smooth_series(0, 60, 2))
    assert read_content(path).names is None
    (tmp_path / "ROI_OrderKey_sub-01.tsv").write_text(
        "Order\tLabel in Mask\tROI Definition\n1\t2001\t/a/aal.nii\n2\t2002\t/a/aal.nii\n"
    )
    assert read_content(path).names == ["2001", "2002"]
    (tmp_path / "ROI_OrderKey_sub-01.tsv").write_text("Order\tROI Definition\n1\tPCC.nii\n2\tMPFC.nii\n")
    assert read_content(path).names == ["PCC.nii", "MPFC.nii"]


def test_several_arrays_are_asked_for(tmp_path):
    path = save_v5(tmp_path / "all.mat", ts=np.ones((5, 3)), fc=np.eye(3), tr=2.0)
    with pytest.raises(
        DataError, match=r"several arrays could be meant: ts \(5 x 3\), fc \(3 x 3\)\. Name one in the column"
    ):
        read_content(path)
    assert read_content(path, "fc").called == "all.mat: fc"
    with pytest.raises(DataError, match="no array tr; there are ts"):
        read_content(path, "tr")


def test_text_and_numpy(tmp_path):
    series = smooth_series(3, 30, 4)
    np.savetxt(tmp_path / "ROISignals_01.txt", series, delimiter="\t", fmt="%.16e")  # as save -ASCII -DOUBLE -TABS
    np.testing.assert_array_equal(read_content(tmp_path / "ROISignals_01.txt").values, series)
    lines = ["   " + "\t   ".join(f"{one:.16e}" for one in row) for row in series]
    (tmp_path / "spaced.txt").write_text("\n".join(lines) + "\n")
    np.testing.assert_array_equal(read_content(tmp_path / "spaced.txt").values, series)
    pd.DataFrame(series, columns=[2001, 2002, 2101, 2102]).to_csv(tmp_path / "labels.csv", index=False)
    found = read_content(tmp_path / "labels.csv")  # the labels are no volume
    assert found.names == ["2001", "2002", "2101", "2102"]
    np.testing.assert_array_equal(found.values, series)
    pd.DataFrame(series, columns=list("abcd")).to_csv(tmp_path / "index.csv")
    found = read_content(tmp_path / "index.csv")
    assert found.said == ("index.csv: the first column ('') was left out: it counts the volumes.",)
    np.testing.assert_array_equal(found.values, series)
    (tmp_path / "m.csv").write_text(",a,b\na,1,0.5\nb,0.5,1\n")
    found = read_content(tmp_path / "m.csv")
    assert found.names == ["a", "b"]
    np.testing.assert_array_equal(found.values, [[1, 0.5], [0.5, 1]])
    np.save(tmp_path / "s.npy", series)
    np.savez(tmp_path / "s.npz", only=series)
    for name in ("s.npy", "s.npz"):
        np.testing.assert_array_equal(read_content(tmp_path / name).values, series)
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read as an array"):
        read_content(tmp_path / "o.npy")


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_damage_of_any_kind_is_said(tmp_path, save):
    """Bytes that flip make the readers crash now and then: that is an error of the file, not the end of the app."""
    rng = np.random.default_rng(0)
    whole = save(
        tmp_path / "x.mat", data=[np.ones((5, 1)), np.zeros((5, 1))], names=["a", "bc"], Z=np.eye(4)
    ).read_bytes()
    said = []
    for _ in range(15):
        content = bytearray(whole)
        for place in rng.integers(128, len(content), 5):
            content[place] = rng.integers(0, 256)
        (tmp_path / "x.mat").write_bytes(content)
        try:
            read_mat(tmp_path / "x.mat")
        except DataError as error:
            said.append(str(error))
    assert said
    assert all("cannot be read as a file of MATLAB" in one for one in said)


def test_what_is_no_file_of_matlab(tmp_path):
    (tmp_path / "x.mat").write_bytes(b"no file of MATLAB" * 50)
    with pytest.raises(DataError, match=r"x\.mat cannot be read as a file of MATLAB"):
        read_mat(tmp_path / "x.mat")
    whole = save_v73(tmp_path / "y.mat", a=np.ones((50, 50))).read_bytes()
    (tmp_path / "y.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"y\.mat cannot be read as a file of MATLAB"):
        read_mat(tmp_path / "y.mat")
    with pytest.raises(MissingInputError):
        read_mat(tmp_path / "z.mat")
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="no kind of file that is imported"):
        read_content(tmp_path / "x.xlsx")
