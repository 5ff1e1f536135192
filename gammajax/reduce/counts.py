"""Counts of regions: events on the sky, in circles of one size, of RAD_MAX(E), or in regions of any shape."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gammajax._typing import Bool, Edges, Float
from gammajax.data import Observation
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.axes import count
from gammajax.geom.mask import ExclusionMask
from gammajax.geom.regions import Circle, within
from gammajax.geom.shapes import Region, Shape
from gammajax.irf import RadMax
from gammajax.numeric.sphere import separation
from gammajax.reduce.reflected import OffRegionFinder, smallest_separation

RAD_MAX_RTOL = 1e-3
"""How far the radius of an on region may be from the fixed RAD_MAX of the response (Gammapy's tolerance)."""


def sized(on: Region, rad_max: RadMax | None) -> Region:
    """The on region with the radius that the response asks for; None stays where the cut depends on energy.

    Raises `ConfigError` where the region and RAD_MAX contradict each other, or neither gives a radius; a point-like
    response goes with circles only.

    >>> sized(Circle(83.63, 22.01), RadMax.fixed(0.1)).radius
    0.1
    """
    if rad_max is None:
        if isinstance(on, Circle) and on.radius is None:
            raise ConfigError("the on region needs a radius: the response is not point-like (it has no RAD_MAX)")
        return on
    if not isinstance(on, Circle):
        raise ConfigError(
            "the response is point-like (RAD_MAX): it was made for circles, so the on region must be a position, or a "
            f"circle of the radius RAD_MAX, not this {kind(on)}"
        )
    if not rad_max.is_fixed:
        if on.radius is not None:
            raise ConfigError("the response has a RAD_MAX table: give the on region without a radius")
        return on
    radius = float(np.asarray(rad_max.values).item())
    if on.radius is not None and abs(on.radius - radius) > RAD_MAX_RTOL * radius:
        raise ConfigError(f"the on radius is {on.radius:g} deg, but the response was made for RAD_MAX = {radius:g} deg")
    return replace(on, radius=radius if on.radius is None else on.radius)


def kind(on: Region) -> str:
    """What a region is, in a word.

    >>> kind(Circle(0.0, 0.0))
    'circle'
    """
    return type(on.figure if isinstance(on, Shape) else on).__name__.lower()


def on_off_counts(
    observation: Observation,
    on: Region,
    energy: Edges,
    off_regions: OffRegionFinder,
    exclusion_mask: ExclusionMask | None = None,
) -> tuple[Float[np.ndarray, "energy"], Float[np.ndarray, "energy"], int]:
    """Counts of the on region, summed counts of the off regions, and how many off regions there are.

    Regions lie on the sky. Gammapy counts off events in regions of the tangent plane at the pointing, which differ in
    area by 1e-4 at an offset of 1 deg: of 50 000 off events at 0.9 deg, 5 change sides.

    Raises `EmptyRun` if the run has no events, or no off region is left, or regions overlap.
    """
    copies = off_regions.find(on, observation.pointing_radec, exclusion_mask)
    if not copies:
        offset = float(separation(*observation.pointing_radec, *on.center))
        raise EmptyRun(
            f"no off region fits around the pointing outside the excluded sky: the on region is {offset:.2f} deg from "
            f"the pointing{_size(on)}; take a smaller region or another background"
        )
    hit = inside(observation, (on, *copies), energy)
    energies = observation.events.energy
    # An event in two overlapping off regions counts once, as it would on the union of the regions.
    return (
        count(energies[hit[:, 0]], energy),
        count(energies[hit[:, 1:].any(axis=1)], energy),
        len(copies),
    )


def _size(on: Region) -> str:
    return "" if isinstance(on, Circle) and on.radius is None else f" and reaches {on.extent:.2f} deg"


def inside(observation: Observation, regions: Sequence[Region], energy: Edges) -> Bool[np.ndarray, "event region"]:
    """True where an event of a run lies in a region; the first is the on region, the others are its copies.

    Circles without radius have the radius RAD_MAX(E) of the event. Raises `EmptyRun` if the run has no events.
    """
    events = observation.events
    if len(events.energy) == 0:
        raise EmptyRun("the run has no events")
    on = regions[0]
    if not isinstance(on, Circle):
        return np.stack([region.contains(events.ra, events.dec) for region in regions], axis=-1)
    radius = _radius_of_events(observation, on, energy, regions) if on.radius is None else on.radius
    ra, dec = np.array([region.center for region in regions]).T
    return within(events.ra, events.dec, ra, dec, radius)


def _radius_of_events(
    observation: Observation, on: Circle, energy: Edges, regions: Sequence[Region]
) -> Float[np.ndarray, "event"]:
    """RAD_MAX [deg] at the energy of each event, zero outside the table."""
    rad_max = observation.rad_max
    if rad_max is None:
        raise ConfigError("the on region needs a radius: the response is not point-like (it has no RAD_MAX)")
    offset = float(separation(*observation.pointing_radec, on.ra, on.dec))
    # On the host and bin by bin: evaluating at the events would compile anew for every number of events.
    points, edges = np.asarray(rad_max.energy.points), np.asarray(rad_max.energy.edges)
    table = np.asarray(rad_max.evaluate(rad_max.energy.points, offset))
    between = np.sqrt(points[1:] * points[:-1])
    event_energy = observation.events.energy
    inside = (event_energy >= edges[0]) & (event_energy <= edges[-1])
    lowest, highest = np.searchsorted(between, [energy[0], energy[-1]])
    largest = float(np.max(table[lowest : highest + 1]))
    if largest == 0:
        raise EmptyRun(f"RAD_MAX is zero at all energies for an offset of {offset:g} deg: outside its table")
    if smallest_separation(regions) < 2 * largest:
        raise EmptyRun(f"on and off regions overlap where RAD_MAX = {largest:g} deg: choose fewer off regions")
    return np.where(inside, table[np.searchsorted(between, event_energy)], 0.0)
