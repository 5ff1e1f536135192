"""Thousands of refits of simulated counts in one compiled call."""

import dataclasses
from collections.abc import Iterable

import jax
import numpy as np
from astropy.table import Table

from gammajax._typing import Array, Scalar
from gammajax.datasets.spectrum import Spectrum
from gammajax.errors import ConfigError, NothingToFit
from gammajax.infer.fit import make_problem
from gammajax.infer.minimise import MAX_STEPS, Minimum, Status, minimise
from gammajax.infer.stopwatch import Stopwatch
from gammajax.likelihood.problem import Bins, Problem
from gammajax.likelihood.toys import draw
from gammajax.models.collection import Models
from gammajax.tables import as_text, make_table

TOY_TOLERANCE = 1e-4
_CHUNK = 500


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
        columns = {"truth": truth, "mean": good.mean(axis=0), "std": good.std(axis=0, ddof=1)}
        return make_table({"path": self.paths, **columns}, columns)

    def __repr__(self) -> str:
        n, good = len(self.values), int(self.converged.sum())
        return f"Toys: {good} of {n} refits converged\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def refit_toys(
    datasets: Spectrum | Iterable[Spectrum],
    models: Models,
    *,
    key: Array,
    n: int = 500,
    tolerance: float = TOY_TOLERANCE,
    nodes: int = 4,
) -> Toys:
    """Draw `n` sets of Poisson counts from `models` and fit each, starting at the truth.

    Fits run as lanes of one program, in chunks of 500. `tolerance` bounds the predicted further decrease of the
    statistic; 1e-4 places each value within a hundredth of its standard error.
    """
    if n < 1:
        raise ConfigError(f"n must be at least 1, got {n}")
    if not models.free_paths:
        raise NothingToFit("no parameter is free: free() at least one")
    problem = make_problem(datasets, models, nodes=nodes)
    with Stopwatch() as watch:
        ends = []
        for i in range(-(-n // _CHUNK)):
            counts = _draw(problem, jax.random.fold_in(key, i), min(n, _CHUNK))
            ends.append(jax.tree.map(np.asarray, _fit_lanes(problem, counts, tolerance)))
    end: Minimum = jax.tree.map(lambda *x: np.concatenate(x)[:n], *ends)
    return Toys(
        truth=models,
        paths=tuple(models.free_paths),
        values=np.asarray(jax.vmap(problem.layout.natural)(end.z)),
        stat=np.asarray(end.stat),
        converged=np.asarray(end.status) == Status.CONVERGED,
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
    )


_draw = jax.jit(draw, static_argnums=2)


@jax.jit
def _fit_lanes(problem: Problem, counts: tuple[tuple[Bins, ...], ...], tolerance: Scalar) -> Minimum:
    """Fit each set of counts (leading axis) from the problem's start values."""

    def one(counts: tuple[tuple[Bins, ...], ...]) -> Minimum:
        return minimise(problem.with_counts(counts), problem.start, tolerance=tolerance, max_steps=MAX_STEPS)

    return jax.vmap(one)(counts)
