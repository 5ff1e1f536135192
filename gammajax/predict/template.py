"""Counts that are given by a map, in the bins of cubes."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool, Float
from gammajax.datasets.cube import Cube
from gammajax.datasets.cube_groups import CubeGroup
from gammajax.errors import ModelError
from gammajax.models.counts_template import TemplateNPred


class Given(eqx.Module):
    """Counts of a template in every bin before they are scaled: the occupied ones, then the sums over the mask."""

    counts: Float[Array, "dataset bin"]


def given(
    name: str, model: TemplateNPred, group: CubeGroup, datasets: Sequence[Cube], seen: Bool[np.ndarray, "dataset"]
) -> Given:
    """The counts of a template in the bins of a group. Raises `ModelError` for other bins or pixels than its own."""
    counts = np.zeros(group.counts.shape)
    for row, dataset in enumerate(datasets):
        if seen[row]:
            cube = _on_cube(name, model, dataset)
            occupied = cube[tuple(np.asarray(group.place)[row].T)]
            sums = np.where(np.asarray(dataset.mask), cube, 0.0).sum(axis=(1, 2))
            counts[row] = np.concatenate([occupied, sums])
    return Given(jnp.asarray(counts))


def template_counts(model: TemplateNPred, plan: Given, group: CubeGroup) -> Float[Array, "dataset bin"]:
    """The counts in every bin."""
    energies = group.plane.shape[1]
    every = jnp.broadcast_to(jnp.arange(energies), (len(plan.counts), energies))
    return plan.counts * model.factors[jnp.concatenate([group.place[..., 0], every], axis=1)]


def _on_cube(name: str, model: TemplateNPred, dataset: Cube) -> Float[np.ndarray, "energy lat lon"]:
    """The counts on the pixels of a cube, zero where the map has none."""
    mine, other = np.asarray(model.energy), np.asarray(dataset.energy)
    if mine.shape != other.shape or not np.allclose(mine, other, rtol=1e-6, atol=0.0):
        raise ModelError(
            f"{name}: its map has {len(mine) - 1} bins of energy from {mine[0]:g} to {mine[-1]:g} TeV, {dataset.name} "
            f"has {len(other) - 1} from {other[0]:g} to {other[-1]:g} TeV; counts are taken as they are, in equal bins"
        )
    grid = model.grid
    first = dataset.grid.shift(grid)
    if first is None:
        raise ModelError(
            f"{name}: the pixels of its map ({grid}) are not those of {dataset.name} ({dataset.grid}): reproject the "
            "map, SkyMap.reproject(dataset.grid, preserve_counts=True)"
        )
    rows, columns = (f + np.arange(n) for f, n in zip(first, grid.shape, strict=True))
    down, right = (rows >= 0) & (rows < dataset.grid.shape[0]), (columns >= 0) & (columns < dataset.grid.shape[1])
    out = np.zeros(dataset.counts.shape)
    out[:, rows[down][:, None], columns[right]] = np.asarray(model.counts)[:, down][..., right]
    return out
