"""Off regions: copies of the on region turned around the pointing, away from excluded sky.

The background of an on region is measured at the same offset from the pointing, where the acceptance is the
same (Berge, Funk & Hinton 2007, A&A 466, 1219). Placement follows Gammapy's finders step by step, pixel grid
included: regions are judged in the tangent plane at the pointing, so that they are the same. The copies are turned on
the sphere: they keep the shape and solid angle of the on region exactly, and events are counted in them on the sky.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from gammajax.checks import whole
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.mask import ExclusionMask
from gammajax.geom.regions import Circle
from gammajax.geom.shapes import Region
from gammajax.numeric.sphere import separation
from gammajax.reduce.turn import Pointing, turn_of
from gammajax.units import to_number


class OffRegionFinder(Protocol):
    """Anything that places off regions for an on region."""

    def find(self, on: Region, pointing: Pointing, mask: ExclusionMask | None = None) -> tuple[Region, ...]:
        """Off regions of the shape of `on` at the same offset from `pointing` (ra, dec) [deg]."""
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

    def find(self, on: Region, pointing: Pointing, mask: ExclusionMask | None = None) -> tuple[Region, ...]:
        """The off regions in order of increasing position angle; none if the on region contains the pointing.

        Raises `ConfigError` for an on region without radius or smaller than the pixels.

        >>> len(ReflectedRegions().find(Circle(83.63, 22.01, 0.11), (83.63, 22.51)))
        12
        """
        if _is_point(on):
            raise ConfigError(
                "reflected regions need an on region with a radius; use WobbleRegions with RAD_MAX tables"
            )
        turn = turn_of(on, pointing, _degrees(self.binsz, "binsz"))
        if turn.is_inside:
            return ()
        step, gap, first = (
            np.radians(_degrees(getattr(self, name), name))
            for name in ("angle_increment", "min_distance", "min_distance_input")
        )
        if step <= 0:
            raise ConfigError("angle_increment must be above 0")
        size = turn.angular_size() + gap
        blocked, placed = turn.blocker(mask), []
        angle = size + first
        while angle < 2 * np.pi - size - first and len(placed) < self.max_region_number:
            if free := not blocked(angle):
                placed.append(angle)
            angle += size if free else step
        return _copies(on, pointing, placed)


@dataclass(frozen=True)
class WobbleRegions:
    """`n_off_regions` off regions at equal angles around the pointing, less those that touch excluded sky.

    The choice for energy-dependent cuts (RAD_MAX tables), whose regions change their size with energy. A
    region without radius is left out where an excluded pixel lies within `binsz` of its centre.
    """

    n_off_regions: int = 1
    binsz: Any = "0.01 deg"

    def find(self, on: Region, pointing: Pointing, mask: ExclusionMask | None = None) -> tuple[Region, ...]:
        """The off regions in order of increasing position angle.

        Raises `EmptyRun` if off regions overlap one another, `ConfigError` if there is no number of regions.

        >>> [round(off.dec, 2) for off in WobbleRegions(1).find(Circle(83.63, 22.01), (83.63, 22.41))]
        [22.81]
        """
        whole(self.n_off_regions, "n_off_regions")
        turn = turn_of(on, pointing, _degrees(self.binsz, "binsz"))
        angles = 2 * np.pi * np.arange(1, self.n_off_regions + 1) / (self.n_off_regions + 1)
        blocked = turn.blocker(None if turn.is_inside else mask)
        copies = _copies(on, pointing, [angle for angle in angles if not blocked(angle)])
        if not _is_point(on) and overlap(copies):
            raise EmptyRun(f"{self.n_off_regions} off regions overlap: choose fewer or smaller ones")
        return copies


def overlap(regions: Sequence[Region]) -> bool:
    """True if any two regions of one shape have sky in common.

    >>> overlap((Circle(0.0, 0.0, 1.0), Circle(0.0, 1.5, 1.0)))
    True
    """
    if all(isinstance(one, Circle) for one in regions):
        return smallest_separation(regions) < 2 * max((one.extent for one in regions), default=0.0)
    return any(bool(np.any(one.contains(*other.nodes()[:2]))) for one, other in combinations(regions, 2))


def smallest_separation(regions: Sequence[Region]) -> float:
    """Smallest angle [deg] between the centres of any two regions; infinite for fewer than two.

    >>> smallest_separation((Circle(0.0, 0.0), Circle(0.0, 1.0), Circle(0.0, 3.0)))
    1.0
    """
    ra, dec = np.array([one.center for one in regions]).reshape(-1, 2).T
    first, second = np.triu_indices(len(regions), k=1)
    return float(np.min(separation(ra[first], dec[first], ra[second], dec[second]), initial=np.inf))


def _copies(on: Region, pointing: Pointing, angles: Sequence[float]) -> tuple[Region, ...]:
    return tuple(on.turned(pointing, float(np.degrees(angle))) for angle in angles)


def _is_point(on: Region) -> bool:
    return isinstance(on, Circle) and on.radius is None


def _degrees(value: Any, what: str) -> float:
    return to_number(value, "deg", what)
