"""HDF5 files of gammajax: named arrays, and a header of numbers and texts as attributes. No pickles.

Schema version 1: the root attributes `creator`, `schema`, `kind`, further attributes of that kind, and datasets.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gammajax.errors import FileFormatError, MissingFile

SCHEMA = 1


def write_hdf5(path: str | Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Path:
    """Write arrays and a header, which must have the key "kind"; returns the path."""
    path = Path(path)
    with h5py.File(path, "w") as file:
        file.attrs.update({"creator": "gammajax", "schema": SCHEMA, **header})
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return path


def read_hdf5(
    path: str | Path, *, kind: str, arrays: Mapping[str, int] | None = None, attributes: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and header of a file of the given kind.

    `arrays` are the datasets that must be there (name -> number of axes; they must hold numbers), `attributes` the
    entries that the header must have. Raises `MissingFile`, or `FileFormatError` naming what is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path} does not exist")
    try:
        with h5py.File(path, "r") as file:
            header = dict(file.attrs)
            found: dict[str, np.ndarray] = {}
            file.visititems(lambda name, x: found.update({name: x[()]}) if isinstance(x, h5py.Dataset) else None)
    except (OSError, RuntimeError, LookupError, ValueError) as error:
        raise FileFormatError(f"{path} cannot be read as HDF5: {error}") from error
    # As text: an attribute of a foreign file may be an array.
    if (str(header.get("kind")), str(header.get("schema"))) != (kind, str(SCHEMA)):
        have = f"kind {header.get('kind')!r}, schema {header.get('schema')}"
        raise FileFormatError(f"{path}: expected a gammajax file of kind {kind!r}, schema {SCHEMA}; it has {have}")
    for name in attributes:
        if name not in header:
            raise FileFormatError(f"{path} has no attribute {name!r}; it has {', '.join(header)}")
    for name, axes in (arrays or {}).items():
        _check_array(path, name, found.get(name), axes)
    return found, header


def _check_array(path: Path, name: str, array: Any, axes: int) -> None:
    if array is None:
        raise FileFormatError(f"{path} has no dataset {name!r}")
    kind, shape = np.asarray(array).dtype.kind, np.shape(array)
    if kind not in "iuf" or len(shape) != axes:
        raise FileFormatError(
            f"{path}: {name!r} must hold numbers along {axes} axes; its shape is {shape}, kind {kind!r}"
        )


def write_arrays(path: str | Path, kind: str, arrays: Sequence[Any]) -> Path:
    """Write a list of arrays in order, such as the weights of a network."""
    return write_hdf5(path, {f"{i:04d}": np.asarray(x) for i, x in enumerate(arrays)}, {"kind": kind})


def read_arrays(path: str | Path, kind: str) -> list[np.ndarray]:
    """The list of arrays that `write_arrays` wrote."""
    arrays, _ = read_hdf5(path, kind=kind)
    return [arrays[name] for name in sorted(arrays)]
