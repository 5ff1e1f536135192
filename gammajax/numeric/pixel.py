"""From directions on the sky to pixels of a map, as pure functions with derivatives in the direction.

Pixels are reached by a rotation into the native sphere of the map, one of the closed forms of `numeric.projection`, and
a linear map of the plane.
"""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy.wcs import WCS

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ConfigError
from gammajax.numeric.projection import PROJECTIONS
from gammajax.numeric.sphere import offset_by, unit_vector

Frame = Literal["icrs", "galactic"]

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
    """(lon, lat) [deg] of a frame -> pixel coordinates (x, y) of a map; the centre of the first pixel is (0, 0)."""

    rotation: Float[Array | np.ndarray, "3 3"]
    linear: Float[Array | np.ndarray, "2 2"]
    """Pixels per degree of the plane."""
    origin: Float[Array | np.ndarray, "2"]
    kind: str = eqx.field(static=True)

    def pixel(self, lon: Scalar, lat: Scalar, frame: str = "icrs") -> Float[Array, "2"]:
        """Pixel coordinates (x, y) of one direction [deg] given in `frame`."""
        native = self.rotation @ (TO_ICRS[frame] @ direction(lon, lat))
        return jnp.asarray(self.linear) @ jnp.stack(PROJECTIONS[self.kind](*native)) + self.origin

    def scale(self, lon: Scalar, lat: Scalar, frame: str = "icrs") -> Float[Array, "2 2"]:
        """Pixels per degree of angle on the sky at one direction: columns are towards east and north."""
        east, north = jnp.asarray([1.0, 0.0]), jnp.asarray([0.0, 1.0])
        shrink = jnp.maximum(jnp.cos(jnp.deg2rad(lat)), 1e-6)

        def moved(shift: Array) -> Array:
            return self.pixel(lon + shift[0] / shrink, lat + shift[1], frame)

        push = jax.vmap(lambda tangent: jax.jvp(moved, (jnp.zeros(2),), (tangent,))[1])
        return push(jnp.stack([east, north])).T


def direction(lon: Scalar, lat: Scalar) -> Float[Array, "3"]:
    """Unit vector of a direction [deg]."""
    phi, theta = jnp.deg2rad(lon), jnp.deg2rad(lat)
    return jnp.stack([jnp.cos(theta) * jnp.cos(phi), jnp.cos(theta) * jnp.sin(phi), jnp.sin(theta)])


def projection(wcs: WCS, frame: Frame) -> Projection:
    """The projection of a celestial WCS whose axes are those of `frame`.

    Raises `ConfigError` for a projection that is not one of `numeric.projection.PROJECTIONS`.

    >>> wcs = WCS(naxis=2)
    >>> wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [83.6, 22.0], [-0.02, 0.02]
    >>> projection(wcs, "icrs").pixel(jnp.asarray(83.6), jnp.asarray(22.0)).round(6).tolist()
    [-1.0, -1.0]
    """
    kind = wcs.wcs.ctype[0][-3:]
    if kind not in PROJECTIONS:
        known = ", ".join(PROJECTIONS)
        raise ConfigError(f"maps in the projection {kind!r} cannot be fitted: reproject to one of {known}")
    linear = np.linalg.inv(wcs.pixel_scale_matrix)
    origin = np.asarray(wcs.wcs.crpix, dtype=float) - 1.0
    # The rotation is found from directions whose native coordinates are known: free of the conventions of the poles.
    lon_0, lat_0 = (float(x) for x in wcs.wcs.crval)
    lon, lat = offset_by(lon_0, lat_0, np.array([0.0, 90.0, 200.0, 300.0]), np.full(4, 40.0))
    there = wcs.wcs.s2p(np.column_stack([lon, lat]), 0)
    native, sky = unit_vector(there["phi"], there["theta"]).T, unit_vector(lon, lat).T @ TO_ICRS[frame].T
    return Projection(_turn(sky, native), linear, origin, kind)


def _turn(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The rotation that takes unit vectors to others, `after = R before` (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(after.T @ before)
    return u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
