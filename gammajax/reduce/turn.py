"""An on region turned around the pointing: the angle that it takes, and the turns that excluded sky forbids.

Judged on the pixels that Gammapy's finders use, in the tangent plane at the pointing, so that regions are placed at the
same angles; the pixels follow the ICRS axes whatever the frame of the region, so that the frame does not matter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from gammajax._typing import Float
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.mask import ExclusionMask
from gammajax.geom.regions import Circle
from gammajax.geom.shapes import Region
from gammajax.numeric.sphere import offset_by, position_angle, separation

Pointing = tuple[float, float]
PerPixel = Float[np.ndarray, "pixel"]

MAX_OFFSET = 10.0
"""Beyond this offset [deg] no camera sees the region: an error in a file or in the choice of runs."""


class Turn(Protocol):
    """What placing off regions asks."""

    @property
    def is_inside(self) -> bool:
        """True if the pointing lies in the region."""
        ...

    def angular_size(self) -> float:
        """Angle [rad] under which the pixels of the on region are seen from the pointing."""
        ...

    def blocker(self, mask: ExclusionMask | None) -> Callable[[float], bool]:
        """A function that tells whether a turn [rad] puts the region on an excluded pixel."""
        ...


def turn_of(on: Region, pointing: Pointing, binsz: float) -> Turn:
    """How an on region turns around a pointing (ra, dec) [deg], judged on pixels of `binsz` [deg].

    Raises `EmptyRun` for a region that no camera sees from there.
    """
    _offset(on, pointing)
    return CircleTurn(on, pointing, binsz) if isinstance(on, Circle) else ShapeTurn(on, pointing, binsz)


@dataclass(frozen=True)
class CircleTurn:
    """An on region turned around the pointing: which angle of turn [rad] meets which pixel.

    All in the tangent plane at the pointing, in degrees, where a turn moves a circle as it is.
    """

    on: Circle
    pointing: Pointing
    binsz: float

    @cached_property
    def offset(self) -> float:
        """Angle [deg] between the pointing and the centre of the region."""
        return _offset(self.on, self.pointing)

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

    def blocker(self, mask: ExclusionMask | None) -> Callable[[float], bool]:
        """A function that tells whether a turn [rad] puts the region on an excluded pixel.

        Each pixel blocks an arc of turns: its azimuth, plus and minus the half angle of the region seen from there.
        """
        if mask is None:
            return lambda angle: False
        distance, azimuth, half = self._arcs
        excluded = mask.excluded(*_directions(self.pointing, self.on.center, distance, azimuth))
        middle, half = azimuth[excluded], half[excluded]
        return lambda angle: bool(np.any(np.abs(wrapped(middle - angle)) < half))

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
        """Distance from the pointing [deg], azimuth from the on region and half arc [rad] of pixels in reach."""
        d, r = self._distance, self.radius
        axis = _axis(self.offset, self.binsz, d + r)
        distance = np.hypot(axis[:, None], axis)
        north, west = np.nonzero(np.abs(distance - d) < r)
        distance = distance[north, west]
        start = np.radians(position_angle(*self.pointing, self.on.ra, self.on.dec))
        azimuth = wrapped(np.arctan2(-axis[west], axis[north]) - start)
        # a pixel lies in the turned circle if distance^2 + d^2 - 2 distance d cos(azimuth - turn) < r^2
        half = np.arccos(np.clip((distance**2 + d**2 - r**2) / (2 * distance * d), -1.0, 1.0))
        return distance, azimuth, half


@dataclass(frozen=True)
class ShapeTurn:
    """A region of any shape turned around the pointing: pixels are turned back and tested in the on region itself."""

    on: Region
    pointing: Pointing
    binsz: float

    @property
    def is_inside(self) -> bool:
        """True if the pointing lies in the region."""
        return bool(self.on.contains(np.array(self.pointing[0]), np.array(self.pointing[1])))

    def angular_size(self) -> float:
        """Angle [rad] under which the pixels of the on region are seen from the pointing."""
        met = self._pixels[1][self._meets(*self._pixels)]
        if met.size == 0:
            raise ConfigError(f"no pixel of {self.binsz:g} deg lies in the on region: take a smaller binsz")
        return float(np.ptp(met))

    def blocker(self, mask: ExclusionMask | None) -> Callable[[float], bool]:
        """A function that tells whether a turn [rad] puts the region on an excluded pixel."""
        if mask is None:
            return lambda angle: False
        distance, azimuth = self._pixels
        excluded = mask.excluded(*_directions(self.pointing, self.on.center, distance, azimuth))
        distance, azimuth = distance[excluded], azimuth[excluded]
        ahead = self._half_width

        def blocked(angle: float) -> bool:
            back = wrapped(azimuth - angle)
            near = np.abs(back) <= ahead
            return bool(np.any(self._meets(distance[near], back[near])))

        return blocked

    def _meets(self, distance: PerPixel, azimuth: PerPixel) -> np.ndarray:
        return self.on.contains(*_directions(self.pointing, self.on.center, distance, azimuth))

    @cached_property
    def _half_width(self) -> float:
        """Half of an angle [rad], seen from the pointing, that holds the region."""
        offset = _offset(self.on, self.pointing)
        if offset <= self.on.extent:
            return np.pi
        return float(np.arcsin(np.sin(np.radians(self.on.extent)) / np.sin(np.radians(offset))))

    @cached_property
    def _pixels(self) -> tuple[PerPixel, PerPixel]:
        """Distance from the pointing [deg] and azimuth from the on region [rad] of the pixels in its reach."""
        offset = _offset(self.on, self.pointing)
        nearest, farthest = (np.degrees(np.tan(np.radians(offset + e))) for e in (-self.on.extent, self.on.extent))
        axis = _axis(offset, self.binsz, farthest)
        distance = np.hypot(axis[:, None], axis)
        north, west = np.nonzero((distance >= nearest) & (distance <= farthest))
        start = np.radians(position_angle(*self.pointing, *self.on.center))
        return distance[north, west], wrapped(np.arctan2(-axis[west], axis[north]) - start)


def wrapped(angle: np.ndarray) -> np.ndarray:
    """Angles [rad] in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _offset(on: Region, pointing: Pointing) -> float:
    """Angle [deg] between the pointing and the centre of a region that a camera sees."""
    offset = float(separation(*pointing, *on.center))
    if offset > MAX_OFFSET:
        raise EmptyRun(
            f"the on region is {offset:.1f} deg from the pointing, where no camera sees it (more than {MAX_OFFSET:g} "
            "deg): leave the run out, or correct the position"
        )
    return offset


def _axis(offset: float, binsz: float, reach: float) -> PerPixel:
    """Pixel centres [deg] within `reach` along one axis of a map that is centred on the pointing.

    The map is 4 offsets + 0.3 deg wide: the parity of its number of pixels decides whether an edge or a centre falls on
    the pointing, and with it the angular size of the region.
    """
    n = int(np.rint((4 * offset + 0.3) / binsz))
    more = 2 * max(0, int(np.ceil(reach / binsz)) - n // 2)
    axis = (np.arange(n + more) - (n + more - 1) / 2) * binsz
    return axis[np.abs(axis) < reach]


def _directions(pointing: Pointing, on: tuple[float, float], distance: PerPixel, azimuth: PerPixel):
    """Directions (ra, dec) [deg] of pixels given in the tangent plane at the pointing."""
    theta = np.degrees(np.arctan(np.radians(distance)))
    return offset_by(*pointing, position_angle(*pointing, *on) + np.degrees(azimuth), theta)
