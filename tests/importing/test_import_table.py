"""From a table of files to a derivative: what is written, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from mat_trial import NAMES, make_trial, series_of
from matlab import save_v5

from bids_app.bids.matrix_runs import MatrixRun
from bids_app.cli.main import main
from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.graph import nodal_measures, parcel_matrix
from bids_app.importing import import_tables
from bids_app.participant.parcel_matrix import matrix_parcels
from bids_app.settings.import_options import ImportOptions, read_import


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_trial(tmp_path_factory.mktemp("mat") / "trial")


def listed(folder, *rows, name="list.tsv"):
    pd.DataFrame(rows).to_csv(folder / name, sep="\t", index=False)
    return folder / name


def func(output, person="01", visit="pre"):
    return output / f"sub-{person}" / f"ses-{visit}" / "func"


def test_series_in_full_with_where_they_are_from(files, tmp_path):
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    assert import_tables(ImportOptions(files / "series.tsv", out, "mine", regions=files / "regions.tsv")) == 0
    path = func(out) / "sub-01_ses-pre_task-rest_seg-mine_stat-mean_timeseries.tsv"
    table = pd.read_csv(path, sep="\t")
    assert list(table) == NAMES
    np.testing.assert_array_equal(table.to_numpy(), series_of(1, "pre"))  # every digit
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["RepetitionTime"] == 2
    assert sidecar["Sources"] == ["bids:imported:ROISignals_01_pre.mat"]
    assert "series of 130 volumes in 8 regions" in sidecar["Description"]
    description = json.loads((out / "dataset_description.json").read_text())
    assert [one["Name"] for one in description["GeneratedBy"]] == ["trialgraph", "DPABI"]
    assert (out / description["DatasetLinks"]["imported"] / "ROISignals_01_pre.mat").resolve().exists()
    assert len(list(out.rglob("*_timeseries.tsv"))) == 12
    assert {path: path.read_bytes() for path in files.rglob("*") if path.is_file()} == before


def test_matrices_of_z_become_r(files, tmp_path):
    out = tmp_path / "out"
    assert import_tables(ImportOptions(files / "matrices.tsv", out)) == 0
    path = func(out) / "sub-01_ses-pre_task-rest_seg-DPABI8_stat-pearsoncorrelation_relmat.tsv"
    r = pd.read_csv(path, sep="\t", index_col="name").to_numpy()
    np.testing.assert_allclose(r, np.corrcoef(series_of(1, "pre").T), rtol=0, atol=1e-14)


def test_centres_of_regions_are_kept(files, tmp_path):
    regions = pd.DataFrame({"name": NAMES, "x": range(8), "y": 0.5, "z": -1})
    regions.to_csv(tmp_path / "regions.csv", index=False)
    import_tables(ImportOptions(files / "series.tsv", tmp_path / "out", regions=tmp_path / "regions.csv"))
    (sidecar,) = func(tmp_path / "out").glob("*.json")
    assert json.loads(sidecar.read_text())["RegionCoordinates"]["region C"] == [2, 0.5, -1]


def test_nothing_is_written_unless_all_is_certain(files, tmp_path):
    save_v5(tmp_path / "a.mat", ts=np.ones((5, 3)), fc=np.eye(3))
    (tmp_path / "b.mat").write_bytes(b"nothing of MATLAB" * 20)
    table = listed(tmp_path, {"participant_id": "01", "path": "a.mat"}, {"participant_id": "02", "path": "b.mat"})
    with pytest.raises(DataError, match=r"a\.mat: several arrays.*b\.mat cannot be read"):
        import_tables(ImportOptions(table, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_files_of_other_regions_are_refused(files, tmp_path):
    for name, n in (("a", 3), ("b", 3), ("c", 4)):
        save_v5(
            tmp_path / f"{name}.mat", ROISignals=np.random.default_rng(n).normal(size=(30, n)), names=list("ABCD")[:n]
        )
    save_v5(tmp_path / "d.mat", ROISignals=np.random.default_rng(1).normal(size=(30, 3)), names=list("ABX"))
    save_v5(tmp_path / "m.mat", fc=np.corrcoef(np.random.default_rng(1).normal(size=(3, 30))), names=list("ABC"))
    rows = [{"participant_id": f"0{j}", "path": f"{name}.mat"} for j, name in enumerate("ab")]
    for last, text in (("c", "c.mat has 4 regions, others have 3"), ("d", "region 3 is 'X', and 'C' in others")):
        table = listed(tmp_path, *rows, {"participant_id": "09", "path": f"{last}.mat"})
        with pytest.raises(DataError, match=text):
            import_tables(ImportOptions(table, tmp_path / "out"))
    table = listed(tmp_path, *rows, {"participant_id": "09", "path": "m.mat"})
    with pytest.raises(DataError, match=r"m\.mat holds a matrix, unlike the files before it"):
        import_tables(ImportOptions(table, tmp_path / "out"))


@pytest.mark.parametrize(
    ("row", "error", "text"),
    [
        ({"participant_id": "01"}, DataError, "lacks the column path; it has participant_id"),
        ({"participant_id": "01", "path": "x.mat", "sesion": "1"}, DataError, "nothing is known of the column sesion"),
        ({"participant_id": "01", "path": "gone.mat"}, MissingInputError, "line 2: gone.mat does not exist"),
        ({"participant_id": "a_b", "path": "x.mat"}, DataError, "'a_b' cannot be a label of sub-"),
        ({"participant_id": "", "path": "x.mat"}, DataError, "cannot be a label of sub-"),
        ({"participant_id": "01", "path": "x.mat", "kind": "serie"}, DataError, "kind 'serie' is none of series"),
        ({"participant_id": "01", "path": "x.mat", "tr": "two"}, DataError, "tr 'two' is no number"),
        ({"participant_id": "01", "path": "x.mat", "tr": "2000"}, DataError, "x.mat"),  # milliseconds
    ],
)
def test_what_a_table_may_say(tmp_path, row, error, text):
    save_v5(tmp_path / "x.mat", ROISignals=np.random.default_rng(0).normal(size=(30, 3)))
    with pytest.raises(error, match=text):
        import_tables(ImportOptions(listed(tmp_path, row), tmp_path / "out"))


def test_two_rows_of_one_scan(tmp_path):
    save_v5(tmp_path / "x.mat", ROISignals=np.random.default_rng(0).normal(size=(30, 3)))
    row = {"participant_id": "01", "path": "x.mat"}
    with pytest.raises(DataError, match=r"two rows are of sub-01 task-rest\. Tell them apart"):
        import_tables(ImportOptions(listed(tmp_path, row, row | {"participant_id": "sub-01"}), tmp_path / "out"))


def test_a_folder_that_holds_something(files, tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UsageError, match="is not empty"):
        import_tables(ImportOptions(files / "series.tsv", tmp_path))


def test_call_by_its_exit_codes(files, tmp_path, capsys):
    assert main(["import", str(files / "none.tsv"), str(tmp_path / "out")]) == 66
    assert main(["import", str(files / "series.tsv"), str(tmp_path / "out"), "--atlas", "a b"]) == 64
    assert "letters and digits alone" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    assert "columns participant_id and path" in " ".join(capsys.readouterr().out.split())
    assert read_import(["a.tsv", "out", "--repetition-time", "2.5"]).repetition_time == 2.5


def test_real_series_as_conn_and_as_matrices(shared_data, tmp_path):
    """The published series came out of CONN; put back into such a file, they come in as they are."""
    source = shared_data / "tbi_three_visits" / "derivatives-xcpd"
    place = sorted(source.glob("sub-hc05/ses-1/func/*_timeseries.tsv"))[0]
    table = pd.read_csv(place, sep="\t")
    series = table.to_numpy()
    names = [f"atlas.{name}" for name in table] + ["networks.DefaultMode.MPFC (1,55,-3)", "CSF"]
    more = np.random.default_rng(0).normal(size=(len(series), 2))
    data = [*np.hstack([series, more]).T[:, :, np.newaxis]]
    save_v5(tmp_path / "ROI_Subject001_Condition001.mat", data=data, names=names)
    row = {
        "participant_id": "hc05",
        "session": "1",
        "path": "ROI_Subject001_Condition001.mat",
        "tr": 2,
        "part": "atlas",
    }
    import_tables(ImportOptions(listed(tmp_path, row), tmp_path / "out"))
    (path,) = (tmp_path / "out").rglob("*_timeseries.tsv")
    assert path.name == "sub-hc05_ses-1_task-rest_seg-CONNAtlas132_stat-mean_timeseries.tsv"
    found = pd.read_csv(path, sep="\t")
    assert found.shape == (len(series), 132)
    np.testing.assert_array_equal(found.to_numpy(), series)


def test_real_matrices_as_conn_leaves_them_make_the_graphs_of_the_series(shared_data, tmp_path):
    """Fisher's z of two participants in one file, the diagonal NaN; read back as r, and the same degrees."""
    source = shared_data / "tbi_three_visits" / "derivatives-xcpd"
    tables = [
        pd.read_csv(next((source / f"sub-{person}" / "ses-1" / "func").glob("*_timeseries.tsv")), sep="\t")
        for person in ("hc05", "tbi05")
    ]
    names = list(tables[0])
    z = np.stack([np.arctanh(r - np.diag(np.diag(r))) for r in (np.corrcoef(one.to_numpy().T) for one in tables)], 2)
    z[np.arange(132), np.arange(132)] = np.nan
    save_v5(tmp_path / "resultsROI_Condition001.mat", Z=z, names=names, names2=names)
    rows = [
        {"participant_id": person, "path": "resultsROI_Condition001.mat", "index": j}
        for j, person in enumerate(("hc05", "tbi05"), start=1)
    ]
    import_tables(ImportOptions(listed(tmp_path, *rows), tmp_path / "out"))
    for person, table in zip(("hc05", "tbi05"), tables, strict=True):
        (path,) = (tmp_path / "out" / f"sub-{person}").rglob("*_relmat.tsv")
        run = MatrixRun({"sub": person}, path, "pearson", ())
        found, expected = nodal_measures(matrix_parcels(run).matrix("pearson")), nodal_measures(parcel_matrix(table.T))
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-12)
