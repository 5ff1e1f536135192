"""Taylor expansions of functions of a few arguments, element by element."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import factorial, prod

import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float
from gammajax.numeric.tower import indices, partials


def coefficients(function: Callable[..., Array], x: Sequence[Array], order: int) -> Float[Array, "term *out"]:
    """Coefficients of all `monomials` up to an order, of the expansion of a function at x.

    An argument that is an array acts element by element: each element moves its own part of the result.

    >>> coefficients(lambda x, y: x**2 * y, (jnp.array(3.0), jnp.array(1.0)), 2).tolist()
    [9.0, 6.0, 9.0, 1.0, 6.0, 0.0]
    """
    repeats = np.array([prod(map(factorial, Counter(row).values())) for row in indices(len(x), order)])
    slopes = partials(function, x, order)
    return slopes / repeats.reshape(-1, *(1,) * (slopes.ndim - 1))


def monomials(steps: Sequence[Array], order: int) -> Float[Array, "term *shape"]:
    """All products of at most `order` of the steps: 1, x, y, x x, x y, y y, ...

    >>> monomials((jnp.array(2.0), jnp.array(3.0)), 2).tolist()
    [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]
    """
    steps = jnp.broadcast_arrays(*steps)
    one = jnp.ones_like(steps[0])
    return jnp.stack([prod((steps[i] for i in row), start=one) for row in indices(len(steps), order)])
