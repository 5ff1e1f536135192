"""Elimination against LAPACK."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gammajax.numeric.posdef import solve

both = jax.jit(jax.vmap(solve))


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_inverse_and_pivots(n):
    a = np.random.default_rng(n).normal(size=(5, n, n + 3))
    matrix = a @ a.transpose(0, 2, 1)
    inverse, pivots = both(matrix, np.broadcast_to(np.eye(n), matrix.shape))
    np.testing.assert_allclose(inverse @ matrix, np.broadcast_to(np.eye(n), matrix.shape), atol=1e-8)
    diagonal = np.diagonal(np.linalg.cholesky(matrix), axis1=1, axis2=2)
    np.testing.assert_allclose(np.sqrt(pivots), diagonal, rtol=1e-9)


def test_nearly_degenerate():
    """The information of two parameters differs by 1e-10: the solution has the digits that the condition leaves."""
    rho = 1.0 - 1e-10
    matrix = np.array([[[1.0, rho], [rho, 1.0]]])
    solution, pivots = both(matrix, np.array([[[1.0], [0.0]]]))
    np.testing.assert_allclose(pivots[0, 1], 1.0 - rho**2, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(solution), np.array([1.0, -rho]) / (1.0 - rho**2), rtol=1e-6)


def test_not_positive_definite():
    """The pivot that is none, and all that follows from it, are NaN."""
    solution, pivots = both(jnp.array([[[1.0, 2.0], [2.0, 1.0]]]), jnp.ones((1, 2, 1)))
    assert pivots[0, 0] == 1.0
    assert np.isnan(pivots[0, 1])
    assert np.all(np.isnan(np.asarray(solution)))
