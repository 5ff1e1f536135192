"""Deviance of counts from their expectation, bin by bin: what goodness of fit and predictive checks measure."""

import equinox as eqx
import jax
import jax.numpy as jnp

from gammajax._typing import Array, Bool, Float, Scalar, Vector
from gammajax.datasets.cube_groups import CubeGroup, OnOffCubeGroup
from gammajax.datasets.groups import Group, PointsGroup, WStatGroup
from gammajax.likelihood import stats
from gammajax.likelihood.cube import sums
from gammajax.likelihood.points import points_stat
from gammajax.likelihood.problem import Problem, observed
from gammajax.likelihood.toys import expected_counts

Bins = Float[Array, "dataset energy"]


def at(problem: Problem, z: Vector) -> Problem:
    """The problem with `z` as its start."""
    layout = problem.layout
    return problem.with_layout(eqx.tree_at(lambda x: x.start, layout, layout.values(z)))


def expected_at(problem: Problem, z: Vector) -> tuple[tuple[Bins, ...], ...]:
    """Expected counts of every group at `z`; off counts at their most likely values for the problem's counts."""
    return expected_counts(at(problem, z))


def residuals(problem: Problem, expected: tuple[tuple[Bins, ...], ...]) -> tuple[Bins, ...]:
    r"""Signed root of the deviance of each bin of each group, masked bins 0.

    Deviance is twice the log likelihood ratio to the model that meets every count,
    `2 (mu - n + n ln(n / mu))`, of the on counts and, where there are any, of the off counts; so it equals WStat, and
    Cash up to a term without parameters. Of cubes all bins count only in a problem that is dense.
    """
    out = []
    for group, mean in zip(problem.groups, expected, strict=True):
        counts = observed(group)
        if isinstance(group, PointsGroup):
            root = jnp.sign(counts[0] - mean[0]) * jnp.sqrt(points_stat(group, mean[0]))
            out.append(jnp.where(group.mask, root, 0.0))
            continue
        each = _deviance(counts[0], mean[0])
        if isinstance(group, WStatGroup | OnOffCubeGroup):
            each += jnp.where(group.alpha > 0, _deviance(counts[1], mean[1]), 0.0)
        root = jnp.sign(counts[0] - mean[0]) * jnp.sqrt(jnp.maximum(each, 0.0))
        out.append(jnp.where(_bins(group), root, 0.0))
    return tuple(out)


def _deviance(n: Bins, mu: Bins) -> Bins:
    return stats.cash(n, mu) - stats.cash(n, n)


def discrepancies(problem: Problem, z: Vector) -> tuple[Scalar, Scalar]:
    """Total deviance of the problem's counts at `z`, and the largest absolute residual of a bin."""
    each = residuals(problem, expected_at(problem, z))
    total = sum((jnp.sum(jnp.square(x)) for x in each), jnp.zeros(()))
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in each]))
    return total, largest


def masks(problem: Problem) -> tuple[Bool[Array, "dataset energy"], ...]:
    """Which bins of each group take part; of a cube not its sums."""
    return tuple(_bins(group) for group in problem.groups)


def _bins(group: Group) -> Bool[Array, "dataset energy"]:
    return group.mask & ~sums(group) if isinstance(group, CubeGroup) else group.mask


deviance_and_largest = jax.jit(discrepancies)
