"""Off regions: copies of the on region turned around the pointing, away from excluded sky.

The background of an on region is measured at the same offset from the pointing, where the acceptance is the
same (Berge, Funk & Hinton 2007, A&A 466, 1219). Placement follows Gammapy's finders step by step, pixel grid
included: regions are judged in the tangent plane at the pointing, so that they are the same. They are then
circles on the sky again, all of one size, and events are counted on the sphere.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from gammajax._typing import Float
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.mask import ExclusionMask
from gammajax.geom.regions import Circle
from gammajax.numeric.sphere import offset_by, position_angle, rotate_about, separation
from gammajax.units import to_value

Pointing = tuple[float, float]
PerPixel = Float[np.ndarray, "pixel"]

MAX_OFFSET = 10.0
"""Beyond this offset [deg] no camera sees the region: an error in a file or in the choice of runs."""


class OffRegionFinder(Protocol):
    """Anything that places off regions for an on region."""

    def find(self, on: Circle, pointing: Pointing, mask: ExclusionMask | None = None) -> tuple[Circle, ...]:
        """Off regions of the size of `on` at the same offset from `pointing` (ra, dec) [deg]."""
        ...


@dataclass(frozen=True)
class ReflectedRegions:
    """As many off regions as fit on the circle through the on region.

    Starting `min_distance_input` after the on region, a region is placed if no excluded pixel lies in it; the
    next one follows after the angular size of the region plus `min_distance`, or, where the place was
    excluded, after `angle_increment`. Angles are seen from the pointing: quantities, text, or numbers in deg.
    `binsz` is the size of the pixels on which the angular size and the excluded sky are judged. Names and
    defaults are Gammapy's.
    """

    angle_increment: Any = "0.1 rad"
    min_distance: Any = "0 rad"
    min_distance_input: Any = "0.1 rad"
    max_region_number: int = 10_000
    binsz: Any = "0.01 deg"

    def find(self, on: Circle, pointing: Pointing, mask: ExclusionMask | None = None) -> tuple[Circle, ...]:
        """The off regions in order of increasing position angle; none if the on region contains the pointing.

        Raises `ConfigError` for an on region without radius or smaller than the pixels.

        >>> len(ReflectedRegions().find(Circle(83.63, 22.01, 0.11), (83.63, 22.51)))
        12
        """
        if on.radius is None:
            raise ConfigError(
                "reflected regions need an on region with a radius; use WobbleRegions with RAD_MAX tables"
            )
        turn = _Turn(on, pointing, _degrees(self.binsz, "binsz"))
        if turn.is_inside:
            return ()
        step, gap, first = (
            np.radians(_degrees(getattr(self, name), name))
            for name in ("angle_increment", "min_distance", "min_distance_input")
        )
        if step <= 0:
            raise ConfigError("angle_increment must be above 0")
        size = turn.angular_size() + gap
        blocked, half = turn.excluded_arcs(mask)
        placed = []
        angle = size + first
        while angle < 2 * np.pi - size - first and len(placed) < self.max_region_number:
            free = not np.any(np.abs(_wrapped(blocked - angle)) < half)
            if free:
                placed.append(angle)
            angle += size if free else step
        return turn.copies(np.array(placed))


@dataclass(frozen=True)
class WobbleRegions:
    """`n_off_regions` off regions at equal angles around the pointing, less those that touch excluded sky.

    The choice for energy-dependent cuts (RAD_MAX tables), whose regions change their size with energy. A
    region without radius is left out where an excluded pixel lies within `binsz` of its centre.
    """

    n_off_regions: int = 1
    binsz: Any = "0.01 deg"

    def find(self, on: Circle, pointing: Pointing, mask: ExclusionMask | None = None) -> tuple[Circle, ...]:
        """The off regions in order of increasing position angle.

        Raises `EmptyRun` if off regions overlap one another, `ConfigError` if there is no number of regions.

        >>> [round(off.dec, 2) for off in WobbleRegions(1).find(Circle(83.63, 22.01), (83.63, 22.41))]
        [22.81]
        """
        if self.n_off_regions < 1:
            raise ConfigError(f"n_off_regions must be at least 1, got {self.n_off_regions}")
        turn = _Turn(on, pointing, _degrees(self.binsz, "binsz"))
        angles = 2 * np.pi * np.arange(1, self.n_off_regions + 1) / (self.n_off_regions + 1)
        if not turn.is_inside:
            blocked, half = turn.excluded_arcs(mask)
            angles = angles[~np.any(np.abs(_wrapped(blocked - angles[:, None])) < half, axis=1)]
        copies = turn.copies(angles)
        if on.radius is not None and smallest_separation(copies) < 2 * on.radius:
            raise EmptyRun(
                f"{self.n_off_regions} off regions of {on.radius:g} deg overlap: choose fewer or smaller ones"
            )
        return copies


def smallest_separation(circles: tuple[Circle, ...]) -> float:
    """Smallest angle [deg] between the centres of any two circles; infinite for fewer than two.

    >>> smallest_separation((Circle(0.0, 0.0), Circle(0.0, 1.0), Circle(0.0, 3.0)))
    1.0
    """
    ra, dec = np.array([c.ra for c in circles]), np.array([c.dec for c in circles])
    first, second = np.triu_indices(len(circles), k=1)
    return float(np.min(separation(ra[first], dec[first], ra[second], dec[second]), initial=np.inf))


@dataclass(frozen=True)
class _Turn:
    """An on region turned around the pointing: which angle of turn [rad] meets which pixel.

    All in the tangent plane at the pointing, in degrees, where a turn moves a circle as it is.
    """

    on: Circle
    pointing: Pointing
    binsz: float

    @cached_property
    def offset(self) -> float:
        """Angle [deg] between the pointing and the centre of the region."""
        offset = float(separation(*self.pointing, self.on.ra, self.on.dec))
        if offset > MAX_OFFSET:
            raise EmptyRun(f"the on region is {offset:.1f} deg from the pointing")
        return offset

    @cached_property
    def radius(self) -> float:
        """Radius of the region in the plane, where a degree northwards is longer than on the sky.

        A region without radius is a point: it meets a pixel whose centre is nearer than the size of a pixel.
        """
        if self.on.radius is None:
            return self.binsz
        step = 1 / 3600
        x, y = self._plane(np.array([self.on.ra, self.on.ra]), np.array([self.on.dec, self.on.dec + step]))
        return self.on.radius * float(np.hypot(*np.diff([x, y]).ravel())) / step

    @property
    def is_inside(self) -> bool:
        """True if the pointing lies in the region."""
        return self._distance <= self.radius

    def angular_size(self) -> float:
        """Angle [rad] under which the pixels of the on region are seen from the pointing."""
        _, azimuth, half = self._arcs
        met = azimuth[np.abs(azimuth) < half]
        if met.size == 0:
            raise ConfigError(
                f"no pixel of {self.binsz:g} deg lies in the region of {self.on.radius:g} deg: take a smaller binsz"
            )
        return float(np.ptp(met))

    def excluded_arcs(self, mask: ExclusionMask | None) -> tuple[PerPixel, PerPixel]:
        """Middle and half width [rad] of the arc of turns that put the region on each excluded pixel."""
        if mask is None:
            return np.empty(0), np.empty(0)
        distance, azimuth, half = self._arcs
        theta = np.degrees(np.arctan(np.radians(distance)))
        start = position_angle(*self.pointing, self.on.ra, self.on.dec)
        excluded = mask.excluded(*offset_by(*self.pointing, start + np.degrees(azimuth), theta))
        return azimuth[excluded], half[excluded]

    def copies(self, angles: Float[np.ndarray, "region"]) -> tuple[Circle, ...]:
        """The on region turned by each angle."""
        ra, dec = rotate_about(self.on.ra, self.on.dec, *self.pointing, np.degrees(angles))
        return tuple(Circle(float(lon), float(lat), self.on.radius) for lon, lat in zip(ra, dec, strict=True))

    @property
    def _distance(self) -> float:
        return np.degrees(np.tan(np.radians(self.offset)))

    def _plane(self, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gnomonic projection: eastward and northward [deg]."""
        distance = np.degrees(np.tan(np.radians(separation(*self.pointing, ra, dec))))
        angle = np.radians(position_angle(*self.pointing, ra, dec))
        return distance * np.sin(angle), distance * np.cos(angle)

    @cached_property
    def _arcs(self) -> tuple[PerPixel, PerPixel, PerPixel]:
        """Distance from the pointing [deg], azimuth from the on region and half arc [rad] of pixels in reach.

        The pixels are those of a map centred on the pointing, 4 offsets + 0.3 deg wide: its parity decides
        whether a pixel edge or centre falls on the pointing, and with it the angular size of the region.
        """
        d, r = self._distance, self.radius
        n = int(np.rint((4 * self.offset + 0.3) / self.binsz))
        axis = (np.arange(n) - (n - 1) / 2) * self.binsz
        axis = axis[np.abs(axis) < d + r]
        distance = np.hypot(axis[:, None], axis)
        north, west = np.nonzero(np.abs(distance - d) < r)
        distance = distance[north, west]
        start = np.radians(position_angle(*self.pointing, self.on.ra, self.on.dec))
        azimuth = _wrapped(np.arctan2(-axis[west], axis[north]) - start)
        # a pixel lies in the turned circle if distance^2 + d^2 - 2 distance d cos(azimuth - turn) < r^2
        half = np.arccos(np.clip((distance**2 + d**2 - r**2) / (2 * distance * d), -1.0, 1.0))
        return distance, azimuth, half


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _degrees(value: Any, what: str) -> float:
    return float(to_value(value, "deg", what))
