"""Maps of the sky: values over axes and pixels, or over HEALPix pixels, and how they go from one grid to another."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from gammajax.errors import ConfigError, nearest
from gammajax.geom.grid import Frame, SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.resample import downsample, optional_package, reproject, upsample
from gammajax.units import conversion


@dataclass(frozen=True, eq=False)
class SkyMap:
    """Values on a grid: `values` has one dimension for each of `axes`, in their order, then (lat, lon).

    `grid` is None where the values are the same everywhere or belong to one region; the last two dimensions then have
    length one. `unit` is that of the values; `meta` is what a file says besides.
    """

    values: np.ndarray
    axes: tuple[MapAxis, ...]
    grid: SkyGrid | None
    unit: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        want = tuple(axis.size for axis in self.axes) + ((1, 1) if self.grid is None else self.grid.shape)
        if self.values.shape != want:
            names = ", ".join([axis.name for axis in self.axes] + ["lat", "lon"])
            raise ConfigError(f"values have the shape {self.values.shape}, the axes ({names}) need {want}")

    def axis(self, name: str) -> MapAxis:
        """The axis of a name. Raises `ConfigError`, naming those that exist."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        have = [axis.name for axis in self.axes]
        hint = nearest(name, have, 1)
        raise ConfigError(f"the map has no axis {name!r}, it has {have}" + (f"; nearest: {hint}" if hint else ""))

    def to(self, unit: str, what: str = "the map") -> "SkyMap":
        """The same in another unit. Raises `UnitMismatch` for a unit of another kind, naming `what`.

        >>> SkyMap(np.ones((1, 1)), (), None, "m2 s").to("cm2 s").values
        array([[10000.]])
        """
        factor = conversion(self.unit, unit, what)
        return replace(self, values=self.values if factor == 1.0 else self.values * factor, unit=unit)

    def cutout(self, center: Any, width: Any, mode: Literal["trim", "strict"] = "trim") -> "SkyMap":
        """The part of the map around a position; see `SkyGrid.cutout`."""
        grid, pixels = self._grid.cutout(center, width, mode)
        return replace(self, values=self.values[..., *pixels], grid=grid)

    def downsample(self, factor: int, *, preserve_counts: bool = True) -> "SkyMap":
        """Blocks of pixels joined: their sum, or their mean."""
        values = downsample(self.values, factor, preserve_counts=preserve_counts)
        return replace(self, values=values, grid=self._grid.downsample(factor))

    def upsample(self, factor: int, *, preserve_counts: bool = True) -> "SkyMap":
        """Pixels cut into equal ones, with shares of the value or with the same value."""
        values = upsample(self.values, factor, preserve_counts=preserve_counts)
        return replace(self, values=values, grid=self._grid.upsample(factor))

    def reproject(
        self, grid: SkyGrid, *, method: Literal["interp", "exact"] = "interp", preserve_counts: bool = False
    ) -> "SkyMap":
        """The map on other pixels; see `geom.resample.reproject`. What the map does not cover is 0.

        >>> old = SkyGrid.create((0.0, 0.0), npix=(8, 8), binsz=0.5, frame="galactic")
        >>> new = SkyGrid.create(old.to_icrs(0.0, 0.0), npix=(2, 1), binsz=0.2, frame="icrs")
        >>> SkyMap(np.full((8, 8), 2.0), (), old).reproject(new).values.round(9)
        array([[2., 2.]])
        """
        values = reproject(self.values, self._grid, grid, method=method, preserve_counts=preserve_counts)
        return replace(self, values=values, grid=grid)

    @property
    def _grid(self) -> SkyGrid:
        if self.grid is None:
            raise ConfigError("the map of a region has no pixels")
        return self.grid


@dataclass(frozen=True, eq=False)
class HealpixMap:
    """Values over the whole sky: `values` has one dimension for each of `axes`, in their order, then HEALPix pixels.

    `nested` is the order of the pixels, `frame` that of the coordinates. Reference: Gorski et al. 2005, ApJ 622, 759.
    """

    values: np.ndarray
    axes: tuple[MapAxis, ...]
    nside: int
    nested: bool
    frame: Frame
    unit: str = ""

    def __post_init__(self) -> None:
        want = (*(axis.size for axis in self.axes), 12 * self.nside**2)
        if self.values.shape != want:
            raise ConfigError(f"values have the shape {self.values.shape}, NSIDE {self.nside} and the axes need {want}")

    def at(self, lon: Any, lat: Any, frame: Frame | None = None) -> np.ndarray:
        """Values at directions [deg], from the four nearest pixels (bilinear), shape (axes..., directions...).

        `frame` is that of the directions, by default that of the map.

        >>> import numpy as np
        >>> flat = HealpixMap(np.full((1, 12), 3.0), (MapAxis.from_nodes("energy", [1.0], "TeV"),), 1, False, "icrs")
        >>> flat.at(np.array([10.0, 20.0]), np.array([0.0, 45.0]))
        array([[3., 3.]])
        """
        lon, lat = np.broadcast_arrays(np.asarray(lon, float), np.asarray(lat, float))
        if frame is not None and frame != self.frame:
            position: Any = SkyCoord(lon, lat, unit="deg", frame=frame).transform_to(self.frame)
            lon, lat = position.spherical.lon.deg, position.spherical.lat.deg
        healpix = optional_package("astropy_healpix")
        angles = (np.ravel(x) * u.deg for x in (lon, lat))
        order = "nested" if self.nested else "ring"
        pixels, shares = healpix.core.bilinear_interpolation_weights(*angles, self.nside, order=order)
        return np.sum(self.values[..., pixels] * shares, axis=-2).reshape(*self.values.shape[:-1], *np.shape(lon))

    def to_grid(self, grid: SkyGrid) -> SkyMap:
        """The map on a grid: values at the pixel centres (bilinear), 0 outside the projection.

        For quantities per solid angle, and for exposures; counts per pixel change with the size of a pixel.
        """
        lon, lat = grid.lonlat
        known = np.isfinite(lon)
        values = self.at(np.where(known, lon, 0.0), np.where(known, lat, 0.0), grid.frame)
        return SkyMap(np.where(known, values, 0.0), self.axes, grid, self.unit)
