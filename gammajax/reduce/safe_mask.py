"""The energies at which the response of a run is trusted. Names and rules are those of Gammapy's
`SafeMaskMaker`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np

from gammajax._typing import Bool, Edges, Float
from gammajax.data import Observation
from gammajax.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import ConfigError, nearest
from gammajax.geom.axes import centers, inside
from gammajax.units import to_value

S = TypeVar("S", SpectrumDataset, SpectrumDatasetOnOff)
BinMask = Bool[np.ndarray, "energy"]


@dataclass(frozen=True)
class SafeMask:
    """Which bins are safe: those that pass every one of the `methods`.

    - "aeff-default": LO_THRES..HI_THRES of the effective area's header, as far as given
    - "aeff-max": above the energy where the effective area reaches `aeff_percent` of its maximum
    - "edisp-bias": above the energy where the bias of the energy falls to `bias_percent`
    - "bkg-peak": from the bin with the most expected background, `alpha * counts_off` (Gammapy, without a
    model, takes
      the background profiled from on and off counts instead, which follows the source)
    - "offset-max": all bins if the region is nearer to the pointing than `offset_max`, else none

    Thresholds in true energy are applied to reconstructed energy, as Gammapy does.

    >>> SafeMask("aeff-max", aeff_percent=5).methods
    ('aeff-max',)
    """

    methods: tuple[str, ...]
    aeff_percent: float
    bias_percent: float
    offset_max: float

    def __init__(
        self,
        *methods: str,
        aeff_percent: float = 10.0,
        bias_percent: float = 10.0,
        offset_max: Any = "3 deg",
    ):
        for method in methods:
            if method not in _RULES:
                raise ConfigError(f"there is no safe mask {method!r}; nearest: {nearest(method, _RULES)}")
        object.__setattr__(self, "methods", methods)
        object.__setattr__(self, "aeff_percent", float(aeff_percent))
        object.__setattr__(self, "bias_percent", float(bias_percent))
        object.__setattr__(self, "offset_max", float(to_value(offset_max, "deg", "offset_max")))

    def apply(self, dataset: S, observation: Observation, offset: float) -> S:
        """The dataset with `mask_safe` narrowed; `offset` [deg] is that of the region from the pointing."""
        mask = np.array(dataset.mask_safe)
        for method in self.methods:
            mask &= _RULES[method](self, dataset, observation, offset)
        return eqx.tree_at(lambda d: d.mask_safe, dataset, jax.device_put(mask))


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


def _aeff_default(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    low, high = float(observation.aeff.lo_thres), float(observation.aeff.hi_thres)
    # Thresholds are often bin edges that went through float32; zero and NaN stand for "not given".
    return inside(
        np.asarray(dataset.energy),
        low * (1 - 1e-6) if low > 0 else -np.inf,
        high * (1 + 1e-6) if high > 0 else np.inf,
    )


def _aeff_max(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    low = aeff_threshold(np.asarray(dataset.exposure), np.asarray(dataset.energy_true), rule.aeff_percent)
    return inside(np.asarray(dataset.energy), low, np.inf)


def _edisp_bias(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    energy = np.asarray(dataset.energy)
    low = bias_threshold(np.asarray(dataset.edisp), np.asarray(dataset.energy_true), energy, rule.bias_percent)
    return inside(energy, low, np.inf)


def _bkg_peak(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    energy = np.asarray(dataset.energy)
    return inside(energy, energy[np.argmax(np.asarray(dataset.background))], np.inf)


def _offset_max(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    return np.full(dataset.counts.shape, offset < rule.offset_max)


_RULES: dict[str, Callable[[SafeMask, Spectrum, Observation, float], BinMask]] = {
    "aeff-default": _aeff_default,
    "aeff-max": _aeff_max,
    "edisp-bias": _edisp_bias,
    "bkg-peak": _bkg_peak,
    "offset-max": _offset_max,
}
