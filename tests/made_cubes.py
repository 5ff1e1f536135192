"""Small cubes with everything that a prediction needs, made without files."""

import functools

import numpy as np
from scipy.stats import norm

import gammajax as gj
from gammajax.datasets.cube import MapDataset
from gammajax.geom.grid import SkyGrid
from gammajax.io.map_dataset import EdispMap, PsfMap

CENTRE = (83.63, 22.01)
ENERGY = np.geomspace(1.0, 10.0, 4)
ENERGY_TRUE = np.geomspace(0.7, 14.0, 6)
NESTED = np.concatenate([[0.7], np.geomspace(1.0, 10.0, 7), [14.0]])
"""Bins of true energy that lie in one bin of energy each, or outside of all."""
RAD = np.linspace(0.0025, 0.6, 120)


def king(r, sigma, gamma=4.0):
    """Density [sr-1] of a King profile."""
    return (1 - 1 / gamma) / (2 * np.pi * np.radians(sigma) ** 2) * (1 + r**2 / (2 * gamma * sigma**2)) ** -gamma


def psf_map(true=ENERGY_TRUE) -> PsfMap:
    """A King profile that narrows with energy, the same everywhere."""
    centres = np.sqrt(true[1:] * true[:-1])
    values = np.stack([king(RAD, 0.09 * e**-0.2) for e in centres])[:, :, None, None]
    step = RAD[1] - RAD[0]
    edges = np.append(RAD - step / 2, RAD[-1] + step / 2)
    return PsfMap(None, centres, RAD, values, False, edges, true)


def edisp_map(true=ENERGY_TRUE) -> EdispMap:
    """A tenth of resolution in energy."""
    centres = np.sqrt(true[1:] * true[:-1])
    below = norm.cdf(np.log(ENERGY[None] / centres[:, None]) / 0.1)
    return EdispMap(None, true, ENERGY, None, np.diff(below, axis=1)[:, :, None, None], True)


@functools.cache
def cube(name="cube", *, size=(24, 30), binsz=0.05, proj="TAN", level=1.0, counts=True, nested=False) -> MapDataset:
    """Counts, a sloping exposure, a falling background, a mask with a hole."""
    grid = SkyGrid.create(CENTRE, binsz=binsz, npix=size[::-1], proj=proj)
    y, x = np.indices(grid.shape) - (np.array(grid.shape)[:, None, None] - 1) / 2
    true = NESTED if nested else ENERGY_TRUE
    level_true = np.interp(np.linspace(0, 4, len(true) - 1), np.arange(5), [0.3, 0.6, 0.9, 1.0, 1.1])
    exposure = 1e14 * (1 + 0.01 * x - 0.006 * y) * level_true[:, None, None]
    background = level * np.array([0.5, 0.1, 0.02])[:, None, None] * (1 + 0.005 * x)
    mask = np.hypot(x - 8, y + 6) > 3
    rng = np.random.default_rng(5)
    return MapDataset(
        name=name,
        grid=grid,
        energy=ENERGY,
        energy_true=true,
        exposure=exposure,
        background=background,
        counts=rng.poisson(background) if counts else None,
        mask_safe=np.stack([mask, mask, mask & (y < 9)]),
        psf=psf_map(true),
        edisp=edisp_map(true),
    )


def source(spatial=None, **spectral) -> gj.SkyModel:
    """A power law, by default from a point near the centre."""
    spatial = gj.PointSpatial(lon_0=CENTRE[0] + 0.03, lat_0=CENTRE[1] - 0.02) if spatial is None else spatial
    return gj.SkyModel(gj.PowerLaw(**({"amplitude": 3e-12, "index": 2.3} | spectral)), spatial)


def models(spatial=None, **spectral) -> gj.Models:
    """A source and the background of the field of view."""
    return gj.Models(src=source(spatial, **spectral), bkg=gj.FoVBackground())


@functools.cache
def on_off(name="ring", *, size=(24, 30), level=1.0, seed=5, **cube_options) -> gj.MapDatasetOnOff:
    """`cube` with off counts from rings: alpha differs from bin to bin, and a few bins have no off acceptance."""
    known = cube(size=size, level=level, **cube_options)
    y, x = np.indices(known.grid.shape)
    without = (np.abs(x - 14) < 2) & (y < 4)
    acceptance_off = np.where(without, 0.0, 6.0 + 0.1 * x - 0.05 * y) * np.array([1.0, 1.5, 2.0])[:, None, None]
    rng = np.random.default_rng(seed)
    return gj.MapDatasetOnOff(
        name=name,
        counts_off=rng.poisson(np.asarray(known.background) * acceptance_off),
        acceptance=1.0,
        acceptance_off=acceptance_off,
        **{f: getattr(known, f) for f in ("grid", "energy", "energy_true", "exposure", "mask_safe", "psf", "edisp")},
        counts=known.counts,
    )
