"""Parametric responses tabulated as the GADF formats want them.

A point-like table is made as the real ones are: from the photons that pass the directional cut. With the full
responses A, p(mu | E) and the containment C(rad | E), the cut RAD_MAX(E') at E' = mu E keeps

    A_cut(E) = A(E) P(E),    p_cut(mu | E) = p(mu | E) C(RAD_MAX(mu E) | E) / P(E),
    P(E) = int p(mu | E) C(RAD_MAX(mu E) | E) dmu.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from gammajax._typing import Float
from gammajax.geom.axes import energy_edges
from gammajax.io.irf import GridAxis, Response
from gammajax.simulate.instruments import TAIL_WIDTH, Instrument

_erf = np.vectorize(math.erf, otypes=[float])

RAD_BINS = 120
SUBSTEPS = 8
"""Points per migration bin at which the cut, which jumps at the edges of its table, is averaged."""


@dataclass(frozen=True)
class Responses:
    """Tables: `aeff` and `edisp` before any directional cut, and all those `written` to files."""

    aeff: Response
    edisp: Response
    written: tuple[Response, ...]


def responses(instrument: Instrument) -> Responses:
    """All tables of an instrument.

    `written` are AEFF_2D, EDISP_2D and, FULL-ENCLOSURE: PSF_3GAUSS or PSF_TABLE, and BKG_2D; POINT-LIKE:
    RAD_MAX_2D where the cut depends on energy.

    >>> from gammajax.simulate.instruments import MAGIC
    >>> [table.kind for table in responses(MAGIC).written]
    ['aeff_2d', 'edisp_2d']
    """
    aeff, edisp = effective_area(instrument), energy_dispersion(instrument)
    if instrument.is_pointlike:
        return Responses(aeff, edisp, after_cut(instrument, aeff, edisp))
    psf = {"psf_3gauss": psf_3gauss, "psf_table": psf_table}[instrument.psf_format](instrument)
    return Responses(aeff, edisp, (aeff, edisp, psf, background(instrument)))


def effective_area(instrument: Instrument) -> Response:
    """AEFF_2D [cm2], shape (energy, offset), at the centres or nodes of the axes."""
    energy, offset = instrument.energy, instrument.offset
    return Response(
        kind="aeff_2d",
        axes={"energy": energy, "offset": offset},
        values={"EFFAREA": instrument.effective_area(energy.points[:, None], offset.points)},
        lo_thres=instrument.lo_thres,
        hi_thres=instrument.hi_thres,
    )


def energy_dispersion(instrument: Instrument) -> Response:
    """EDISP_2D, shape (energy, offset, migra): averages of dP/dmu over the migration bins.

    ln mu is normal with width s = `energy_resolution` and mean ln(1 + bias) - s^2 / 2; normalised to 1 on the
    migration axis.
    """
    energy, offset, migra = instrument.energy, instrument.offset, instrument.migra
    e, th = energy.points[:, None, None], offset.points[:, None]
    width = instrument.energy_resolution(e, th)
    centre = np.log1p(instrument.energy_bias(e)) - 0.5 * width**2
    edges = np.log(np.maximum(migra.edges, np.finfo(float).tiny))
    # factors 1/2 drop out of the normalisation
    probability = np.diff(_erf((edges - centre) / (np.sqrt(2.0) * width)), axis=-1)
    density = probability / np.diff(migra.edges) / probability.sum(axis=-1, keepdims=True)
    axes = {"energy": energy, "offset": offset, "migra": migra}
    return Response(kind="edisp_2d", axes=axes, values={"MATRIX": density})


def psf_3gauss(instrument: Instrument) -> Response:
    """PSF_3GAUSS, shape (energy, offset): core and tail; the third component is unused (width 0)."""
    energy, offset = instrument.energy, instrument.offset
    core = instrument.psf_width(energy.points[:, None], offset.points)
    # amplitudes are densities at the centre: that of the wide tail is smaller than its share of photons
    amplitude = np.full_like(core, instrument.tail / (1.0 - instrument.tail) / TAIL_WIDTH**2)
    integral = 2.0 * np.deg2rad(core) ** 2 * (1.0 + amplitude * TAIL_WIDTH**2)
    none = np.zeros_like(core)
    values = {"SCALE": 1.0 / integral, "SIGMA_1": core, "AMPL_2": amplitude, "SIGMA_2": TAIL_WIDTH * core,
              "AMPL_3": none, "SIGMA_3": none}  # fmt: skip
    return Response(kind="psf_3gauss", axes={"energy": energy, "offset": offset}, values=values)


def psf_table(instrument: Instrument) -> Response:
    """PSF_TABLE [sr-1], shape (energy, offset, rad): averages over rings that are uniform in rad^2."""
    energy, offset = instrument.energy, instrument.offset
    outermost = 4.0 * TAIL_WIDTH * float(np.median(instrument.psf_width(energy.points, 0.0)))
    rad = GridAxis.from_edges(outermost * np.sqrt(np.linspace(0.0, 1.0, RAD_BINS + 1)))
    inside = instrument.containment(rad.edges, energy.points[:, None, None], offset.points[:, None])
    density = np.diff(inside, axis=-1) / (np.pi * np.diff(np.deg2rad(rad.edges) ** 2))
    axes = {"energy": energy, "offset": offset, "rad": rad}
    return Response(kind="psf_table", axes=axes, values={"RPSF": density})


def background(instrument: Instrument) -> Response:
    """BKG_2D [s-1 TeV-1 sr-1], shape (energy, offset), over reconstructed energy."""
    energy, offset = instrument.energy, instrument.offset
    rate = instrument.background_rate(energy.points[:, None], offset.points)
    return Response(kind="bkg_2d", axes={"energy": energy, "offset": offset}, values={"BKG": rate})


def rad_max(instrument: Instrument) -> Response:
    """RAD_MAX_2D [deg], shape (energy, offset): five bins per decade, one offset bin for all offsets."""
    edges = instrument.energy.edges
    energy = GridAxis.from_edges(np.asarray(energy_edges(edges[0], edges[-1], per_decade=5)), log=True)
    offset = GridAxis.from_edges(np.array([0.0, instrument.field_of_view]))
    values = {"RAD_MAX": instrument.cut(energy.points)[:, None]}
    return Response(kind="rad_max_2d", axes={"energy": energy, "offset": offset}, values=values)


def after_cut(instrument: Instrument, aeff: Response, edisp: Response) -> tuple[Response, ...]:
    """AEFF_2D and EDISP_2D of the photons that pass the cut, and RAD_MAX_2D where it depends on energy."""
    table = None if instrument.rad_max is not None else rad_max(instrument)
    density = edisp.values["MATRIX"] * _passing(instrument, table)
    passing = np.sum(density * np.diff(instrument.migra.edges), axis=-1)
    fixed = instrument.rad_max if instrument.rad_max is not None else np.nan
    area = aeff.values["EFFAREA"] * passing
    density = density / np.where(passing > 0, passing, 1.0)[..., None]
    cut = (
        replace(aeff, values={"EFFAREA": area}, is_pointlike=True, rad_max=fixed),
        replace(edisp, values={"MATRIX": density}, is_pointlike=True, rad_max=fixed),
    )
    return cut if table is None else (*cut, table)


def _passing(instrument: Instrument, table: Response | None) -> Float[np.ndarray, "energy offset migra"]:
    """Fraction of photons that pass the cut, per true energy, offset and migration bin."""
    edges = instrument.migra.edges
    part = (np.arange(SUBSTEPS) + 0.5) / SUBSTEPS
    mu = edges[:-1, None] + np.diff(edges)[:, None] * part
    energy = instrument.energy.points[:, None, None]
    radius = instrument.cut(mu * energy) if table is None else _looked_up(table, mu * energy)
    e, th = energy[..., None], instrument.offset.points[:, None, None]
    return np.mean(instrument.containment(radius[:, None], e, th), axis=-1)


def _looked_up(table: Response, energy: np.ndarray) -> np.ndarray:
    """RAD_MAX [deg] of the bin of each energy, zero outside the table."""
    edges = table.axes["energy"].edges
    radius = np.concatenate([[0.0], table.values["RAD_MAX"][:, 0], [0.0]])
    return radius[np.searchsorted(edges, energy, side="right")]
