"""Closed forms that stay finite, with their derivatives, where the textbook form is 0/0."""

import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float

_SMALL = 0.3
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(7)


def relative_expm1(x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """`(e^x - 1) / x`, and 1 at x = 0; near zero, where derivatives of the quotient lose their digits, as an integral.

    >>> round(float(relative_expm1(jnp.array(0.0))), 12)
    1.0
    """
    return _either(x, 1, lambda y: jnp.expm1(y) / y)


def relative_expm1_2(x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """`(e^x - 1 - x) / x^2`, and 1/2 at x = 0."""
    return _either(x, 2, lambda y: (jnp.expm1(y) - y) / y**2)


def _either(x, order, quotient):
    """The quotient, or for small x what it is the value of: `int_0^1 (1 - t)^(order - 1) e^(x t) dt`."""
    small = jnp.abs(x) < _SMALL
    near = jnp.where(small, x, 0.0)
    t = 0.5 * (1.0 + _NODES)
    share = 0.5 * _WEIGHTS * (1.0 - t) ** (order - 1)
    integral = jnp.exp(near[..., None] * t) @ share
    return jnp.where(small, integral, quotient(jnp.where(small, 1.0, x)))


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
