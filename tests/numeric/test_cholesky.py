"""Cholesky factors against LAPACK."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gammajax.numeric.cholesky import cholesky

both = jax.jit(jax.vmap(cholesky))


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_factor_and_inverse(n):
    a = np.random.default_rng(n).normal(size=(5, n, n + 3))
    matrix = a @ a.transpose(0, 2, 1)
    factor, inverse = both(matrix)
    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.asarray(inverse) @ factor, np.broadcast_to(np.eye(n), matrix.shape), atol=1e-8)


def test_not_positive_definite():
    """The pivot that is none, and all that follows from it, are NaN."""
    factor, inverse = both(jnp.array([[[1.0, 2.0], [2.0, 1.0]]]))
    assert np.isnan(factor[0, 1, 1])
    assert np.all(np.isnan(np.asarray(inverse)[0, 1]))
