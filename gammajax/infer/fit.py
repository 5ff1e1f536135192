"""`fit`: from datasets and models to best values, errors and a message that says what to do."""

import dataclasses
import platform
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from gammajax._typing import Scalar, Vector
from gammajax.checks import above_zero, whole
from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.datasets.groups import Dataset, Group
from gammajax.errors import ConfigError, NothingToFit, UnknownDataset
from gammajax.infer.covariance import Laplace, degenerate, laplace, unconstrained
from gammajax.infer.descend import descend
from gammajax.infer.expansion import Expansion, expand
from gammajax.infer.minimise import MAX_STEPS, TOLERANCE, Minimum, Status, minimise_and_expand
from gammajax.infer.record import check_shape, read_record, to_tree
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.hdf5 import hdf5_or_json, write_tree
from gammajax.io.json import write_json
from gammajax.likelihood.problem import Problem, as_models
from gammajax.likelihood.terms import least_stat
from gammajax.likelihood.vanishing import check_predicted
from gammajax.models.collection import Models
from gammajax.models.covariance import Covariance
from gammajax.params.tree import has_weights
from gammajax.predict.plan import outgrown, unsampled

Method = Literal["fisher", "lbfgs", "adam"]


@dataclasses.dataclass(frozen=True)
class Fit:
    """Result of a fit: the fitted models with errors and covariance, and how the fit went.

    `stat` is minus twice the log likelihood (and log prior) at the best fit; `deviance` is `stat` above the least value
    that the statistic of each bin can have; `n_bins` counts the bins used;
    `success` is True if the fit converged and, where it was asked for, the covariance exists and the data constrain
    every free parameter; `hessian` is the exact Hessian of `stat` in the free parameters (canonical units), or None;
    `nodes` are the quadrature nodes per true-energy bin; `timings` [s] has "compile", "run", "total".
    """

    models: Models
    stat: float
    deviance: float
    stat_per_dataset: dict[str, float]
    success: bool
    status: Status
    message: str
    steps: int
    n_bins: int
    hessian: np.ndarray | None
    nodes: int
    timings: dict[str, float]

    @property
    def covariance(self) -> Covariance:
        """Covariance of the free parameters; raises `NothingToFit` if the fit has none."""
        if self.models.covariance is None:
            raise NothingToFit(f"this fit has no covariance: {self.message}")
        return self.models.covariance

    @property
    def aic(self) -> float:
        """Akaike's information criterion, `stat + 2 k` with k free parameters; the lower, the better.

        Differences between models of the same bins have a meaning, values alone have none. Reference: H. Akaike,
        IEEE Trans. Autom. Control 19, 716 (1974).
        """
        return self.stat + 2.0 * len(self.models.free_paths)

    @property
    def bic(self) -> float:
        """Bayesian information criterion, `stat + k ln(n_bins)`. Reference: G. Schwarz, Ann. Stat. 6, 461 (1978)."""
        return self.stat + len(self.models.free_paths) * float(np.log(self.n_bins))

    @property
    def table(self) -> Table:
        """All parameters as a table."""
        return self.models.table

    def __repr__(self) -> str:
        return f"{self._headline}\n{self.models!r}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline}</p>{self.models._repr_html_()}"

    @property
    def _headline(self) -> str:
        used = f"{self.n_bins} bins, {len(self.models.free_paths)} free parameters, {self.steps} steps"
        return f"Fit: statistic {self.stat:.4f} ({used}). {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """The result as plain Python, ready for JSON."""
        covariance = self.models.covariance
        return {
            "success": self.success,
            "message": self.message,
            "stat": self.stat,
            "deviance": self.deviance,
            "stat_per_dataset": self.stat_per_dataset,
            "n_bins": self.n_bins,
            "steps": self.steps,
            "parameters": self.models.to_list(),
            "covariance": None
            if covariance is None
            else {"paths": list(covariance.paths), "matrix": covariance.matrix.tolist()},
            "timings": self.timings,
            "versions": versions(),
        }

    def write(self, path: str | Path) -> Path:
        """Write everything, models included, as HDF5 (.h5, .hdf5), or a summary for people as JSON (.json)."""
        if hdf5_or_json(path) == "json":
            return write_json(self.to_dict(), path)
        return write_tree(path, "fit", {**to_tree(self), "versions": versions()})

    @classmethod
    def read(cls, path: str | Path, *, like: Models | None = None) -> "Fit":
        """Read what `write` wrote as HDF5; `like` supplies the architecture of networks.

        Raises `FileFormatError`, naming what is missing or malformed.
        """
        found = read_record(path, "fit", cls, like=like)
        if found.hessian is not None:
            check_shape(path, "hessian", found.hessian, (len(found.models.free_paths),) * 2)
        return found


def versions() -> dict[str, str]:
    """Versions of what a result was computed with."""
    packages = ("gammajax", "jax", "jaxlib", "equinox", "numpyro", "astropy", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def fit(
    datasets: Dataset | Iterable[Dataset],
    models: Models | Fit,
    *,
    method: Method | None = None,
    tolerance: float | None = None,
    max_steps: int | None = None,
    learning_rate: float = 1e-2,
    covariance: bool = True,
    nodes: int = 4,
) -> Fit:
    """Fit all free parameters of `models` to `datasets` jointly.

    `method`: "fisher" (default; Levenberg-Marquardt with the Fisher matrix), "lbfgs" (default if a model holds network
    weights) or "adam". The fit ends when the statistic is predicted to fall by less than `tolerance`.
    `nodes`: Gauss-Legendre nodes per true-energy bin.
    Raises `NothingToFit` without datasets, usable bins or free parameters, `UnknownDataset` for wrong names.

    >>> result = fit(datasets, models)                                                  # doctest: +SKIP
    >>> result.models.error("crab.spectral.index")                                      # doctest: +SKIP
    """
    with Stopwatch() as watch:
        datasets, models = as_datasets(datasets), as_models(models)
        problem = make_problem(datasets, models, nodes=nodes)
        method = _method(method, problem, models)
        limits = _limits(tolerance, max_steps, *((TOLERANCE, MAX_STEPS) if method == "fisher" else (1e-5, 5000)))
        run = partial(_fit, datasets, method=method, covariance=covariance, rate=learning_rate, limits=limits)
        result = run(problem, models)
        # Samples per pixel are planned for the start: a source that has shrunk needs more of them.
        while _in_cubes(outgrown, problem, result.models):
            problem = make_problem(datasets, result.models, nodes=nodes)
            again = run(problem, result.models)
            result = dataclasses.replace(again, steps=again.steps + result.steps)
    timings = {"compile": watch.compile, "run": watch.run, "total": watch.total}
    return dataclasses.replace(_unless_unsampled(result, problem), nodes=nodes, timings=timings)


def _fit(
    datasets: Datasets,
    problem: Problem,
    models: Models,
    *,
    method: Method,
    covariance: bool,
    rate: float,
    limits: tuple[np.float64, np.int32],
) -> Fit:
    """One fit of a problem as it is planned."""
    if method == "fisher":
        weights, end = problem.weights, _fisher(problem, *limits)
    else:
        minimum, weights = descend(problem, method, np.float64(above_zero(rate, "learning_rate")), *limits)
        end = _end(problem.with_weights(weights), minimum)
    end = jax.block_until_ready(end)
    if weights:
        models = models.with_weights(problem.with_weights(weights).models)
    trained = bool(weights) and method != "fisher"
    return _result(datasets, models, problem.with_weights(weights), end, covariance, trained)


def _in_cubes(look: Callable[[CubeGroup, Models], list[str]], problem: Problem, models: Models) -> list[str]:
    """Names of the sources that `look` finds in any of the cubes."""
    return sorted({name for g in problem.groups if isinstance(g, CubeGroup) for name in look(g, models)})


def _unless_unsampled(result: Fit, problem: Problem) -> Fit:
    """The result; no success, and a message that says so, where a source has become too small for its samples."""
    names = _in_cubes(unsampled, problem, result.models)
    if not names:
        return result
    remark = (
        f" {', '.join(names)} became smaller than the samples of a pixel, so that its flux is not what is predicted: "
        "bound its size, or take PointSpatial or a round GaussianSpatial, which need no samples."
    )
    return dataclasses.replace(result, success=False, message=result.message + remark)


def at_rest(datasets: Dataset | Iterable[Dataset], models: Models, *, nodes: int = 4) -> Fit:
    """The `Fit` of models without a free parameter, or of none at all: the statistic where they stand.

    Raises as `fit` does where there are no datasets or bins, or a name is wrong.

    >>> at_rest(datasets, Models()).stat                                                # doctest: +SKIP
    """
    datasets = as_datasets(datasets)
    problem = make_problem(datasets, models, nodes=nodes)
    end = jax.block_until_ready(_fisher(problem, *_limits(None, None, TOLERANCE, MAX_STEPS)))
    found = _result(datasets, models, problem, end, covariance=False, trained=False)
    message = "No parameter is free: the statistic where the models stand." if found.success else found.message
    return dataclasses.replace(found, nodes=nodes, message=message)


def _method(method: Method | None, problem: Problem, models: Models) -> Method:
    networks = has_weights(problem.models)
    method = method or ("lbfgs" if networks else "fisher")
    if method not in ("fisher", "lbfgs", "adam"):
        raise ConfigError(f"method {method!r} is not one of 'fisher', 'lbfgs', 'adam'")
    if not len(models):
        raise NothingToFit("there are no models")
    if not models.free_paths and not (networks and method != "fisher"):
        raise NothingToFit("no parameter is free: free() at least one")
    return method


def _limits(tolerance: float | None, max_steps: int | None, default: float, steps: int) -> tuple[np.float64, np.int32]:
    """Tolerance and number of steps, strongly typed: a weak type would compile a second program."""
    tolerance = default if tolerance is None else above_zero(tolerance, "tolerance")
    max_steps = steps if max_steps is None else whole(max_steps, "max_steps")
    return np.float64(tolerance), np.int32(max_steps)


def make_problem(
    datasets: Dataset | Iterable[Dataset], models: Models, *, nodes: int = 4, dense: bool = False
) -> Problem:
    """A `Problem`, after checks that there is something to compare with; `dense` if counts are going to be replaced.

    Raises `NothingToFit` without datasets or usable bins, `UnknownDataset` for wrong names, `DatasetError` for counts
    that nothing predicts.
    """
    datasets = as_datasets(datasets)
    if not len(datasets):
        raise NothingToFit("there are no datasets")
    if not any(bool(np.any(np.asarray(d.mask))) for d in datasets):
        raise NothingToFit("no bin is left in any dataset: look at mask_safe and at the fit ranges (mask_fit)")
    unseen = [name for name, wanted in models.datasets_names.items() if wanted == ()]
    if unseen:
        raise UnknownDataset(f"{', '.join(unseen)} act on no dataset: datasets_names is empty")
    problem = Problem(datasets, models, nodes=whole(nodes, "nodes"), dense=dense)
    check_predicted(problem, datasets.names)
    return problem


class _End(NamedTuple):
    """What a fit brings back from the device."""

    minimum: Minimum
    laplace: Laplace
    natural: Vector
    slope: Vector


def _finish(problem: Problem, minimum: Minimum, at: Expansion) -> _End:
    """Covariance and values at a minimum."""
    layout, z = problem.layout, minimum.z
    error = laplace(problem, z, at)
    # Rounding must not carry a value on a bound beyond it.
    natural = jnp.clip(layout.natural(z), layout.natural(layout.lower), layout.natural(layout.upper))
    return _End(minimum, error, natural, layout.slope(z))


@jax.jit
def _end(problem: Problem, minimum: Minimum) -> _End:
    return _finish(problem, minimum, expand(problem, minimum.z))


@jax.jit
def _fisher(problem: Problem, tolerance: Scalar, max_steps: Scalar) -> _End:
    return _finish(problem, *minimise_and_expand(problem, problem.start, tolerance, max_steps))


_PLATEAU_DECREASE = 0.01
"""A first-order method has found the minimum if the Hessian predicts a further decrease below this."""


def _result(datasets: Datasets, models: Models, problem: Problem, end: _End, covariance: bool, trained: bool) -> Fit:
    """The result on the host; `trained` tells that network weights moved, for which there is no Hessian."""
    # Each operation on the device would be a program to compile.
    host: Any = jax.tree.map(np.asarray, end)
    minimum, error, slope, paths = host.minimum, host.laplace, host.slope, models.free_paths
    status = Status(int(minimum.status))
    matrix = error.covariance * np.outer(slope, slope)
    usable = bool(paths) and bool(np.all(np.isfinite(matrix)))
    if status is Status.PLATEAU and usable and not trained:
        decrease = 0.25 * minimum.gradient @ error.covariance @ minimum.gradient
        status = Status.CONVERGED if decrease < _PLATEAU_DECREASE else status
    found = Covariance(tuple(paths), matrix) if usable and covariance else None
    ended = status is Status.CONVERGED or (status is Status.PLATEAU and trained)
    values = dict(zip(paths, host.natural, strict=True))
    least = [least_stat(g) for g in problem.groups]
    coarse = _coarse(minimum.z, error, paths)
    vague = unconstrained(problem, minimum.z, error) if found is not None else np.zeros(len(paths), dtype=bool)
    sound = not coarse and not vague.any() and (found is not None or not covariance or not paths)
    return Fit(
        models=models.fitted(values, found),
        stat=float(minimum.deviance) + sum(float(x.sum()) for x in least),
        deviance=float(minimum.deviance),
        stat_per_dataset=_by_name(datasets, problem.groups, host, least),
        success=ended and sound,
        status=status,
        message=status.message + coarse + (_remarks(error, vague, paths) if covariance and paths else ""),
        steps=int(minimum.steps),
        n_bins=int(sum(np.sum(np.asarray(d.mask)) for d in datasets)),
        hessian=error.hessian / np.outer(slope, slope) if paths else None,
        nodes=0,
        timings={},
    )


def _by_name(datasets: Datasets, groups: tuple[Group, ...], end: _End, least: list[np.ndarray]) -> dict[str, float]:
    """Statistic of each dataset, in the order of the collection."""
    index = np.concatenate([g.index for g in groups])
    each = np.concatenate([x + y for x, y in zip(end.minimum.per_dataset, least, strict=True)])
    return {datasets.names[i]: float(each[k]) for k, i in sorted(enumerate(index), key=lambda pair: pair[1])}


_LEAST_ROUNDINGS = 20
"""A standard error of fewer roundings of its value is not resolved: a value would be off by 0.05 errors and more."""


def _coarse(z: np.ndarray, error: Laplace, paths: list[str]) -> str:
    """What to say of parameters that are known better than the precision that they are computed in."""
    width = np.sqrt(np.diag(error.covariance))
    rounding = np.finfo(z.dtype).eps * np.abs(z)
    names = [
        path
        for path, is_coarse in zip(paths, (width > 0) & (width < _LEAST_ROUNDINGS * rounding), strict=True)
        if is_coarse
    ]
    if not names:
        return ""
    return (
        f" {z.dtype} cannot resolve {', '.join(names)}, whose error is below {_LEAST_ROUNDINGS} roundings of the "
        "value: set JAX_ENABLE_X64=1 before gammajax is imported."
    )


def _remarks(error: Laplace, vague: np.ndarray, paths: list[str]) -> str:
    """What to say of parameters on a bound, and of those that the data do not constrain."""
    if not np.all(np.isfinite(error.covariance)):
        names = degenerate(np.asarray(error.hessian), np.asarray(error.fixed), paths)
        return (
            " No covariance: the Hessian is not positive definite there. The data do not constrain "
            f"{', '.join(names)}: freeze or bound them, or give them priors."
        )
    remarks = ""
    on_bound = [path for path, fixed in zip(paths, error.fixed, strict=True) if fixed]
    if on_bound:
        remarks += f" On a bound, without an error: {', '.join(on_bound)}."
    if vague.any():
        names = ", ".join(path for path, is_vague in zip(paths, vague, strict=True) if is_vague)
        remarks += f" The data do not constrain {names}: freeze or bound them, or give them priors."
    return remarks
