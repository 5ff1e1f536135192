"""What is expected in the bins of datasets at given models: for looking at, not for fitting."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool
from gammajax.datasets.collection import Datasets
from gammajax.datasets.cube import Cube
from gammajax.datasets.flux_points import FluxPointsDataset
from gammajax.datasets.groups import Dataset, Group, of_dataset
from gammajax.errors import DatasetError
from gammajax.likelihood import stats
from gammajax.likelihood.problem import as_models
from gammajax.likelihood.stats import Bins
from gammajax.likelihood.terms import group_background
from gammajax.models.collection import Models
from gammajax.models.members import Member, nameless
from gammajax.predict.groups import arrange, predict


class ExpectedCounts(NamedTuple):
    """What models predict for each bin of one dataset, masked bins included."""

    signal: Any
    background: Any
    """Background in the on region; for on-off data the most likely one at that signal, `alpha * mu_off`."""
    scale: Any
    """Factor that the models put on the background (for on-off data: on alpha)."""


def predict_counts(dataset: Dataset, models: Any, *, nodes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Expected signal and background counts in every bin of one dataset: (energy,), for cubes (energy, lat, lon).

    `models` are `Models`, or a result that carries them, such as a `Fit`; those that act on other datasets only are
    left out. `nodes`: Gauss-Legendre nodes per true-energy bin, by default those of the fit, else 4.

    Flux points have no counts: `DatasetError`.

    >>> signal, background = predict_counts(datasets["hess-23523"], fit)                # doctest: +SKIP
    """
    if isinstance(dataset, FluxPointsDataset):
        raise DatasetError(f"{dataset.name} holds flux points, which have no counts: look at its table")
    per_bin = int(getattr(models, "nodes", 4)) if nodes is None else nodes
    (found,) = predict_all([dataset], as_models(models), nodes=per_bin)
    return found.signal, found.background


def predict_all(datasets: Sequence[Dataset], models: Models, *, nodes: int = 4) -> list[ExpectedCounts]:
    """What is expected for each dataset, computed group by group; for flux points in units of `dnde_ref`."""
    members = list(models.filled.values())
    whole = Datasets(d.whole if isinstance(d, Cube) else d for d in datasets)
    sees = [[m.datasets_names is None or d.name in m.datasets_names for d in datasets] for m in members]
    tree, out = nameless(members), {}
    for g, acts in arrange(whole, models, np.array(sees, dtype=bool), nodes, dense=True):
        arrays = jax.tree.map(np.asarray, _expected(tree, acts, g))
        for row, i in enumerate(np.asarray(g.index)):
            out[i] = ExpectedCounts(*(of_dataset(g, row, datasets[i], x) for x in arrays))
    return [out[i] for i in range(len(datasets))]


@jax.jit
def _expected(tree: tuple[Member, ...], acts: Bool[Array, "model dataset"], g: Group) -> ExpectedCounts:
    prediction = predict(tree, acts, g)
    scale = jnp.ones_like(prediction.signal) if prediction.scale is None else prediction.scale
    return ExpectedCounts(prediction.signal, scale * group_background(g, prediction), scale)


def compare_on_off(n_on, n_off, alpha, signal) -> tuple[np.ndarray, np.ndarray]:
    """Most likely background in the on region, and the residual: signed root of WStat, per bin."""
    background, residual = _on_off(*(jnp.asarray(x) for x in (n_on, n_off, alpha, signal)))
    return np.asarray(background), np.asarray(residual)


def compare_known(n, background, signal) -> np.ndarray:
    """Residual per bin with a known background: signed root of the Poisson deviance."""
    return np.asarray(_known(*(jnp.asarray(x) for x in (n, background, signal))))


@jax.jit
def _on_off(n_on: Bins, n_off: Bins, alpha: Bins, signal: Bins) -> tuple[Bins, Bins]:
    _, mu_off, _ = stats.wstat_profile(n_on, n_off, alpha, signal)
    background = alpha * mu_off
    return background, _signed(n_on - signal - background, stats.wstat(n_on, n_off, alpha, signal))


@jax.jit
def _known(n: Bins, background: Bins, signal: Bins) -> Bins:
    mu = signal + background
    # The least value of `cash` is at mu = n; where both are zero nothing is left.
    return _signed(n - mu, stats.cash(n, mu) - stats.cash(n, n))


def _signed(sign: Bins, deviance: Bins) -> Bins:
    return jnp.sign(sign) * jnp.sqrt(jnp.maximum(deviance, 0.0))
