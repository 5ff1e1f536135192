"""Thousands of refits of simulated counts in one compiled call."""

import dataclasses
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from astropy.table import Table

from gammajax._typing import Array, Scalar
from gammajax.checks import whole
from gammajax.datasets.groups import Dataset
from gammajax.errors import NothingToFit
from gammajax.infer.fit import Fit, make_problem
from gammajax.infer.lanes import along_lanes, in_chunks, most_lanes
from gammajax.infer.minimise import MAX_STEPS, Minimum, Status, minimise
from gammajax.infer.record import check_paths, check_shape, read_record, write_record
from gammajax.infer.stopwatch import Stopwatch
from gammajax.likelihood.problem import Bins, Problem, as_models, stat
from gammajax.likelihood.toys import draw
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key
from gammajax.tables import as_text, make_table

TOY_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Toys:
    """Best fits to simulated counts: `values[toy, parameter]` in the order of `paths`, canonical units."""

    truth: Models
    paths: tuple[str, ...]
    values: np.ndarray
    stat: np.ndarray
    converged: np.ndarray
    timings: dict[str, float]

    @property
    def table(self) -> Table:
        """Truth, mean and width of the fitted values of each parameter, over the toys that converged."""
        good = self.values[self.converged]
        truth = [self.truth.value(path) for path in self.paths]
        columns = {"truth": truth, "mean": good.mean(axis=0), "std": good.std(axis=0)}
        return make_table({"path": self.paths, **columns}, columns)

    def __repr__(self) -> str:
        n, good = len(self.values), int(self.converged.sum())
        return f"Toys: {good} of {n} refits converged\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def write(self, path: str | Path) -> Path:
        """Write everything, the models of the truth included, as HDF5."""
        return write_record(path, "toys", self)

    @classmethod
    def read(cls, path: str | Path, *, like: Models | None = None) -> "Toys":
        """Read what `write` wrote; `like` supplies the architecture of networks.

        Raises `FileFormatError`, naming what is missing or malformed.
        """
        found = read_record(path, "toys", cls, like=like)
        n = len(found.values)
        for name, shape in (("values", (n, len(found.paths))), ("stat", (n,)), ("converged", (n,))):
            check_shape(path, name, getattr(found, name), shape)
        check_paths(path, found.paths, found.truth)
        return found


def refit_toys(
    datasets: Dataset | Iterable[Dataset],
    models: Models | Fit,
    *,
    key: Any,
    n: int = 500,
    tolerance: float = TOY_TOLERANCE,
    nodes: int = 4,
) -> Toys:
    """Draw `n` sets of Poisson counts from `models` and fit each, starting at the truth.

    Fits run as lanes of one program, at most 512 at a time, fewer where cubes need the memory. `key` is a
    `jax.random.key` or an integer. `tolerance` bounds the predicted further decrease of the statistic; 1e-4 places each
    value within a hundredth of its standard error.
    """
    models, key = as_models(models), as_key(key)
    n = whole(n, "n")
    if not models.free_paths:
        raise NothingToFit("no parameter is free: free() at least one")
    problem = make_problem(datasets, models, nodes=nodes, dense=True)
    with Stopwatch() as watch:
        run = partial(_draw_and_fit, problem, key, tolerance)
        values, total, status = in_chunks(run, n, most_lanes(problem))
    return Toys(
        truth=models,
        paths=tuple(models.free_paths),
        values=values,
        stat=total,
        converged=status == Status.CONVERGED,
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
    )


@partial(jax.jit, static_argnames="lanes")
def _draw_and_fit(
    problem: Problem, key: Array, tolerance: Scalar, chunk: Scalar, lanes: int
) -> tuple[Array, Array, Array]:
    """Draw `lanes` sets of counts and fit each from the problem's start values; values in natural units."""

    def one(counts: tuple[tuple[Bins, ...], ...]) -> tuple[Minimum, Array]:
        toy = problem.with_counts(counts)
        end = minimise(toy, problem.start, tolerance=tolerance, max_steps=MAX_STEPS)
        return end, stat(toy, end.z)

    end, each = along_lanes(problem, one, draw(problem, jax.random.fold_in(key, chunk), lanes))
    return jax.vmap(problem.layout.natural)(end.z), each, end.status
