"""Expansions of functions: equal to the functions near by, to the order that is asked for."""

import jax.numpy as jnp
import numpy as np
import pytest

from gammajax.numeric.taylor import coefficients, monomials


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_error_is_of_the_next_order(order):
    """Of a number and an array, element by element."""

    def function(x, y):
        return jnp.sin(x) * jnp.exp(y)

    x, y = jnp.array(0.3), jnp.array([0.1, -0.4, 0.8])
    known = coefficients(function, (x, y), order)
    errors = []
    for step in (0.02, 0.01):
        terms = monomials((jnp.array(step), jnp.array([step, -step, 0.5 * step])), order)
        found = jnp.sum(known * terms, axis=0)
        errors.append(np.max(np.abs(found - function(x + step, y + jnp.array([step, -step, 0.5 * step])))))
    assert errors[0] / errors[1] == pytest.approx(2.0 ** (order + 1), rel=0.1)
