"""From directions on the sky to pixels of a map and back, as pure functions with derivatives in the direction.

Pixels are reached by a rotation into the native sphere of the map, one of the closed forms of `numeric.projection`, and
a linear map of the plane.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float, Scalar
from gammajax.numeric.projection import PERIODIC, PROJECTIONS
from gammajax.numeric.sphere import unit_vector

TO_ICRS: dict[str, np.ndarray] = {
    "icrs": np.eye(3),
    # The Galactic axes in ICRS as astropy has them (IAU 1958 in FK5 J2000, 20 mas from Hipparcos' matrix).
    "galactic": np.array(
        [
            [-0.0548756577125917, -0.8734370519556163, -0.4838350736167155],
            [0.4941094371927275, -0.4448297212232952, 0.7469821839866676],
            [-0.8676661375596587, -0.1980763372730008, 0.4559838136873016],
        ]
    ).T,
}
"""Rotation from each frame to ICRS."""


class Projection(eqx.Module):
    """(lon, lat) [deg] of a frame -> pixel coordinates (x, y) of a map; the centre of the first pixel is (0, 0).

    Around the seam of a cylindrical projection the side is taken that is nearer to the middle of the map. Directions
    that the projection does not show are far outside.
    """

    rotation: Float[Array | np.ndarray, "3 3"]
    """ICRS to native."""
    affine: Float[Array | np.ndarray, "2 3"]
    """Plane [deg] to pixels: a matrix, and the pixel of the reference."""
    seam: Float[Array | np.ndarray, "2"]
    """Pixels around the circle along x, zero where there is no seam, and x in the middle of the map."""
    kind: str = eqx.field(static=True)

    def pixel(self, lon: Scalar, lat: Scalar, frame: str = "icrs") -> Float[Array, "2"]:
        """Pixel coordinates (x, y) of one direction [deg] given in `frame`."""
        # Of the two rotations one product is made, not one for each direction of a map.
        native = (jnp.asarray(self.rotation) @ TO_ICRS[frame]) @ unit_vector(lon, lat)
        affine = jnp.asarray(self.affine)
        x, y = affine[:, :2] @ jnp.stack(PROJECTIONS[self.kind](*native)) + affine[:, 2]
        if self.kind in PERIODIC:
            around, middle = self.seam
            closed = around != 0.0
            x -= around * jnp.where(closed, jnp.round((x - middle) / jnp.where(closed, around, 1.0)), 0.0)
        return jnp.stack([x, y])


def directions(
    lon: Float[Array, "lat lon"], lat: Float[Array, "lat lon"], frame: str, wanted: str, factor: int = 1
) -> tuple[Float[Array, "sample lat lon"], Float[Array, "sample lat lon"]]:
    """Longitude and latitude [deg] in the frame `wanted` of `factor`^2 points in each pixel; centres are in `frame`."""
    turn = jnp.asarray(TO_ICRS[wanted].T @ TO_ICRS[frame])
    vector = jnp.einsum("ij,jyx->iyx", turn, unit_vector(lon, lat))
    if factor == 1:
        points = vector[None]
    else:
        shift = (jnp.arange(factor) + 0.5) / factor - 0.5
        down, right = (_steps(vector, axis) for axis in (1, 2))
        dy, dx = (x.reshape(-1, 1, 1, 1) for x in jnp.meshgrid(shift, shift))
        points = vector[None] + dy * down[None] + dx * right[None]
    x, y, z = jnp.moveaxis(points, 1, 0)
    return jnp.rad2deg(jnp.arctan2(y, x)) % 360.0, jnp.rad2deg(jnp.arctan2(z, jnp.hypot(x, y)))


def _steps(vector: Float[Array, "3 lat lon"], axis: int) -> Float[Array, "3 lat lon"]:
    """Change over one pixel; none along an axis of one pixel, of which nothing tells how large it is."""
    return jnp.asarray(jnp.gradient(vector, axis=axis)) if vector.shape[axis] > 1 else jnp.zeros_like(vector)
