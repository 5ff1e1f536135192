"""Where profiles, limits and contours begin: a fit, its problem, and the Gaussian approximation around it in `z`."""

from collections.abc import Iterable
from dataclasses import dataclass

import jax
import numpy as np

from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.groups import Dataset
from gammajax.errors import NothingToFit, UnknownDataset
from gammajax.infer.crossing import Crossing, Ray, cross_all, padded
from gammajax.infer.fit import Fit, make_problem
from gammajax.infer.fit import fit as make_fit
from gammajax.infer.minimise import Status
from gammajax.likelihood.problem import Problem
from gammajax.models.collection import Models
from gammajax.params.table import Parameter

_LONGEST_LOG_STEP = 3.0


@dataclass(frozen=True)
class Beginning:
    """A best fit and what is known of the statistic around it, on the host and in `z`.

    `covariance` has zeros for parameters on a bound; it is all zeros where the fit has none.
    """

    datasets: Datasets
    fit: Fit
    problem: Problem
    z: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray
    curvature: np.ndarray
    """Half the Hessian of the statistic."""

    @property
    def hessian(self) -> np.ndarray:
        """Hessian of the statistic in `z`, (free, free)."""
        return 2.0 * self.curvature

    @property
    def remark(self) -> str:
        """What is wrong with the fit itself."""
        return "" if self.fit.status is Status.CONVERGED else f"The fit it starts from failed: {self.fit.message}"

    def position(self, pattern: str) -> int:
        """Position of a free parameter in `z`. Raises `NoSuchParameter`, `ModelError`, `NothingToFit` if not free."""
        models = self.fit.models
        path = models.find(pattern)
        if not models.rows[path].free:
            raise NothingToFit(f"{path} is frozen or linked: only free parameters have a profile")
        return models.free_paths.index(path)

    def row(self, position: int) -> Parameter:
        """The table row of a free parameter."""
        return self.fit.models.rows[self.fit.models.free_paths[position]]

    def step(self, position: int) -> np.ndarray:
        """Change of `z` for one standard deviation of one parameter, the others following as the covariance says.

        Without a variance (on a bound, no covariance) the step is that of the curvature along the parameter alone.
        """
        variance = self.covariance[position, position]
        log = bool(np.asarray(self.problem.layout.log)[position])
        if variance > 0:
            out = self.covariance[position] / np.sqrt(variance)
            # A logarithm that the data leave open would take the first step beyond all numbers.
            return out * min(1.0, _LONGEST_LOG_STEP / out[position]) if log else out
        bend = self.curvature[position, position]
        size = 1.0 / np.sqrt(bend) if np.isfinite(bend) and bend > 0 else 0.1 * max(1.0, abs(self.z[position]))
        size = min(size, _LONGEST_LOG_STEP) if log else size
        out = -self.covariance @ self.curvature[position] * size
        out[position] = size
        return out if np.all(np.isfinite(out)) else np.where(np.arange(len(out)) == position, size, 0.0)

    def width(self, position: int) -> float:
        """Standard error of one parameter in its unit; without one (on a bound) that of the curvature along it."""
        row = self.row(position)
        return row.error if row.error > 0 else float(self.step(position)[position] * self.slope[position])

    def cross(self, rays: Ray) -> tuple[Crossing, np.ndarray]:
        """Follow all rays in one call: where they end, and the natural values of all free parameters there.

        Raises `UnknownDataset` if the datasets do not give the statistic of the fit.
        """
        n = len(rays.level)
        found, natural, here = jax.tree.map(
            np.asarray, cross_all(self.problem, np.float64(self.fit.deviance), self.hessian, padded(rays))
        )
        if not abs(here - self.fit.deviance) <= 1e-6 * (1.0 + abs(self.fit.deviance)):
            raise UnknownDataset(
                f"the deviance of these datasets at the fitted values is {here:.6g}, that of the fit "
                f"{self.fit.deviance:.6g}: give the datasets that the fit was made to"
            )
        return Crossing(*(x[:n] for x in found)), natural[:n]


def begin(datasets: Dataset | Iterable[Dataset], fit: Fit | Models, *, dense: bool = False) -> Beginning:
    """The beginning for a fit; given `Models`, a fit is made first. `dense`: for counts that are going to change.

    Raises `NothingToFit` without free parameters, `UnknownDataset` if the fit was made to other datasets.
    """
    datasets = as_datasets(datasets)
    fit = fit if isinstance(fit, Fit) else make_fit(datasets, fit)
    if datasets.names != list(fit.stat_per_dataset):
        raise UnknownDataset(f"the fit was made to {', '.join(fit.stat_per_dataset)}, not {', '.join(datasets.names)}")
    if fit.hessian is None:
        raise NothingToFit("no parameter is free: free() at least one before the fit")
    problem = make_problem(datasets, fit.models, nodes=fit.nodes, dense=dense)
    log, scale, z = (np.asarray(x) for x in (problem.layout.log, problem.layout.scale, problem.start))
    slope = np.where(log, np.exp(np.where(log, z, 0.0)), scale)
    known = fit.models.covariance
    covariance = np.zeros_like(fit.hessian) if known is None else known.matrix / np.outer(slope, slope)
    return Beginning(datasets, fit, problem, z, slope, covariance, 0.5 * fit.hessian * np.outer(slope, slope))
