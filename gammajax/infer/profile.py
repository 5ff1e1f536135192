"""Likelihood profiles: the statistic along one parameter with all others fitted again, every point in one call."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from gammajax._typing import Array, Bool, Float, Vector
from gammajax.checks import above_zero, whole
from gammajax.datasets.groups import Dataset
from gammajax.errors import OutOfBounds
from gammajax.infer.begin import Beginning, begin
from gammajax.infer.fit import Fit
from gammajax.infer.lanes import along_lanes
from gammajax.infer.minimise import MAX_STEPS, Minimum, Status, minimise
from gammajax.infer.record import check_shape, read_record, write_record
from gammajax.io.hdf5 import hdf5_or_json
from gammajax.io.json import write_json
from gammajax.likelihood.problem import Problem
from gammajax.models.collection import Models
from gammajax.tables import as_text, make_table
from gammajax.units import to_value

PROFILE_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Profile:
    """Statistic along one parameter: `stat[i]` at `values[i]` [`unit`], minimised over the other free parameters.

    `stat_best` is the statistic of the fit it started from; `converged` tells which points did.
    """

    path: str
    unit: str
    values: np.ndarray
    stat: np.ndarray
    stat_best: float
    converged: np.ndarray
    best: float
    error: float

    @property
    def delta(self) -> np.ndarray:
        """Rise of the statistic above the fit; 1 marks one standard deviation of a single parameter."""
        return self.stat - self.stat_best

    @property
    def table(self) -> Table:
        """Columns value, stat, delta, converged."""
        columns = {"value": self.values, "stat": self.stat, "delta": self.delta, "converged": self.converged}
        return make_table(columns, ["value"], stat=".4f", delta=".4f")

    def to_dict(self) -> dict[str, Any]:
        """The profile as plain Python, ready for JSON."""
        return {**dataclasses.asdict(self), "delta": self.delta}

    def write(self, path: str | Path) -> Path:
        """Write the profile as HDF5 (.h5, .hdf5), or as JSON (.json)."""
        if hdf5_or_json(path) == "json":
            return write_json(self.to_dict(), path)
        return write_record(path, "profile", self)

    @classmethod
    def read(cls, path: str | Path) -> "Profile":
        """Read what `write` wrote as HDF5; raises `FileFormatError`, naming what is missing or malformed."""
        found = read_record(path, "profile", cls)
        for name in ("values", "stat", "converged"):
            check_shape(path, name, getattr(found, name), (len(found.values),))
        return found

    def __repr__(self) -> str:
        head = f"Profile of {self.path} [{self.unit or 1}], {int(self.converged.sum())} points converged"
        return f"{head}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def profile(
    datasets: Dataset | Iterable[Dataset],
    fit: Fit | Models,
    path: str,
    *,
    points: int = 41,
    sigma: float = 3.0,
    values: Any = None,
    tolerance: float = PROFILE_TOLERANCE,
) -> Profile:
    """Profile of the statistic along the parameter `path`, all points as lanes of one compiled program.

    `points` values reach `sigma` standard errors to each side of the best fit, or `values` are given (with unit); for a
    parameter without an error, as on a bound, the curvature of the statistic sets the steps. The bound stands for
    values beyond it; asked for by `values` they raise `OutOfBounds`.
    Given `Models` instead of a `Fit`, a fit is made first. Raises `NothingToFit` if the parameter is not free,
    `UnknownDataset` if the fit was made to other datasets.

    >>> profile(datasets, fit, "crab.spectral.alpha").delta                             # doctest: +SKIP
    """
    start = begin(datasets, fit)
    position = start.position(path)
    fit, models, row = start.fit, start.fit.models, start.row(position)
    path = row.path
    grid = _grid(start, position, points, sigma) if values is None else np.atleast_1d(to_value(values, row.unit, path))
    low, high = row.range
    if not np.all((grid >= low) & (grid <= high)):
        raise OutOfBounds(f"{path}: profile values must lie inside [{low:g}, {high:g}] {row.unit}")
    held = np.arange(len(models.free_paths)) == position
    arguments = jax.device_put((_direction(models, held), held, grid - row.value, start.hessian))
    end = _lanes(start.problem, *arguments, tolerance, MAX_STEPS)
    return Profile(
        path=path,
        unit=row.unit,
        values=grid,
        stat=fit.stat + (np.asarray(end.deviance, dtype=float) - fit.deviance),
        stat_best=fit.stat,
        converged=np.asarray(end.status) == Status.CONVERGED,
        best=row.value,
        error=row.error,
    )


def _direction(models: Models, held: np.ndarray) -> np.ndarray:
    """How the other parameters are expected to follow the held one, by the covariance; not at all without one."""
    if models.covariance is None:
        return held.astype(float)
    row = models.covariance.matrix[held][0]
    # A parameter on a bound has no variance, and the others stay where they are.
    return row / (row[held][0] or 1.0)


def _grid(start: Beginning, position: int, points: int, sigma: float) -> np.ndarray:
    """Values at even steps around the best one; in place of those beyond a bound, the bound."""
    points, sigma = whole(points, "points"), above_zero(sigma, "sigma")
    row = start.row(position)
    grid = np.unique(np.clip(row.value + np.linspace(-sigma, sigma, points) * start.width(position), *row.range))
    return grid[grid > 0] if row.scale == "log" else grid


@jax.jit
def _lanes(
    problem: Problem,
    direction: Vector,
    held: Bool[Array, "free"],
    shift: Float[Array, "point"],
    hessian: Float[Array, "free free"],
    tolerance: float,
    max_steps: int,
) -> Minimum:
    """Minimise at each shift of the held parameter; the others start where the covariance expects them."""
    layout = problem.layout
    natural = layout.natural(problem.start)
    pinned_problem = problem.with_layout(eqx.tree_at(lambda x: x.held, layout, held))

    def one(shift: Array) -> Minimum:
        expected = layout.to_z(natural + shift * direction)
        pinned = layout.to_z(natural + shift)
        # A logarithmic parameter that the covariance sends below zero starts from its best value instead.
        others = jnp.where(jnp.isfinite(expected), expected, problem.start)
        start = jnp.where(held, pinned, others)
        return minimise(pinned_problem, start, tolerance=tolerance, max_steps=max_steps, hessian=hessian)

    return along_lanes(problem, one, shift)
