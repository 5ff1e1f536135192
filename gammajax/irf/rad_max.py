"""The directional cut of point-like responses."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gammajax.io.irf import GridAxis, Response
from gammajax.irf.axis import Axis, coordinate
from gammajax.numeric.interp import floored_log, inside, nearest
from gammajax.tables import Shown, range_text


class RadMax(Shown, eqx.Module):
    """Radius [deg] within which events were kept when point-like responses were made, from GADF RAD_MAX_2D.

    It may depend on reconstructed energy and offset; ON and OFF regions must use exactly this radius per
    energy.
    """

    energy: Axis
    offset: Axis
    values: Float[Array, "energy offset"]

    def _about(self) -> dict[str, str]:
        return {
            "energy": self.energy.text("TeV"),
            "offset": self.offset.text("deg"),
            "radius": range_text(self.values, "deg"),
        }

    @classmethod
    def from_response(cls, response: Response) -> "RadMax":
        """From a RAD_MAX_2D table as read by `gammajax.io.irf.read_response`."""
        return cls(
            energy=Axis.from_grid(response.axes["energy"]),
            offset=Axis.from_grid(response.axes["offset"]),
            values=jnp.asarray(response.values["RAD_MAX"]),
        )

    @classmethod
    def fixed(cls, radius: float) -> "RadMax":
        """One radius [deg] at all energies and offsets: the RAD_MAX keyword of an AEFF header.

        >>> float(RadMax.fixed(0.1).evaluate("1 TeV", 0.5))
        0.1
        """
        return cls(
            energy=Axis.from_grid(GridAxis.from_points(np.ones(1), log=True)),
            offset=Axis.from_grid(GridAxis.from_points(np.zeros(1))),
            values=jnp.asarray(np.full((1, 1), radius)),
        )

    @property
    def is_fixed(self) -> bool:
        """True if one radius holds at all energies and offsets."""
        return self.values.size == 1

    def evaluate(self, energy: Any, offset: Any) -> Float[Array, "..."]:
        """Radius [deg] of the nearest bin at reconstructed energy [TeV] and offset [deg], broadcast together.

        Zero (no event passes) outside the range of the table.
        """
        return _rad_max(self, coordinate(energy, "TeV", "energy"), coordinate(offset, "deg", "offset"))


@jax.jit
def _rad_max(rad_max: RadMax, energy: Array, offset: Array) -> Array:
    energy, offset = jnp.broadcast_arrays(energy, offset)
    i = nearest(floored_log(rad_max.energy.points), floored_log(energy))
    j = nearest(rad_max.offset.points, offset)
    ok = inside(rad_max.energy.edges, energy) & inside(rad_max.offset.edges, offset)
    return jnp.where(ok, rad_max.values[i, j], 0.0)
