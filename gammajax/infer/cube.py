"""The unit cube of prior probability, `x_i = ppf_i(q_i)`: there the prior is flat, and nested sampling moves.

Where bounds cut a prior off, the cube holds what is inside, so that the prior is renormalised there.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

from gammajax._typing import Array, Float, Scalar, Vector
from gammajax.errors import PriorError
from gammajax.likelihood.problem import Problem, stat
from gammajax.models.collection import Models
from gammajax.params.groups import AnyGroup, joints
from gammajax.params.joint import Share
from gammajax.params.table import Parameter


class Cube(NamedTuple):
    """The problem as a likelihood (without priors), the priors, and the quantiles that bounds cut them to."""

    problem: Problem
    priors: tuple[AnyGroup, ...]
    low: Vector
    high: Vector


def to_natural(cube: Cube, v: Vector) -> Vector:
    """Values of the free parameters, in their units, at a point of the unit cube."""
    layout = cube.problem.layout
    share = cube.low + jnp.clip(v, 0.0, 1.0) * (cube.high - cube.low)
    q = jnp.full(layout.start.shape, 0.5).at[layout.free].set(share)
    x = layout.start
    for group in cube.priors:
        x = x.at[group.slots].set(group.ppf(q[group.slots]))
    return x[layout.free]


def log_likelihood(cube: Cube, v: Vector) -> Scalar:
    """ln L at a point of the unit cube; minus infinity where it is not a number."""
    value = -0.5 * stat(cube.problem, cube.problem.layout.to_z(to_natural(cube, v)))
    return jnp.where(jnp.isnan(value), -jnp.inf, value)


def log_prior(v: Vector) -> Scalar:
    return jnp.where(jnp.all((v >= 0.0) & (v <= 1.0)), 0.0, -jnp.inf)


def make_cube(problem: Problem, models: Models) -> Cube:
    """The cube; raises `PriorError` if bounds leave a prior no probability."""
    rows = [models.rows[path] for path in models.free_paths]
    size = len(rows)
    low, high = np.zeros(size), np.ones(size)
    # Without the priors, the statistic is that of the data alone.
    bare = eqx.tree_at(lambda p: p.priors, problem, ())
    ends = [row.prior.support for row in rows if row.prior is not None]
    joint = np.array([isinstance(row.prior, Share) for row in rows])
    cut = np.array([[row.lower > a, row.upper < b] for row, (a, b) in zip(rows, ends, strict=True)])
    _check_joints(rows, models)
    cut &= ~joint[:, None]
    if cut.any():
        whole = Cube(bare, problem.priors, *jax.device_put((low, high)))
        bounds = np.array([(row.lower, row.upper) for row in rows])
        low, high = np.where(cut, np.asarray(_quantiles(whole, bounds.T)).T, [0.0, 1.0]).T
        for row, a, b in zip(rows, low, high, strict=True):
            if not b - a > 1e-12:
                raise PriorError(
                    f"{row.path}: its prior {row.prior} has no probability between its bounds {row.lower:g} and "
                    f"{row.upper:g} {row.unit}".rstrip()
                )
    return Cube(bare, problem.priors, *jax.device_put((low, high)))


_NEGLIGIBLE = 1e-6
"""Probability that bounds may take from a correlated prior without being noticed in ln Z."""


def _check_joints(rows: list[Parameter], models: Models) -> None:
    """Raise `PriorError` for a correlated prior of which a part is frozen or cut off by bounds."""
    for joint in joints(rows):
        frozen = [path for path in joint.paths if not models.rows[path].free]
        if frozen:
            raise PriorError(
                f"{', '.join(frozen)} is frozen, but shares a correlated prior with free parameters: free it too, or "
                "give the others priors of their own"
            )
        for path, mu, sigma in zip(joint.paths, joint.mu, joint.sigma, strict=True):
            row = models.rows[path]
            if norm.cdf((row.lower - mu) / sigma) + norm.sf((row.upper - mu) / sigma) > _NEGLIGIBLE:
                raise PriorError(
                    f"{path}: the bounds {row.lower:g} and {row.upper:g} cut its correlated prior, whose normalisation "
                    "is then not known: widen or remove them"
                )


@jax.jit
def _quantiles(cube: Cube, values: Float[Array, "side free"]) -> Float[Array, "side free"]:
    """Prior probability below values of the free parameters, by bisection."""

    def one(value: Vector) -> Vector:
        def halve(_: Any, ends: tuple[Vector, Vector]) -> tuple[Vector, Vector]:
            middle = 0.5 * (ends[0] + ends[1])
            below = to_natural(cube, middle) < value
            return jnp.where(below, middle, ends[0]), jnp.where(below, ends[1], middle)

        low, high = jax.lax.fori_loop(0, 60, halve, (jnp.zeros_like(value), jnp.ones_like(value)))
        return 0.5 * (low + high)

    return jax.vmap(one)(values)
