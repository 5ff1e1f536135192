"""Cholesky factors of small matrices in plain array operations.

LAPACK's calls for a batch of matrices wait, inside of a thread of XLA's pool, for other threads of that pool: where two
of them meet on two cores (jaxlib 0.10.2), no thread is left, and the program stands still for ever.
"""

import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Float


def cholesky(matrix: Float[Array, "n n"]) -> tuple[Float[Array, "n n"], Float[Array, "n n"]]:
    """The lower triangular L with `L L^T = matrix`, and its inverse; NaN where the matrix is not positive definite.

    >>> factor, inverse = cholesky(jnp.array([[4.0, 2.0], [2.0, 5.0]]))
    >>> factor.tolist(), inverse.tolist()
    ([[2.0, 0.0], [1.0, 2.0]], [[0.5, 0.0], [-0.25, 0.5]])
    """
    n = len(matrix)
    if n == 0:
        return matrix, matrix
    index, unit = jnp.arange(n), jnp.eye(n, dtype=matrix.dtype)

    def column(j: Array, factor: Array) -> Array:
        rest = matrix[:, j] - jnp.sum(factor * factor[j][None], axis=1)
        return factor.at[:, j].set(jnp.where(index >= j, rest / jnp.sqrt(rest[j]), 0.0))

    factor = lax.fori_loop(0, n, column, jnp.zeros_like(matrix))

    def row(i: Array, inverse: Array) -> Array:
        return inverse.at[i].set((unit[i] - jnp.sum(factor[i][:, None] * inverse, axis=0)) / factor[i, i])

    return factor, lax.fori_loop(0, n, row, jnp.zeros_like(matrix))
