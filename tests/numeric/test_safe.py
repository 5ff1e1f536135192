import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gammajax.numeric.safe import safe_divide, safe_log


def test_values():
    x = jnp.array([1.0, 2.0, 0.0, -1.0])
    np.testing.assert_array_equal(safe_log(x), [0.0, np.log(2.0), 0.0, 0.0])
    np.testing.assert_array_equal(safe_divide(x, jnp.array([2.0, 0.0, 0.0, 4.0])), [0.5, 0.0, 0.0, -0.25])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_stay_finite_at_the_edge(order):
    log, divide = safe_log, lambda y: safe_divide(jnp.asarray(1.0), y)
    for _ in range(order):
        log, divide = jax.grad(log), jax.grad(divide)
    assert jnp.isfinite(log(0.0))
    assert jnp.isfinite(divide(0.0))
    assert log(2.0) == pytest.approx([None, 0.5, -0.25, 0.25][order])
