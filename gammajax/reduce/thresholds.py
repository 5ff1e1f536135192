"""Energies from which a response is trusted, from its numbers alone. Rules of Gammapy's `SafeMaskMaker`."""

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.geom.axes import centers


def aeff_threshold(exposure: Float[np.ndarray, "energy_true"], energy_true: Edges, percent: float) -> float:
    """Energy [TeV] from which the exposure exceeds `percent` of its maximum; infinite where it is zero
    throughout.

    The exposure is interpolated linearly in (ln E, ln exposure) between bin centres; where it starts above
    the threshold, the first filled centre is returned. `exposure` may have any unit; `energy_true` are edges
    [TeV].

    >>> round(aeff_threshold(np.array([0.0, 1.0, 100.0]), np.array([1.0, 10.0, 100.0, 1000.0]), 10), 9)
    100.0
    """
    center, filled = centers(energy_true), np.flatnonzero(exposure > 0)
    if filled.size == 0:
        return np.inf
    first = filled[0]
    level = percent / 100 * np.max(exposure)
    return _crossing(center[first:], exposure[first:], level, rising=True)


def bias_threshold(
    edisp: Float[np.ndarray, "energy_true energy"], energy_true: Edges, energy: Edges, percent: float
) -> float:
    """Reconstructed energy [TeV] above the peak of the bias where the bias has fallen to `percent`.

    The bias is `<E'> / E - 1` with the mean of E' over the bin centres of the kernel row; -1 for an empty
    row. Interpolation in (ln E, ln bias). Where the bias never falls through the level, its peak is the
    threshold.
    """
    center, row = centers(energy_true), np.sum(edisp, axis=1)
    mean = (edisp @ centers(energy)) / np.where(row > 0, row, 1.0)
    bias = mean / center - 1
    peak = int(np.argmax(bias))
    return _crossing(center[peak:], bias[peak:], percent / 100, rising=False) * (1 + percent / 100)


def _crossing(x: np.ndarray, y: np.ndarray, level: float, *, rising: bool) -> float:
    """First x at which y, linear in log-log, passes through the level; x[0] if it never does."""
    above = y >= level
    passes = np.flatnonzero(above[1:] > above[:-1] if rising else above[1:] < above[:-1])
    if passes.size == 0 or (rising and above[0]):
        return float(x[0])
    i = passes[0]
    log_y = np.log(np.maximum(y[i : i + 2], np.finfo(float).tiny))
    part = (np.log(level) - log_y[0]) / (log_y[1] - log_y[0])
    return float(x[i] * (x[i + 1] / x[i]) ** part)


def bkg_peak(background: Float[np.ndarray, "energy"], energy: Edges) -> float:
    """Lower edge [TeV] of the bin with the most background.

    >>> bkg_peak(np.array([1.0, 3.0, 2.0]), np.array([1.0, 2.0, 4.0, 8.0]))
    2.0
    """
    return float(energy[np.argmax(background)])
