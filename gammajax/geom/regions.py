"""Circles on the sky as plain numbers, and which directions they contain."""

import reprlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion, PointSkyRegion

from gammajax._typing import Bool, Float
from gammajax.errors import ConfigError
from gammajax.geom.position import is_position, position
from gammajax.numeric.sphere import offset_by, rotate_about, separation, unit_vector
from gammajax.units import to_value


@dataclass(frozen=True)
class Circle:
    """A circle around (ra, dec) [deg, ICRS] with `radius` [deg]; `radius=None` leaves it to the response
    (RAD_MAX).
    """

    ra: float
    dec: float
    radius: float | None = None

    def contains(self, ra: Float[np.ndarray, "*n"], dec: Float[np.ndarray, "*n"]) -> Bool[np.ndarray, "*n"]:
        """True where the direction (ra, dec) [deg] is nearer to the centre than the radius.

        Raises `ConfigError` if the circle has no radius yet.

        >>> Circle(83.63, 22.01, 0.1).contains(np.array([83.6, 84.0]), np.array([22.0, 22.0]))
        array([ True, False])
        """
        return separation(self.ra, self.dec, ra, dec) < self._size

    @property
    def _size(self) -> float:
        if self.radius is None:
            raise ConfigError("this region has no radius: give one, or use a point-like response with RAD_MAX")
        return self.radius

    @property
    def center(self) -> tuple[float, float]:
        """(ra, dec) [deg]."""
        return self.ra, self.dec

    @property
    def extent(self) -> float:
        """The radius [deg], 0 for a circle without one."""
        return 0.0 if self.radius is None else self.radius

    @property
    def solid_angle(self) -> float:
        """Solid angle `2 pi (1 - cos r)` [sr]; `ConfigError` without a radius.

        >>> round(Circle(0.0, 0.0, 1.0).solid_angle, 9)
        0.00095696
        """
        return float(4 * np.pi * np.sin(np.radians(self._size) / 2) ** 2)

    def turned(self, pointing: tuple[float, float], angle: float) -> "Circle":
        """The circle turned around a pointing by `angle` [deg], towards larger position angle."""
        ra, dec = rotate_about(self.ra, self.dec, *pointing, angle)
        return Circle(float(ra), float(dec), self.radius)

    def nodes(self, rings: int = 6, spokes: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Directions (ra, dec) [deg] in the circle, and weights (sum 1) for an average over it.

        Gauss-Legendre in r^2, uniform in angle: exact for polynomials in the two directions up to degree 11.
        """
        x, w = np.polynomial.legendre.leggauss(rings)
        angles = np.arange(spokes) * 360.0 / spokes
        lon, lat = offset_by(self.ra, self.dec, angles[:, None], self._size * np.sqrt((x + 1) / 2))
        return lon.ravel(), lat.ravel(), np.broadcast_to(w / (2 * spokes), (spokes, rings)).ravel()

    def region(self) -> CircleSkyRegion | PointSkyRegion:
        """The same as a region of the `regions` package, for plots and files."""
        center = SkyCoord(self.ra, self.dec, unit="deg", frame="icrs")
        if self.radius is None:
            return PointSkyRegion(center)
        return CircleSkyRegion(center, self.radius * u.deg)


def circle(region: Any, radius: Any = None) -> Circle:
    """A `Circle` from what a person has at hand.

    `region` is a `regions.CircleSkyRegion`, a `regions.PointSkyRegion`, a `Circle`, or a position (`SkyCoord`, text,
    (ra, dec) in deg); `radius` (quantity, text, or a number in deg) goes with a position. Any frame becomes ICRS.
    Raises `ConfigError` for other regions and impossible radii, `UnitMismatch` for a radius that is no angle.

    >>> circle(SkyCoord("83d38m +22d01m"), "0.11 deg").radius
    0.11
    """
    given: Any = region
    if isinstance(region, Circle):
        center, own = (region.ra, region.dec), region.radius
    elif isinstance(region, CircleSkyRegion):
        center, own = position(given.center), float(given.radius.to_value("deg"))
    elif isinstance(region, PointSkyRegion) or is_position(region):
        center, own = position(region), None
    else:
        raise ConfigError(
            "an on region is a CircleSkyRegion, a PointSkyRegion, or a position (SkyCoord, '83.63 22.01', (ra, dec)) "
            f"with a radius, got {reprlib.repr(region)}"
        )
    if own is not None and radius is not None:
        raise ConfigError("the region has a radius already: leave out radius=...")
    size = own if radius is None else float(to_value(radius, "deg", "radius"))
    if size is not None and not 0 < size < 90:
        raise ConfigError(f"the radius of a region lies between 0 and 90 deg, got {size:g} deg")
    return Circle(*center, size)


def within(
    lon: Float[np.ndarray, "event"],
    lat: Float[np.ndarray, "event"],
    lon_0: Float[np.ndarray, "region"],
    lat_0: Float[np.ndarray, "region"],
    radius: Float[np.ndarray, "event"] | float,
) -> Bool[np.ndarray, "event region"]:
    """True where an event is nearer to the centre of a region than `radius`; all in deg.

    The test is `a . b > cos(radius)` on unit vectors: one matrix product for all pairs, with a relative error
    of the radius below 1e-8 for radii above 0.01 deg. One radius, or one per event (energy-dependent cuts).

    >>> within(np.array([0.0, 1.0]), np.zeros(2), np.array([0.05, 1.2]), np.zeros(2), 0.1)
    array([[ True, False],
           [False, False]])
    """
    cosine = unit_vector(lon, lat).T @ unit_vector(lon_0, lat_0)
    return cosine > np.cos(np.radians(np.broadcast_to(radius, np.shape(lon))))[:, None]
