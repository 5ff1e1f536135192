"""The statistic of cubes, bin by bin: `-2 n ln mu` of occupied bins, `2 mu` of the sums.

Derivatives are those of the Cash statistic less its linear part. For the expected second derivative the observed one
stands, `2 n / mu^2`, which is never negative: the bins without counts need not be looked at.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import xlogy

from gammajax._typing import Array, Bool, Float
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.likelihood import stats

Bins = Float[Array, "dataset bin"]


def sums(group: CubeGroup) -> Bool[Array, "1 bin"]:
    """True for the bins that are sums over an energy."""
    return group.is_sum[None]


def of_sums(group: CubeGroup, values: Bins) -> Float[Array, "dataset energy"]:
    """What belongs to the sums."""
    return values[:, group.place.shape[1] :]


def cube_stat(group: CubeGroup, mu: Bins) -> Bins:
    """Statistic of each bin at the expected counts."""
    return jnp.where(sums(group), 2.0 * mu, stats.cash(group.counts, mu) - 2.0 * mu)


def cube_deviance(group: CubeGroup, mu: Bins) -> Bins:
    """Statistic of each bin above its value at `mu = n`."""
    n = group.counts
    apart = 2.0 * (mu - n)
    return jnp.where(sums(group), apart, stats.cash_deviance(n, mu) - apart)


def cube_least(group: CubeGroup) -> np.ndarray:
    """Sum over bins of the values at `mu = n`, per dataset; on the host in double precision."""
    n = np.asarray(group.counts, dtype=float)
    each = np.where(np.asarray(group.is_sum), 2.0 * n, -2.0 * xlogy(n, n))
    return np.sum(np.where(np.asarray(group.mask), each, 0.0), axis=1)


def cube_derivatives(group: CubeGroup, mu: Bins) -> tuple[Bins, Bins, Bins]:
    """First, second, and expected second derivative of `cube_stat` in the expected counts."""
    slope, curvature = stats.cash_slope(group.counts, mu) - 2.0, stats.cash_curvature(group.counts, mu)
    curvature = jnp.where(sums(group), 0.0, curvature)
    return jnp.where(sums(group), 2.0, slope), curvature, curvature


def draw_cube(group: CubeGroup, mu: Bins, key: Array, n: int) -> Bins:
    """`n` Poisson draws of all bins of a dense group; the sums are those of the draws."""
    drawn = jax.random.poisson(key, jnp.where(sums(group) | ~group.mask, 0.0, mu), (n, *mu.shape)).astype(mu.dtype)
    return with_sums(group, drawn)


def with_sums(group: CubeGroup, counts: Float[Array, "toy dataset bin"]) -> Float[Array, "toy dataset bin"]:
    """The counts with the sums over each energy replaced by those of the occupied bins."""
    occupied = group.place.shape[1]

    def summed(one: Array, place: Array) -> Array:
        total = jnp.zeros(one.shape[-1] - occupied, one.dtype).at[place[:, 0]].add(one[:occupied])
        return jnp.concatenate([one[:occupied], total])

    return jax.vmap(jax.vmap(summed), in_axes=(0, None))(counts, group.place)
