"""Datasets of one kind stacked into one pytree, so that a compiled function sees arrays, never a Python loop."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
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

    def stacked(name: str, size: int) -> Array:
        return jnp.asarray(np.stack([_pad(np.asarray(getattr(d, name)), (size,)) for d in datasets]))

    axes, axis = _distinct([np.asarray(d.energy_true) for d in datasets])
    quadrature = [log_nodes(edges, nodes) for edges in axes]
    common = {
        # Padded bins have weight zero; their energy is 1 TeV, where every spectrum is finite.
        "nodes": jnp.asarray(np.stack([_pad(x, (m, nodes), 1.0) for x, _ in quadrature])),
        "node_weights": jnp.asarray(np.stack([_pad(w, (m, nodes)) for _, w in quadrature])),
        "axis": jnp.asarray(axis, dtype=jnp.int32),
        "exposure": stacked("exposure", m),
        "edisp": jnp.asarray(np.stack([_pad(np.asarray(d.edisp), (m, n)) for d in datasets])),
        "mask": stacked("mask", n),
        "index": jnp.asarray(members, dtype=jnp.int32),
        "counts": stacked("counts", n),
    }
    if isinstance(datasets[0], SpectrumDatasetOnOff):
        return WStatGroup(**common, counts_off=stacked("counts_off", n), alpha=stacked("alpha", n))
    return CashGroup(**common, background=stacked("background", n))


def _pad(x: np.ndarray, shape: tuple[int, ...], value: float = 0) -> np.ndarray:
    return np.pad(x, [(0, want - have) for have, want in zip(x.shape, shape, strict=True)], constant_values=value)


def _distinct(axes: list[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    """The distinct arrays, and for each array its position among them."""
    found: dict[bytes, int] = {}
    position = [found.setdefault(edges.tobytes(), len(found)) for edges in axes]
    first = {where: edges for edges, where in zip(reversed(axes), reversed(position), strict=True)}
    return [first[i] for i in range(len(found))], position
