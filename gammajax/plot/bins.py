"""Measured and expected counts as they are drawn: bins merged until enough is expected in each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr

from gammajax.datasets.spectrum import Spectrum, SpectrumDatasetOnOff, check_same_axes
from gammajax.likelihood.expected import ExpectedCounts, compare_known, compare_on_off

_ONE_SIGMA = float(ndtr(-1.0))
# Bins are merged up to this width [decades]: a wider one would hide the shape of the spectrum.
_WIDEST = 0.3
# Off counts added when the alphas of merged bins are averaged: without any off count the plain mean is left.
_PRIOR_OFF = 1e-9


@dataclass(frozen=True)
class CountBins:
    """Merged bins: sums of counts and expectations, residuals, how many bins were `merged` into each.

    `edges` [TeV] has shape (bin, 2); `used` is True where the likelihood looks; `bare` if there is no model.
    """

    edges: np.ndarray
    counts: np.ndarray
    signal: np.ndarray
    background: np.ndarray
    residual: np.ndarray
    used: np.ndarray
    merged: np.ndarray
    bare: bool = False

    @property
    def expected(self) -> np.ndarray:
        """Signal and background."""
        return self.signal + self.background

    @property
    def centre(self) -> np.ndarray:
        """Geometric centres [TeV]."""
        return np.sqrt(self.edges.prod(axis=1))

    @property
    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the central 68 % interval of the expected counts, given the measured ones."""
        return garwood(self.counts)


def garwood(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact central 68.3 % confidence interval of a Poisson mean (F. Garwood, Biometrika 28, 437, 1936)."""
    n = np.asarray(n, dtype=float)
    low = np.where(n > 0, gammaincinv(np.where(n > 0, n, 1.0), _ONE_SIGMA), 0.0)
    return low, gammaincinv(n + 1.0, 1.0 - _ONE_SIGMA)


def count_bins(
    datasets: Sequence[Spectrum],
    expected: Sequence[ExpectedCounts],
    min_expected: float = 0.0,
    bare: bool = False,
) -> CountBins:
    """Bins of one dataset, or of the sum of several where used, with `min_expected` counts if possible.

    `expected`: what is expected in each dataset. Merging looks at the expected counts, never at the measured
    ones, so that it does not favour fluctuations; it stops at 0.3 decades, and at the ends of the fit range.
    Background and residual are those of the merged bins: with on-off data, the most likely background of all
    their counts; `bare`, without a model, the off counts scaled, and residuals are significances of the excess.
    Raises `DatasetError` if several datasets differ in kind or energy axis.
    """
    check_same_axes(datasets)
    first = datasets[0]
    used = np.any([np.asarray(d.mask) for d in datasets], axis=0)
    # A single dataset is shown on its whole axis; to a sum, a run adds only what it is fitted to.
    takes = [np.ones_like(used) if len(datasets) == 1 else np.asarray(d.mask) for d in datasets]

    def total(columns: Sequence[np.ndarray]) -> np.ndarray:
        kept = [np.where(take, x, 0.0) for take, x in zip(takes, columns, strict=True)]
        return np.sum(kept, axis=0)

    signal = total([x.signal for x in expected])
    counts = total([np.asarray(d.counts) for d in datasets])
    background = total([x.background for x in expected])
    groups = _groups(np.asarray(first.energy), signal + background, used, min_expected)
    size = groups[-1] + 1

    def merge(x: np.ndarray) -> np.ndarray:
        # At full length, so that datasets of one axis share the compiled comparison, however they are merged.
        return np.bincount(groups, weights=x, minlength=len(groups))

    counts, signal, background = merge(counts), merge(signal), merge(background)
    if isinstance(first, SpectrumDatasetOnOff):
        on_off = [d for d in datasets if isinstance(d, SpectrumDatasetOnOff)]
        off = merge(total([np.asarray(d.counts_off) for d in on_off]))
        weight = [np.asarray(d.counts_off) + _PRIOR_OFF for d in on_off]
        scaled = [np.asarray(d.alpha) * x.scale * w for d, x, w in zip(on_off, expected, weight, strict=True)]
        weights = merge(total(weight))
        alpha = np.divide(merge(total(scaled)), weights, out=np.zeros_like(weights), where=weights > 0)
        profiled, residual = compare_on_off(counts, off, alpha, signal)
        background = alpha * off if bare else profiled
    else:
        residual = compare_known(counts, background, signal)
    edges = np.asarray(first.energy)
    start = np.flatnonzero(np.diff(groups, prepend=-1))
    return CountBins(
        edges=np.stack([edges[start], np.append(edges[start[1:]], edges[-1])], axis=1),
        counts=counts[:size],
        signal=signal[:size],
        background=background[:size],
        residual=residual[:size],
        used=used[start],
        merged=np.bincount(groups),
        bare=bare,
    )


def _groups(edges: np.ndarray, expected: np.ndarray, used: np.ndarray, least: float) -> np.ndarray:
    """Number of the merged bin that each bin belongs to.

    A merged bin ends once it holds `least`, where `used` changes, or before it gets too wide.
    """
    number, held, start = 0, 0.0, edges[0]
    groups = np.zeros(len(expected), dtype=int)
    for i, x in enumerate(expected):
        wide = edges[i + 1] > start * 10**_WIDEST
        if i and (held >= least or used[i] != used[i - 1] or wide):
            number, held, start = number + 1, 0.0, edges[i]
        groups[i] = number
        held += x
    return groups
