"""Runs made of arrays: a source, a flat background, simple responses."""

from dataclasses import dataclass, replace

import numpy as np

from gammajax.data import GTI, Events
from gammajax.io.dl3 import TimeReference
from gammajax.io.irf import GridAxis, Response
from gammajax.irf import EffectiveArea, EnergyDispersion, PSF3Gauss, RadMax
from gammajax.numeric.sphere import offset_by

SOURCE = (83.63, 22.01)
EDGES = np.geomspace(0.1, 100.0, 13)


@dataclass(frozen=True)
class MadeRun:
    """What the reduction asks of an observation."""

    obs_id: int
    events: Events
    pointing_radec: tuple[float, float]
    aeff: EffectiveArea
    edisp: EnergyDispersion
    psf: PSF3Gauss | None = None
    rad_max: RadMax | None = None
    livetime: float = 1000.0
    telescope: str = "MADE"
    gti: GTI | None = None


def events(ra: np.ndarray, dec: np.ndarray, energy: np.ndarray) -> Events:
    """An event list without times worth mentioning."""
    n = np.arange(len(ra))
    return Events(n * 1.0, np.asarray(ra) % 360, np.asarray(dec), energy, n, TimeReference(51544.0, 0.0, "tt"))


def flat_aeff(area: float = 1e9, slope: float = 0.0, lo_thres: float = np.nan) -> EffectiveArea:
    """Aeff = area * (1 - slope * offset) [cm2] at all energies."""
    offset = np.linspace(0.0, 3.0, 4)
    return EffectiveArea.from_response(
        Response(
            "aeff_2d",
            {"energy": _energies(), "offset": GridAxis.from_points(offset)},
            {"EFFAREA": np.broadcast_to(area * (1 - slope * offset), (6, 4)).copy()},
            lo_thres=lo_thres,
        )
    )


def sharp_edisp() -> EnergyDispersion:
    """Almost no migration."""
    migra = GridAxis.from_edges(np.linspace(0.0, 2.0, 41))
    table = np.where(np.abs(migra.points - 1) < 0.06, 1.0, 0.0)
    axes = {"energy": _energies(), "offset": GridAxis.from_points(np.linspace(0.0, 3.0, 4)), "migra": migra}
    return EnergyDispersion.from_response(
        Response("edisp_2d", axes, {"MATRIX": np.broadcast_to(table, (6, 4, 40)).copy()})
    )


def made_run(obs_id: int = 1, n: int = 2000, pointing_distance: float = 0.5, **changes: object) -> MadeRun:
    """A run that points north of the source: `n` background events within 1.5 deg, n/20 from the source."""
    rng = np.random.default_rng(obs_id)
    lon, lat = offset_by(*SOURCE, 0.0, pointing_distance)
    ra, dec = offset_by(lon, lat, rng.uniform(0, 360, n), 1.5 * np.sqrt(rng.uniform(0, 1, n)))
    on_ra, on_dec = offset_by(*SOURCE, rng.uniform(0, 360, n // 20), rng.uniform(0, 0.08, n // 20))
    energy = 0.1 * rng.pareto(1.7, n + n // 20) + 0.1
    listed = events(np.append(ra, on_ra), np.append(dec, on_dec), energy)
    run = MadeRun(obs_id, listed, (float(lon), float(lat)), flat_aeff(), sharp_edisp())
    return replace(run, **changes)


def _energies() -> GridAxis:
    return GridAxis.from_points(np.geomspace(0.05, 200.0, 6), log=True)
