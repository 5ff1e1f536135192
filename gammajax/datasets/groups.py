"""Datasets of one kind stacked into one pytree, so that a compiled function sees arrays, never a Python loop."""

import equinox as eqx
import numpy as np

from gammajax._typing import Array, Bool, Float, Int
from gammajax.datasets.cube import Cube
from gammajax.datasets.cube_groups import CubeGroup, unpacked
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.spectrum import Spectrum

Dataset = Spectrum | FluxPointsDataset | Cube
"""Whatever the likelihood takes."""


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


class PointsGroup(SpectrumGroup):
    """Flux points: the signal is the flux at each point in units of `dnde_ref`, and so are these numbers.

    A point is a bin with one node and exposure `1 / dnde_ref`: spectra and nuisances meet it as they meet counts.
    """

    value: Float[Array, "dataset point"]


class GaussGroup(PointsGroup):
    """Flux points with normal errors, and upper limits."""

    below: Float[Array, "dataset point"]
    """Standard error where the prediction is below the point."""
    above: Float[Array, "dataset point"]
    limit: Float[Array, "dataset point"]
    width: Float[Array, "dataset point"]
    """Standard error that an upper limit stands for."""
    is_ul: Bool[Array, "dataset point"]


class ProfileGroup(PointsGroup):
    """Flux points with likelihood profiles, as cubics through their signed roots."""

    knots: Float[Array, "dataset point scan"]
    """Fluxes relative to the best one."""
    cubic: Float[Array, "dataset point scan-1 4"]


Group = CashGroup | WStatGroup | GaussGroup | ProfileGroup | CubeGroup


def of_dataset(group: Group, row: int, dataset: Dataset, values: np.ndarray) -> np.ndarray:
    """What belongs to one dataset of a group, in the shape of its counts; for cubes the group must be dense."""
    if isinstance(group, CubeGroup):
        return unpacked(group, row, values[row])
    return values[row, : len(dataset.mask)]
