"""Drawing events: photons of a point source through the tables, and background over the field of view.

Photons are drawn from the very tables that are written, interpolated as they are when they are read (linear
in ln E and offset), so that an analysis of the events has no bias from binned responses.
"""

from dataclasses import dataclass, fields
from typing import Self

import jax.numpy as jnp
import numpy as np

from gammajax._typing import Float
from gammajax.io.irf import Response
from gammajax.models.spectral import SpectralModel, evaluate
from gammajax.numeric.sphere import offset_by
from gammajax.simulate.instruments import TAIL_WIDTH, Instrument
from gammajax.simulate.responses import Responses

NODES = 2000
"""Points of the grids whose cumulative is inverted."""

PerEvent = Float[np.ndarray, "event"]


@dataclass(frozen=True)
class Drawn:
    """Events: reconstructed ra, dec [deg] and energy [TeV], and the true energy (NaN: background)."""

    ra: PerEvent
    dec: PerEvent
    energy: PerEvent
    energy_true: PerEvent

    def __add__(self, other: Self) -> Self:
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return type(self)(*[np.concatenate(pair) for pair in pairs])


def draw_source(
    rng: np.random.Generator,
    instrument: Instrument,
    tables: Responses,
    spectrum: SpectralModel,
    source: tuple[float, float],
    offset: float,
    livetime: float,
) -> Drawn:
    """Photons of a source at `source` (ra, dec) [deg], `offset` [deg] from the pointing, in `livetime` [s].

    True energies follow dnde A, their number is Poisson with mean livetime int dnde A dE (A before any
    directional cut); E' = mu E with mu from the dispersion; directions follow the PSF.
    """
    energy_true = draw_energies(rng, tables.aeff, spectrum, offset, livetime)
    energy = energy_true * draw_migrations(rng, tables.edisp, energy_true, offset)
    distance = draw_distances(rng, instrument, energy_true, offset)
    ra, dec = offset_by(*source, 360.0 * rng.random(distance.size), distance)
    return Drawn(ra, dec, energy, energy_true)


def draw_background(
    rng: np.random.Generator, instrument: Instrument, pointing: tuple[float, float], ontime: float
) -> Drawn:
    """Background over the field of view around `pointing` (ra, dec) [deg] in `ontime` [s].

    Their number is Poisson with mean ontime int B dE' dOmega. B is the product of a function of energy and
    one of offset, so that the two are drawn one by one.
    """
    edges = instrument.energy.edges
    energy = np.geomspace(edges[0], edges[-1], NODES)
    offset = np.linspace(0.0, instrument.field_of_view, NODES)
    spectrum = instrument.background_rate(energy, 0.0) * energy
    shape = instrument.background_rate(1.0, offset) / instrument.background_rate(1.0, 0.0)
    per_ring = shape * 2 * np.pi * np.sin(np.deg2rad(offset))
    rates = cumulative(np.log(energy), spectrum), cumulative(np.deg2rad(offset), per_ring)
    n = rng.poisson(ontime * rates[0][-1] * rates[1][-1])
    drawn = np.exp(invert(rates[0], np.log(energy), rng.random(n)))
    distance = invert(rates[1], offset, rng.random(n))
    ra, dec = offset_by(*pointing, 360.0 * rng.random(n), distance)
    return Drawn(ra, dec, drawn, np.full(n, np.nan))


def draw_energies(
    rng: np.random.Generator, aeff: Response, spectrum: SpectralModel, offset: float, livetime: float
) -> PerEvent:
    """True energies [TeV] of the photons that an effective area collects in `livetime` [s]."""
    axis = aeff.axes["energy"]
    log_energy = np.log(np.geomspace(axis.edges[0], axis.edges[-1], NODES))
    low, part = bracket(np.log(axis.points), log_energy)
    table = at_offset(aeff, "EFFAREA", offset)
    area = np.maximum((1.0 - part) * table[low] + part * table[low + 1], 0.0)
    energy = np.exp(log_energy)
    rate = cumulative(log_energy, np.asarray(evaluate(spectrum, jnp.asarray(energy))) * area * energy)
    n = rng.poisson(livetime * rate[-1])
    return np.exp(invert(rate, log_energy, rng.random(n)))


def draw_migrations(rng: np.random.Generator, edisp: Response, energy_true: PerEvent, offset: float) -> PerEvent:
    """mu = E'/E of photons of true energies [TeV], from the cumulative of dP/dmu.

    A density interpolated between two energies is a mixture of the two: each photon takes one of both rows,
    with the weight of the interpolation as its chance.
    """
    edges = edisp.axes["migra"].edges
    probability = np.maximum(at_offset(edisp, "MATRIX", offset), 0.0) * np.diff(edges)
    rows = np.pad(np.cumsum(probability, axis=1), ((0, 0), (1, 0)))
    rows = rows / rows[:, -1:]
    low, part = bracket(np.log(edisp.axes["energy"].points), np.log(energy_true))
    row = low + (rng.random(low.size) < part)
    # all rows in one increasing cumulative: row k runs from k to k + 1
    stacked = (rows + np.arange(len(rows))[:, None]).ravel()
    return np.interp(row + rng.random(row.size), stacked, np.tile(edges, len(rows)))


def draw_distances(rng: np.random.Generator, instrument: Instrument, energy_true: PerEvent, offset: float) -> PerEvent:
    """Distances [deg] between true and reconstructed directions: Rayleigh, of the core or of the tail."""
    widening = np.where(rng.random(energy_true.size) < instrument.tail, TAIL_WIDTH, 1.0)
    width = instrument.psf_width(energy_true, offset) * widening
    return width * np.sqrt(-2.0 * np.log1p(-rng.random(energy_true.size)))


def draw_times(rng: np.random.Generator, start: np.ndarray, stop: np.ndarray, n: int) -> PerEvent:
    """`n` uniform times [s] in the intervals from `start` to `stop`."""
    passed = np.concatenate([[0.0], np.cumsum(stop - start)])
    elapsed = passed[-1] * rng.random(n)
    interval = np.searchsorted(passed[1:-1], elapsed, side="right")
    return start[interval] + elapsed - passed[interval]


def bracket(points: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell i and fraction f of the way through it, x = (1 - f) points[i] + f points[i + 1]."""
    index = np.clip(np.searchsorted(points, x, side="right") - 1, 0, points.size - 2)
    return index, (x - points[index]) / (points[index + 1] - points[index])


def at_offset(response: Response, name: str, offset: float) -> np.ndarray:
    """A table at one offset [deg], linear between its offsets; shape (energy, ...)."""
    low, part = bracket(response.axes["offset"].points, np.asarray(offset))
    values = response.values[name]
    return (1.0 - part) * values[:, low] + part * values[:, low + 1]


def cumulative(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Integral of y dx from the first x to each x, by trapezoids."""
    return np.concatenate([[0.0], np.cumsum(0.5 * (y[1:] + y[:-1]) * np.diff(x))])


def invert(total: np.ndarray, x: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The x where the cumulative reaches the fraction u of its end."""
    return np.interp(u * total[-1], total, x)
