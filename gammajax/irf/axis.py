"""The axis of a response on the device, and the door for coordinates."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gammajax.io.irf import GridAxis
from gammajax.units import to_value


class Axis(eqx.Module):
    """Where the values of a response stand along one axis, and the edges beyond which it is zero.

    Bins and nodes differ only in these arrays, so that both run through the same compiled program.
    """

    points: Float[Array, "node"]
    edges: Float[Array, "edge"]

    @classmethod
    def from_grid(cls, grid: GridAxis) -> "Axis":
        """From the axis that `gammajax.io.irf` reads."""
        return cls(jnp.asarray(grid.points), jnp.asarray(grid.edges))


def coordinate(x: Any, unit: str, what: str) -> Float[Array, "..."]:
    """`x` (JAX or numpy array, number, `Quantity`, text) as a float array in `unit`.

    Raises `UnitMismatch`, naming `what`.
    """
    return jnp.asarray(x if isinstance(x, jax.Array) else to_value(x, unit, what), float)
