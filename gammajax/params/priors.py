"""Prior probability densities of single parameters, normalised as in Gammapy (statistic: -2 ln p).

A prior is written with numbers in the parameter's unit, `Quantity` or text, and converted when it is placed on a
parameter. Numbers are array leaves: changing them compiles nothing.
"""

import math
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammainc, gammaln
from jax.scipy.stats import norm

from gammajax._typing import Scalar
from gammajax.errors import NotDefined, PriorError
from gammajax.units import to_number


class Prior(eqx.Module):
    """A prior of one parameter: `log_prob(x)` and the quantile function `ppf(q)`."""

    def log_prob(self, x: Scalar) -> Scalar:
        """Natural logarithm of the density at the value `x` (same unit as the prior's numbers)."""
        raise NotDefined(f"{type(self).__name__} does not define log_prob(x)")

    def ppf(self, q: Scalar) -> Scalar:
        """Value below which the probability is `q`."""
        raise NotDefined(f"{type(self).__name__} does not define ppf(q)")

    def power_ppf(self, q: Scalar, weight: Scalar) -> Scalar:
        """Value below which the probability is `q` if the density is proportional to `p^weight`."""
        raise NotDefined(f"{type(self).__name__} does not define power_ppf(q, weight)")

    @property
    def support(self) -> tuple[float, float]:
        """Least and greatest value of density above zero: a fit or a sampler does not leave it."""
        return -math.inf, math.inf

    def in_unit(self, unit: str, what: str) -> Self:
        """The prior with its numbers as float arrays in `unit`; `what` names the parameter in messages."""
        numbers = {
            k: to_number(v, self.number_unit(k, unit), f"{what}: {k} of its prior") for k, v in vars(self).items()
        }
        bad = [k for k, v in numbers.items() if not np.isfinite(v)]
        if bad:
            raise PriorError(f"{what}: {', '.join(bad)} of the {type(self).__name__} prior must be finite")
        self.check(numbers, what)
        return type(self)(**{k: jnp.asarray(v, dtype=jnp.result_type(float)) for k, v in numbers.items()})

    def number_unit(self, key: str, unit: str) -> str:
        """Unit of one of the prior's numbers, for a parameter in `unit`."""
        return unit

    def check(self, numbers: dict[str, Any], what: str) -> None:
        """Raise `PriorError` if the numbers make no density."""

    def __str__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{float(v):g}' for v in vars(self).values())})"


class Normal(Prior):
    """Gaussian, `exp(-(x - mu)^2 / (2 sigma^2)) / (sigma sqrt(2 pi))`."""

    mu: Any
    sigma: Any

    def log_prob(self, x: Scalar) -> Scalar:
        return norm.logpdf(x, self.mu, self.sigma)

    def ppf(self, q: Scalar) -> Scalar:
        return norm.ppf(q, self.mu, self.sigma)

    def power_ppf(self, q: Scalar, weight: Scalar) -> Scalar:
        return norm.ppf(q, self.mu, self.sigma / jnp.sqrt(weight))

    def check(self, numbers: dict[str, Any], what: str) -> None:
        _positive(numbers, "sigma", what)


class GeneralizedGaussian(Prior):
    r"""Generalised Gaussian, `exp(-|z|^(1 / eta)) / (2 eta Gamma(eta) s)` with `z = (x - mu) / s`, `s = sqrt(2) sigma`.

    `eta = 1/2` is the Gaussian of width `sigma`, `eta = 1` the Laplace distribution, small `eta` a box of half width
    `s`. Numbers as in Gammapy's `GeneralizedGaussianPrior`.
    """

    mu: Any
    sigma: Any
    eta: Any = 0.5

    def log_prob(self, x: Scalar) -> Scalar:
        width = math.sqrt(2.0) * self.sigma
        power = 1.0 / self.eta
        # The peak is rounded at |z|^power = 1e-8, far below any use of it: for eta > 1/2 its curvature is infinite.
        round_off = jnp.exp(2.0 * math.log(_PEAK) / jnp.minimum(power, 1.0))
        tail = jnp.exp(0.5 * power * jnp.log(jnp.square((x - self.mu) / width) + round_off))
        peak = jnp.exp(0.5 * power * jnp.log(round_off))
        return peak - tail - jnp.log(2.0 * self.eta * width) - gammaln(self.eta)

    def ppf(self, q: Scalar) -> Scalar:
        side = 2.0 * jnp.asarray(q) - 1.0
        return self.mu + math.sqrt(2.0) * self.sigma * jnp.sign(side) * _gamma_ppf(self.eta, jnp.abs(side)) ** self.eta

    def number_unit(self, key: str, unit: str) -> str:
        return "" if key == "eta" else unit

    def check(self, numbers: dict[str, Any], what: str) -> None:
        _positive(numbers, "sigma", what)
        _positive(numbers, "eta", what)

    def power_ppf(self, q: Scalar, weight: Scalar) -> Scalar:
        return GeneralizedGaussian(self.mu, self.sigma * weight**-self.eta, self.eta).ppf(q)


_PEAK = 1e-8


def _gamma_ppf(a: Scalar, q: Scalar) -> Scalar:
    """Quantile function of the gamma distribution of shape `a`, by bisection in ln t: to rounding, not differentiable.

    The range ends where the incomplete gamma function is 0 and 1 to double precision.
    """
    low, high = (math.log(1e-300) + jnp.zeros_like(q * a), jnp.log(a + 50.0 * jnp.sqrt(a) + 800.0) + jnp.zeros_like(q))

    def halve(_: Any, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = 0.5 * (low + high)
        below = gammainc(a, jnp.exp(middle)) < q
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = lax.fori_loop(0, 64, halve, (low, high))
    return jnp.where(q > 0, jnp.where(q < 1, jnp.exp(0.5 * (low + high)), jnp.inf), 0.0)


class LogNormal(Prior):
    """Gaussian in `ln x` around `ln median`, of width `sigma` (relative, dimensionless)."""

    median: Any
    sigma: Any

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    def log_prob(self, x: Scalar) -> Scalar:
        inside = x > 0
        safe = jnp.where(inside, x, 1.0)
        return jnp.where(inside, norm.logpdf(jnp.log(safe), jnp.log(self.median), self.sigma) - jnp.log(safe), -jnp.inf)

    def ppf(self, q: Scalar) -> Scalar:
        return jnp.exp(norm.ppf(q, jnp.log(self.median), self.sigma))

    def power_ppf(self, q: Scalar, weight: Scalar) -> Scalar:
        centre = jnp.log(self.median) + (1.0 - weight) / weight * jnp.square(self.sigma)
        return jnp.exp(norm.ppf(q, centre, self.sigma / jnp.sqrt(weight)))

    def number_unit(self, key: str, unit: str) -> str:
        return unit if key == "median" else ""

    def check(self, numbers: dict[str, Any], what: str) -> None:
        _positive(numbers, "median", what)
        _positive(numbers, "sigma", what)


class Uniform(Prior):
    """Constant density between `lower` and `upper`, zero outside."""

    lower: Any
    upper: Any

    @property
    def support(self) -> tuple[float, float]:
        return float(self.lower), float(self.upper)

    def log_prob(self, x: Scalar) -> Scalar:
        inside = (x >= self.lower) & (x <= self.upper)
        return jnp.where(inside, -jnp.log(self.upper - self.lower), -jnp.inf)

    def ppf(self, q: Scalar) -> Scalar:
        return self.lower + q * (self.upper - self.lower)

    def power_ppf(self, q: Scalar, weight: Scalar) -> Scalar:
        return self.ppf(q)

    def check(self, numbers: dict[str, Any], what: str) -> None:
        _increasing(numbers, what)


class LogUniform(Prior):
    """Density `1 / (x ln(upper / lower))` between `lower` and `upper`, zero outside."""

    lower: Any
    upper: Any

    @property
    def support(self) -> tuple[float, float]:
        return float(self.lower), float(self.upper)

    def log_prob(self, x: Scalar) -> Scalar:
        inside = (x >= self.lower) & (x <= self.upper)
        safe = jnp.where(inside, x, self.lower)
        return jnp.where(inside, -jnp.log(safe) - jnp.log(jnp.log(self.upper / self.lower)), -jnp.inf)

    def ppf(self, q: Scalar) -> Scalar:
        return self.lower * (self.upper / self.lower) ** q

    def power_ppf(self, q: Scalar, weight: Scalar) -> Scalar:
        # The density goes as x^-weight; for a weight of 1 it is the log-uniform one itself.
        slope, width = 1.0 - weight, jnp.log(self.upper / self.lower)
        safe = jnp.where(slope == 0, 1.0, slope)
        return self.lower * jnp.exp(jnp.where(slope == 0, q * width, jnp.log1p(q * jnp.expm1(safe * width)) / safe))

    def check(self, numbers: dict[str, Any], what: str) -> None:
        _positive(numbers, "lower", what)
        _increasing(numbers, what)


class Tempered(Prior):
    """A prior that counts `weight` times, as by the `weight` of Gammapy's priors: `log_prob = weight ln p(x)`.

    The statistic gains `-2 weight ln p`, which is Gammapy's number. For a weight other than 1 that density is not
    normalised: fits, profiles and posteriors do not depend on the missing constant, an evidence does. `ppf` is that of
    the normalised density.

    >>> str(Tempered(Normal(2.0, 0.1), 0.5))
    'Normal(2, 0.1)^0.5'
    """

    prior: Prior
    weight: Any

    @property
    def support(self) -> tuple[float, float]:
        return self.prior.support

    def log_prob(self, x: Scalar) -> Scalar:
        return self.weight * self.prior.log_prob(x)

    def ppf(self, q: Scalar) -> Scalar:
        return self.prior.power_ppf(q, self.weight)

    def in_unit(self, unit: str, what: str) -> Self:
        if not isinstance(self.prior, Prior) or isinstance(self.prior, Tempered):
            raise PriorError(f"{what}: Tempered takes a prior such as Normal and a weight, got {self.prior!r}")
        weight = to_number(self.weight, "", f"{what}: weight of its prior")
        if not 0 < weight < math.inf:
            raise PriorError(f"{what}: weight of its prior must be above 0 and finite, got {weight:g}")
        return type(self)(self.prior.in_unit(unit, what), jnp.asarray(weight, dtype=jnp.result_type(float)))

    def __str__(self) -> str:
        return f"{self.prior}^{float(self.weight):g}"


def _positive(numbers: dict[str, Any], key: str, what: str) -> None:
    if not numbers[key] > 0:
        raise PriorError(f"{what}: {key} of its prior must be positive, got {numbers[key]:g}")


def _increasing(numbers: dict[str, Any], what: str) -> None:
    if not numbers["lower"] < numbers["upper"]:
        raise PriorError(
            f"{what}: the prior's lower limit {numbers['lower']:g} is not below its upper limit {numbers['upper']:g}"
        )
