"""Covariance of fitted parameters, and its form in Gammapy's files."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gammajax.errors import FileFormatError
from gammajax.io.hdf5 import Node
from gammajax.io.matrix import read_matrix
from gammajax.params.table import Parameter


@dataclasses.dataclass(frozen=True)
class Covariance:
    """Covariance of parameters, in their canonical units: `matrix[i, j]` belongs to `paths[i]`, `paths[j]`.

    Rows and columns of parameters that were on a bound or held are zero.
    """

    paths: tuple[str, ...]
    matrix: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Standard errors; NaN for parameters that were on a bound or held."""
        variance = np.diag(self.matrix)
        return np.sqrt(np.where(variance > 0, variance, np.nan))

    @property
    def correlation(self) -> np.ndarray:
        """The matrix scaled to one on its diagonal; NaN in rows and columns of parameters without an error."""
        return self.matrix / np.outer(self.errors, self.errors)

    def expanded(self, rows: Mapping[str, Parameter], paths: list[str]) -> np.ndarray:
        """The matrix of the parameters `paths`: linked ones follow their source, others are zero."""
        place = {path: i for i, path in enumerate(self.paths)}
        slope = np.zeros((len(paths), len(self.paths)))
        for i, path in enumerate(paths):
            link = rows[path].link
            source, factor = (path, 1.0) if link is None else (link.source, link.factor)
            if source in place:
                slope[i, place[source]] = factor
        return slope @ self.matrix @ slope.T


def covariance_from_node(node: Node, rows: Mapping[str, Parameter]) -> Covariance:
    """The covariance in a group of an HDF5 file; raises `FileFormatError` if it does not fit the parameters."""
    paths, matrix = node.texts("paths"), node.array("matrix", 2)
    unknown = [p for p in paths if p not in rows]
    if unknown or matrix.shape != (len(paths), len(paths)):
        wrong = f"names {unknown[0]!r}, which is no parameter" if unknown else f"has the shape {matrix.shape}"
        raise FileFormatError(f"{node.where} {wrong}; it has {len(paths)} parameters")
    return Covariance(paths, matrix)


def read_covariance(
    path: Path, rows: Mapping[str, Parameter], free: list[str], scale: Mapping[str, float]
) -> Covariance | None:
    """The covariance of the free parameters; None if the file does not hold it (it may be incomplete, or all zero).

    Rows are found by name, the first of each, or by order where names do not match: Gammapy lists all parameters,
    files of old only those that are not linked. `scale` turns the file's units into canonical ones.
    """
    names, matrix = read_matrix(path)
    # Gammapy gives the background of a dataset a spectral model; here its parameters are the background's own.
    names = [name if name in rows else name.replace("-bkg.spectral.", "-bkg.") for name in names]
    place = {name: i for i, name in reversed(list(enumerate(names)))}
    if not set(free) <= set(place):
        unlinked = [p for p, row in rows.items() if row.link is None]
        orders = {len(order): order for order in (unlinked, list(rows))}
        place = {p: i for i, p in enumerate(orders.get(len(names), []))}
    if not free or not set(free) <= set(place):
        return None
    where = [place[p] for p in free]
    factor = np.array([scale.get(p, 1.0) for p in free])
    found = matrix[np.ix_(where, where)] * np.outer(factor, factor)
    # A fit leaves no variance only to parameters on a limit; elsewhere zero means that nothing was fitted.
    fitted = np.diag(found) > 0
    on_limit = np.array([rows[p].value in rows[p].range for p in free])
    if not np.all(np.isfinite(found)) or not np.any(fitted) or not np.all(fitted | on_limit):
        return None
    return Covariance(tuple(free), found)
