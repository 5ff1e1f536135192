r"""WStat of on-off cubes: `wstat - 2 s` of occupied bins, `2 s + sum 2 n_off ln(1 + f alpha)` of the sums.

Without on counts the profiled background is `b = alpha n_off / (1 + alpha)`, and WStat `2 s + 2 n_off ln(1 + alpha)` as
long as the signal s is above -b. So bins without on counts enter through the sum of their signal and a sum over their
alpha, for which a few nodes stand (`datasets.cube_groups`). Sources below -b are beyond this form, as they are for
the Cash statistic of cubes. f is the factor that models put on alpha, one number per energy.

With W' the slope of WStat in the signal, a change of f by df changes it by `W' b df`, but the slope of an occupied bin
here is W' - 2: the background of a sum is that of all bins, occupied ones too, which makes up for it.
"""

import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float
from gammajax.datasets.cube_groups import OnOffCubeGroup
from gammajax.likelihood import stats
from gammajax.likelihood.cube import of_sums, sums, with_sums
from gammajax.numeric.safe import safe_divide

Bins = Float[Array, "dataset bin"]


def on_off_stat(group: OnOffCubeGroup, alpha: Bins, scale: Bins, signal: Bins) -> Bins:
    """Statistic of each bin; `alpha` with its factor `scale`."""
    each = stats.wstat(group.counts, group.counts_off, alpha, signal) - 2.0 * signal
    f = of_sums(group, scale)[..., None]
    empty = 2.0 * jnp.sum(group.empty_off * jnp.log1p(f * group.empty_alpha), axis=-1)
    return jnp.where(sums(group), 2.0 * signal + _as_bins(group, empty), each)


def on_off_deviance(group: OnOffCubeGroup, alpha: Bins, scale: Bins, signal: Bins) -> Bins:
    """Statistic of each bin without what the bins without on counts have at no signal and `scale` = 1."""
    each = stats.wstat(group.counts, group.counts_off, alpha, signal) - 2.0 * signal
    f = of_sums(group, scale)[..., None]
    change = jnp.log1p((f - 1.0) * group.empty_alpha / (1.0 + group.empty_alpha))
    empty = 2.0 * jnp.sum(group.empty_off * change, axis=-1)
    return jnp.where(sums(group), 2.0 * signal + _as_bins(group, empty), each)


def on_off_least(group: OnOffCubeGroup) -> np.ndarray:
    """What `on_off_deviance` leaves out, per dataset; on the host in double precision."""
    off, alpha = (np.asarray(x, dtype=float) for x in (group.empty_off, group.empty_alpha))
    return np.sum(2.0 * off * np.log1p(alpha), axis=(1, 2))


def on_off_derivatives(group: OnOffCubeGroup, alpha: Bins, signal: Bins) -> tuple[Bins, Bins, Bins]:
    r"""First, second, and expected second derivative of `on_off_stat` in the signal.

    For the expected one stands `2 n_on / mu_on / (mu_on + alpha^2 mu_off)`: its mean over on counts of mean mu_on is
    the information of all bins, and bins without on counts have none.
    """
    x = group.counts, group.counts_off, alpha, signal
    slope, curvature = stats.wstat_slope(*x) - 2.0, stats.wstat_curvature(*x)
    mu_on = jnp.where(alpha > 0, stats.wstat_profile(*x)[0], stats.floored(signal))
    alone = stats.cash_curvature(group.counts, signal)
    share = jnp.where(group.counts > 0, safe_divide(group.counts, mu_on), 0.0)
    information = jnp.where(alpha > 0, share * stats.wstat_information(*x), alone)
    slope = jnp.where(sums(group), 2.0, slope)
    curvature, information = (jnp.where(sums(group), 0.0, y) for y in (curvature, information))
    return slope, curvature, information


def on_off_background(group: OnOffCubeGroup, alpha: Bins, scale: Bins, signal: Bins) -> Bins:
    """Most likely background of each bin per unit of `scale`; of a sum that of all bins."""
    _, mu_off, _ = stats.wstat_profile(group.counts, group.counts_off, alpha, signal)
    each = jnp.where(group.mask & (alpha > 0), group.alpha * mu_off, 0.0)
    f = of_sums(group, scale)[..., None]
    empty = jnp.sum(group.empty_off * group.empty_alpha / (1.0 + f * group.empty_alpha), axis=-1)
    return with_sums(group, each[None])[0] + _as_bins(group, empty)


def on_off_background_curvature(group: OnOffCubeGroup, alpha: Bins, scale: Bins, signal: Bins) -> tuple[Bins, Bins]:
    """Second derivatives of `on_off_stat`: in signal and `scale`, and twice in `scale`."""
    mixed, double = stats.wstat_alpha_curvature(group.counts, group.counts_off, alpha, signal)
    f = of_sums(group, scale)[..., None]
    empty = -2.0 * jnp.sum(group.empty_off * jnp.square(group.empty_alpha / (1.0 + f * group.empty_alpha)), axis=-1)
    mixed = jnp.where(sums(group), 0.0, group.alpha * mixed)
    return mixed, jnp.where(sums(group), _as_bins(group, empty), jnp.square(group.alpha) * double)


def on_off_expected(group: OnOffCubeGroup, alpha: Bins, scale: Bins, signal: Bins) -> tuple[Bins, Bins]:
    """Expected on and off counts of each bin, with the most likely background; of a sum those of all bins."""
    mu_on, mu_off, _ = stats.wstat_profile(group.counts, group.counts_off, alpha, signal)
    total = signal + scale * on_off_background(group, alpha, scale, signal)
    on = jnp.where(alpha > 0, mu_on, stats.floored(jnp.where(sums(group), total, signal)))
    f = of_sums(group, scale)[..., None]
    empty = jnp.sum(group.empty_off / (1.0 + f * group.empty_alpha), axis=-1)
    off = with_sums(group, jnp.where(group.mask & (alpha > 0), mu_off, 0.0)[None])[0]
    return on, off + _as_bins(group, empty)


def _as_bins(group: OnOffCubeGroup, values: Float[Array, "dataset energy"]) -> Bins:
    """Values of the sums as those of all bins, the occupied ones zero."""
    return jnp.pad(values, ((0, 0), (group.place.shape[1], 0)))
