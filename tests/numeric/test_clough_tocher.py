"""Scattered values in the plane, against scipy's interpolant, which solves for the slopes by iteration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.interpolate import CloughTocher2DInterpolator

from gammajax.numeric.clough_tocher import elements_of, interpolate

mapped = jax.jit(jax.vmap(interpolate, in_axes=(None, None, 0, 0)))


@pytest.fixture(scope="module")
def scattered():
    rng = np.random.default_rng(3)
    points, values = rng.uniform(-2, 2, (12, 2)), rng.normal(size=12)
    return elements_of(points), points, values


def test_the_values_are_those_of_scipy(scattered):
    elements, points, values = scattered
    x, y = np.random.default_rng(4).uniform(-2, 2, (2, 300))
    expected = CloughTocher2DInterpolator(points, values, tol=1e-14, maxiter=100000)(x, y)
    inside = np.isfinite(expected)
    assert 100 < inside.sum() < 300
    found = mapped(elements, jnp.asarray(values), x, y)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-12)
    assert np.all(np.isfinite(found))


def test_nodes_keep_their_values_and_planes_stay_planes(scattered):
    elements, points, values = scattered
    np.testing.assert_allclose(mapped(elements, jnp.asarray(values), *points.T), values, atol=1e-12)
    plane = points @ np.array([0.3, -0.7]) + 2.0
    x, y = np.random.default_rng(5).uniform(-0.5, 0.5, (2, 20))
    np.testing.assert_allclose(mapped(elements, jnp.asarray(plane), x, y), 0.3 * x - 0.7 * y + 2.0, atol=1e-12)


def test_derivatives(scattered):
    elements, _, values = scattered
    function = jax.jit(lambda v, x, y: interpolate(elements, v, x, y))
    for x, y in ((0.1, 0.2), (-0.4, 0.7)):
        start = (jnp.asarray(values), jnp.asarray(x), jnp.asarray(y))
        check_grads(function, start, order=2, modes=["fwd"], rtol=1e-4, atol=1e-5, eps=1e-4)


def test_slopes_do_not_jump_across_edges(scattered):
    """Along a line through all triangles the slope is continuous."""
    elements, _, values = scattered
    line = jnp.linspace(-1.0, 1.0, 4001)
    slope = jax.vmap(jax.grad(lambda t: interpolate(elements, jnp.asarray(values), t, 0.3 * t + 0.1)))(line)
    assert np.max(np.abs(np.diff(slope))) < 0.05 * np.ptp(slope)


def test_outside_is_near_the_rim():
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    values = jnp.array([0.0, 1.0, 0.0, 1.0])
    found = mapped(elements_of(corners), values, np.array([2.0, -3.0, 1.0]), np.array([0.5, 0.5, 9.0]))
    assert np.all((found >= -1e-9) & (found <= 1 + 1e-9))
    np.testing.assert_allclose(found[:2], [1.0, 0.0], atol=1e-9)
