"""The voxel route on every brain voxel of a real 3 mm image, against a float64 brute force."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from nilearn.masking import compute_epi_mask

from bids_app.bids.runs import BoldRun
from bids_app.cli.main import main
from bids_app.participant import denoise
from bids_app.settings.settings import Signal
from bids_app.space.grid import mask_grid

pytestmark = pytest.mark.slow

PREFIX = "sub-02_task-oneback_run-01_space-MNI152NLin2009cAsym"  # the space is in name only: it is the scanner's
N_CHECKED = 50


@pytest.fixture(scope="module")
def derivative(shared_data, tmp_path_factory):
    """The real image, wrapped as fMRIPrep would leave it."""
    source = shared_data / "studyforrest" / "sub-02" / "func" / "sub-02_task-oneback_run-01_bold.nii.gz"
    root = tmp_path_factory.mktemp("studyforrest")
    folder = root / "sub-02" / "func"
    folder.mkdir(parents=True)
    (root / "dataset_description.json").write_text(
        json.dumps({"Name": "wrapped", "BIDSVersion": "1.10.0", "DatasetType": "derivative"})
    )
    shutil.copy(source, folder / f"{PREFIX}_desc-preproc_bold.nii.gz")
    (folder / f"{PREFIX}_desc-preproc_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    nib.save(compute_epi_mask(source), folder / f"{PREFIX}_desc-brain_mask.nii.gz")
    return root


@pytest.fixture(scope="module")
def mask(derivative):
    return derivative / "sub-02" / "func" / f"{PREFIX}_desc-brain_mask.nii.gz"


@pytest.fixture(scope="module")
def maps(derivative, mask, tmp_path_factory):
    output = tmp_path_factory.mktemp("output")
    options = ["--mask", str(mask), "--voxel-size", "native", "--denoise", "none", "--n-cpus", "1"]
    assert main([str(derivative), str(output), "participant", *options]) == 0
    found = {}
    for metric in ("degree", "strength", "clustering", "clusteringWeighted"):
        (path,) = output.glob(f"sub-02/func/*_stat-{metric}_desc-r025_boldmap.nii.gz")
        found[metric] = nib.load(path).get_fdata()
    return found


def test_random_voxels_equal_a_brute_force(derivative, mask, maps):
    grid = mask_grid(mask)
    run = BoldRun({"sub": "02"}, mask.parent / f"{PREFIX}_desc-preproc_bold.nii.gz", mask, None, 2.0, ())
    series = denoise.clean_run(run, grid, Signal(denoise="none")).series
    present = np.isfinite(series).all(axis=1)
    assert present.sum() > 25_000
    z = series[present].astype(np.float64)
    z -= z.mean(axis=1, keepdims=True)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    values = {metric: volume[grid.mask][present] for metric, volume in maps.items()}
    for node in np.random.default_rng(0).choice(len(z), N_CHECKED, replace=False):
        r = z @ z[node]
        r[node] = 0
        near = np.flatnonzero(r > 0.25)
        assert values["degree"][node] == near.size
        assert values["strength"][node] == pytest.approx(r[near].sum(), rel=1e-6)
        if near.size < 2:
            assert values["clustering"][node] == 0
            continue
        joined = z[near] @ z[near].T > 0.25
        np.fill_diagonal(joined, False)
        common = joined.sum(axis=1)
        assert values["clustering"][node] == pytest.approx(common.sum() / (near.size * (near.size - 1)), rel=1e-6)
        weighted = (r[near] @ common) / (r[near].sum() * (near.size - 1))
        assert values["clusteringWeighted"][node] == pytest.approx(weighted, rel=1e-6)


def test_every_brain_voxel_has_a_value(mask, maps):
    inside = nib.load(mask).get_fdata() > 0
    assert np.isfinite(maps["degree"][inside]).mean() > 0.999
    assert np.isnan(maps["degree"][~inside]).all()
