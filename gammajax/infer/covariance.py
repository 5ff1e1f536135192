"""From the Hessian of the statistic to the covariance of the parameters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool, Float, Vector
from gammajax.infer.expansion import Expansion, exact_hessian
from gammajax.infer.minimise import mask_out, pressed
from gammajax.likelihood.problem import Problem, deviance
from gammajax.numeric.posdef import solve

LEAST_PIVOT = 9e-12
"""Pivots of the scaled Hessian below this are rounding."""
_UNCONSTRAINED = 5.0
"""A parameter fitted in its logarithm is not constrained if its relative error is larger than this."""
_DOUBTFUL = 100.0
"""An error this many times the size of its parameter is put to the test."""
_ONE_ERROR_AWAY = (0.25, 4.0)
"""Rise of the statistic where the Hessian foretells one: in this range an error is right to a factor of two."""


class Laplace(NamedTuple):
    """Gaussian approximation of the likelihood around a minimum, in `z`."""

    covariance: Float[Array, "free free"]
    """Inverse of half the Hessian of the statistic; NaN where it is not positive definite."""
    hessian: Float[Array, "free free"]
    fixed: Bool[Array, "free"]
    """Parameters that do not take part: held, pressed against a bound, or on one without influence."""


def laplace(problem: Problem, z: Vector, at: Expansion) -> Laplace:
    """Covariance `C = (H / 2)^-1` with the exact Hessian H; rows and columns of fixed parameters are zero.

    `at` is the expansion of the statistic at `z`.
    The statistic is minus twice the log likelihood, hence the half.
    """
    layout, hessian = problem.layout, exact_hessian(problem, z, at)
    # On a bound without influence, as the last norm of a spectrum that ended before it.
    inert = ((z <= layout.lower) | (z >= layout.upper)) & ~(jnp.diag(hessian) > 0)
    fixed = layout.held | pressed(problem, z, at.gradient) | inert
    masked = mask_out(0.5 * hessian, fixed)
    diagonal = jnp.diag(masked)
    size = jnp.sqrt(jnp.where(diagonal > 0, diagonal, jnp.nan))
    inverse, pivots = solve(masked / size[:, None] / size[None, :], jnp.eye(len(size)))
    # A pivot is the share of a parameter's information that the parameters before it cannot mimic: below the least it
    # is rounding, which comes out positive or negative by chance.
    inverse = jnp.where(jnp.min(pivots, initial=1.0) > LEAST_PIVOT, 0.5 * (inverse + inverse.T), jnp.nan)
    covariance = inverse / size[:, None] / size[None, :]
    return Laplace(jnp.where(fixed[:, None] | fixed[None, :], 0.0, covariance), hessian, fixed)


def unconstrained(problem: Problem, z: np.ndarray, error: Laplace) -> np.ndarray:
    """Which parameters the data leave open although there is a covariance at the minimum `z`; shape (free,).

    A parameter fitted in its logarithm by its error alone. A linear one has no size of its own, so a large error is
    doubted and tried: the step of this parameter alone that raises the statistic by one, as the Hessian has it, must
    do so on one side at least.
    """
    width = np.sqrt(np.diag(error.covariance))
    log = np.asarray(problem.layout.log)
    doubtful = ~log & (width > _DOUBTFUL * np.maximum(1.0, np.abs(z)))
    vague = log & (width > _UNCONSTRAINED)
    if doubtful.any():
        # All parameters at once: another number of doubtful ones compiles nothing.
        alone = np.where(doubtful, 1.0 / np.sqrt(np.where(doubtful, 0.5 * np.diag(error.hessian), 1.0)), 0.0)
        rises = np.asarray(_rises(problem, *jax.device_put((z, np.stack([np.diag(alone), np.diag(-alone)])))))
        low, high = _ONE_ERROR_AWAY
        vague = vague | (doubtful & ~np.any((rises > low) & (rises < high), axis=0))
    return vague


@jax.jit
def _rises(problem: Problem, z: Vector, steps: Float[Array, "side free free"]) -> Float[Array, "side free"]:
    """Rise of the statistic after each step, cut off at the bounds."""

    def rise(step: Vector) -> Array:
        there = jnp.clip(z + step, problem.layout.lower, problem.layout.upper)
        return deviance(problem, there) - deviance(problem, z)

    return jax.vmap(jax.vmap(rise))(steps)


def propagated(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Standard errors `sqrt(J C J^T)` of quantities with the Jacobian `rows` [..., free]; shape (...).

    NaN where a quantity depends on a parameter without an error, as on a bound: its zero variance is not known, but
    unknown. On the host in float64: fluxes squared are too small for float32.

    >>> propagated(np.array([[2.0, 0.0], [1.0, 1.0]]), np.diag([4.0, 0.0]))
    array([ 4., nan])
    """
    rows = np.asarray(rows, dtype=float)
    variance = np.einsum("...p,pq,...q->...", rows, matrix, rows)
    bare = ~(np.diag(matrix) > 0)
    return np.where(np.any(rows[..., bare] != 0, axis=-1), np.nan, np.sqrt(np.maximum(variance, 0.0)))


def degenerate(hessian: np.ndarray, fixed: np.ndarray, paths: list[str]) -> list[str]:
    """Paths of the parameters that make up the least constrained direction of a Hessian."""
    diagonal = np.abs(np.diag(hessian))
    size = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = np.where(fixed[:, None] | fixed[None, :], np.diag(fixed.astype(float)), hessian / np.outer(size, size))
    if not np.all(np.isfinite(scaled)):
        return [path for path, row in zip(paths, scaled, strict=True) if not np.all(np.isfinite(row))]
    _, vectors = np.linalg.eigh(scaled)
    worst = np.abs(vectors[:, 0])
    return [path for path, part in zip(paths, worst, strict=True) if part > 0.3 * worst.max()]
