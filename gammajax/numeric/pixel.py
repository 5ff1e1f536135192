"""From directions on the sky to pixels of a map and back, as pure functions with derivatives in the direction.

Pixels are reached by a rotation into the native sphere of the map, one of the closed forms of `numeric.projection`, and
a linear map of the plane.
"""

from typing import Literal

import equinox as eqx
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
        native = self.rotation @ (TO_ICRS[frame] @ unit_vector(lon, lat))
        return jnp.asarray(self.linear) @ jnp.stack(PROJECTIONS[self.kind](*native)) + self.origin


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


def scales(wcs: WCS, x: Float[np.ndarray, "column"], y: Float[np.ndarray, "row"]) -> Float[np.ndarray, "2 row column"]:
    """Pixels per degree on the sky, along x and along y, at the pixel coordinates x and y of a map.

    Where there is no sky: those of the reference of the map. Differences over one pixel.
    """
    columns, rows = np.meshgrid(x, y)

    def at(right: float, down: float) -> np.ndarray:
        return unit_vector(*wcs.wcs_pix2world(columns + right, rows + down, 0))

    # The metric of a step by one pixel; the diagonal of its inverse is the squared number of pixels in a radian.
    right, down = at(0.5, 0.0) - at(-0.5, 0.0), at(0.0, 0.5) - at(0.0, -0.5)
    xx, yy, xy = (np.sum(a * b, axis=0) for a, b in ((right, right), (down, down), (right, down)))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.radians(np.sqrt(np.stack([yy, xx]) / (xx * yy - xy**2)))
    nominal = np.linalg.norm(np.linalg.inv(wcs.pixel_scale_matrix), axis=1)
    return np.where(np.isfinite(found), found, nominal[:, None, None])


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
        down, right = jnp.gradient(vector, axis=(1, 2))
        dy, dx = (x.reshape(-1, 1, 1, 1) for x in jnp.meshgrid(shift, shift))
        points = vector[None] + dy * down[None] + dx * right[None]
    x, y, z = jnp.moveaxis(points, 1, 0)
    return jnp.rad2deg(jnp.arctan2(y, x)) % 360.0, jnp.rad2deg(jnp.arctan2(z, jnp.hypot(x, y)))
