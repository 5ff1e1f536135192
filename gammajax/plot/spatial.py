"""Shapes of sources: their brightness on the sky."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.models.spatial import PointSpatial, SpatialModel, evaluate
from gammajax.plot.style import figure_of, style
from gammajax.plot.wcs import Stretch, sky_image, sky_panels
from gammajax.units import conversion, to_number

_PIXELS, _POINT, _WHOLE = 160, 1.0, 2.0
"""Pixels along a side; widths [deg] around a point, and pixels [deg] of the whole sky."""


def plot_spatial(
    model: SpatialModel, ax: Any = None, *, width: Any = None, energy: Any = "1 TeV", stretch: Stretch = "linear"
) -> Figure:
    """Brightness [deg-2] around the centre of a model, in the frame of the model; a point source is a cross.

    `width` [deg] of the picture: that of the model if not given, the whole sky for models without a centre or an
    extent. `energy` [TeV] is used by models that depend on it. `ax` has a projection of its own, see
    `figure.add_subplot(projection=grid.wcs)`. Raises `ConfigError` for a width that is not above 0.

    >>> plot_spatial(gj.ShellSpatial(lon_0=83.6, lat_0=22.0, radius=0.4, width=0.2))    # doctest: +SKIP
    """
    grid = _grid(model, width)
    with style():
        (ax,) = sky_panels(ax, grid, 1, 1)
        if isinstance(model, PointSpatial):
            x, y = grid.pixel(float(model.lon_0), float(model.lat_0))
            ax.set_xlim(-0.5, grid.shape[1] - 0.5)
            ax.set_ylim(-0.5, grid.shape[0] - 0.5)
            ax.plot(x, y, "+", color="black", markersize=14.0, markeredgewidth=1.5, label="Point source")
            ax.legend(loc="upper right", handlelength=1.0)
        else:
            lon, lat = grid.lonlat
            at = to_number(energy, "TeV", "energy") if model.energy_dependent else None
            inside = np.isfinite(lon)
            values = np.asarray(evaluate(model, jnp.where(inside, lon, 0.0), jnp.where(inside, lat, 0.0), at))
            unit, shown = model.unit, str(model.unit).replace("sr-1", "deg-2").replace("/ sr", "/ deg2")
            values = np.where(inside, values * conversion(unit, shown, "brightness"), np.nan)
            signed = bool(np.nanmin(values, initial=0.0) < 0)
            sky_image(ax, values, "Brightness" if unit else "Factor", shown, stretch=stretch, signed=signed)
            ax.set_title(type(model).__name__ + (f", {at:g} TeV" if at is not None else ""))
    return figure_of(ax)


def _grid(model: SpatialModel, width: Any) -> SkyGrid:
    """Pixels around the centre of a model."""
    centre, frame = model.centre, "galactic" if model.frame == "galactic" else "icrs"
    side = None if width is None else to_number(width, "deg", "width")
    if side is not None and not 0 < side <= 360:
        raise ConfigError(f"the width of a picture lies in 0 .. 360 deg, got {side:g} deg")
    if side is None and centre is not None:
        extent = model.extent()
        side = None if extent is None else 2.2 * float(extent) or _POINT
    at = (0.0, 0.0) if centre is None else (float(centre[0]), float(centre[1]))
    if side is None or side > 150.0:
        return SkyGrid.create(at, binsz=_WHOLE, proj="CAR", frame=frame)
    return SkyGrid.create(at, binsz=side / _PIXELS, npix=_PIXELS, proj="TAN", frame=frame)
