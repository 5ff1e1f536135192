"""Prior probability densities of single parameters, normalised as in Gammapy (statistic: -2 ln p).

A prior is written with numbers in the parameter's unit, `Quantity` or text, and converted when it is placed on a
parameter. Numbers are array leaves: changing them compiles nothing.
"""

import math
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from gammajax._typing import Array, Float, Int, Scalar
from gammajax.errors import PriorError
from gammajax.units import to_number


class Prior(eqx.Module):
    """A prior of one parameter: `log_prob(x)` and the quantile function `ppf(q)`."""

    def log_prob(self, x: Scalar) -> Scalar:
        """Natural logarithm of the density at the value `x` (same unit as the prior's numbers)."""
        raise NotImplementedError(f"{type(self).__name__} does not define log_prob(x)")

    def ppf(self, q: Scalar) -> Scalar:
        """Value below which the probability is `q`."""
        raise NotImplementedError(f"{type(self).__name__} does not define ppf(q)")

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

    def check(self, numbers: dict[str, Any], what: str) -> None:
        _positive(numbers, "sigma", what)


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

    def check(self, numbers: dict[str, Any], what: str) -> None:
        _positive(numbers, "lower", what)
        _increasing(numbers, what)


class PriorGroup(eqx.Module):
    """All priors of one family: their parameter slots, and the family with vectors for its numbers."""

    slots: Int[Array, "prior"]
    family: Prior

    def log_prob(self, values: Float[Array, "slot"]) -> Float[Array, "prior"]:
        """Log density of each prior at the slot values."""
        return eqx.filter_vmap(lambda prior, x: prior.log_prob(x))(self.family, values[self.slots])


def _positive(numbers: dict[str, Any], key: str, what: str) -> None:
    if not numbers[key] > 0:
        raise PriorError(f"{what}: {key} of its prior must be positive, got {numbers[key]:g}")


def _increasing(numbers: dict[str, Any], what: str) -> None:
    if not numbers["lower"] < numbers["upper"]:
        raise PriorError(
            f"{what}: the prior's lower limit {numbers['lower']:g} is not below its upper limit {numbers['upper']:g}"
        )
