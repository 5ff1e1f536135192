"""Datasets of one kind stacked into one pytree, so that a compiled function sees arrays, never a Python loop."""

from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np

from gammajax._typing import Array, Bool, Float, Int
from gammajax.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gammajax.numeric.quadrature import log_nodes

# A dataset joins a group if padding it to the group's shape costs at most this factor in the size of its kernel.
_PADDING_LIMIT = 8.0


class SpectrumGroup(eqx.Module):
    """Spectra of one kind, padded to a common shape (zeros, masked out).

    Datasets share their true-energy axes where they can: `nodes` and `node_weights` hold the quadrature of each
    distinct axis, `axis` says which one a dataset uses. So a spectrum is evaluated once per axis, not once per run.
    """

    nodes: Float[Array, "axis energy_true node"]
    node_weights: Float[Array, "axis energy_true node"]
    axis: Int[Array, "dataset"]
    exposure: Float[Array, "dataset energy_true"]
    edisp: Float[Array, "dataset energy_true energy"]
    mask: Bool[Array, "dataset energy"]
    energy: Float[Array, "dataset energy"]
    """Logarithmic centres of the reconstructed-energy bins [TeV]."""
    index: Int[Array, "dataset"]
    """Position of each dataset in the collection."""


class CashGroup(SpectrumGroup):
    """Spectra with a known background."""

    counts: Float[Array, "dataset energy"]
    background: Float[Array, "dataset energy"]


class WStatGroup(SpectrumGroup):
    """Spectra with off counts."""

    counts: Float[Array, "dataset energy"]
    counts_off: Float[Array, "dataset energy"]
    alpha: Float[Array, "dataset energy"]


Group = CashGroup | WStatGroup


def group(datasets: Sequence[Spectrum], nodes: int = 4) -> tuple[Group, ...]:
    """Sort datasets into groups of one kind and similar size, and stack each group."""
    return tuple(_stack([datasets[i] for i in members], members, nodes) for members in _partition(datasets))


def refine(group: Group, sees: Bool[np.ndarray, "nuisance dataset"]) -> Group:
    """The group with its axes split, so that datasets share one only if the same nuisances act on them.

    `sees` tells which nuisance acts on which dataset of the group.
    """
    axis = np.asarray(group.axis)
    first, position = _distinct([a.tobytes() + column.tobytes() for a, column in zip(axis, sees.T, strict=True)])
    rows = axis[first]
    new = np.asarray(group.nodes)[rows], np.asarray(group.node_weights)[rows], np.array(position, dtype=np.int32)
    return eqx.tree_at(lambda g: (g.nodes, g.node_weights, g.axis), group, jax.device_put(new))


def _partition(datasets: Sequence[Spectrum]) -> list[list[int]]:
    """Positions of the datasets of each group: by kind, then greedily from the largest kernel down."""
    groups: list[list[int]] = []
    for kind in (SpectrumDataset, SpectrumDatasetOnOff):
        size = {i: datasets[i].edisp.size for i, d in enumerate(datasets) if type(d) is kind}
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
