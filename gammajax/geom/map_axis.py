"""Axes of maps: named, with bins, nodes, labels or time intervals, in a canonical unit."""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from gammajax.errors import ConfigError
from gammajax.units import conversion

Interp = Literal["lin", "log", "sqrt"]
Kind = Literal["edges", "nodes", "labels", "intervals"]

_SCALES = {
    "lin": (lambda x: x, lambda x: x),
    "log": (np.log, np.exp),
    "sqrt": (np.sqrt, np.square),
}
_UNITS = {"energy": "TeV", "energy_true": "TeV", "rad": "deg", "offset": "deg", "migra": "", "time": "s"}
"""The canonical unit of the axes that have a meaning; axes of other names keep theirs."""


@dataclass(frozen=True, eq=False)
class MapAxis:
    """One axis of a map.

    `points` are increasing edges of bins, shape (bins + 1,), increasing nodes (bins,), labels (bins,), or intervals
    (bins, 2) that may leave gaps, all in `unit`. `interp` is the scale in which values between the points are
    interpolated, and in which a bin has its centre. Intervals of time count from `epoch` (MJD as whole days and a
    fraction, and the scale). Raises `ConfigError` for points that make no axis.

    >>> MapAxis.from_nodes("energy_true", [1.0, 4.0, 16.0], "TeV", "log").edges
    array([ 0.5,  2. ,  8. , 32. ])
    """

    name: str
    points: np.ndarray
    unit: str = ""
    interp: Interp = "lin"
    kind: Kind = "edges"
    epoch: tuple[int, float, str] | None = None

    def __post_init__(self) -> None:
        where = f"the axis {self.name!r}"
        if self.interp not in _SCALES:
            raise ConfigError(f"{where} is interpolated in one of 'lin', 'log', 'sqrt', got {self.interp!r}")
        if self.kind == "labels":
            _check_labels(self.points, where)
        elif self.kind == "intervals":
            _check_intervals(self.points, where)
        else:
            _check_points(self.points, where, self.kind, self.interp)

    @classmethod
    def from_edges(cls, name: str, edges: Any, unit: str = "", interp: Interp = "lin") -> "MapAxis":
        """An axis of bins; edges of energies, angles and times are converted to TeV, deg and s.

        >>> MapAxis.from_edges("energy", [100.0, 1000.0], "GeV", "log").points
        array([0.1, 1. ])
        """
        return cls(name, *_canonical(name, edges, unit), interp, "edges")

    @classmethod
    def from_nodes(cls, name: str, nodes: Any, unit: str = "", interp: Interp = "lin") -> "MapAxis":
        """An axis of nodes: the map holds values at these points."""
        return cls(name, *_canonical(name, nodes, unit), interp, "nodes")

    @classmethod
    def from_labels(cls, name: str, labels: Any) -> "MapAxis":
        """An axis of labels, such as names of datasets.

        >>> MapAxis.from_labels("dataset", ["a", "b"]).size
        2
        """
        return cls(name, np.asarray(labels), kind="labels")

    @classmethod
    def from_intervals(cls, name: str, intervals: Any, unit: str, epoch: tuple[int, float, str]) -> "MapAxis":
        """An axis of intervals of time since an epoch; (start, stop) in each row."""
        return cls(name, *_canonical(name, intervals, unit), "lin", "intervals", epoch)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MapAxis):
            return NotImplemented
        same = (self.name, self.unit, self.interp, self.kind) == (other.name, other.unit, other.interp, other.kind)
        if not same or self.points.shape != other.points.shape or self.epoch != other.epoch:
            return False
        if self.kind == "labels":
            return bool(np.all(self.points == other.points))
        return bool(np.allclose(self.points, other.points, rtol=1e-6, atol=1e-12))

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.size))

    @property
    def size(self) -> int:
        """Number of bins, nodes or labels: the length of this axis in the values of a map."""
        return len(self.points) - (self.kind == "edges")

    @property
    def edges(self) -> np.ndarray:
        """Edges (size + 1,): as given, or half-way between the nodes in the scale of the axis (Gammapy's rule)."""
        if self.kind == "edges":
            return self.points
        if self.kind != "nodes" or self.size < 2:
            raise ConfigError(f"the axis {self.name!r} of {self.size} {self.kind} has no edges")
        forward, back = _SCALES[self.interp]
        x = forward(self.points)
        middle = (x[1:] + x[:-1]) / 2
        return back(np.concatenate([[x[0] - (x[1] - x[0]) / 2], middle, [x[-1] + (x[-1] - x[-2]) / 2]]))

    @property
    def centers(self) -> np.ndarray:
        """Nodes, or middles of the bins in the scale of the axis, (size,).

        >>> MapAxis.from_edges("energy", [1.0, 4.0, 16.0], "TeV", "log").centers
        array([2., 8.])
        """
        if self.kind == "labels":
            raise ConfigError(f"the axis {self.name!r} has labels, not numbers")
        if self.kind == "nodes":
            return self.points
        low, high = (self.points[:, 0], self.points[:, 1]) if self.kind == "intervals" else _ends(self.points)
        forward, back = _SCALES[self.interp]
        return back((forward(low) + forward(high)) / 2)


def _ends(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return edges[:-1], edges[1:]


def _canonical(name: str, values: Any, unit: str) -> tuple[np.ndarray, str]:
    """Native float64 in the unit that an axis of this name has."""
    values = np.asarray(values, dtype=np.float64)
    to = _UNITS.get(name)
    if to is None:
        return values, unit
    factor = conversion(unit, to, f"the axis {name!r}")
    return (values if factor == 1.0 else values * factor), to


def _check_points(points: np.ndarray, where: str, kind: str, interp: str) -> None:
    least = 2 if kind == "edges" else 1
    if points.ndim != 1 or len(points) < least:
        raise ConfigError(f"{where} needs at least {least} {kind} in one row, got shape {points.shape}")
    if not np.all(np.isfinite(points)):
        raise ConfigError(f"{where} has {kind} that are not finite")
    if np.any(bad := np.diff(points) <= 0):
        i = int(np.flatnonzero(bad)[0])
        raise ConfigError(f"{where} must increase, but {points[i + 1]:.6g} follows {points[i]:.6g}")
    if (interp == "log" and points[0] <= 0) or (interp == "sqrt" and points[0] < 0):
        raise ConfigError(f"{where} is interpolated in {interp}, but begins at {points[0]:.6g}")


def _check_labels(points: np.ndarray, where: str) -> None:
    if points.ndim != 1 or not len(points) or points.dtype.kind not in "US":
        raise ConfigError(f"{where} needs a row of texts as labels")
    if len(np.unique(points)) != len(points):
        raise ConfigError(f"{where} has a label twice")


def _check_intervals(points: np.ndarray, where: str) -> None:
    if points.ndim != 2 or points.shape[1:] != (2,) or not len(points):
        raise ConfigError(f"{where} needs rows of (start, stop), got shape {points.shape}")
    if not np.all(np.isfinite(points)) or np.any(np.diff(points.ravel()) < 0):
        raise ConfigError(f"{where} needs finite intervals in order that do not overlap")


def interp_of(text: str, where: str) -> Interp:
    """The scale of an axis from what files call it. Raises `ConfigError` for an unknown one."""
    name = {"linear": "lin", "logarithmic": "log"}.get(text.lower(), text.lower())
    if name not in _SCALES:
        raise ConfigError(f"{where} is interpolated in one of 'lin', 'log', 'sqrt', got {text!r}")
    return cast(Interp, name)
