r"""The density that samplers explore, in coordinates where it is close to a unit Gaussian.

The density is that of the natural parameters: likelihood times priors, flat where a parameter has none. Samplers move
in `u` with `y = centre + L u`, where `y` is the unbounded form of the fitted vector (`infer.box`) and `L L^T` a
covariance in `y`: that of the Laplace approximation at a fit, or of the draws of an earlier posterior. This `L` is the
mass matrix of NUTS, taken from the fit; what is left of it is learnt during warm-up.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float, Scalar, Vector
from gammajax.datasets.collection import Datasets
from gammajax.errors import ConfigError, NothingToFit
from gammajax.infer.box import from_box, log_slope, to_box
from gammajax.infer.covariance import LEAST_PIVOT, degenerate
from gammajax.infer.fit import Fit, make_problem
from gammajax.infer.minimise import Status
from gammajax.infer.posterior import Posterior
from gammajax.likelihood.problem import Problem, nll


class Target(NamedTuple):
    """The density to sample, as arrays: problem, centre and Cholesky factor of the preconditioner."""

    problem: Problem
    centre: Vector
    factor: Float[Array, "free free"]


def potential(target: Target, u: Vector) -> Scalar:
    """Minus the log density of the natural parameters, carried over to `u`, up to a constant."""
    problem, layout = target.problem, target.problem.layout
    y = target.centre + target.factor @ u
    z = to_box(y, problem.lower, problem.upper)
    jacobian = log_slope(y, problem.lower, problem.upper) + jnp.log(layout.slope(z))
    return nll(problem, z) - jnp.sum(jacobian)


def natural(target: Target, u: Vector) -> Vector:
    """Values of the free parameters, in their units, at `u`."""
    problem = target.problem
    return problem.layout.natural(to_box(target.centre + target.factor @ u, problem.lower, problem.upper))


def remark(start: Fit) -> str:
    """What is wrong with the fit that sampling starts from; a missing covariance alone is not."""
    return "" if start.status is Status.CONVERGED else f"The fit that it started from failed: {start.message}"


_LEAST_PRECISION = 1.0
"""Precision of a bounded parameter in `y` without data: that of a density flat between its bounds, to order one."""


def target_of_fit(datasets: Datasets, start: Fit) -> Target:
    """The problem at the fit, and a Cholesky factor of the inverse Hessian in the unbounded coordinates."""
    models = start.models
    if not models.free_paths:
        raise NothingToFit("no parameter is free: there is nothing to sample")
    problem = make_problem(datasets, models, nodes=start.nodes)
    if start.hessian is None:
        raise NothingToFit(f"the fit has no Hessian to start from: {start.message}")
    y, slope = jax.tree.map(np.asarray, _coordinates(problem, start.hessian))
    bounded = np.isfinite(problem.lower) | np.isfinite(problem.upper)
    precision = 0.5 * start.hessian * np.outer(slope, slope) + np.diag(np.where(bounded, _LEAST_PRECISION, 0.0))
    diagonal = np.diag(precision)
    size = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = precision / np.outer(size, size)
    if not np.all(np.isfinite(scaled)) or np.linalg.eigvalsh(scaled)[0] < LEAST_PIVOT:
        names = degenerate(precision, np.zeros(len(size), dtype=bool), models.free_paths)
        reason = f"neither data nor priors nor bounds constrain {', '.join(names)}"
        raise NothingToFit(f"{remark(start)} {reason}: freeze or bound them, or give them priors".strip())
    factor = np.linalg.inv(np.linalg.cholesky(scaled)).T / size[:, None]
    return Target(problem, *jax.device_put((y, factor)))


@jax.jit
def _coordinates(problem: Problem, hessian: Float[Array, "free free"]) -> tuple[Vector, Vector]:
    """The start in `y`, a standard deviation away from any bound, and the slope of the natural parameters there."""
    lower, upper = problem.lower, problem.upper
    curvature = 0.5 * jnp.diag(hessian) * jnp.square(problem.layout.slope(problem.start))
    width = jnp.where(curvature > 0, 1.0 / jnp.sqrt(jnp.where(curvature > 0, curvature, 1.0)), 1.0)
    y = from_box(problem.start, lower, upper, width)
    return y, problem.layout.slope(to_box(y, lower, upper)) * jnp.exp(log_slope(y, lower, upper))


def target_of_posterior(
    datasets: Datasets, start: Posterior, chains: int, nodes: int
) -> tuple[Target, Float[Array, "chain free"]]:
    """The problem, preconditioned by mean and covariance of earlier draws, and the last positions of its chains.

    Chains beyond those of the posterior start at earlier draws, evenly apart.
    Raises `ConfigError` if there are too few draws for a covariance.
    """
    problem = make_problem(datasets, start.models, nodes=nodes)
    draws, size = start.samples.shape[1], len(start.paths)
    rounds = -(-chains // len(start.samples))
    behind = np.linspace(draws - 1, 0, rounds, endpoint=False).astype(int)
    positions = np.swapaxes(start.samples[:, behind], 0, 1).reshape(-1, size)[:chains]
    y = np.asarray(_unbounded(problem, start.flat))
    if len(np.unique(y, axis=0)) < 10 * size:
        raise ConfigError(f"the posterior has {len(y)} draws of {size} parameters: too few to start from; take a fit")
    factor = np.linalg.cholesky(np.atleast_2d(np.cov(y.T)))
    centre = y.mean(axis=0)
    u = np.linalg.solve(factor, (np.asarray(_unbounded(problem, positions)) - centre).T).T
    centre, factor, u = jax.device_put((centre, factor, np.ascontiguousarray(u)))
    return Target(problem, centre, factor), u


@jax.jit
def _unbounded(problem: Problem, values: Float[Array, "draw free"]) -> Float[Array, "draw free"]:
    # A draw next to a bound may have been rounded onto it; in y that would be infinite.
    return jax.vmap(lambda x: from_box(problem.layout.to_z(x), problem.lower, problem.upper, 1e-12))(values)
