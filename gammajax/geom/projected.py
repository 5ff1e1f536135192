"""The WCS of a grid as a few numbers, for kernels that follow directions to pixels."""

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Float
from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.numeric.pixel import TO_ICRS, Projection
from gammajax.numeric.projection import PERIODIC, PROJECTIONS
from gammajax.numeric.sphere import offset_by, unit_vector

_WORST = 1e-6
"""Difference from wcslib that is allowed [pixels]: rounding, no other projection."""


def projection_of(grid: SkyGrid) -> Projection:
    """The projection of a grid; raises `ConfigError` for one that kernels do not know.

    >>> grid = SkyGrid.create((83.6, 22.0), npix=(3, 3), binsz=0.02, proj="TAN")
    >>> projection_of(grid).pixel(jnp.asarray(83.6), jnp.asarray(22.0)).round(6).tolist()
    [1.0, 1.0]
    """
    if grid.proj not in PROJECTIONS:
        raise ConfigError(
            f"{grid} has the projection {grid.proj}; models are evaluated in {', '.join(PROJECTIONS)}: reproject it"
        )
    wcs = grid.wcs
    linear = np.linalg.inv(wcs.pixel_scale_matrix)
    around = linear @ np.array([360.0, 0.0]) if grid.proj in PERIODIC else np.zeros(2)
    # A seam that runs obliquely through the pixels is left where it is.
    closed = abs(around[1]) < 1e-9 * abs(around[0])
    found = Projection(
        rotation=_rotation(grid),
        affine=np.column_stack([linear, np.asarray(wcs.wcs.crpix) - 1.0]),
        seam=np.array([around[0] if closed else 0.0, (grid.shape[1] - 1) / 2]),
        kind=grid.proj,
    )
    if wcs.has_distortion or wcs.wcs.get_pv():
        _check(grid, found)
    return found


def _rotation(grid: SkyGrid) -> np.ndarray:
    """The rotation from ICRS to native coordinates (Kabsch 1976).

    It is found from directions whose native coordinates are known: free of the conventions of the poles.
    """
    lon_0, lat_0 = (float(x) for x in grid.wcs.wcs.crval)
    lon, lat = offset_by(lon_0, lat_0, np.array([0.0, 90.0, 200.0, 300.0]), np.full(4, 40.0))
    there = grid.wcs.wcs.s2p(np.column_stack([lon, lat]), 0)
    native, sky = unit_vector(there["phi"], there["theta"]), TO_ICRS[grid.frame] @ unit_vector(lon, lat)
    u, _, vt = np.linalg.svd(native @ sky.T)
    return u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt


def _check(grid: SkyGrid, found: Projection) -> None:
    """Raise `ConfigError` where the pixels are not those of wcslib: distortions, parameters of a projection."""
    y, x = np.meshgrid(np.linspace(0, grid.shape[0] - 1, 5), np.linspace(0, grid.shape[1] - 1, 5))
    lon, lat = grid.wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
    known = np.isfinite(lon) & np.isfinite(lat)
    at = np.stack(grid.wcs.wcs_world2pix(lon[known], lat[known], 0), axis=-1)
    mine = jax.vmap(lambda a, b: found.pixel(a, b, grid.frame))(jnp.asarray(lon[known]), jnp.asarray(lat[known]))
    apart = float(np.max(np.abs(at - np.asarray(mine)), initial=0.0))
    if not apart < _WORST:
        raise ConfigError(
            f"the WCS of {grid} is not a plain {grid.proj} (off by {apart:.2g} pixels): reproject the map on a "
            "SkyGrid.create(...) first"
        )


def scales(
    grid: SkyGrid, x: Float[np.ndarray, "column"], y: Float[np.ndarray, "row"]
) -> Float[np.ndarray, "2 row column"]:
    """Pixels per degree on the sky, along x and along y, at the pixel coordinates x and y of a grid.

    Where there is no sky: those of its reference. Differences over one pixel.
    """
    columns, rows = np.meshgrid(x, y)

    def at(right: float, down: float) -> np.ndarray:
        return unit_vector(*grid.wcs.wcs_pix2world(columns + right, rows + down, 0))

    # The metric of a step by one pixel; the diagonal of its inverse is the squared number of pixels in a radian.
    right, down = at(0.5, 0.0) - at(-0.5, 0.0), at(0.0, 0.5) - at(0.0, -0.5)
    xx, yy, xy = (np.sum(a * b, axis=0) for a, b in ((right, right), (down, down), (right, down)))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.radians(np.sqrt(np.stack([yy, xx]) / (xx * yy - xy**2)))
    nominal = np.linalg.norm(np.linalg.inv(grid.wcs.pixel_scale_matrix), axis=1)
    return np.where(np.isfinite(found), found, nominal[:, None, None])
