"""From directions to pixels inside a kernel: the WCS of a grid as a few numbers, differentiable."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.numeric.projection import PERIODIC, PROJECTIONS
from gammajax.numeric.sphere import offset_by, unit_vector

_WORST = 1e-6
"""Difference from wcslib that is allowed [pixels]: rounding, no other projection."""


class Lookup(NamedTuple):
    """The WCS of a grid: a rotation of the sphere, a projection, and an affine map of the plane."""

    rotation: Float[Array | np.ndarray, "3 3"]
    """Unit vectors in the frame of the grid to native ones."""
    affine: Float[Array | np.ndarray, "2 3"]
    """Plane [deg] to pixels: a matrix, and the pixel of the reference."""
    seam: Float[Array | np.ndarray, "3"]
    """Pixels (x, y) around the circle, zeros where there is no seam, and x in the middle of the grid."""


def lookup_of(grid: SkyGrid) -> Lookup:
    """The numbers that `pixel_of` needs. Raises `ConfigError` for projections that it does not know."""
    if grid.proj not in PROJECTIONS:
        raise ConfigError(
            f"{grid} has the projection {grid.proj}; models interpolate in {', '.join(PROJECTIONS)}: reproject the map"
        )
    wcs = grid.wcs
    inverse = np.linalg.inv(wcs.pixel_scale_matrix)
    affine = np.column_stack([inverse, np.asarray(wcs.wcs.crpix) - 1.0])
    middle = (grid.shape[1] - 1) / 2
    around = inverse @ np.array([360.0, 0.0]) if grid.proj in PERIODIC else np.zeros(2)
    # a seam that runs obliquely through the pixels is left where it is
    seam = np.array([*(around if abs(around[1]) < 1e-9 * abs(around[0]) else (0.0, 0.0)), middle])
    found = Lookup(_rotation(grid), affine, seam)
    _check(grid, found)
    return found


def _rotation(grid: SkyGrid) -> np.ndarray:
    """The rotation to native coordinates, from three directions around the reference."""
    lon_0, lat_0 = (float(x) for x in grid.wcs.wcs.crval)
    lon, lat = offset_by(lon_0, lat_0, np.array([0.0, 120.0, 240.0]), np.full(3, 40.0))
    there = grid.wcs.wcs.s2p(np.column_stack([lon, lat]), 0)
    native, sky = unit_vector(there["phi"], there["theta"]), unit_vector(lon, lat)
    left, _, right = np.linalg.svd(native @ np.linalg.inv(sky))
    return left @ right


def _check(grid: SkyGrid, found: Lookup) -> None:
    """Raise `ConfigError` where the pixels are not those of wcslib: distortions, parameters of a projection."""
    y, x = np.meshgrid(np.linspace(0, grid.shape[0] - 1, 5), np.linspace(0, grid.shape[1] - 1, 5))
    lon, lat = grid.wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
    known = np.isfinite(lon) & np.isfinite(lat)
    at = grid.pixel(lon[known], lat[known])
    mine = _pixels(grid.proj, found, lon[known], lat[known])
    apart = max((float(np.max(np.abs(a - b), initial=0.0)) for a, b in zip(at, mine, strict=True)), default=0.0)
    if not apart < _WORST:
        raise ConfigError(
            f"the WCS of {grid} is not a plain {grid.proj} (off by {apart:.2g} pixels): reproject the map on a "
            "SkyGrid.create(...) first"
        )


def _pixels(proj: str, found: Lookup, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = jax.vmap(lambda a, b: pixel_of(proj, found, a, b))(jnp.asarray(lon), jnp.asarray(lat))
    return np.asarray(x), np.asarray(y)


def pixel_of(proj: str, lookup: Lookup, lon: Scalar, lat: Scalar) -> tuple[Scalar, Scalar]:
    """Pixel coordinates (x, y) of one direction [deg, frame of the grid], far outside where the projection has none.

    Pixel centres are whole numbers. Around the seam of a cylindrical projection the side is taken that is nearer to
    the middle of the grid, as `SkyGrid.pixel` does.
    """
    phi, theta = jnp.deg2rad(lon), jnp.deg2rad(lat)
    sky = jnp.stack([jnp.cos(theta) * jnp.cos(phi), jnp.cos(theta) * jnp.sin(phi), jnp.sin(theta)])
    plane = PROJECTIONS[proj](*(jnp.asarray(lookup.rotation) @ sky))
    affine = jnp.asarray(lookup.affine)
    x, y = (affine[i, 0] * plane[0] + affine[i, 1] * plane[1] + affine[i, 2] for i in (0, 1))
    if proj in PERIODIC:
        around, _, middle = lookup.seam
        closed = around != 0.0
        turns = jnp.where(closed, jnp.round((x - middle) / jnp.where(closed, around, 1.0)), 0.0)
        x = x - turns * around
    return x, y
