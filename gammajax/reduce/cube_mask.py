"""Where a run is trusted on the sky: the rules of `SafeMask` in energy, and the offset of each pixel."""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from gammajax._typing import Bool, Float
from gammajax.data import Observation
from gammajax.datasets.cube import MapDataset
from gammajax.datasets.spectrum import SpectrumDataset
from gammajax.errors import ConfigError
from gammajax.numeric.sphere import separation
from gammajax.reduce.cube_response import exposure_map
from gammajax.reduce.safe_mask import SafeMask


def safe_cube(
    rule: SafeMask, dataset: MapDataset, observation: Observation, offset: Float[np.ndarray, "lat lon"]
) -> MapDataset:
    """The cube with `mask_safe` of a rule; `offset` [deg] is that of each pixel from the pointing.

    Methods in energy ("aeff-max", "edisp-bias", "bkg-peak" and thresholds) hold for the whole field of view. They take
    the response at `rule.position`, at `rule.fixed_offset`, or at the middle of the cube, and the background summed
    over the cube. Bins without expected background are never safe. `rule.user` gives a bool per bin of energy or per
    pixel and bin.
    """
    energies = rule.in_energy(_at_one_place(rule, dataset, observation), observation)
    mask = np.broadcast_to(energies[:, None, None], dataset.counts.shape).copy()
    if "offset-max" in rule.methods:
        mask &= offset < rule.offset_max
    background = np.asarray(dataset.background)
    if background.any():
        mask &= background > 0
    if rule.user is not None:
        mask &= _of_user(rule, dataset, observation)
    return eqx.tree_at(lambda d: d.mask_safe, dataset, jax.device_put(mask))


def _at_one_place(rule: SafeMask, dataset: MapDataset, observation: Observation) -> SpectrumDataset:
    """The response where the thresholds in energy are found, and the background of the whole cube."""
    if rule.fixed_offset is not None:
        offset = rule.fixed_offset
    else:
        position = dataset.grid.to_icrs(*dataset.grid.center) if rule.position is None else rule.position
        offset = float(separation(*observation.pointing_radec, *position))
    energy, energy_true = np.asarray(dataset.energy), np.asarray(dataset.energy_true)
    edges = np.asarray(observation.edisp.offset.edges)
    needed = "edisp-bias" in rule.methods and rule.irfs == "DL4"
    edisp = observation.edisp.kernel(energy_true, energy, np.float64(min(offset, edges[-1]))) if needed else None
    return SpectrumDataset(
        name=dataset.name,
        energy=energy,
        energy_true=energy_true,
        exposure=exposure_map(observation, energy_true, np.full((1, 1), offset))[:, 0, 0],
        edisp=np.zeros((len(energy_true) - 1, len(energy) - 1)) if edisp is None else np.asarray(edisp),
        background=np.asarray(dataset.background).sum(axis=(1, 2)),
    )


def _of_user(rule: SafeMask, dataset: MapDataset, observation: Observation) -> Bool[np.ndarray, "energy lat lon"]:
    user: Any = rule.user
    given = np.asarray(user(dataset, observation) if callable(user) else user)
    shape = dataset.counts.shape
    if given.dtype == bool and given.shape == shape[:1]:
        given = given[:, None, None]
    elif given.dtype != bool or given.shape != shape:
        raise ConfigError(
            f"{dataset.name}: the user's safe mask must be bools of shape {shape} (energy, lat, lon) or {shape[:1]}, "
            f"got {given.dtype} of shape {given.shape}"
        )
    return np.broadcast_to(given, shape)
