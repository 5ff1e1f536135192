import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.interpolate import RegularGridInterpolator

from gammajax.numeric import interp


@pytest.fixture
def grid():
    rng = np.random.default_rng(1)
    axes = [np.sort(rng.uniform(0, 5, n)) for n in (4, 6, 3)]
    return axes, rng.normal(size=(4, 6, 3)), rng.uniform(-1, 6, size=(50, 3))


def test_multilinear_agrees_with_scipy_inside_and_extrapolated(grid):
    axes, values, x = grid
    expected = RegularGridInterpolator(axes, values, bounds_error=False, fill_value=None)(x)
    np.testing.assert_allclose(interp.multilinear(axes, jnp.asarray(values), list(x.T)), expected, rtol=1e-12)


def test_trailing_axes_are_rows(grid):
    axes, values, x = grid
    rows = interp.multilinear(axes[:2], jnp.asarray(values), [x[:, 0], x[:, 1]])
    assert rows.shape == (50, 3)
    one = interp.multilinear(axes[:2], jnp.asarray(values[..., 1]), [x[:, 0], x[:, 1]])
    np.testing.assert_allclose(rows[:, 1], one, rtol=1e-14)


def test_a_single_point_is_flat():
    found = interp.multilinear([jnp.array([3.0])], jnp.array([7.0]), [jnp.array([-1e9, 3.0, 1e9])])
    np.testing.assert_array_equal(found, 7.0)


def test_zero_beyond_the_outer_edges_and_at_nan_with_finite_gradient():
    points, edges = jnp.array([0.5, 1.5]), jnp.array([0.0, 1.0, 2.0])
    x = jnp.array([-0.1, 0.0, 2.0, 2.1, jnp.nan, jnp.inf])

    def at(x):
        return interp.regular_grid([points], [edges], jnp.array([1.0, 3.0]), [x])

    np.testing.assert_allclose(at(x), [0.0, 0.0, 4.0, 0.0, 0.0, 0.0], atol=1e-15)
    slope = jax.vmap(jax.grad(at))(x)
    np.testing.assert_allclose(slope, [0.0, 2.0, 2.0, 0.0, 0.0, 0.0], atol=1e-15)


def test_gradients_against_finite_differences(grid):
    axes, values, _ = grid
    x = [jnp.asarray(0.3 * a[0] + 0.7 * a[1]) for a in axes]
    check_grads(lambda v, *x: interp.multilinear(axes, v, x), (jnp.asarray(values), *x), order=2)


def test_floored_log_has_finite_slope_at_zero():
    assert jnp.isfinite(jax.grad(interp.floored_log)(0.0))
    assert interp.floored_log(jnp.array(2.0)) == jnp.log(2.0)


def test_nearest():
    points = jnp.array([0.0, 1.0, 10.0])
    np.testing.assert_array_equal(
        interp.nearest(points, jnp.array([-5.0, 0.4, 0.6, 5.0, 6.0, 99.0])), [0, 0, 1, 1, 2, 2]
    )


def test_interp_rows_is_numpy_interp_per_row():
    rng = np.random.default_rng(2)
    points, rows, x = np.sort(rng.uniform(size=9)), rng.normal(size=(4, 9)), rng.uniform(-0.5, 1.5, (4, 7))
    expected = [np.interp(x[i], points, rows[i]) for i in range(4)]
    np.testing.assert_allclose(interp.interp_rows(jnp.asarray(x), points, jnp.asarray(rows)), expected, rtol=1e-13)
