"""The statistic of each kind of group as a function of what is predicted for it, with derivatives in closed form.

A prediction has two parts per bin: the signal s and, where a nuisance touches it, the factor f on the background.
First derivatives of all statistics have the form `slope * (ds + b df)` with b the expected background per unit of f:
to first order a change of the background is a change of the signal.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import xlogy

from gammajax._typing import Array, Float
from gammajax.datasets.cube_groups import CubeGroup, OnOffCubeGroup
from gammajax.datasets.groups import CashGroup, Group, PointsGroup, WStatGroup
from gammajax.likelihood import on_off_cube as on_off
from gammajax.likelihood import stats
from gammajax.likelihood.cube import cube_derivatives, cube_deviance, cube_least, cube_stat, draw_cube
from gammajax.likelihood.points import points_derivatives, points_stat, standard_error
from gammajax.predict.groups import Prediction

Bins = Float[Array, "dataset energy"]


def observed(group: Group) -> tuple[Bins, ...]:
    """What was measured in a group: `(counts,)`, `(counts, counts_off)`, or fluxes `(value,)`."""
    if isinstance(group, PointsGroup):
        return (group.value,)
    return (group.counts, group.counts_off) if isinstance(group, WStatGroup | OnOffCubeGroup) else (group.counts,)


def expected(group: Group, prediction: Prediction) -> tuple[Bins, ...]:
    """What is expected in a group: `(counts,)`, `(counts, counts_off)`, or fluxes `(value,)`.

    The background of on-off data is the one that the measured counts make most likely at this prediction.
    """
    if isinstance(group, PointsGroup):
        return (prediction.signal,)
    if isinstance(group, OnOffCubeGroup):
        return on_off.on_off_expected(group, *_on_off(group, prediction))
    if isinstance(group, CashGroup | CubeGroup):
        return (stats.floored(_total(group, prediction)),)
    alpha = _alpha(group, prediction)
    mu_on, mu_off, _ = stats.wstat_profile(group.counts, group.counts_off, alpha, prediction.signal)
    return jnp.where(alpha > 0, mu_on, stats.floored(prediction.signal)), jnp.where(alpha > 0, mu_off, 0.0)


def draw_group(group: Group, means: tuple[Bins, ...], key: Array, n: int) -> tuple[Bins, ...]:
    """`n` random measurements around what is expected: Poisson counts, or fluxes with normal errors."""
    keys = jax.random.split(key, len(means))
    if isinstance(group, CubeGroup):
        return tuple(draw_cube(group, mu, k, n) for mu, k in zip(means, keys, strict=True))
    if isinstance(group, PointsGroup):
        deviates = jax.random.normal(keys[0], (n, *means[0].shape), means[0].dtype)
        return (means[0][None] + deviates * standard_error(group, means[0])[None],)
    counts = (jax.random.poisson(k, mu, (n, *mu.shape)) for k, mu in zip(keys, means, strict=True))
    return tuple(x.astype(mu.dtype) for x, mu in zip(counts, means, strict=True))


def group_stat(group: Group, prediction: Prediction) -> Bins:
    """Statistic of each bin of a group; masked bins have 0."""
    if isinstance(group, PointsGroup):
        each = points_stat(group, prediction.signal)
    elif isinstance(group, CashGroup):
        each = stats.cash(group.counts, _total(group, prediction))
    elif isinstance(group, OnOffCubeGroup):
        each = on_off.on_off_stat(group, *_on_off(group, prediction))
    elif isinstance(group, CubeGroup):
        each = cube_stat(group, _total(group, prediction))
    else:
        each = stats.wstat(group.counts, group.counts_off, _alpha(group, prediction), prediction.signal)
    return jnp.where(group.mask, each, 0.0)


def group_deviance(group: Group, prediction: Prediction) -> Bins:
    """`group_stat` above the least value that each bin can have: what is left for single precision to resolve."""
    if isinstance(group, OnOffCubeGroup):
        return jnp.where(group.mask, on_off.on_off_deviance(group, *_on_off(group, prediction)), 0.0)
    if isinstance(group, CubeGroup):
        return jnp.where(group.mask, cube_deviance(group, _total(group, prediction)), 0.0)
    if not isinstance(group, CashGroup):
        return group_stat(group, prediction)
    return jnp.where(group.mask, stats.cash_deviance(group.counts, _total(group, prediction)), 0.0)


def least_stat(group: Group) -> np.ndarray:
    """Sum over bins of the least value that `group_stat` can have, per dataset; on the host in double precision."""
    if isinstance(group, OnOffCubeGroup):
        return on_off.on_off_least(group)
    if isinstance(group, CubeGroup):
        return cube_least(group)
    if not isinstance(group, CashGroup):
        return np.zeros(len(group.index))
    n = np.asarray(group.counts, dtype=float)
    return np.sum(np.where(np.asarray(group.mask), 2.0 * (n - xlogy(n, n)), 0.0), axis=1)


def group_derivatives(group: Group, prediction: Prediction) -> tuple[Bins, Bins, Bins]:
    """First, second, and expected second derivative of `group_stat` in the signal."""
    if isinstance(group, PointsGroup):
        each = points_derivatives(group, prediction.signal)
    elif isinstance(group, CashGroup):
        n, mu = group.counts, _total(group, prediction)
        each = stats.cash_slope(n, mu), stats.cash_curvature(n, mu), stats.cash_information(mu)
    elif isinstance(group, OnOffCubeGroup):
        each = on_off.on_off_derivatives(group, _alpha(group, prediction), prediction.signal)
    elif isinstance(group, CubeGroup):
        each = cube_derivatives(group, _total(group, prediction))
    else:
        x = group.counts, group.counts_off, _alpha(group, prediction), prediction.signal
        each = stats.wstat_slope(*x), stats.wstat_curvature(*x), stats.wstat_information(*x)
    slope, curvature, information = (jnp.where(group.mask, y, 0.0) for y in each)
    return slope, curvature, information


def group_background(group: Group, prediction: Prediction) -> Bins:
    """Expected background counts of each bin per unit of its factor; flux points have none."""
    if isinstance(group, PointsGroup):
        return jnp.zeros_like(prediction.signal)
    if isinstance(group, OnOffCubeGroup):
        return on_off.on_off_background(group, *_on_off(group, prediction))
    if isinstance(group, CashGroup | CubeGroup):
        return group.background
    alpha = _alpha(group, prediction)
    _, mu_off, _ = stats.wstat_profile(group.counts, group.counts_off, alpha, prediction.signal)
    return jnp.where(alpha > 0, group.alpha * mu_off, 0.0)


def background_curvature(group: Group, prediction: Prediction) -> tuple[Bins, Bins]:
    """Second derivatives of `group_stat`: in signal and background factor, and twice in the background factor."""
    if isinstance(group, PointsGroup):
        return jnp.zeros_like(prediction.signal), jnp.zeros_like(prediction.signal)
    if isinstance(group, OnOffCubeGroup):
        both = on_off.on_off_background_curvature(group, *_on_off(group, prediction))
        return jnp.where(group.mask, both[0], 0.0), jnp.where(group.mask, both[1], 0.0)
    if isinstance(group, CashGroup | CubeGroup):
        _, curvature, _ = group_derivatives(group, prediction)
        return curvature * group.background, curvature * jnp.square(group.background)
    x = group.counts, group.counts_off, _alpha(group, prediction), prediction.signal
    mixed, double = stats.wstat_alpha_curvature(*x)
    both = group.alpha * mixed, jnp.square(group.alpha) * double
    return jnp.where(group.mask, both[0], 0.0), jnp.where(group.mask, both[1], 0.0)


def _total(group: CashGroup | CubeGroup, prediction: Prediction) -> Bins:
    scale = 1.0 if prediction.scale is None else prediction.scale
    return prediction.signal + scale * group.background


def _alpha(group: WStatGroup | OnOffCubeGroup, prediction: Prediction) -> Bins:
    return group.alpha if prediction.scale is None else group.alpha * prediction.scale


def _on_off(group: OnOffCubeGroup, prediction: Prediction) -> tuple[Bins, Bins, Bins]:
    """alpha as the models have it, their factor on it, and the signal."""
    scale = jnp.ones_like(prediction.signal) if prediction.scale is None else prediction.scale
    return _alpha(group, prediction), scale, prediction.signal
