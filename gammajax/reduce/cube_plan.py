"""What all runs of a reduction to cubes share: pixels, axes, and the part of the sky that a run sees."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.data import Observation
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.axes import enclosing_edges
from gammajax.geom.grid import SkyGrid
from gammajax.units import to_number, to_value

RAD_MAX = 0.66
"""Largest distance [deg] of the PSF map, in bins of 0.01 deg, unless said otherwise (Gammapy's axis)."""


@dataclass(frozen=True)
class CubePlan:
    """The pixels and axes of a reduction.

    `energy`, `energy_true` are edges [TeV], `rad` edges [deg] of the PSF; `coarse` are the pixels of PSF and
    dispersion; `offset_max` [deg] is half the side of the part of `grid` that a run fills.
    """

    grid: SkyGrid
    energy: Edges
    energy_true: Edges
    rad: Edges
    coarse: SkyGrid
    offset_max: float

    @classmethod
    def create(
        cls, grid: Any, energy: Any, energy_true: Any, *, rad: Any = None, binsz_irf: Any = 0.2, offset_max: float
    ) -> "CubePlan":
        """The plan of arguments as a person gives them. Raises `ConfigError`, `UnitMismatch`."""
        if not isinstance(grid, SkyGrid):
            raise ConfigError(f"grid must be a SkyGrid, such as SkyGrid.create(...), got {type(grid).__name__}")
        binsz = to_number(binsz_irf, "deg", "binsz_irf")
        if not binsz > 0:
            raise ConfigError(f"binsz_irf must be above 0 deg, got {binsz:g}")
        if not offset_max > 0:
            raise ConfigError(f"offset_max must be above 0 deg, got {offset_max:g}")
        steps = np.linspace(0.0, RAD_MAX, 67) if rad is None else np.asarray(to_value(rad, "deg", "rad"), dtype=float)
        if steps.ndim != 1 or steps.size < 2 or not np.all(np.diff(steps) > 0) or not steps[0] >= 0:
            raise ConfigError("rad needs at least two increasing bin edges [deg], from 0 on")
        energy, energy_true = enclosing_edges(energy, energy_true)
        return cls(
            grid=grid,
            energy=energy,
            energy_true=energy_true,
            rad=steps,
            coarse=grid.coarse(binsz),
            offset_max=float(offset_max),
        )

    def warm(self) -> None:
        """Compute directions and solid angles of all pixels now: they travel with the plan to worker processes."""
        for grid in (self.grid, self.coarse):
            _ = grid.radec
        _ = self.grid.solid_angle


@dataclass(frozen=True)
class Part:
    """A part of a grid around a pointing: its pixels, where they lie in the whole, their directions [deg, ICRS]."""

    grid: SkyGrid
    pixels: tuple[slice, slice]
    ra: Float[np.ndarray, "lat lon"]
    dec: Float[np.ndarray, "lat lon"]


def part_of(whole: SkyGrid, observation: Observation, width: float) -> Part:
    """The pixels of a grid in a square of `width` [deg] around the pointing of a run.

    Raises `EmptyRun` if none is left.
    """
    ra, dec = observation.pointing_radec
    try:
        grid, pixels = whole.cutout(whole.from_icrs(ra, dec), width)
    except ConfigError as error:
        raise EmptyRun(
            f"the field of view, {width:g} deg wide around the pointing ra {ra:.3f}, dec {dec:.3f} deg, has no pixel "
            f"of {whole}: leave the run out, or take another grid or a larger offset_max"
        ) from error
    return Part(grid, pixels, whole.radec[0][pixels], whole.radec[1][pixels])
