r"""Cash and WStat: minus twice the log likelihood of binned counts, with derivatives in closed form.

Each statistic is a function of the predicted counts, bin by bin, and carries its derivatives as custom rules, so
that value, gradient and Hessian are finite at n_on = 0, n_off = 0, alpha = 0, mu = 0 and on both sides of WStat's
branch points. Counts are data: derivatives in them are not defined and count as zero.

References: W. Cash, ApJ 228, 939 (1979); K. A. Arnaud et al., XSPEC manual, appendix B ("wstat").
"""

import jax
import jax.numpy as jnp

from gammajax._typing import Array, Float
from gammajax.numeric.safe import safe_divide, safe_log

Bins = Float[Array, "*bins"]

FLOOR = 1e-25
"""Predicted counts below this count as this much (Gammapy's truncation value)."""

_TINY = 1e-12
"""Least expected counts for which a bin's Fisher information is computed."""


def floored(mu: Bins) -> Bins:
    """Predicted counts, at least `FLOOR`: the one place where negative predictions are cut off."""
    return jnp.maximum(mu, FLOOR)


# -- Cash ----------------------------------------------------------------------------------------------------------


@jax.custom_jvp
def cash(n: Bins, mu: Bins) -> Bins:
    r"""Cash statistic `2 (mu - n ln mu)` per bin.

    Below `FLOOR` predicted counts it goes on as a straight line; towards negative predictions it always rises, so
    that a fit is led back.
    """
    low = floored(mu)
    return 2.0 * (low - n * safe_log(low)) + cash_slope(n, mu) * jnp.minimum(mu - FLOOR, 0.0)


def cash_deviance(n: Bins, mu: Bins) -> Bins:
    """`cash` above its least value, `2 (n - n ln n)` at mu = n, without the cancellation of the difference."""
    low = floored(mu)
    return _deviance(n, low) + cash_slope(n, mu) * jnp.minimum(mu - FLOOR, 0.0)


@jax.custom_jvp
def cash_slope(n: Bins, mu: Bins) -> Bins:
    """First derivative of `cash` in mu, `2 (1 - n / mu)`."""
    slope = 2.0 * (1.0 - n / floored(mu))
    return jnp.where(mu >= 0, slope, jnp.minimum(slope, -2.0))


def cash_curvature(n: Bins, mu: Bins) -> Bins:
    """Second derivative of `cash` in mu, `2 n / mu^2`; zero on the straight line below the floor."""
    # Divided twice, because the square of the floor is zero in single precision.
    return jnp.where(mu >= FLOOR, 2.0 * n / floored(mu) / floored(mu), 0.0)


def cash_information(mu: Bins) -> Bins:
    """Expected second derivative of `cash`, `2 / mu` (Fisher information)."""
    return 2.0 / jnp.maximum(mu, _TINY)


cash.defjvp(lambda x, dx: (cash(*x), cash_slope(*x) * dx[1]))
cash_slope.defjvp(lambda x, dx: (cash_slope(*x), cash_curvature(*x) * dx[1]))


# -- WStat ---------------------------------------------------------------------------------------------------------


def wstat_profile(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> tuple[Bins, Bins, Bins]:
    r"""Expected counts `(mu_on, mu_off)` at the most likely background, and the discriminant D.

    Setting the derivative in the background to zero, `alpha n_on / mu_on + n_off / mu_off = 1 + alpha` with
    `mu_on = mu_sig + alpha mu_off`, gives a quadratic equation for either; D is the root of its discriminant. Of the
    equivalent forms, the one without cancellation is used in each case. Both are >= 0 even for a negative signal.
    """
    a = jnp.where(alpha > 0, alpha, 1.0)
    c = a * (n_on + n_off) - (1.0 + a) * mu_sig
    p = a * (n_on + n_off) + (1.0 + a) * mu_sig
    four = 4.0 * a * (1.0 + a)
    square = jnp.where(mu_sig >= 0, c * c + four * n_off * mu_sig, p * p - four * n_on * mu_sig)
    d = jnp.sqrt(square)
    mu_off = jnp.where(c >= 0, (c + d) / (2.0 * a * (1.0 + a)), safe_divide(2.0 * n_off * mu_sig, d - c))
    mu_on = jnp.where(p >= 0, (p + d) / (2.0 * (1.0 + a)), safe_divide(2.0 * a * n_on * mu_sig, p - d))
    return mu_on, mu_off, d


@jax.custom_jvp
def wstat(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> Bins:
    r"""WStat per bin: deviance of on and off counts with the background profiled.

    `W = 2 [mu_on - n_on - n_on ln(mu_on / n_on) + mu_off - n_off - n_off ln(mu_off / n_off)]`, with `mu_on`, `mu_off`
    from `wstat_profile` and `0 ln 0 = 0`. Where alpha = 0 there is no off measurement and the deviance of the on
    counts alone is left.
    """
    mu_on, mu_off, _ = wstat_profile(n_on, n_off, alpha, mu_sig)
    alone = cash(n_on, mu_sig) - 2.0 * (n_on - n_on * safe_log(n_on))
    return jnp.where(alpha > 0, _deviance(n_on, mu_on) + _deviance(n_off, mu_off), alone)


def _deviance(n: Bins, mu: Bins) -> Bins:
    """`2 (mu - n - n ln(mu / n))`, in a form that does not subtract large numbers."""
    x = safe_divide(mu - n, n)
    log = jnp.where(x > -0.5, jnp.log1p(jnp.maximum(x, -0.5)), safe_log(safe_divide(mu, n)))
    return jnp.where(n > 0, 2.0 * n * (x - log), 2.0 * mu)


@jax.custom_jvp
def wstat_slope(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> Bins:
    """First derivative of `wstat` in mu_sig, `2 (1 - n_on / mu_on)` (the background is at its optimum)."""
    mu_on, mu_off, _ = wstat_profile(n_on, n_off, alpha, mu_sig)
    a = jnp.where(alpha > 0, alpha, 1.0)
    # Without on counts and with a negative signal mu_on is held at 0: n_on / mu_on follows from the optimum condition.
    at_edge = jnp.where(mu_off > 0, (1.0 + a - safe_divide(n_off, mu_off)) / a, 0.0)
    ratio = jnp.where(n_on > 0, safe_divide(n_on, mu_on), jnp.where(mu_sig < 0, jnp.maximum(at_edge, 0.0), 0.0))
    return jnp.where(alpha > 0, 2.0 * (1.0 - ratio), cash_slope(n_on, mu_sig))


def wstat_curvature(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> Bins:
    """Second derivative of `wstat` in mu_sig, `2 n_on / mu_on^2 dmu_on/dmu_sig`; never negative."""
    mu_on, mu_off, d = wstat_profile(n_on, n_off, alpha, mu_sig)
    a = jnp.where(alpha > 0, alpha, 1.0)
    follow = jnp.where(d > 0, jnp.clip(safe_divide((1.0 + a) * mu_on - a * n_on, d), 0.0, 1.0), 1.0)
    inside = 2.0 * safe_divide(n_on, jnp.square(mu_on)) * follow
    # Without on counts the curvature is that of the off counts, mu_off = -mu_sig / alpha.
    at_edge = 2.0 * safe_divide(n_off, jnp.square(a * mu_off))
    return jnp.where(alpha > 0, jnp.where(_held(n_on, n_off, a, mu_sig), at_edge, inside), cash_curvature(n_on, mu_sig))


def wstat_information(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> Bins:
    """Expected second derivative of `wstat` in mu_sig, `2 / (mu_on + alpha^2 mu_off)` (Fisher information).

    A bin without off counts has not no background: half an off count is the least for which it stands. Else the many
    empty bins of a spectrum would hold a source at zero flux.
    """
    mu_on, mu_off, _ = wstat_profile(n_on, n_off, alpha, mu_sig)
    variance = jnp.where(alpha > 0, mu_on + jnp.square(alpha) * mu_off, mu_sig)
    return 2.0 / jnp.maximum(variance, jnp.maximum(0.5 * alpha * (1.0 + alpha), _TINY))


@jax.custom_jvp
def _wstat_alpha_slope(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> Bins:
    """First derivative of `wstat` in alpha, `wstat_slope * mu_off`; zero where alpha = 0."""
    x = n_on, n_off, alpha, mu_sig
    return jnp.where(alpha > 0, wstat_slope(*x) * wstat_profile(*x)[1], 0.0)


def _wstat_jvp(x, dx):
    return wstat(*x), wstat_slope(*x) * dx[3] + _wstat_alpha_slope(*x) * dx[2]


def _wstat_alpha_slope_jvp(x, dx):
    mixed, double = wstat_alpha_curvature(*x)
    return _wstat_alpha_slope(*x), mixed * dx[3] + double * dx[2]


def wstat_alpha_curvature(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> tuple[Bins, Bins]:
    """Second derivatives of `wstat`: in mu_sig and alpha, and twice in alpha; zero where alpha = 0."""
    mu_on, mu_off, d = wstat_profile(n_on, n_off, alpha, mu_sig)
    a = jnp.where(alpha > 0, alpha, 1.0)
    held = _held(n_on, n_off, a, mu_sig)
    # From the quadratic equation of mu_on, (1 + a) mu^2 - P mu + a n_on s = 0.
    by_alpha = -safe_divide(mu_on * mu_on - (mu_sig + n_on + n_off) * mu_on + n_on * mu_sig, d)
    inside = 2.0 * safe_divide(n_on, jnp.square(mu_on)) * by_alpha
    mixed = jnp.where(held, 2.0 / jnp.square(a), inside)
    # dW/dalpha = slope mu_off; how mu_off follows alpha comes from mu_on = mu_sig + alpha mu_off.
    off_by_alpha = jnp.where(held, -mu_off / a, jnp.where(mu_off > 0, (by_alpha - mu_off) / a, 0.0))
    double = mixed * mu_off + wstat_slope(n_on, n_off, alpha, mu_sig) * off_by_alpha
    return jnp.where(alpha > 0, mixed, 0.0), jnp.where(alpha > 0, double, 0.0)


def _wstat_slope_jvp(x, dx):
    mixed, _ = wstat_alpha_curvature(*x)
    return wstat_slope(*x), wstat_curvature(*x) * dx[3] + mixed * dx[2]


def _held(n_on: Bins, n_off: Bins, alpha: Bins, mu_sig: Bins) -> Bins:
    """Without on counts and with a negative enough signal, the expected on counts are held at zero."""
    return (n_on == 0) & (-(1.0 + alpha) * mu_sig > alpha * n_off)


wstat.defjvp(_wstat_jvp)
wstat_slope.defjvp(_wstat_slope_jvp)
_wstat_alpha_slope.defjvp(_wstat_alpha_slope_jvp)
