"""Closed forms that stay finite, with their derivatives, where the textbook form is 0/0."""

import math

import jax.numpy as jnp
import numpy as np

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


def bin_limits(nodes: Float[Array, "*bin node"]) -> tuple[Float[Array, "*bin"], Float[Array, "*bin"]]:
    """Edges of the bins whose Gauss-Legendre nodes in ln E these are."""
    reach = np.polynomial.legendre.leggauss(nodes.shape[-1])[0][-1]
    first, last = jnp.log(nodes[..., 0]), jnp.log(nodes[..., -1])
    middle, half = 0.5 * (first + last), 0.5 * (last - first) / reach
    return jnp.exp(middle - half), jnp.exp(middle + half)


def bare_weights(nodes: Float[Array, "*bin node"]) -> Float[Array, "*bin node"]:
    """The weights that belong to Gauss-Legendre nodes in ln E, without any factor in them."""
    low, high = bin_limits(nodes)
    shares = jnp.broadcast_to(0.5 * np.polynomial.legendre.leggauss(nodes.shape[-1])[1], nodes.shape)
    return jnp.log(high / low)[..., None] * shares * nodes
