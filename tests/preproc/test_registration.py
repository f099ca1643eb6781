"""Registrations and tissues of the same images are the same bytes, whenever and on how many processors."""

import os
import subprocess
import sys
import time

import ants
import numpy as np
import pandas as pd
import pytest

from bids_app.preproc.hdf5 import drop_times

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from scipy.ndimage import gaussian_filter
from bids_app.system.environment import limit_threads_of_children
limit_threads_of_children(1)
from bids_app.preproc import registration
folder = Path(sys.argv[1])
affine = np.diag([4.0, 4, 4, 1])
head = gaussian_filter(np.random.default_rng(0).random((24, 26, 22)), 2)
head -= head.min()
fixed, moving = (registration.to_ants(values, affine) for values in (head, np.roll(head, 1, axis=0)))
start = registration.start_at([48] * 3, [48] * 3, folder / "start.mat")
affine = registration.linear(fixed, moving, "Affine", folder / "affine_", start)
registration.save_as_text(affine, folder / "affine.txt")
registration.deform(fixed, moving, folder / "warp_", affine)
shares = [np.abs(head / head.max() - level) for level in (0.2, 0.5, 0.8)]
priors = {name: (1 / (0.1 + share)).astype(np.float32) for name, share in zip("abc", shares)}
total = sum(priors.values())
found = registration.segment(head, np.ones(head.shape, bool), {name: part / total for name, part in priors.items()})
np.save(folder / "tissues.npy", np.stack(list(found.values())))
"""


def made(folder, n_threads):
    """Return the bytes of what a process makes that finds so many threads in its environment."""
    folder.mkdir()
    variables = dict.fromkeys(("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"), str(n_threads))
    subprocess.run([sys.executable, "-c", SCRIPT, folder], check=True, env=os.environ | variables)
    names = ("affine.txt", "warp_Composite.h5", "warp_InverseComposite.h5", "tissues.npy")
    return {name: (folder / name).read_bytes() for name in names}


def test_neither_the_clock_nor_threads_change_a_byte(tmp_path):
    once, again = (made(tmp_path / str(n_threads), n_threads) for n_threads in (1, 2))
    assert [name for name in once if once[name] != again[name]] == []


@pytest.fixture
def transform(tmp_path):
    """A transform in HDF5, as it is and written a second later."""
    matrix = np.eye(3) + np.random.default_rng(0).normal(size=(3, 3)) / 10
    found = ants.create_ants_transform(transform_type="AffineTransform", dimension=3, matrix=matrix)
    paths = tmp_path / "one.h5", tmp_path / "two.h5"
    for path in paths:
        ants.write_transform(found, str(path))
        time.sleep(1.1)
    return paths


def test_hdf5_without_times_is_the_same_and_can_be_read(transform):
    points = pd.DataFrame(np.random.default_rng(1).uniform(0, 4, (9, 3)), columns=list("xyz"))
    before = [ants.apply_transforms_to_points(3, points, [str(path)]) for path in transform]
    assert transform[0].read_bytes() != transform[1].read_bytes()
    for path in transform:
        drop_times(path)
    assert transform[0].read_bytes() == transform[1].read_bytes()
    for path, moved in zip(transform, before, strict=True):
        pd.testing.assert_frame_equal(ants.apply_transforms_to_points(3, points, [str(path)]), moved)
