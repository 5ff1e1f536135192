r"""Between the box of bounds in `z` and an unbounded vector `y`, smoothly.

`z = y` without bounds, `lower + e^y`, `upper - e^-y`, or `lower + (upper - lower) / (1 + e^-y)`. Samplers and
first-order optimisers move in `y`; the logarithm of the Jacobian goes into the density.
"""

import jax
import jax.numpy as jnp

from gammajax._typing import Vector


def _sides(lower: Vector, upper: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    """Whether there is a lower and an upper bound, and both bounds with harmless numbers where there is none."""
    low, high = jnp.isfinite(lower), jnp.isfinite(upper)
    return low, high, jnp.where(low, lower, 0.0), jnp.where(high, upper, 1.0)


def to_box(y: Vector, lower: Vector, upper: Vector) -> Vector:
    """The vector `z` inside the bounds."""
    low, high, a, b = _sides(lower, upper)
    both = a + (b - a) * jax.nn.sigmoid(y)
    above, below = a + jnp.exp(jnp.where(low & ~high, y, 0.0)), b - jnp.exp(jnp.where(high & ~low, -y, 0.0))
    return jnp.where(low & high, both, jnp.where(low, above, jnp.where(high, below, y)))


def log_slope(y: Vector, lower: Vector, upper: Vector) -> Vector:
    """`ln dz/dy` of each component."""
    low, high, a, b = _sides(lower, upper)
    both = jnp.log(b - a) + jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y)
    return jnp.where(low & high, both, jnp.where(low, y, jnp.where(high, -y, 0.0)))


def from_box(z: Vector, lower: Vector, upper: Vector, margin: float | Vector = 1e-3) -> Vector:
    """The vector `y` of a `z` inside the bounds; a `z` nearer to a bound than `margin` is first moved inside.

    Between two bounds the margin is at most a quarter of their distance.
    """
    low, high, a, b = _sides(lower, upper)
    step = jnp.minimum(margin, jnp.where(low & high, 0.25 * (b - a), jnp.inf))
    inner = jnp.clip(z, jnp.where(low, a + step, -jnp.inf), jnp.where(high, b - step, jnp.inf))
    both_share = jnp.where(low & high, (inner - a) / (b - a), 0.5)
    above = jnp.log(jnp.where(low & ~high, inner - a, 1.0))
    below = -jnp.log(jnp.where(high & ~low, b - inner, 1.0))
    both = jnp.log(both_share) - jnp.log1p(-both_share)
    return jnp.where(low & high, both, jnp.where(low, above, jnp.where(high, below, z)))
