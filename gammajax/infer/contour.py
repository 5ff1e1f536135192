r"""Two parameters at a time: the profile likelihood on a grid, and contours of confidence.

A contour is the set of points where the statistic, minimised over all other parameters, has risen by
`delta = -2 ln(1 - CL)` above the fit: 2.30, 5.99, 9.21 for 68.3, 95, 99 % (two degrees of freedom). It is found along
rays from the best fit, evenly spaced in the coordinates in which the covariance of the two parameters is a unit circle.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from gammajax._typing import Array, Bool, Float
from gammajax.checks import one_or_many, probability, whole
from gammajax.datasets.groups import Dataset
from gammajax.errors import ConfigError, NothingToFit, OutOfBounds
from gammajax.infer.begin import Beginning, begin
from gammajax.infer.crossing import End, Ray
from gammajax.infer.expansion import Matrix
from gammajax.infer.fit import Fit
from gammajax.infer.lanes import along_lanes
from gammajax.infer.minimise import MAX_STEPS, Minimum, Status, minimise
from gammajax.io.json import write_json
from gammajax.likelihood.problem import Problem
from gammajax.models.collection import Models
from gammajax.tables import as_text, make_table
from gammajax.units import to_value

LEVELS = (0.68, 0.95, 0.99)
_SURFACE_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Contour:
    """Contours of two parameters: `x[level, ray]`, `y[level, ray]` in `units`, closed polygons around the best fit.

    `ends[level, ray]` are the codes of `End`: rays that meet a bound end there, and points that were not found are NaN.
    """

    path_x: str
    path_y: str
    units: tuple[str, str]
    levels: tuple[float, ...]
    x: np.ndarray
    y: np.ndarray
    ends: np.ndarray
    best: tuple[float, float]
    remark: str = ""

    @property
    def delta(self) -> np.ndarray:
        """Rise of the statistic of each level, `-2 ln(1 - CL)`."""
        return -2.0 * np.log1p(-np.asarray(self.levels))

    @property
    def success(self) -> bool:
        """True if every point was found and the fit had converged."""
        return not self.remark and bool(np.all(self.ends == End.FOUND))

    @property
    def message(self) -> str:
        """How many points of which level were not found, and why."""
        said = [self.remark] if self.remark else []
        for level, ends in zip(self.levels, self.ends, strict=True):
            for code, number in zip(*np.unique(ends[ends != End.FOUND], return_counts=True), strict=True):
                said.append(f"{100 * level:g} %, {number} of {len(ends)} points: {End(int(code)).message}.")
        return " ".join(said) or "All points found."

    def polygon(self, level: float) -> np.ndarray:
        """Vertices of one contour, shape (vertex, 2), first and last equal; points that were not found are left out."""
        if level not in self.levels:
            raise ConfigError(f"no contour at {level!r}; levels are {', '.join(map(str, self.levels))}")
        row = self.levels.index(level)
        points = np.stack([self.x[row], self.y[row]], axis=1)
        points = points[np.all(np.isfinite(points), axis=1)]
        return np.concatenate([points, points[:1]])

    @property
    def table(self) -> Table:
        """Columns level, delta, x, y, end; one row per point."""
        n = self.x.shape[1]
        columns = {
            "level": np.repeat(self.levels, n),
            "delta": np.repeat(self.delta, n),
            "x": self.x.ravel(),
            "y": self.y.ravel(),
            "end": [End(int(code)).name.lower() for code in self.ends.ravel()],
        }
        return make_table(columns, ["x", "y"], delta=".4f")

    def to_dict(self) -> dict[str, Any]:
        """The contours as plain Python, ready for JSON."""
        own = {**dataclasses.asdict(self), "ends": [[End(int(e)).name.lower() for e in row] for row in self.ends]}
        return {**own, "delta": self.delta, "success": self.success, "message": self.message}

    def write(self, path: str | Path) -> Path:
        """Write the contours as JSON."""
        return write_json(self.to_dict(), path)

    def __repr__(self) -> str:
        levels = ", ".join(f"{100 * level:g}" for level in self.levels)
        size = f"{self.x.shape[1]} points each"
        return f"Contours of {self.path_x} and {self.path_y} at {levels} %, {size}. {self.message}"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.table._repr_html_()}"


@dataclasses.dataclass(frozen=True)
class Surface:
    """Profile of two parameters on a grid: `stat[i, j]` at `x[i]`, `y[j]`, minimised over the others."""

    path_x: str
    path_y: str
    units: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    stat: np.ndarray
    stat_best: float
    converged: np.ndarray
    best: tuple[float, float]

    @property
    def delta(self) -> np.ndarray:
        """Rise of the statistic above the fit."""
        return self.stat - self.stat_best

    @property
    def table(self) -> Table:
        """Columns x, y, stat, delta, converged; one row per point."""
        x, y = (grid.ravel() for grid in np.meshgrid(self.x, self.y, indexing="ij"))
        columns = {"x": x, "y": y, "stat": self.stat.ravel(), "delta": self.delta.ravel()}
        return make_table({**columns, "converged": self.converged.ravel()}, ["x", "y"], stat=".4f", delta=".4f")

    def to_dict(self) -> dict[str, Any]:
        """The surface as plain Python, ready for JSON."""
        return {**dataclasses.asdict(self), "delta": self.delta}

    def write(self, path: str | Path) -> Path:
        """Write the surface as JSON."""
        return write_json(self.to_dict(), path)

    def __repr__(self) -> str:
        points = f"{int(self.converged.sum())} of {self.converged.size} points converged"
        return f"Surface of {self.path_x} and {self.path_y}, {points}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def contour(
    datasets: Dataset | Iterable[Dataset],
    fit: Fit | Models,
    path_x: str,
    path_y: str,
    *,
    levels: float | Sequence[float] = LEVELS,
    points: int = 64,
) -> Contour:
    """Contours of confidence of two free parameters, all points of all levels as lanes of one compiled program.

    `levels` are probabilities for two parameters jointly; `points` the number of rays. Where a bound comes first the
    contour follows the bound. Raises `NothingToFit` if a parameter is not free or the fit has no covariance,
    `ConfigError` for levels outside (0, 1) or equal paths, `UnknownDataset` for other datasets.

    >>> contour(datasets, fit, "crab.spectral.alpha", "crab.spectral.beta").polygon(0.95)   # doctest: +SKIP
    """
    levels = tuple(probability(level, "each of levels") for level in one_or_many(levels))
    points = whole(points, "points", 4)
    if not levels:
        raise ConfigError("at least one level is needed")
    start = begin(datasets, fit)
    pair = _pair(start, path_x, path_y)
    if start.fit.models.covariance is None:
        raise NothingToFit(f"a contour needs the covariance, and this fit has none: {start.fit.message}")
    along = _directions(start, pair, points)
    held = np.isin(np.arange(len(start.z)), pair)
    root = np.sqrt(-2.0 * np.log1p(-np.asarray(levels)))
    rays = Ray(np.tile(held, (len(levels) * points, 1)), np.tile(along, (len(levels), 1)), np.repeat(root, points))
    found, natural = start.cross(rays)
    shape = (len(levels), points)
    usable = np.isin(found.end, [End.FOUND, End.BOUND, End.NEW_MINIMUM])[:, None]
    ends = np.where(usable, natural[:, pair], np.nan).reshape(*shape, 2)
    rows = [start.row(i) for i in pair]
    return Contour(
        path_x=rows[0].path,
        path_y=rows[1].path,
        units=(rows[0].unit, rows[1].unit),
        levels=levels,
        x=ends[:, :, 0],
        y=ends[:, :, 1],
        ends=np.asarray(found.end).reshape(shape),
        best=(rows[0].value, rows[1].value),
        remark=start.remark,
    )


def _pair(start: Beginning, path_x: str, path_y: str) -> list[int]:
    pair = [start.position(path_x), start.position(path_y)]
    if pair[0] == pair[1]:
        raise ConfigError(f"two different parameters are needed, got {start.row(pair[0]).path} twice")
    return pair


def _directions(start: Beginning, pair: list[int], points: int) -> np.ndarray:
    """Changes of `z` along the rays: unit vectors of the whitened pair, others following by the covariance."""
    both = np.ix_(pair, pair)
    block = start.covariance[both].copy()
    for k, i in enumerate(pair):
        if not block[k, k] > 0:  # on a bound
            block[k, k] = start.step(i)[i] ** 2
    angle = 2.0 * np.pi * np.arange(points) / points
    # To 15 digits: the rounding of a right angle is no way along a bound.
    circle = np.round(np.stack([np.cos(angle), np.sin(angle)], axis=1), 15)
    moves = circle @ np.linalg.cholesky(block).T
    # From a bound no ray goes outside: it slides along, or ends where it begins.
    low, high = np.asarray(start.problem.lower)[pair], np.asarray(start.problem.upper)[pair]
    here = start.z[pair]
    moves = np.where(((here <= low) & (moves < 0)) | ((here >= high) & (moves > 0)), 0.0, moves)
    out = moves @ np.linalg.solve(block, _rows(start, pair, block))
    out[:, pair] = moves
    return out


def _rows(start: Beginning, pair: list[int], block: np.ndarray) -> np.ndarray:
    """Covariance of the pair with all parameters; a parameter on a bound has none."""
    rows = start.covariance[pair].copy()
    rows[:, pair] = block
    return rows


def surface(
    datasets: Dataset | Iterable[Dataset],
    fit: Fit | Models,
    path_x: str,
    path_y: str,
    *,
    points: int | tuple[int, int] = 21,
    sigma: float = 3.0,
    values: tuple[Any, Any] | None = None,
) -> Surface:
    """Profile of the statistic over two parameters, all points of the grid as lanes of one compiled program.

    The grid reaches `sigma` standard errors to each side, inside the bounds, or is spanned by `values` (with units).
    Raises as `contour` does, and `OutOfBounds` for values outside the bounds.

    >>> surface(datasets, fit, "crab.spectral.alpha", "crab.spectral.beta").delta.shape     # doctest: +SKIP
    """
    start = begin(datasets, fit)
    pair = _pair(start, path_x, path_y)
    sizes = (points, points) if isinstance(points, int) else points
    given = (None, None) if values is None else values
    x, y = (_axis(start, i, n, sigma, v) for i, n, v in zip(pair, sizes, given, strict=True))
    grid = np.stack([g.ravel() for g in np.meshgrid(x, y, indexing="ij")], axis=1)
    lanes = _starts(start, pair, grid)
    held = np.isin(np.arange(len(start.z)), pair)
    end = _minimise_all(start.problem, *jax.device_put((held, start.hessian, lanes)))
    rows = [start.row(i) for i in pair]
    return Surface(
        path_x=rows[0].path,
        path_y=rows[1].path,
        units=(rows[0].unit, rows[1].unit),
        x=x,
        y=y,
        stat=(start.fit.stat + (np.asarray(end.deviance, dtype=float) - start.fit.deviance)).reshape(len(x), len(y)),
        stat_best=start.fit.stat,
        converged=(np.asarray(end.status) == Status.CONVERGED).reshape(len(x), len(y)),
        best=(rows[0].value, rows[1].value),
    )


def _axis(start: Beginning, position: int, points: int, sigma: float, values: Any) -> np.ndarray:
    row = start.row(position)
    low, high = row.range
    if values is not None:
        axis = np.atleast_1d(to_value(values, row.unit, row.path))
        if not np.all((axis >= low) & (axis <= high)) or (row.scale == "log" and not np.all(axis > 0)):
            raise OutOfBounds(f"{row.path}: values must lie inside [{low:g}, {high:g}] {row.unit}".rstrip())
        return axis
    reach = sigma * start.width(position)
    lower, upper = max(low, row.value - reach), min(high, row.value + reach)
    if row.scale == "log" and not lower > 0:
        lower = row.value * np.exp(-reach / row.value)
    return np.linspace(lower, upper, points)


def _starts(start: Beginning, pair: list[int], grid: np.ndarray) -> np.ndarray:
    """Start vectors at the grid points: the pair in place, the others where the covariance expects them."""
    layout = start.problem.layout
    log, scale = np.asarray(layout.log)[pair], np.asarray(layout.scale)[pair]
    there = np.where(log, np.log(np.where(log, grid, 1.0)), grid / scale)
    block = start.covariance[np.ix_(pair, pair)]
    follow = np.linalg.pinv(block, rcond=1e-12) @ start.covariance[pair]
    lanes = start.z + (there - start.z[pair]) @ follow
    lanes = np.clip(lanes, np.asarray(layout.lower), np.asarray(layout.upper))
    lanes[:, pair] = there
    return lanes


@jax.jit
def _minimise_all(
    problem: Problem, held: Bool[Array, "free"], hessian: Matrix, lanes: Float[Array, "lane free"]
) -> Minimum:
    layout = problem.layout
    pinned = problem.with_layout(eqx.tree_at(lambda x: x.held, layout, held))
    run = partial(minimise, pinned, tolerance=_SURFACE_TOLERANCE, max_steps=MAX_STEPS, hessian=hessian)
    return along_lanes(problem, run, jnp.asarray(lanes))
