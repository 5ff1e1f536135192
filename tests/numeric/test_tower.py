"""Derivatives computed once for all directions: equal to those of plain functions, to third order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gammajax.numeric.tower import tower

SCALE = jnp.arange(1.0, 4.0)
AT = jnp.array([0.3, 0.5, 0.7])


def plain(x, y, scale):
    return y * scale * jnp.sin(x[0]) * x[1] ** 3 + y * jnp.exp(x[0] * x[1])


def inner(function):
    """A function of three numbers through two."""
    return lambda z: function((z[0] * z[1], z[1] + z[2]), z[0] + z[2], SCALE)


@pytest.mark.parametrize(
    "derivative",
    [
        jax.jacfwd,
        jax.jacrev,
        lambda f: jax.jacfwd(jax.jacfwd(f)),
        lambda f: jax.jacfwd(jax.jacrev(f)),
        lambda f: jax.jacfwd(jax.jacfwd(jax.jacfwd(f))),
    ],
    ids=["forward", "reverse", "second", "mixed", "third"],
)
def test_derivatives_are_those_of_the_plain_function(derivative):
    found, expected = (jax.jit(derivative(inner(f)))(AT) for f in (tower(plain), plain))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_jacobian_evaluates_the_function_once():
    """Not once per direction: its partial derivatives are formed together, for any number of tangents."""
    calls = []

    def counted(x, y, data):
        calls.append(1)
        return plain(x, y, data)

    jax.jacfwd(lambda z: tower(counted)((z.sum(), z[0]), 1.0, SCALE))(jnp.ones(50))
    assert len(calls) == 1, "value and slopes in one pass"


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
def test_data_may_move_too(derivative):
    def of_scale(function):
        return lambda s: function((AT[0] * s[0], AT[1]), AT[2], s)

    found, expected = (jax.jit(derivative(of_scale(f)))(SCALE) for f in (tower(plain), plain))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
