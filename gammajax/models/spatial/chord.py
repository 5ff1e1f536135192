"""Half the chord through a sphere, `sqrt(R^2 - s^2)` at the distance s from its centre, averaged over distances.

The average over a triangle is a second difference of the second antiderivative: it has two derivatives everywhere.
"""

import jax
import jax.numpy as jnp

from gammajax._typing import Scalar

_LEAST = 1e3
"""Roundings that the square of the averaged range must be, in units of the radius."""


def smeared_chord(s: Scalar, radius: Scalar, half: Scalar) -> Scalar:
    """Mean over a triangle that reaches `half` to both sides of s, all in one unit; zero without a radius."""
    there = radius > 0
    ball = jnp.where(there, radius, 1.0)
    eps = jnp.finfo(jnp.result_type(s)).eps
    step = jnp.maximum(half / ball, jnp.sqrt(_LEAST * eps))
    t = s / ball
    mean = (_twice(t + step) - 2.0 * _twice(t) + _twice(t - step)) / step**2
    return jnp.where(there, ball * mean, 0.0)


def thinnest(x: Scalar) -> float:
    """The thinnest shell, in units of its radius, of which the difference of two chords is known."""
    return max(1e-4, 30.0 * float(jnp.finfo(jnp.result_type(x)).eps) ** 0.5)


@jax.custom_jvp
def _root(t: Scalar) -> Scalar:
    """sqrt(1 - t^2), and 0 outside."""
    inside = jnp.abs(t) < 1.0
    return jnp.where(inside, jnp.sqrt(jnp.where(inside, 1.0 - t**2, 1.0)), 0.0)


@_root.defjvp
def _root_slope(primals, tangents):
    (t,), (dt,) = primals, tangents
    root = _root(t)
    return root, jnp.where(root > 0, -t / jnp.where(root > 0, root, 1.0), 0.0) * dt


@jax.custom_jvp
def _once(t: Scalar) -> Scalar:
    """Antiderivative of `_root`: half of `t sqrt(1 - t^2) + arcsin t`."""
    x = jnp.clip(t, -1.0, 1.0)
    return 0.5 * (x * _root(x) + jnp.arcsin(x))


@_once.defjvp
def _once_slope(primals, tangents):
    (t,), (dt,) = primals, tangents
    return _once(t), _root(t) * dt


@jax.custom_jvp
def _twice(t: Scalar) -> Scalar:
    """Antiderivative of `_once`, even in t."""
    x = jnp.clip(t, -1.0, 1.0)
    root = _root(x)
    return 0.5 * (x * jnp.arcsin(x) + root - root**3 / 3.0) + 0.25 * jnp.pi * (jnp.abs(t) - jnp.abs(x))


@_twice.defjvp
def _twice_slope(primals, tangents):
    (t,), (dt,) = primals, tangents
    return _twice(t), _once(t) * dt
