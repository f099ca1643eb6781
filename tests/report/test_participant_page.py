"""The page of a participant whose files are not as a run leaves them."""

import re

import nibabel as nib
import numpy as np
from conftest import SMALL


def test_a_map_without_a_value_is_said_instead_of_drawn(trial, app, tmp_path):
    output = tmp_path / "out"
    assert app(trial.bids, output, "participant", *SMALL).code == 0
    drawn = re.findall("<img[^>]*Degree[^>]*>", (output / "sub-01.html").read_text())
    for path in output.glob("sub-01/ses-1/func/*_stat-degree_*_boldmap.nii.gz"):
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.full(image.shape, np.nan, dtype=np.float32), image.affine), path)
    outcome = app(trial.bids, output, "participant", *SMALL, "--reports-only")
    assert outcome.code == 0, outcome.said
    page = (output / "sub-01.html").read_text()
    assert len(drawn) == 2
    assert not re.findall("<img[^>]*Degree[^>]*>", page)
    assert "No node has a value: there is nothing to draw." in page
