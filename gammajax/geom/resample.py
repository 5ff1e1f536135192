"""Images on other pixels: blocks joined and cut, values between pixels, reprojection to another grid.

All functions take stacks: the last two dimensions of `values` are (lat, lon), any others go along.
"""

import importlib
from typing import Any, Literal

import numpy as np
import scipy
from astropy.wcs import WCS

from gammajax._typing import Float
from gammajax.checks import whole
from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid

Stack = Float[np.ndarray, "*axes lat lon"]


def downsample(
    values: Stack, factor: int, *, preserve_counts: bool = True, weights: Float[np.ndarray, "..."] | None = None
) -> Stack:
    """Blocks of factor x factor pixels joined: their sum, or their mean where `preserve_counts` is False.

    `weights` (broadcast to the values) multiply a sum, and weight a mean. NaN count as absent. Raises `ConfigError`
    unless the factor divides both sides.

    >>> downsample(np.arange(4.0).reshape(2, 2), 2)
    array([[6.]])
    """
    blocks, factor = _blocks(values, factor)
    shares = np.isfinite(blocks).astype(float)
    if weights is not None:
        shares *= _blocks(np.broadcast_to(weights, values.shape), factor)[0]
    total = np.sum(np.nan_to_num(blocks, nan=0.0) * shares, axis=(-3, -1))
    if preserve_counts:
        return total
    norm = np.sum(shares, axis=(-3, -1))
    return np.where(norm > 0, total / np.where(norm > 0, norm, 1.0), 0.0)


def _blocks(values: Stack, factor: int) -> tuple[np.ndarray, int]:
    """Values as (..., lat, factor, lon, factor)."""
    factor = whole(factor, "factor")
    *axes, ny, nx = np.shape(values)
    if ny % factor or nx % factor:
        raise ConfigError(f"{nx} x {ny} pixels cannot be joined in blocks of {factor} x {factor}")
    return np.reshape(values, (*axes, ny // factor, factor, nx // factor, factor)), factor


def upsample(values: Stack, factor: int, *, preserve_counts: bool = True) -> Stack:
    """Each pixel cut into factor x factor pixels of the same value, or of equal shares of it (`preserve_counts`).

    >>> upsample(np.array([[4.0]]), 2)
    array([[1., 1.],
           [1., 1.]])
    """
    factor = whole(factor, "factor")
    fine = np.repeat(np.repeat(values, factor, axis=-2), factor, axis=-1)
    return fine / factor**2 if preserve_counts else fine


def interpolate(
    values: Stack, grid: SkyGrid, lon: Any, lat: Any, *, outside: float | None = None
) -> Float[np.ndarray, "..."]:
    """Values at directions [deg, frame of the grid], bilinear between pixel centres: shape (axes..., directions...).

    Beyond the outermost centres the value of the nearest pixel is taken, also off the grid: what responses on coarse
    grids need. With `outside` given, directions off the grid have that value. Directions without a pixel (behind the
    tangent plane) have `outside`, or 0.

    >>> grid = SkyGrid.create((0.0, 0.0), npix=(2, 1), binsz=1.0)
    >>> interpolate(np.array([[1.0, 3.0]]), grid, [0.5, 0.0, -5.0], [0.0, 0.0, 0.0]).round(9)
    array([1., 2., 3.])
    """
    if values.shape[-2:] != grid.shape:
        raise ConfigError(f"the values have {values.shape[-2:]} pixels, the grid has {grid.shape}")
    x, y = grid.pixel(lon, lat)
    lost = ~np.isfinite(x + y)
    at = np.stack([np.where(lost, 0.0, v).ravel() for v in (y, x)])
    planes = np.reshape(values, (-1, *grid.shape)).astype(float)
    if grid.is_round:
        # the last column is next to the first
        planes = np.pad(planes, ((0, 0), (0, 0), (1, 1)), mode="wrap")
        at[1] += 1
    found = np.stack([scipy.ndimage.map_coordinates(plane, at, order=1, mode="nearest") for plane in planes])
    found = found.reshape(*values.shape[:-2], *np.shape(x))
    off = lost if outside is None else ~grid.contains(lon, lat)
    return np.where(off, 0.0 if outside is None else outside, found)


def reproject(
    values: Stack,
    grid: SkyGrid,
    to: SkyGrid,
    *,
    method: Literal["interp", "exact"] = "interp",
    preserve_counts: bool = False,
    outside: float = 0.0,
) -> Stack:
    """A stack on the pixels of another grid, through the package `reproject`.

    "interp" takes bilinear values at the new centres; "exact" averages over the overlap of pixels on the sphere.
    `preserve_counts` is for what adds up over pixels: the density per solid angle is reprojected and multiplied by the
    solid angle of the new pixels. New pixels that the old grid does not cover have the value `outside`.

    >>> grid = SkyGrid.create((0.0, 0.0), npix=(8, 8), binsz=0.5)
    >>> part = reproject(np.ones((8, 8)), grid, SkyGrid.create((0.0, 0.0), width=2.0, binsz=0.1))
    >>> part.shape, part.min().round(9)
    ((20, 20), np.float64(1.0))
    """
    if method not in ("interp", "exact"):
        raise ConfigError(f"method is 'interp' or 'exact', got {method!r}")
    if np.shape(values)[-2:] != grid.shape:
        raise ConfigError(f"the values have {np.shape(values)[-2:]} pixels, the grid has {grid.shape}")
    values = np.asarray(values, dtype=np.float64)
    if grid == to:
        return values.copy()
    package = optional_package("reproject")
    if preserve_counts:
        area = grid.solid_angle
        values = np.divide(values, area, out=np.zeros_like(values), where=np.broadcast_to(area > 0, values.shape))
    function, wcs = (package.reproject_interp, to.wcs) if method == "interp" else (package.reproject_exact, _moved(to))
    found, footprint = function((values, grid.wcs), wcs, shape_out=(*values.shape[:-2], *to.shape))
    if preserve_counts:
        # the footprint is the share of a new pixel that old pixels cover
        found = found * footprint * to.solid_angle
    return np.where((footprint > 0) & np.isfinite(found), found, outside)


def _moved(grid: SkyGrid) -> WCS:
    """The WCS of a grid moved by 1e-6 deg: where edges of old and new pixels coincide, as in grids around one centre,
    `reproject_exact` 0.21 loses overlaps (up to half of a pixel, 2 % of a map).
    """
    wcs = grid.wcs.deepcopy()
    wcs.wcs.crpix = wcs.wcs.crpix + 1e-6 * np.array([1.0, 0.7]) / grid.pixel_scales
    return wcs


def optional_package(name: str) -> Any:
    """A package of the extra `maps`. Raises `ConfigError` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"this needs {name}: pip install 'gammajax[maps]'") from error
