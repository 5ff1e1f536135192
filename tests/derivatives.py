"""First and second derivatives of a function against differences, in one compiled program."""

import jax
import jax.numpy as jnp
import numpy as np


def check_derivatives(function, at, *, rtol, atol, step=1e-4):
    """Jacobian and Hessian of `function`, which takes one vector, forward and backward, at each of the points `at`.

    Slopes are compared with central differences of values, the Hessian with those of slopes, both ways of each kind
    with one another.
    """
    points = jnp.atleast_2d(jnp.asarray(at, dtype=float))
    shifts = jnp.concatenate([jnp.zeros((1, points.shape[1])), *(s * step * jnp.eye(points.shape[1]) for s in (1, -1))])

    def expansion(x):
        forward = jax.jacfwd(function)
        here = function(x), forward(x), jax.jacrev(function)(x), jax.jacfwd(forward)(x)
        return *here, jax.jacrev(forward)(x)

    value, slope, back, bend, mixed = jax.jit(jax.vmap(jax.vmap(expansion)))(points[:, None] + shifts[None])
    n = points.shape[1]
    for found in (value, slope, back, bend, mixed):
        assert np.all(np.isfinite(found))

    def differences(of):
        return jnp.moveaxis((of[:, 1 : n + 1] - of[:, n + 1 :]) / (2 * step), 1, -1)

    np.testing.assert_allclose(slope[:, 0], differences(value), rtol=rtol, atol=atol)
    np.testing.assert_allclose(bend[:, 0], differences(slope), rtol=rtol, atol=atol)
    np.testing.assert_allclose(back, slope, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mixed, bend, rtol=1e-8, atol=1e-8)
