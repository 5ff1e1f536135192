r"""Coverage: how often intervals and limits of refitted toys hold the truth, all toys and profile roots in few calls.

For each toy the counts are drawn at the truth and fitted; then three statements are made of each parameter:

- "hessian": `best +- sigma error` with the error of the exact Hessian;
- "profile": the interval where the profile has risen by less than `sigma^2` (MINOS);
- "limit": the one-sided upper limit of the profile.

Counts are whole numbers, so that the coverage at one truth jumps with it (R. D. Cousins, Am. J. Phys. 63, 398 (1995));
`spread` draws the truth of each toy from a range, which averages the jumps out.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table
from jax import lax
from scipy.stats import norm

from gammajax._typing import Array, Bool, Float, Scalar, Vector
from gammajax.checks import one_or_many, probability, whole
from gammajax.datasets.cube_groups import OnOffCubeGroup
from gammajax.datasets.groups import Dataset, WStatGroup
from gammajax.errors import ConfigError, NothingToFit, OutOfBounds
from gammajax.infer.covariance import laplace
from gammajax.infer.crossing import End, Ray, cross
from gammajax.infer.deviance import expected_at, masks
from gammajax.infer.fit import Fit, make_problem
from gammajax.infer.lanes import along_lanes, in_chunks, most_lanes
from gammajax.infer.minimise import MAX_STEPS, Status, minimise_and_expand
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.hdf5 import write_tree
from gammajax.likelihood.problem import Problem, as_models
from gammajax.likelihood.terms import draw_group
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key
from gammajax.tables import as_text, make_table
from gammajax.units import to_value

METHODS = ("hessian", "profile", "limit")
_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What was said of each parameter in each toy.

    Arrays are [toy, path]; `lower`, `upper`, `limit` [level, toy, path]. `error` is NaN where the fit has none (on a
    bound); ends that were not found are NaN.
    """

    paths: tuple[str, ...]
    levels: tuple[float, ...]
    truth: np.ndarray
    best: np.ndarray
    error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    limit: np.ndarray
    converged: np.ndarray
    counts: np.ndarray
    """On counts of each toy, in the bins used."""
    timings: dict[str, float]

    def covered(self, method: str) -> np.ndarray:
        """Whether the truth lies inside, [level, toy, path].

        An interval that was not found, or that of a fit that did not converge, does not hold it.
        """
        if method not in METHODS:
            raise ConfigError(f"method {method!r} is not one of {', '.join(METHODS)}")
        fitted = self.converged[:, None]
        if method == "hessian":
            sigma = norm.isf(0.5 * (1.0 - np.asarray(self.levels)))[:, None, None]
            return fitted & (np.abs(self.best - self.truth) <= sigma * self.error)
        if method == "limit":
            return fitted & (self.truth <= self.limit)
        return fitted & (self.lower <= self.truth) & (self.truth <= self.upper)

    def share(self, method: str) -> np.ndarray:
        """Share of all toys that hold the truth, [level, path]."""
        return self.covered(method).mean(axis=1)

    def binomial_error(self, level: float) -> float:
        """Standard error of a share whose expectation is `level`."""
        return float(np.sqrt(level * (1.0 - level) / max(len(self.converged), 1)))

    @property
    def table(self) -> Table:
        """Columns path, level, method, coverage, error (binomial, of the level), deviation (in errors)."""
        rows = [
            (path, level, method, float(self.share(method)[i, k]), self.binomial_error(level))
            for k, path in enumerate(self.paths)
            for i, level in enumerate(self.levels)
            for method in METHODS
        ]
        path, level, method, share, error = (list(x) for x in zip(*rows, strict=True))
        deviation = (np.array(share) - np.array(level)) / np.array(error)
        columns = {"path": path, "level": level, "method": method, "coverage": share, "error": error}
        return make_table({**columns, "deviation": deviation}, coverage=".4f", error=".4f", deviation="+.1f")

    @property
    def message(self) -> str:
        """How many fits converged, and how many intervals of these were not found: the others count as misses."""
        n, good = len(self.converged), int(self.converged.sum())
        missing = int(np.sum(~np.isfinite(self.lower + self.upper)[:, self.converged]))
        open_ends = f", {missing} profile intervals open or not found" if missing else ""
        misses = "; the others count as misses" if good < n else ""
        return f"{good} of {n} fits converged{misses}{open_ends}."

    def write(self, path: str | Path) -> Path:
        """Write all arrays as HDF5."""
        names = ("truth", "best", "error", "lower", "upper", "limit", "converged", "counts")
        header = {"paths": list(self.paths), "levels": np.array(self.levels), **self.timings}
        return write_tree(path, "coverage", {**header, **{name: getattr(self, name) for name in names}})

    def __repr__(self) -> str:
        return f"Coverage: {self.message}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return f"<p>{self.message}</p>{self.table._repr_html_()}"


def coverage(
    datasets: Dataset | Iterable[Dataset],
    models: Models | Fit,
    paths: str | Sequence[str] | None = None,
    *,
    key: Any,
    n: int = 2000,
    levels: float | Sequence[float] = (0.68, 0.95),
    spread: Mapping[str, tuple[Any, Any]] | None = None,
) -> Coverage:
    """Coverage of intervals and limits in `n` toys at the values of `models`, for the parameters that match `paths`.

    `spread`: ranges (with units) from which the true value of a free parameter is drawn evenly in each toy. Off counts
    are drawn around their most likely values for the counts of the datasets at the values of `models`.
    `key` is a `jax.random.key` or an integer.
    Raises `NothingToFit` if a parameter is not free, `ConfigError` for impossible levels, `OutOfBounds` for a range
    outside the bounds.

    >>> coverage(datasets, models, "*.amplitude", key=1).table                          # doctest: +SKIP
    """
    models, key = as_models(models), as_key(key)
    levels = tuple(probability(level, "each of levels") for level in one_or_many(levels))
    n = whole(n, "n")
    if not levels or min(levels) <= 0.5:
        raise ConfigError(f"levels must lie above 0.5, got {levels}")
    problem = make_problem(datasets, models, dense=True)
    chosen = _positions(models, paths)
    low, high = _ranges(models, spread or {})
    held = np.eye(len(models.free_paths), dtype=bool)[chosen]
    central, single = norm.isf(0.5 * (1.0 - np.asarray(levels))), norm.isf(1.0 - np.asarray(levels))
    sides = np.concatenate([-central, central, single])
    arguments = jax.device_put((low, high, held, sides))
    with Stopwatch() as watch:
        truth, best, error, ends, status, counts = in_chunks(
            partial(_toys, problem, *arguments, key), n, most_lanes(problem)
        )
    lower, upper, limit = np.moveaxis(ends.reshape(n, len(chosen), 3, len(levels)), (2, 3, 0, 1), (0, 1, 2, 3))
    return Coverage(
        paths=tuple(models.free_paths[i] for i in chosen),
        levels=levels,
        truth=truth[:, chosen],
        best=best[:, chosen],
        error=error[:, chosen],
        lower=lower,
        upper=upper,
        limit=limit,
        converged=status == Status.CONVERGED,
        counts=counts,
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
    )


def _positions(models: Models, paths: str | Sequence[str] | None) -> list[int]:
    free = models.free_paths
    patterns = list(free) if paths is None else [paths] if isinstance(paths, str) else list(paths)
    found = [path for pattern in patterns for path in models.match(pattern)]
    chosen = [path for path in dict.fromkeys(found) if path in free]
    if not chosen:
        raise NothingToFit(f"no parameter among {', '.join(found) or 'none'} is free: only free ones have intervals")
    return [free.index(path) for path in chosen]


def _ranges(models: Models, spread: Mapping[str, tuple[Any, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest true value of each free parameter."""
    free = models.free_paths
    low = np.array([models.rows[path].value for path in free])
    high = low.copy()
    for pattern, ends in spread.items():
        path = models.find(pattern)
        if path not in free:
            raise NothingToFit(f"{path} is frozen or linked: its true value cannot be spread")
        row = models.rows[path]
        a, b = (float(to_value(x, row.unit, path)) for x in ends)
        if not row.range[0] <= a <= b <= row.range[1]:
            raise OutOfBounds(f"{path}: the range [{a:g}, {b:g}] is not inside [{row.range[0]:g}, {row.range[1]:g}]")
        low[free.index(path)], high[free.index(path)] = a, b
    return low, high


@partial(jax.jit, static_argnames="lanes")
def _toys(
    problem: Problem,
    low: Vector,
    high: Vector,
    held: Bool[Array, "path free"],
    sides: Float[Array, "side"],
    key: Array,
    chunk: Scalar,
    lanes: int,
) -> tuple[Array, ...]:
    """Truths, best values, errors, ends [toy, path, side], statuses and on counts of one chunk of toys."""
    background = _backgrounds(problem)

    def one(key: Array) -> tuple[Array, ...]:
        pick, poisson = jax.random.split(key)
        truth = low + (high - low) * jax.random.uniform(pick, low.shape, low.dtype)
        start = problem.layout.to_z(truth)
        counts = _drawn(problem, background, start, poisson)
        toy = problem.with_counts(counts)
        best, error, ends, status = _statements(toy, start, held, sides)
        used = sum(jnp.sum(jnp.where(b, c[0], 0.0)) for b, c in zip(masks(problem), counts, strict=True))
        return truth, best, error, ends, status, jnp.asarray(used)

    return along_lanes(problem, one, jax.random.split(jax.random.fold_in(key, chunk), lanes))


def _statements(
    toy: Problem, start: Vector, held: Bool[Array, "path free"], sides: Float[Array, "side"]
) -> tuple[Array, Array, Array, Array]:
    """Fit one toy: best values, errors, and the ends of the profile on each side (negative: lower)."""
    layout = toy.layout
    fit, at = minimise_and_expand(toy, start, _TOLERANCE, MAX_STEPS)
    around = laplace(toy, fit.z, at)
    variance = jnp.diag(around.covariance)
    error = jnp.where(variance > 0, jnp.sqrt(variance), jnp.nan) * layout.slope(fit.z)
    covariance = jnp.where(jnp.isfinite(around.covariance), around.covariance, 0.0)

    def end(held: Array, side: Array) -> Array:
        variance = jnp.sum(jnp.where(held, jnp.diag(covariance), 0.0))
        bend = jnp.sum(jnp.where(held, 0.5 * jnp.diag(around.hessian), 0.0))
        # On a bound there is no variance: the curvature along the parameter alone sets the step.
        alone = jnp.where(bend > 0, 1.0 / jnp.sqrt(jnp.where(bend > 0, bend, 1.0)), 0.1)
        follow = covariance @ held / jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
        along = jnp.where(variance > 0, follow, jnp.where(held, alone, 0.0))
        level = jnp.where(fit.status == Status.CONVERGED, jnp.abs(side), jnp.nan)
        found = cross(toy, fit.z, fit.deviance, around.hessian, Ray(held, jnp.sign(side) * along, level))
        value = jnp.sum(jnp.where(held, layout.natural(found.z), 0.0))
        known = (found.end == End.FOUND) | (found.end == End.BOUND) | (found.end == End.ENDLESS)
        return jnp.where(known, value, jnp.nan)

    ends = jax.vmap(lambda h: jax.vmap(lambda s: end(h, s))(sides))(held)
    return layout.natural(fit.z), error, ends, fit.status


def _without_off(problem: Problem) -> Problem:
    """The problem with alpha = 0, where the expected on counts of on-off data are the signal alone."""
    groups = tuple(
        eqx.tree_at(lambda g: g.alpha, g, jnp.zeros_like(g.alpha)) if isinstance(g, WStatGroup | OnOffCubeGroup) else g
        for g in problem.groups
    )
    return problem._replace(groups=groups)


def _backgrounds(problem: Problem) -> tuple[Any, ...]:
    """Expected background and off counts of each on-off group at the start; nothing for others."""
    all_of, signal = expected_at(problem, problem.start), expected_at(_without_off(problem), problem.start)
    return tuple(
        (jnp.maximum(mean[0] - alone[0], 0.0), mean[1]) if len(mean) == 2 else ()
        for mean, alone in zip(all_of, signal, strict=True)
    )


def _drawn(problem: Problem, background: tuple[Any, ...], z: Vector, key: Array) -> tuple[tuple[Array, ...], ...]:
    """One draw of all measurements at `z`, the background staying what it is."""
    signal = expected_at(_without_off(problem), z)
    means = tuple((s[0] + b[0], b[1]) if b else s for s, b in zip(signal, background, strict=True))
    keys = jax.random.split(key, len(means))
    drawn = tuple(draw_group(g, mu, k, 1) for g, mu, k in zip(problem.groups, means, keys, strict=True))
    return lax.stop_gradient(jax.tree.map(lambda x: x[0], drawn))
