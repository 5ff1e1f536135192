"""Closed forms that stay finite, with their derivatives, where the textbook form is 0/0."""

import math

import jax.numpy as jnp

from gammajax._typing import Array, Float

_SMALL = 0.3
_TERMS = 14


def relative_expm1(x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """`(e^x - 1) / x`, and 1 at x = 0: by its series near zero, where derivatives of the quotient lose their digits.

    >>> float(relative_expm1(jnp.array(0.0)))
    1.0
    """
    return _either(x, 1, lambda y: jnp.expm1(y) / y)


def relative_expm1_2(x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """`(e^x - 1 - x) / x^2`, and 1/2 at x = 0."""
    return _either(x, 2, lambda y: (jnp.expm1(y) - y) / y**2)


def _either(x, order, quotient):
    small = jnp.abs(x) < _SMALL
    near = jnp.where(small, x, 0.0)
    series = jnp.zeros_like(x)
    for n in reversed(range(_TERMS)):
        series = series * near + 1.0 / math.factorial(n + order)
    return jnp.where(small, series, quotient(jnp.where(small, 1.0, x)))


def power_integral(index, low, high):
    """`int_low^high E^-index dE`, finite and smooth through index = 1."""
    length = jnp.log(high / low)
    return jnp.exp((1.0 - index) * jnp.log(low)) * length * relative_expm1((1.0 - index) * length)
