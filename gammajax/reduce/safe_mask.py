"""The energies at which the response of a run is trusted. Names and rules are those of Gammapy's
`SafeMaskMaker`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np

from gammajax._typing import Bool, Edges
from gammajax.data import Observation
from gammajax.datasets.spectrum import Spectrum, SpectrumDataset
from gammajax.errors import ConfigError, nearest
from gammajax.geom.axes import inside
from gammajax.geom.position import position as as_position
from gammajax.irf import Background2D
from gammajax.numeric.sphere import separation
from gammajax.reduce.thresholds import aeff_threshold, bias_threshold, bkg_peak
from gammajax.units import to_number

BinMask = Bool[np.ndarray, "energy"]
S = TypeVar("S", bound=Spectrum)
User = Callable[[Spectrum, Observation], BinMask] | BinMask | None


@dataclass(frozen=True)
class SafeMask:
    """Which bins are safe: those that pass every one of the `methods`, and what the user says.

    - "aeff-default": LO_THRES..HI_THRES of the effective area's header, as far as given
    - "aeff-max": above the energy where the effective area reaches `aeff_percent` of its maximum
    - "edisp-bias": above the energy where the bias of the energy falls to `bias_percent`
    - "bkg-peak": from the bin with the most expected background: that of the response, or `alpha * counts_off`
      (Gammapy, without a model, takes the background profiled from on and off counts instead, which follows the source)
    - "offset-max": all bins if the region is nearer to the pointing than `offset_max`, else none

    `energy_min`, `energy_max` (quantities, text, numbers in TeV) keep the whole bins between them. `user` is a bool
    per bin, or a function of (dataset, observation) that returns them. Bins of a spectrum with a known background in
    which that is zero are never safe: a single count there would make every model impossible.

    The response is that of the dataset, at the region (`irfs="DL4"`), or that of the file (`irfs="DL3"`) on its own
    axes, at `fixed_offset` from the pointing, or at the offset of a `position`, or on axis. Thresholds in
    true energy are applied to reconstructed energy, as Gammapy does.

    Raises `ConfigError` for an unknown method, percentages outside of (0, 100) and contradicting energies.

    >>> SafeMask("aeff-max", aeff_percent=5).methods
    ('aeff-max',)
    """

    methods: tuple[str, ...]
    aeff_percent: float
    bias_percent: float
    offset_max: float
    energy_min: float
    energy_max: float
    irfs: str
    fixed_offset: float | None
    position: tuple[float, float] | None
    user: User

    def __init__(
        self,
        *methods: str,
        aeff_percent: float = 10.0,
        bias_percent: float = 10.0,
        offset_max: Any = "3 deg",
        energy_min: Any = None,
        energy_max: Any = None,
        irfs: str = "DL4",
        fixed_offset: Any = None,
        position: Any = None,
        user: User = None,
    ):
        for method in methods:
            if method not in _RULES:
                raise ConfigError(f"there is no safe mask {method!r}; nearest: {nearest(method, _RULES)}")
        if irfs not in ("DL3", "DL4"):
            raise ConfigError(f"irfs is 'DL3' (of the file) or 'DL4' (of the dataset), got {irfs!r}")
        if fixed_offset is not None and position is not None:
            raise ConfigError("a safe mask takes fixed_offset or position, not both")
        low = 0.0 if energy_min is None else to_number(energy_min, "TeV", "energy_min")
        high = np.inf if energy_max is None else to_number(energy_max, "TeV", "energy_max")
        if not low < high:
            raise ConfigError(f"energy_min = {low:g} TeV is not below energy_max = {high:g} TeV")
        for name, value in {
            "methods": methods,
            "aeff_percent": _percent(aeff_percent, "aeff_percent"),
            "bias_percent": _percent(bias_percent, "bias_percent"),
            "offset_max": to_number(offset_max, "deg", "offset_max"),
            "energy_min": low,
            "energy_max": high,
            "irfs": irfs,
            "fixed_offset": None if fixed_offset is None else to_number(fixed_offset, "deg", "fixed_offset"),
            "position": None if position is None else as_position(position),
            "user": user if user is None or callable(user) else np.asarray(user),
        }.items():
            object.__setattr__(self, name, value)

    def apply(self, dataset: S, observation: Observation, offset: float) -> S:
        """The dataset with `mask_safe` narrowed; `offset` [deg] is that of the region from the pointing.

        Raises `ConfigError` if what the user gave is not one bool per bin.
        """
        energy = np.asarray(dataset.energy)
        mask = np.array(dataset.mask_safe) & _between(energy, self.energy_min, self.energy_max)
        background = np.asarray(dataset.background)
        if isinstance(dataset, SpectrumDataset) and background.any():
            mask &= background > 0
        for method in self.methods:
            mask &= _RULES[method](self, dataset, observation, offset)
        if self.user is not None:
            mask &= self._of_user(dataset, observation)
        return eqx.tree_at(lambda d: d.mask_safe, dataset, jax.device_put(mask))

    def in_energy(self, dataset: SpectrumDataset, observation: Observation) -> BinMask:
        """Energy bins of a field of view that the methods leave, without "offset-max" and what the user says."""
        energy = np.asarray(dataset.energy)
        mask = _between(energy, self.energy_min, self.energy_max)
        for method in self.methods:
            if method != "offset-max":
                mask &= _RULES[method](self, dataset, observation, 0.0)
        return mask

    def _of_user(self, dataset: Spectrum, observation: Observation) -> BinMask:
        given = np.asarray(self.user(dataset, observation) if callable(self.user) else self.user)
        if given.dtype != bool or given.shape != dataset.counts.shape:
            raise ConfigError(
                f"{dataset.name}: the user's safe mask must be {dataset.counts.size} bools, one per energy bin, "
                f"got {given.dtype} of shape {given.shape}"
            )
        return given

    def offset_of_file(self, observation: Observation) -> float:
        """Offset [deg] at which the response of a file is taken (`irfs="DL3"`)."""
        if self.fixed_offset is not None:
            return self.fixed_offset
        return 0.0 if self.position is None else float(separation(*observation.pointing_radec, *self.position))


def _percent(given: Any, name: str) -> float:
    """A percentage: at 0 nothing is cut, at 100 the maximum itself."""
    percent = to_number(given, "", name)
    if not 0 < percent < 100:
        raise ConfigError(f"{name} must lie between 0 and 100, such as 10, got {percent:g}")
    return percent


def _between(energy: Edges, low: float, high: float) -> BinMask:
    """Whole bins in [low, high]; thresholds are often bin edges that went through float32."""
    return inside(energy, low * (1 - 1e-6), high * (1 + 1e-6))


def _aeff_default(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    low, high = float(observation.aeff.lo_thres), float(observation.aeff.hi_thres)
    # zero and NaN stand for "not given"
    return _between(np.asarray(dataset.energy), low if low > 0 else -np.inf, high if high > 0 else np.inf)


def _aeff_max(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    if rule.irfs == "DL4":
        low = aeff_threshold(np.asarray(dataset.exposure), np.asarray(dataset.energy_true), rule.aeff_percent)
    else:
        edges = np.asarray(observation.aeff.energy.edges)
        area = np.asarray(observation.aeff.evaluate(edges, rule.offset_of_file(observation)))
        low = float(np.min(edges[area > rule.aeff_percent / 100 * np.max(area)], initial=np.inf))
    return inside(np.asarray(dataset.energy), low, np.inf)


def _edisp_bias(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    energy = np.asarray(dataset.energy)
    if rule.irfs == "DL4":
        low = bias_threshold(np.asarray(dataset.edisp), np.asarray(dataset.energy_true), energy, rule.bias_percent)
    else:
        edges = np.asarray(observation.edisp.energy.edges)
        kernel = observation.edisp.kernel(edges, edges, rule.offset_of_file(observation))
        low = bias_threshold(np.asarray(kernel), edges, edges, rule.bias_percent)
    return inside(energy, low, np.inf)


def _bkg_peak(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    energy = np.asarray(dataset.energy)
    if rule.irfs == "DL4":
        return inside(energy, bkg_peak(np.asarray(dataset.background), energy), np.inf)
    bkg = observation.bkg
    if bkg is None:
        raise ConfigError("bkg-peak with irfs='DL3' needs a background response (BKG), and the run has none")
    return inside(energy, bkg_peak(_over_the_field(bkg), np.asarray(bkg.energy.edges)), np.inf)


def _over_the_field(bkg: Any) -> np.ndarray:
    """The rate per energy at the centres of a response's energy bins, integrated over the field of view.

    A response in two dimensions is taken along its positive longitude axis, as Gammapy does.
    """
    values = np.asarray(bkg.values)
    if isinstance(bkg, Background2D):
        edges = np.asarray(bkg.offset.edges)
    else:
        axes = np.asarray(bkg.fov_lon.edges), np.asarray(bkg.fov_lat.edges)
        lon, lat = (int(np.searchsorted(axis, 0.0, "right")) - 1 for axis in axes)
        values, edges = values[:, lon:, lat], axes[0][lon:]
    return values @ (np.pi * np.diff(edges**2))


def _offset_max(rule: SafeMask, dataset: Spectrum, observation: Observation, offset: float) -> BinMask:
    return np.full(dataset.counts.shape, offset < rule.offset_max)


_RULES: dict[str, Callable[[SafeMask, Spectrum, Observation, float], BinMask]] = {
    "aeff-default": _aeff_default,
    "aeff-max": _aeff_max,
    "edisp-bias": _edisp_bias,
    "bkg-peak": _bkg_peak,
    "offset-max": _offset_max,
}
