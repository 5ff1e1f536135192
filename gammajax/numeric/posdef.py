"""Small positive definite matrices solved in plain array operations.

LAPACK's calls for a batch of matrices wait, inside of a thread of XLA's pool, for other threads of that pool: where two
of them meet on two cores (jaxlib 0.10.2), no thread is left, and the program stands still for ever.
"""

import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Float


def solve(matrix: Float[Array, "n n"], right: Float[Array, "n column"]) -> tuple[Array, Float[Array, "n"]]:
    """`matrix^-1 right` by Gauss-Jordan elimination, and the pivots; NaN where the matrix is not positive definite.

    A pivot is what is left of a diagonal element when the rows before it are eliminated: the square of the diagonal of
    the Cholesky factor. Positive definite matrices need no change of rows (N. J. Higham, Accuracy and Stability of
    Numerical Algorithms, 2nd ed., chapter 14.4). One loop is less to compile and to run than a factor and two
    substitutions.

    >>> solution, pivots = solve(jnp.array([[4.0, 2.0], [2.0, 5.0]]), jnp.array([[8.0], [12.0]]))
    >>> solution.tolist(), pivots.tolist()
    ([[1.0], [2.0]], [4.0, 4.0])
    """
    n = len(matrix)
    if n == 0:
        return right, jnp.diagonal(matrix)

    def eliminate(j: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        rows, pivots = state
        pivot = jnp.where(rows[j, j] > 0, rows[j, j], jnp.nan)
        row = rows[j] / pivot
        return (rows - rows[:, j][:, None] * row[None]).at[j].set(row), pivots.at[j].set(pivot)

    begin = jnp.concatenate([matrix, right], axis=1), jnp.ones_like(matrix[:, 0])
    rows, pivots = lax.fori_loop(0, n, eliminate, begin)
    return rows[:, n:], pivots
