"""From datasets to groups: sorted by kind and size, padded to a common shape, stacked."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from gammajax._typing import Bool
from gammajax.datasets.cube import Cube
from gammajax.datasets.cube_groups import group_cubes
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import CashGroup, Dataset, Group, WStatGroup
from gammajax.datasets.point_groups import stack_points
from gammajax.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gammajax.numeric.quadrature import log_nodes

# A dataset joins a group if padding it to the group's shape costs at most this factor in the size of its kernel.
_PADDING_LIMIT = 8.0


def group(datasets: Sequence[Any], nodes: int = 4, dense: bool = False) -> tuple[Group, ...]:
    """Sort datasets into groups of one kind and similar size, and stack each group.

    With `dense`, cubes keep every bin of their mask, for counts that are going to change.
    """
    spectra = tuple(_stack([datasets[i] for i in members], members, nodes) for members in _partition(datasets))
    points: dict[bool, list[int]] = {}
    for i, dataset in enumerate(datasets):
        if isinstance(dataset, FluxPointsDataset):
            points.setdefault(dataset.stat_type == "profile", []).append(i)
    cubes = [i for i, dataset in enumerate(datasets) if isinstance(dataset, Cube)]
    return (
        *spectra,
        *group_cubes(datasets, cubes, nodes, dense),
        *(stack_points([datasets[i] for i in points[k]], points[k]) for k in sorted(points)),
    )


def refine(group: Group, sees: Bool[np.ndarray, "nuisance dataset"]) -> Group:
    """The group with its axes split, so that datasets share one only if the same nuisances act on them.

    `sees` tells which nuisance acts on which dataset of the group.
    """
    axis = np.asarray(group.axis)
    first, position = _distinct([a.tobytes() + column.tobytes() for a, column in zip(axis, sees.T, strict=True)])
    rows = axis[first]
    new = np.asarray(group.nodes)[rows], np.asarray(group.node_weights)[rows], np.array(position, dtype=np.int32)
    return eqx.tree_at(lambda g: (g.nodes, g.node_weights, g.axis), group, jax.device_put(new))


def _partition(datasets: Sequence[Dataset]) -> list[list[int]]:
    """Positions of the datasets of each group: by kind, then greedily from the largest kernel down."""
    groups: list[list[int]] = []
    for kind in (SpectrumDataset, SpectrumDatasetOnOff):
        size = {i: d.edisp.size for i, d in enumerate(datasets) if isinstance(d, kind)}
        current: list[int] = []
        for i in sorted(size, key=lambda i: -size[i]):
            if current and size[current[0]] > _PADDING_LIMIT * size[i]:
                groups.append(sorted(current))
                current = []
            current.append(i)
        if current:
            groups.append(sorted(current))
    return groups


def _stack(datasets: list[Spectrum], members: list[int], nodes: int) -> Group:
    n = max(d.edisp.shape[1] for d in datasets)
    m = max(d.edisp.shape[0] for d in datasets)

    def stacked(name: str, *size: int) -> np.ndarray:
        return _padded([np.asarray(getattr(d, name)) for d in datasets], size)

    axes, axis = _distinct([np.asarray(d.energy_true).tobytes() for d in datasets])
    axes = [np.asarray(datasets[i].energy_true) for i in axes]
    centres = [np.sqrt(edges[1:] * edges[:-1]) for edges in (np.asarray(d.energy) for d in datasets)]
    quadrature = [log_nodes(edges, nodes) for edges in axes]
    common = {
        # Padded bins have weight zero, at the energies of the last bin: where the spectrum is evaluated anyway.
        "nodes": np.stack([x[np.minimum(np.arange(m), len(x) - 1)] for x, _ in quadrature]),
        "node_weights": _padded([w for _, w in quadrature], (m, nodes)),
        "axis": np.array(axis, dtype=np.int32),
        "exposure": stacked("exposure", m),
        "edisp": stacked("edisp", m, n),
        "mask": stacked("mask_safe", n) & stacked("mask_fit", n),
        # Padded bins stand at 1 TeV: finite under any law in energy.
        "energy": np.where(_padded(centres, (n,)) > 0, _padded(centres, (n,)), 1.0),
        "index": np.array(members, dtype=np.int32),
        "counts": stacked("counts", n),
    }
    if isinstance(datasets[0], SpectrumDatasetOnOff):
        on, off = stacked("acceptance", n), stacked("acceptance_off", n)
        alpha = np.divide(on, off, out=np.zeros_like(on), where=off > 0)
        return WStatGroup(**jax.device_put({**common, "counts_off": stacked("counts_off", n), "alpha": alpha}))
    return CashGroup(**jax.device_put({**common, "background": stacked("background", n)}))


def _padded(arrays: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The arrays stacked along a new first axis, each filled up with zeros to `shape`."""
    out = np.zeros((len(arrays), *shape), dtype=arrays[0].dtype)
    for row, x in zip(out, arrays, strict=True):
        row[tuple(slice(size) for size in x.shape)] = x
    return out


def _distinct(keys: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """Where each distinct key stands first, and for each key its position among the distinct ones."""
    found: dict[bytes, int] = {}
    position = [found.setdefault(key, len(found)) for key in keys]
    return [position.index(i) for i in range(len(found))], position
