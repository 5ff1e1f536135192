"""Gammapy's covariance files: a fixed-width text table, parameter paths in the first column."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from gammajax.errors import FileFormatError
from gammajax.io.paths import check_file


def write_matrix(path: str | Path, names: list[str], matrix: np.ndarray) -> Path:
    """Write a square matrix with the names of its rows; returns the path."""
    path = Path(path)
    table = Table({"Parameters": names, **{str(i): column for i, column in enumerate(matrix.T)}})
    table.write(path, format="ascii.fixed_width", overwrite=True)
    return path


def read_matrix(path: str | Path) -> tuple[list[str], np.ndarray]:
    """Names and matrix of such a file. Raises `MissingFile` or `FileFormatError`."""
    path = Path(path)
    check_file(path)
    try:
        table = Table.read(path, format="ascii.fixed_width")
        if table.has_masked_values:
            raise ValueError("it has empty cells")
        names = [str(name) for name in table["Parameters"]]
        matrix = np.array([[float(x) for x in list(row)[1:]] for row in table])
    except (ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"{path} is no table of parameters and a matrix: {error}") from error
    if matrix.shape != (len(names), len(names)):
        raise FileFormatError(f"{path} must hold a square matrix, it has {len(names)} names and shape {matrix.shape}")
    return names, matrix
