"""Files of MATLAB of any version, as plain data: arrays, texts and lists."""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bids_app.errors import DataError
from bids_app.system.images import require
from bids_app.system.small_files import MOST_OF_TABLE, regular


def read_mat(path: Path) -> dict[str, Any]:
    """Read the variables of a .mat file.

    Parameters
    ----------
    path : Path
        Of version 4 to 7 (scipy reads them) or 7.3, which is HDF5.

    Returns
    -------
    dict of str to object
        Numbers as ndarray with the axes of MATLAB, char as str, cells as a list in MATLAB's order, a structure as a
        dict, several as a list of dict. Functions and objects are None.

    Raises
    ------
    MissingInputError, DataError
        It is missing, empty, too large, or no file of MATLAB.
    """
    require(path)
    regular(path, called=path.name, most=MOST_OF_TABLE)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        try:
            return child.submit(_read, path).result()
        except BrokenProcessPool:
            raise DataError(
                f"{path.name} cannot be read as a file of MATLAB: it is damaged, its reader crashed."
            ) from None
        except ValueError as error:
            raise DataError(f"{path.name} cannot be read as a file of MATLAB: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    """Read a file in a process of its own: the readers of both formats are in C, and some damage is their end."""
    import h5py

    try:
        return _hdf5(path) if h5py.is_hdf5(path) else _older(path)
    except Exception as error:  # of damage they raise anything, UnboundLocalError for one
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _older(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    found = loadmat(path, chars_as_strings=True)
    return {name: _plain(value) for name, value in found.items() if not name.startswith("__")}


def _plain(value: Any) -> Any:
    """Return a value of scipy's as plain data."""
    if not isinstance(value, np.ndarray):
        return value.toarray() if hasattr(value, "toarray") else None
    if value.dtype.names:
        several = [{name: _plain(one[name]) for name in value.dtype.names} for one in value.ravel(order="F")]
        return several[0] if len(several) == 1 else several
    if value.dtype.kind not in "biufOU":
        return None
    if value.dtype.kind == "O":
        return [_plain(one) for one in value.ravel(order="F")]
    if value.dtype.kind == "U":
        return str(value.ravel()[0]).strip() if value.size == 1 else [str(one).strip() for one in value.ravel()]
    return value


def _hdf5(path: Path) -> dict[str, Any]:
    import h5py

    with h5py.File(path) as file:
        return {name: _node(file, file[name]) for name in file if not name.startswith("#")}


def _node(file: Any, node: Any) -> Any:
    """Return a variable of version 7.3, whose axes HDF5 turns round, and whose cells are references."""
    import h5py

    if not isinstance(node, h5py.Dataset):
        return {name: _node(file, node[name]) for name in node}
    kind = node.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if node.attrs.get("MATLAB_empty", 0):
        return {"char": "", "cell": []}.get(kind, np.empty((0, 0)))
    value = node[()]
    if kind == "cell" or h5py.check_ref_dtype(node.dtype) is h5py.Reference:  # the field of several structures
        return [_node(file, file[one]) for one in np.asarray(value).ravel()]
    if kind == "char":
        rows = ["".join(map(chr, row)).strip() for row in np.atleast_2d(np.asarray(value).T)]
        return rows[0] if len(rows) == 1 else rows
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return None
    return value.T
