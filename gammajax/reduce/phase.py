"""Background of a pulsar: events of the same region at other phases of its rotation."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.data import Observation
from gammajax.data.phase import in_phase
from gammajax.errors import ConfigError
from gammajax.geom.axes import count
from gammajax.geom.shapes import Region
from gammajax.reduce.counts import inside

Interval = tuple[float, float]


@dataclass(frozen=True)
class PhaseBackground:
    """On counts from `on_phase`, off counts from `off_phase`, of the same region.

    A phase interval is a pair (start, stop), start included and stop excluded, at most one turn wide; one that passes
    a whole number, such as (0.9, 1.1), (-0.1, 0.1) or (0.9, 0.1), goes on at 0. Several intervals are a list of pairs.
    The acceptances are the widths of the intervals. `phase_column_name` is the column of EVENTS with the phase; only
    its fraction counts. The exposure stays that of the whole run: the flux is the mean over the whole rotation.

    Raises `ConfigError` for what is no interval, and for intervals that overlap. Names as in Gammapy's
    `PhaseBackgroundMaker`.

    >>> PhaseBackground(on_phase=(0.9, 1.1), off_phase=(0.3, 0.6)).on_phase
    ((0.9, 1.0), (0.0, 0.1))
    """

    on_phase: tuple[Interval, ...]
    off_phase: tuple[Interval, ...]
    phase_column_name: str

    def __init__(self, on_phase: Any, off_phase: Any, phase_column_name: str = "PHASE"):
        on, off = intervals(on_phase, "on_phase"), intervals(off_phase, "off_phase")
        ordered = sorted([*on, *off])
        if any(first[1] > second[0] for first, second in zip(ordered, ordered[1:], strict=False)):
            raise ConfigError(f"phase intervals overlap: on_phase {on_phase!r}, off_phase {off_phase!r}")
        object.__setattr__(self, "on_phase", on)
        object.__setattr__(self, "off_phase", off)
        object.__setattr__(self, "phase_column_name", phase_column_name)

    @property
    def acceptance(self) -> float:
        """Width of the on phase."""
        return width(self.on_phase)

    @property
    def acceptance_off(self) -> float:
        """Width of the off phase."""
        return width(self.off_phase)

    def counts(
        self, observation: Observation, on: Region, energy: Edges
    ) -> tuple[Float[np.ndarray, "energy"], Float[np.ndarray, "energy"]]:
        """Counts of the region at the on and at the off phase.

        Raises `ConfigError` if the events have no such column, `EmptyRun` if there are no events.
        """
        hit = inside(observation, (on,), energy)[:, 0]
        phase = observation.events[self.phase_column_name]
        energies = observation.events.energy
        on_counts, off_counts = (
            count(energies[hit & in_phase(phase, part)], energy) for part in (self.on_phase, self.off_phase)
        )
        return on_counts, off_counts


def intervals(given: Any, what: str) -> tuple[Interval, ...]:
    """Phase intervals within 0..1 from a pair or a list of pairs; those that pass a whole number are cut there."""
    try:
        pairs = [given] if np.ndim(given) == 1 and len(given) else given
        bounds = [(float(low), float(high)) for low, high in pairs]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what} is a pair (start, stop) of phases or a list of pairs, got {given!r}") from error
    if not bounds:
        raise ConfigError(f"{what} has no interval")
    found: list[Interval] = []
    for low, high in bounds:
        if 0 <= high < low <= 1:
            high += 1
        if not 0 < high - low <= 1:
            raise ConfigError(f"{what}: an interval has 0 < stop - start <= 1, got ({low:g}, {high:g})")
        start = low % 1.0
        # the end is cut at the next whole number; rounding of the remainder must leave no sliver
        stop = start + (high - low)
        if stop <= 1 + 1e-12:
            found.append((start, min(stop, 1.0)))
        else:
            found += [(start, 1.0), (0.0, stop - 1.0)]
    return tuple((round(low, 12), round(high, 12)) for low, high in found)


def width(parts: tuple[Interval, ...]) -> float:
    """Total width of phase intervals.

    >>> width(((0.9, 1.0), (0.0, 0.25)))
    0.35
    """
    return round(sum(high - low for low, high in parts), 12)
