"""`fit`: from datasets and models to best values, errors and a message that says what to do."""

import dataclasses
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from astropy.table import Table

from gammajax._typing import Array, Scalar
from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.spectrum import Spectrum
from gammajax.errors import ConfigError, NothingToFit, UnknownDataset
from gammajax.infer.covariance import Laplace, degenerate, laplace
from gammajax.infer.descend import descend
from gammajax.infer.minimise import MAX_STEPS, TOLERANCE, Minimum, Status, minimise
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.json import write_json
from gammajax.likelihood.problem import Problem, stat_per_dataset
from gammajax.models.collection import Covariance, Models
from gammajax.params.tree import has_weights

Method = Literal["fisher", "lbfgs", "adam"]


@dataclasses.dataclass(frozen=True)
class Fit:
    """Result of a fit: the fitted models with errors and covariance, and how the fit went.

    `stat` is minus twice the log likelihood (and log prior) at the best fit; `n_bins` counts the bins used;
    `success` is True if the fit converged and, where it was asked for, the covariance exists; `hessian` is the exact
    Hessian of `stat` in the free parameters (canonical units), or None; `timings` [s] has "compile", "run", "total".
    """

    models: Models
    stat: float
    stat_per_dataset: dict[str, float]
    success: bool
    status: Status
    message: str
    steps: int
    n_bins: int
    hessian: np.ndarray | None
    timings: dict[str, float]

    @property
    def covariance(self) -> Covariance:
        """Covariance of the free parameters; raises `NothingToFit` if the fit has none."""
        if self.models.covariance is None:
            raise NothingToFit(f"this fit has no covariance: {self.message}")
        return self.models.covariance

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
        """Write the result as JSON."""
        return write_json(self.to_dict(), path)


def versions() -> dict[str, str]:
    """Versions of what a result was computed with."""
    packages = ("gammajax", "jax", "jaxlib", "equinox", "numpyro", "astropy", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def fit(
    datasets: Spectrum | Iterable[Spectrum],
    models: Models,
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
    datasets = as_datasets(datasets)
    problem = make_problem(datasets, models, nodes=nodes)
    networks = has_weights(problem.models)
    method = method or ("lbfgs" if networks else "fisher")
    if method not in ("fisher", "lbfgs", "adam"):
        raise ConfigError(f"method {method!r} is not one of 'fisher', 'lbfgs', 'adam'")
    if not models.free_paths and not (networks and method != "fisher"):
        raise NothingToFit("no parameter is free: free() at least one")
    with Stopwatch() as watch:
        if method == "fisher":
            weights = problem.weights
            limits = _or(tolerance, TOLERANCE), _or(max_steps, MAX_STEPS)
            minimum, error = _fisher(problem, *limits)
        else:
            minimum, weights = descend(
                problem,
                method=method,
                learning_rate=learning_rate,
                tolerance=_or(tolerance, 1e-5),
                max_steps=_or(max_steps, 5000),
            )
            problem = problem.with_weights(weights)
            error = _laplace(problem, minimum.z, minimum.gradient) if models.free_paths else None
        jax.block_until_ready((minimum, error))
    if networks:
        models = models.with_weights(problem.models)
    return _result(datasets, models, problem, minimum, error if covariance else None, watch)


def _or(x: float | None, default: float) -> float:
    return default if x is None else x


def make_problem(datasets: Spectrum | Iterable[Spectrum], models: Models, *, nodes: int = 4) -> Problem:
    """A `Problem`, after checks that there is something to fit."""
    datasets = as_datasets(datasets)
    if not len(datasets):
        raise NothingToFit("there are no datasets")
    if not len(models):
        raise NothingToFit("there are no models")
    if not any(bool(np.any(np.asarray(d.mask))) for d in datasets):
        raise NothingToFit("no bin is left in any dataset: look at mask_safe and at the fit ranges (mask_fit)")
    unseen = [name for name, wanted in models.datasets_names.items() if wanted == ()]
    if unseen:
        raise UnknownDataset(f"{', '.join(unseen)} act on no dataset: datasets_names is empty")
    return Problem(datasets, models, nodes=nodes)


@jax.jit
def _fisher(problem: Problem, tolerance: Scalar, max_steps: Scalar) -> tuple[Minimum, Laplace]:
    minimum = minimise(problem, problem.start, tolerance=tolerance, max_steps=max_steps)
    return minimum, laplace(problem, minimum.z, minimum.gradient)


_laplace = jax.jit(laplace)


@jax.jit
def _per_dataset(problem: Problem, z: Array) -> Array:
    return stat_per_dataset(problem, problem.layout.values(z))


def _result(
    datasets: Datasets,
    models: Models,
    problem: Problem,
    minimum: Minimum,
    error: Laplace | None,
    watch: Stopwatch,
) -> Fit:
    paths = models.free_paths
    status = Status(int(minimum.status))
    message = status.message
    found, hessian = None, None
    if error is not None:
        slope = np.asarray(problem.layout.slope(minimum.z))
        hessian = np.asarray(error.hessian) / np.outer(slope, slope)
        matrix = np.asarray(error.covariance) * np.outer(slope, slope)
        found = Covariance(tuple(paths), matrix) if np.all(np.isfinite(matrix)) else None
        message += _remarks(error, np.asarray(problem.layout.log), paths)
    values = dict(zip(paths, np.asarray(problem.layout.natural(minimum.z)), strict=True))
    return Fit(
        models=models.fitted(values, found),
        stat=float(minimum.stat),
        stat_per_dataset={d.name: float(x) for d, x in zip(datasets, _per_dataset(problem, minimum.z), strict=True)},
        success=status is Status.CONVERGED and (error is None or found is not None),
        status=status,
        message=message,
        steps=int(minimum.steps),
        n_bins=int(sum(np.sum(np.asarray(d.mask)) for d in datasets)),
        hessian=hessian,
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
    )


_UNCONSTRAINED = 5.0
"""A parameter fitted in its logarithm is not constrained if its relative error is larger than this."""


def _remarks(error: Laplace, log: np.ndarray, paths: list[str]) -> str:
    """What to say of parameters on a bound, and of those that the data do not constrain."""
    fixed, covariance = np.asarray(error.fixed), np.asarray(error.covariance)
    if not np.all(np.isfinite(covariance)):
        names = degenerate(np.asarray(error.hessian), fixed, paths)
        return (
            " No covariance: the Hessian is not positive definite there. The data do not constrain "
            f"{', '.join(names)}: freeze or bound them, or give them priors."
        )
    remarks = ""
    on_bound = [path for path, is_fixed in zip(paths, fixed, strict=True) if is_fixed]
    if on_bound:
        remarks += f" On a bound, without an error: {', '.join(on_bound)}."
    vague = log & (np.diag(covariance) > _UNCONSTRAINED**2)
    if vague.any():
        names = ", ".join(path for path, is_vague in zip(paths, vague, strict=True) if is_vague)
        remarks += f" The data do not constrain {names}: freeze or bound them, or give them priors."
    return remarks
