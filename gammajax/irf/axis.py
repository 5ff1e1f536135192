"""The axis of a response on the device, and the door for coordinates."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gammajax.io.irf import GridAxis
from gammajax.tables import on_host, range_text, shape_text
from gammajax.units import to_value


class Axis(eqx.Module):
    """Where the values of a response stand along one axis, and the edges beyond which it is zero.

    Bins and nodes differ only in these arrays, so that both run through the same compiled program.
    """

    points: Float[Array, "node"]
    edges: Float[Array, "edge"]

    def __repr__(self) -> str:
        return f"Axis({self.text()})"

    def text(self, unit: str = "") -> str:
        """Number and range of the points for a person to read.

        >>> Axis.from_grid(GridAxis.from_edges(np.array([0.0, 1.0, 2.0]))).text("deg")
        '2 points in 0 .. 2 deg'
        """
        points, edges = on_host(self.points), on_host(self.edges)
        if points is None or edges is None or points.ndim != 1:
            return shape_text(self.points)
        if points.size == 1 and not np.isfinite(edges).all():
            return f"1 point, {range_text(points, unit)}, for all"
        return f"{points.size} point{'' if points.size == 1 else 's'} in {range_text(edges, unit)}"

    @classmethod
    def from_grid(cls, grid: GridAxis) -> "Axis":
        """From the axis that `gammajax.io.irf` reads."""
        return cls(jnp.asarray(grid.points), jnp.asarray(grid.edges))


def coordinate(x: Any, unit: str, what: str) -> Float[Array, "..."]:
    """`x` (JAX or numpy array, number, `Quantity`, text) as a float array in `unit`.

    Raises `UnitMismatch`, naming `what`.
    """
    return jnp.asarray(x if isinstance(x, jax.Array) else to_value(x, unit, what), float)
