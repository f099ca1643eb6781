"""Files as MATLAB writes them: version 5 by scipy, 7.3 by h5py with MATLAB's attributes."""

import h5py
import numpy as np
from scipy.io import savemat


def cell(values):
    """Return a 1 x N cell, of cells where there are lists in it."""
    out = np.empty((1, len(values)), dtype=object)
    for j, one in enumerate(values):
        out[0, j] = cell(one) if isinstance(one, list) else one
    return out


def save_v5(path, **variables):
    savemat(path, {name: cell(value) if isinstance(value, list) else value for name, value in variables.items()})
    return path


def save_v73(path, **variables):
    """Write what MATLAB writes: a block of 512 bytes before HDF5, axes turned round, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        for name, value in variables.items():
            _write(file, refs, file, name, value)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def _write(file, refs, where, name, value):
    if isinstance(value, list):
        pointers = np.empty((len(value), 1), dtype=h5py.ref_dtype)
        for j, one in enumerate(value):
            pointers[j, 0] = _write(file, refs, refs, f"{name}{j}", one).ref
        data = where.create_dataset(name, data=pointers, dtype=h5py.ref_dtype)
        data.attrs["MATLAB_class"] = np.bytes_("cell")
    elif isinstance(value, dict):
        data = where.create_group(name)
        data.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, one in value.items():
            _write(file, refs, data, key, one)
    elif isinstance(value, str):
        data = where.create_dataset(name, data=np.array([[ord(one)] for one in value], dtype=np.uint16))
        data.attrs["MATLAB_class"], data.attrs["MATLAB_int_decode"] = np.bytes_("char"), np.int32(2)
    else:
        data = where.create_dataset(name, data=np.atleast_2d(np.asarray(value, dtype=float)).T)
        data.attrs["MATLAB_class"] = np.bytes_("double")
    return data


def smooth_series(seed, n_volumes=60, n_regions=7):
    """Return (T, R) series that go together in part."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_volumes, n_regions)) + rng.normal(size=(n_volumes, 1))
