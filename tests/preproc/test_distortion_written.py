"""What is written of a raw scan with a field map, by the whole preprocessing; registrations are of a few steps only."""

import json
import logging

import ants
import nibabel as nib
import numpy as np
import pytest
from blip_phantom import write_bids
from warm import register_hastily

from bids_app.cli.settings_of import parse
from bids_app.preproc.level import preprocess

pytestmark = pytest.mark.slow  # 40 s


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The preprocessed dataset of a scan with one image that is opposite to it, and of one that nothing names."""
    root = tmp_path_factory.mktemp("written")
    write_bids(root / "bids", "j-", ("j",))
    func = root / "bids" / "sub-01" / "func"
    for end in ("nii.gz", "json"):
        content = (func / f"sub-01_task-rest_bold.{end}").read_bytes()
        (func / f"sub-01_task-rest_run-2_bold.{end}").write_bytes(content)
    settings = parse([str(word) for word in (root / "bids", root / "out", "participant", "--n-cpus", "1")])
    (root / "out" / "logs").mkdir(parents=True)
    heard = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    logging.getLogger("bids_app").addHandler(handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ants, "registration", ants.registration)  # put back at the end
        register_hastily()
        prepared = preprocess(settings, root / "out" / "logs")
    logging.getLogger("bids_app").removeHandler(handler)
    assert prepared.failures == []
    return root / "out" / "derivatives" / "preproc", heard


def sidecar(folder, run=""):
    (path,) = folder.glob(f"sub-01/func/sub-01_task-rest{run}_space-*_desc-preproc_bold.json")
    return json.loads(path.read_text())


def test_the_sidecar_says_by_what(written):
    said = sidecar(written[0])
    assert said["SusceptibilityDistortionCorrected"] is True
    expected = "images of opposite phase encoding (sub-01_dir-j_epi.nii.gz), by IntendedFor"
    assert said["SusceptibilityDistortionMethod"] == expected
    assert said["FieldMapCorrelation"] > said["FieldMapCorrelationBefore"]
    assert "bids:raw:sub-01/fmap/sub-01_dir-j_epi.nii.gz" in said["Sources"]


def test_of_the_other_scan_it_is_said_why_not(written):
    folder, heard = written
    said = sidecar(folder, "_run-2")
    assert said["SusceptibilityDistortionCorrected"] is False
    reason = said["SusceptibilityDistortionNotCorrectedBecause"]
    assert reason.startswith("neither B0FieldSource nor IntendedFor says")
    (warning,) = (one for one in heard if "susceptibility distortions" in one)
    assert warning == f"sub-01 task-rest run-2: susceptibility distortions are not corrected: {reason}."
    assert not list(folder.glob("sub-01/func/*run-2*desc-hmc_boldref*"))


def test_the_field_is_written_as_fmriprep_does(written):
    folder, _ = written
    (field,) = folder.glob("sub-01/fmap/*.nii.gz")
    assert field.name == "sub-01_fmapid-taskRest_desc-coeff_fieldmap.nii.gz"
    assert np.abs(nib.load(field).get_fdata()).max() > 20  # Hz
    assert (folder / "sub-01/func/sub-01_task-rest_from-boldref_to-taskRest_mode-image_xfm.txt").exists()
    images = [
        nib.load(folder / f"sub-01/func/sub-01_task-rest_desc-{name}_boldref.nii.gz") for name in ("hmc", "coreg")
    ]
    assert np.corrcoef(*(image.get_fdata().ravel() for image in images))[0, 1] < 0.99


def test_the_page_shows_before_and_after(written, validation_errors):
    folder, _ = written
    page = " ".join((folder / "sub-01.html").read_text().split())
    assert page.count("before and after the correction of susceptibility distortions") == 1
    assert "corrected by images of opposite phase encoding (sub-01_dir-j_epi.nii.gz), by IntendedFor" in page
    assert "<strong>not corrected</strong>: neither B0FieldSource nor IntendedFor" in page
    assert validation_errors(folder) == []
