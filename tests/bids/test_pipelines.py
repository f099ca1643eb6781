"""What pipelines other than fMRIPrep leave, and what is known to be wrong with some versions."""

import json
import logging

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conftest import MNI, SMALL, SmallTrial, bold_data, brain, save_bold

from bids_app.bids.runs import find_inputs
from bids_app.cli.settings_of import parse


@pytest.fixture
def xcpd(tmp_path):
    """A run as XCP-D leaves it: cleaned, 8 of 60 volumes censored, the motion of all."""
    trial = SmallTrial(tmp_path / "bids", tmp_path / "xcp_d")
    trial.describe(trial.bids, "raw")
    trial.describe(trial.fmriprep, "derivative", GeneratedBy=[{"Name": "xcp_d", "Version": "0.10.0"}])
    entities = {"sub": "01", "ses": "1", "task": "rest"}
    data = bold_data(1, 52)
    data -= data.mean(axis=3, keepdims=True)
    data *= brain()[..., None]
    save_bold(trial.name("bold", ".nii.gz", entities | {"space": MNI, "desc": "denoised"}), data)
    trial.name("bold", ".json", entities | {"space": MNI, "desc": "denoised"}).write_text('{"RepetitionTime": 2.0}')
    motion = np.full(60, 0.1)
    motion[10:18] = 0.9
    table = pd.DataFrame({"framewise_displacement": motion})
    table.to_csv(trial.name("motion", ".tsv", entities), sep="\t", index=False)
    outliers = pd.DataFrame({"framewise_displacement": (motion > 0.5).astype(int)})
    outliers.to_csv(trial.name("outliers", ".tsv", entities), sep="\t", index=False)
    return trial


def test_cleaned_images_are_not_cleaned_again(xcpd, app, tmp_path):
    out = tmp_path / "out"
    outcome = app(xcpd.bids, out, "participant", *SMALL, "-d", xcpd.fmriprep)
    assert outcome.code == 0, outcome.said
    assert "cleaned already: it is not cleaned again" in outcome.said
    (sidecar,) = out.glob("sub-01/ses-1/func/*_stat-degree_desc-r025_boldmap.json")
    facts = json.loads(sidecar.read_text())
    assert facts["Denoising"] == facts["Bandpass"] == "as the images were received"
    assert facts["Confounds"] == []
    assert facts["NumberOfVolumesKept"] == facts["NumberOfVolumes"] == 52
    assert facts["MeanFramewiseDisplacement"] == pytest.approx(0.1)
    methods = (out / "logs" / "CITATION.md").read_text()
    assert "had been cleaned before; volumes that the other tool flagged were left out by it" in methods
    assert "preprocessed by xcp_d 0.10.0 (Mehta et al. 2024)" in methods


def test_the_graph_is_that_of_the_images_as_they_are(xcpd, app, tmp_path):
    out = tmp_path / "out"
    app(xcpd.bids, out, "participant", *SMALL, "-d", xcpd.fmriprep, "--voxel-size", "native", "--mask", "brain")
    (path,) = out.glob("sub-01/ses-1/func/*_stat-degree_desc-r025_boldmap.nii.gz")
    degree = nib.load(path).get_fdata()
    nodes = np.isfinite(degree)
    data = nib.load(xcpd.file("*denoised_bold.nii.gz")).get_fdata()[nodes]
    time = np.arange(52) - 25.5
    data -= np.outer(data @ time, time) / (time @ time)
    r = np.corrcoef(data)
    np.fill_diagonal(r, 0)
    assert (degree[nodes] == (r > 0.25).sum(axis=0)).mean() > 0.99


def test_both_images_and_series_of_one_pipeline_are_taken(xcpd):
    name = "sub-01_ses-1_task-rest_space-MNI152NLin2009cAsym_seg-Tian_stat-mean_timeseries.tsv"
    pd.DataFrame(np.random.default_rng(0).normal(size=(52, 3)), columns=list("abc")).to_csv(
        xcpd.fmriprep / "sub-01" / "ses-1" / "func" / name, sep="\t", index=False
    )
    inputs = find_inputs(parse([str(xcpd.bids), "out", "participant", "-d", str(xcpd.fmriprep)]))
    assert sorted(type(run).__name__ for run in inputs.runs) == ["BoldRun", "SeriesRun"]


def test_a_table_without_heads_has_numbered_parcels(empty_trial, app, tmp_path):
    """HALFpipe writes the numbers alone."""
    values = np.random.default_rng(1).normal(size=(60, 4))
    place = empty_trial.fmriprep / "sub-01" / "func"
    place.mkdir(parents=True)
    path = place / "sub-01_task-rest_feature-corrMatrix_atlas-power_timeseries.tsv"
    pd.DataFrame(values).to_csv(path, sep="\t", index=False, header=False)
    out = tmp_path / "out"
    assert app(empty_trial.bids, out, "participant").code == 0
    (nodes,) = out.glob("sub-01/func/*_nodes.tsv")
    assert pd.read_csv(nodes, sep="\t")["name"].tolist() == ["parcel1", "parcel2", "parcel3", "parcel4"]
    (matrix,) = out.glob("sub-01/func/*_relmat.tsv")
    np.testing.assert_allclose(pd.read_csv(matrix, sep="\t", index_col=0).to_numpy(), np.corrcoef(values.T), atol=1e-6)


def test_masks_of_23_2_0_are_warned_of(empty_trial, caplog, monkeypatch):
    empty_trial.begin(version="23.2.0")
    empty_trial.add_run(hollow=True)
    monkeypatch.setattr(logging.getLogger("bids_app"), "propagate", True)
    with caplog.at_level(logging.WARNING):
        find_inputs(parse([str(empty_trial.bids), "out", "participant"]))
    assert "fmriprep 23.2.0 wrote brain masks in template space with the transforms in the wrong order" in caplog.text


def test_what_to_run_again_after_the_minimal_level(empty_trial, app, tmp_path):
    place = empty_trial.fmriprep / "sub-01" / "ses-1" / "func"
    place.mkdir(parents=True)
    (place / "sub-01_ses-1_task-rest_desc-hmc_boldref.nii.gz").touch()
    (place / "sub-01_ses-1_task-rest_desc-brain_mask.nii.gz").touch()
    outcome = app(empty_trial.bids, tmp_path / "out", "participant")
    assert outcome.code == 18
    assert "run it again with --level full --output-spaces MNI152NLin2009cAsym" in outcome.said
