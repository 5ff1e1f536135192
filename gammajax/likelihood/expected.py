"""What is expected in the bins of datasets at given models: for looking at, not for fitting."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Bool
from gammajax.datasets.groups import SpectrumGroup, group
from gammajax.datasets.spectrum import Spectrum, SpectrumDatasetOnOff
from gammajax.likelihood import stats
from gammajax.likelihood.stats import Bins
from gammajax.models.collection import Models
from gammajax.models.sky import SkyModel
from gammajax.predict.spectrum import predicted_signal


def predict_counts(dataset: Spectrum, models: Models, *, nodes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Expected signal and background counts in every bin of one dataset, masked bins included.

    The background of on-off data is the most likely one at that signal, `alpha * mu_off`. Models that act on
    other datasets only are left out. `nodes`: Gauss-Legendre nodes per true-energy bin.

    >>> signal, background = predict_counts(datasets["hess-23523"], fit.models)         # doctest: +SKIP
    """
    (signal,) = predict_signals([dataset], models, nodes=nodes)
    return signal, expected_background(dataset, signal)


def expected_background(dataset: Spectrum, signal: np.ndarray) -> np.ndarray:
    """Background counts in every bin: the known ones, or those most likely at this signal (on-off)."""
    if isinstance(dataset, SpectrumDatasetOnOff):
        return compare_on_off(dataset.counts, dataset.counts_off, dataset.alpha, signal)[0]
    return np.asarray(dataset.background)


def predict_signals(datasets: Sequence[Spectrum], models: Models, *, nodes: int = 4) -> list[np.ndarray]:
    """Expected signal counts in every bin of each dataset, computed group by group."""
    filled = list(models.filled.values())
    # Without the dataset names, which are static, so that other names compile nothing.
    tree = tuple(SkyModel(model.spectral) for model in filled)
    out = [np.zeros(len(d.counts)) for d in datasets]
    for g in group(datasets, nodes) if tree else ():
        index = np.asarray(g.index)
        acts = [[_sees(model, datasets[i]) for i in index] for model in filled]
        signal = np.asarray(_signal(tree, jnp.asarray(acts), g))
        for i, row in zip(index, signal, strict=True):
            out[i] = row[: len(out[i])]
    return out


def _sees(model: SkyModel, dataset: Spectrum) -> bool:
    return model.datasets_names is None or dataset.name in model.datasets_names


@jax.jit
def _signal(tree: tuple[SkyModel, ...], acts: Bool[Array, "model dataset"], g: SpectrumGroup) -> Array:
    return predicted_signal(tree, acts, g)


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
