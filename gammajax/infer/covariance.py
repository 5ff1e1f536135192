"""From the Hessian of the statistic to the covariance of the parameters."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool, Float, Vector
from gammajax.infer.expansion import Expansion, exact_hessian
from gammajax.infer.minimise import mask_out, pressed
from gammajax.likelihood.problem import Problem
from gammajax.numeric.posdef import solve

LEAST_PIVOT = 9e-12
"""Pivots of the scaled Hessian below this are rounding."""


class Laplace(NamedTuple):
    """Gaussian approximation of the likelihood around a minimum, in `z`."""

    covariance: Float[Array, "free free"]
    """Inverse of half the Hessian of the statistic; NaN where it is not positive definite."""
    hessian: Float[Array, "free free"]
    fixed: Bool[Array, "free"]
    """Parameters that do not take part: held, or pressed against a bound."""


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
