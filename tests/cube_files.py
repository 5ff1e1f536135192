"""A small dataset of cubes, as a file holds it."""

from dataclasses import replace
from typing import Any

import numpy as np

from gammajax.geom.grid import SkyGrid
from gammajax.io.dl3 import GTITable, TimeReference
from gammajax.io.map_dataset import EdispMap, MapDatasetFile, PsfMap

GRID = SkyGrid.create((83.63, 22.01), npix=(6, 4), binsz=0.5)
COARSE = GRID.coarse(1.0)
ENERGY = np.geomspace(1.0, 27.0, 4)
TRUE = np.geomspace(0.5, 50.0, 5)
RAD = np.linspace(0.0, 0.6, 7)


def psf(*, reco: bool = False, grid: SkyGrid | None = COARSE) -> PsfMap:
    """A Gaussian of 0.1 deg."""
    edges = ENERGY if reco else TRUE
    rad = (RAD[1:] + RAD[:-1]) / 2
    shape = (len(edges) - 1, len(rad), *((1, 1) if grid is None else grid.shape))
    values = np.exp(-0.5 * (rad / 0.1) ** 2) / (2 * np.pi * np.radians(0.1) ** 2)
    values = np.broadcast_to(values[:, None, None], shape).copy()
    exposure = np.full((shape[0], *shape[2:]), 2e13)
    return PsfMap(grid, np.sqrt(edges[1:] * edges[:-1]), rad, values, reco, RAD, edges, exposure)


def edisp(*, kernel: bool = True, grid: SkyGrid | None = COARSE) -> EdispMap:
    """A dispersion without a bias."""
    pixels = (1, 1) if grid is None else grid.shape
    exposure = np.full((len(TRUE) - 1, *pixels), 2e13)
    if kernel:
        values = np.random.default_rng(4).dirichlet(np.ones(3), size=(4, *pixels)).transpose(0, 3, 1, 2)
        return EdispMap(grid, TRUE, ENERGY, None, values, True, None, exposure)
    migra = np.linspace(0.2, 5.0, 9)
    values = np.broadcast_to(np.linspace(1.0, 0.0, 8)[:, None, None], (4, 8, *pixels)).copy()
    return EdispMap(grid, TRUE, None, migra, values, False, None, exposure)


def dataset(*, on_off: bool = False, **changes: Any) -> MapDatasetFile:
    """Counts, background (or off counts), exposure, responses, masks and time."""
    rng = np.random.default_rng(5)
    shape = (3, *GRID.shape)
    keys: dict[str, Any] = {"background": rng.uniform(1.0, 2.0, shape)}
    if on_off:
        keys = {
            "counts_off": rng.poisson(9.0, shape).astype(float),
            "acceptance": rng.uniform(1.0, 2.0, shape),
            "acceptance_off": rng.uniform(5.0, 6.0, shape),
        }
    made = MapDatasetFile(
        name="made",
        kind="MapDatasetOnOff" if on_off else "MapDataset",
        grid=GRID,
        energy=ENERGY,
        counts=rng.poisson(3.0, shape).astype(float),
        mask_safe=rng.uniform(size=shape) > 0.2,
        mask_fit=rng.uniform(size=shape) > 0.5,
        energy_true=TRUE,
        exposure=rng.uniform(1e13, 3e13, (4, *GRID.shape)),
        psf=psf(),
        edisp=edisp(),
        gti=GTITable(np.array([0.0, 2000.0]), np.array([1000.0, 2600.0]), TimeReference(51910, 0.000742870370, "tt")),
        livetime=1500.0,
        **keys,
    )
    return replace(made, **changes)
