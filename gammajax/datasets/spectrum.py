"""DL4 spectra: binned counts of one region with everything needed to predict them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from astropy import units as u
from jaxtyping import ArrayLike

from gammajax._typing import Array, Counts, Edges, Exposure, Kernel, Mask, Scalar
from gammajax.errors import DatasetError
from gammajax.tables import Shown, edges_text, on_host, range_text, shape_text
from gammajax.units import EXPOSURE, to_number, to_value


@dataclass(frozen=True)
class Provenance:
    """Where a dataset comes from: never used in a computation."""

    telescope: str = ""
    obs_ids: tuple[int, ...] = ()


def _float(x: ArrayLike) -> Array:
    return jnp.asarray(np.asarray(x, dtype=float))


def _mask(name: str, field: str, x: ArrayLike | None, n: int) -> Array:
    values = np.ones(n, dtype=bool) if x is None else np.asarray(x, dtype=bool)
    if values.shape != (n,):
        raise DatasetError(f"{name}: {field} has shape {values.shape}, its axes ask for {(n,)}")
    return jnp.asarray(values)


class _Spectrum(Shown):
    """What both kinds of spectra say about themselves."""

    def _title(self) -> str:
        return f"{type(self).__name__} {getattr(self, 'name', '')}".rstrip()

    def _about(self: Any) -> dict[str, str]:
        on_off = hasattr(self, "counts_off")
        alpha = f", alpha {range_text(self.alpha)}" if on_off and on_host(self.acceptance) is not None else ""
        return {
            "energy": f"{edges_text(self.energy, 'TeV')}{_used(self)}",
            "energy_true": edges_text(self.energy_true, "TeV"),
            "counts": _sum(self.counts) + (f", off {_sum(self.counts_off)}{alpha}" if on_off else ""),
            "background": "" if on_off else _sum(self.background),
            "exposure": range_text(self.exposure, "cm2 s"),
            "livetime": _hours(self.livetime),
            "telescope": self.provenance.telescope,
            "runs": _runs(self.provenance.obs_ids),
        }


def _sum(x: Any, ndim: int = 1) -> str:
    values = on_host(x)
    return shape_text(x) if values is None or values.ndim != ndim else f"{values.sum():.6g}"


def _used(dataset: Any) -> str:
    """The bins in the fit, where not all are."""
    parts = [on_host(x) for x in (dataset.mask_safe, dataset.mask_fit, dataset.energy)]
    if any(x is None or x.ndim != 1 for x in parts):
        return ""
    safe, fit, edges = (np.asarray(x) for x in parts)
    bins = np.flatnonzero(safe & fit)
    if len(bins) == len(safe):
        return ", all in the fit"
    if not len(bins):
        return ", none in the fit"
    return f", {len(bins)} in the fit: {edges[bins[0]]:.3g} .. {edges[bins[-1] + 1]:.3g} TeV"


def _hours(livetime: Any) -> str:
    value = on_host(livetime)
    if value is None or value.ndim:
        return shape_text(livetime)
    return f"{value / 3600:.4g} h" if np.isfinite(value) else ""


def _runs(obs_ids: tuple[int, ...]) -> str:
    few = ", ".join(map(str, obs_ids[:5]))
    return f"{few}, ... ({len(obs_ids)})" if len(obs_ids) > 5 else few


class SpectrumDataset(_Spectrum, eqx.Module):
    """Counts of one region against a known background (Cash statistic).

    Predicted counts in bin j are `mu_j = sum_i F_i exposure_i edisp_ij + background_j` with F_i the model flux
    integrated over the true-energy bin i [cm-2 s-1].

    `energy` and `energy_true` are bin edges [TeV]; `exposure` [cm2 s]; `livetime` [s]; a bin takes part in the
    likelihood where both `mask_safe` and `mask_fit` are True.
    """

    energy: Edges
    energy_true: Edges
    counts: Counts
    background: Counts
    exposure: Exposure
    edisp: Kernel
    mask_safe: Mask
    mask_fit: Mask
    livetime: Scalar
    name: str = eqx.field(static=True)
    provenance: Provenance = eqx.field(static=True)

    def __init__(
        self,
        *,
        name: str,
        energy: Any,
        energy_true: Any,
        exposure: ArrayLike,
        edisp: ArrayLike | None = None,
        counts: ArrayLike | None = None,
        background: ArrayLike | None = None,
        mask_safe: ArrayLike | None = None,
        mask_fit: ArrayLike | None = None,
        livetime: float = np.nan,
        provenance: Provenance = Provenance(),  # noqa: B008 - frozen
    ):
        fields = _common(name, energy, energy_true, exposure, edisp, counts, mask_safe, mask_fit, livetime, provenance)
        n = len(fields["counts"])
        fields["background"] = _checked(name, "background", np.zeros(n) if background is None else background, n)
        _assign(self, fields)

    @property
    def mask(self) -> Mask:
        """Bins that take part in the likelihood: `mask_safe` and `mask_fit`."""
        return self.mask_safe & self.mask_fit

    def select_energy(self, energy_min: Any, energy_max: Any) -> Self:
        """The dataset with `mask_fit` set to the whole bins inside [energy_min, energy_max]."""
        return _select_energy(self, energy_min, energy_max)

    def with_observed(self, counts: ArrayLike) -> Self:
        """The dataset with other counts."""
        return eqx.tree_at(lambda d: d.counts, self, _float(counts))


class SpectrumDatasetOnOff(_Spectrum, eqx.Module):
    """Counts of an on region against counts of off regions (WStat: background profiled bin by bin).

    `alpha = acceptance / acceptance_off` scales off counts to the on region. Other fields as in `SpectrumDataset`.
    """

    energy: Edges
    energy_true: Edges
    counts: Counts
    counts_off: Counts
    acceptance: Counts
    acceptance_off: Counts
    exposure: Exposure
    edisp: Kernel
    mask_safe: Mask
    mask_fit: Mask
    livetime: Scalar
    name: str = eqx.field(static=True)
    provenance: Provenance = eqx.field(static=True)

    def __init__(
        self,
        *,
        name: str,
        energy: Any,
        energy_true: Any,
        exposure: ArrayLike,
        edisp: ArrayLike | None = None,
        counts: ArrayLike | None = None,
        counts_off: ArrayLike | None = None,
        acceptance: ArrayLike = 1.0,
        acceptance_off: ArrayLike = 1.0,
        mask_safe: ArrayLike | None = None,
        mask_fit: ArrayLike | None = None,
        livetime: float = np.nan,
        provenance: Provenance = Provenance(),  # noqa: B008 - frozen
    ):
        fields = _common(name, energy, energy_true, exposure, edisp, counts, mask_safe, mask_fit, livetime, provenance)
        n = len(fields["counts"])
        off = np.zeros(n) if counts_off is None else counts_off
        fields["counts_off"] = _checked(name, "counts_off", off, n)
        for field, values in (("acceptance", acceptance), ("acceptance_off", acceptance_off)):
            fields[field] = _checked(name, field, np.full(n, values) if np.ndim(values) == 0 else values, n)
        _assign(self, fields)

    @property
    def mask(self) -> Mask:
        """Bins that take part in the likelihood: `mask_safe` and `mask_fit`."""
        return self.mask_safe & self.mask_fit

    @property
    def alpha(self) -> Counts:
        """Ratio of the on to the off acceptance per bin; 0 where there is no off acceptance."""
        has_off = self.acceptance_off > 0
        return jnp.where(has_off, self.acceptance / jnp.where(has_off, self.acceptance_off, 1.0), 0.0)

    @property
    def background(self) -> Counts:
        """Expected background counts in the on region, `alpha * counts_off`."""
        return self.alpha * self.counts_off

    @property
    def excess(self) -> Counts:
        """Counts above the expected background, `counts - alpha * counts_off`."""
        return self.counts - self.background

    def select_energy(self, energy_min: Any, energy_max: Any) -> Self:
        """The dataset with `mask_fit` set to the whole bins inside [energy_min, energy_max]."""
        return _select_energy(self, energy_min, energy_max)

    def with_observed(self, counts: ArrayLike, counts_off: ArrayLike) -> Self:
        """The dataset with other counts."""
        return eqx.tree_at(lambda d: (d.counts, d.counts_off), self, (_float(counts), _float(counts_off)))


Spectrum = SpectrumDataset | SpectrumDatasetOnOff


def _select_energy(dataset: Any, energy_min: Any, energy_max: Any) -> Any:
    low = to_number(energy_min, "TeV", f"{dataset.name}: energy_min")
    high = to_number(energy_max, "TeV", f"{dataset.name}: energy_max")
    if not low < high:
        raise DatasetError(f"{dataset.name}: energy_min = {low:g} TeV is not below energy_max = {high:g} TeV")
    edges = np.asarray(dataset.energy)
    # Edges come from float32 headers and unit changes: a bin that misses the limit by rounding belongs inside.
    inside = (edges[:-1] >= low * (1 - 1e-6)) & (edges[1:] <= high * (1 + 1e-6))
    return eqx.tree_at(lambda d: d.mask_fit, dataset, jnp.asarray(inside))


def _common(name, energy, energy_true, exposure, edisp, counts, mask_safe, mask_fit, livetime, provenance) -> dict:
    energy = _edges(name, "energy", energy)
    energy_true = _edges(name, "energy_true", energy_true)
    n, m = len(energy) - 1, len(energy_true) - 1
    if edisp is None:
        if not np.array_equal(energy, energy_true):
            raise DatasetError(f"{name}: edisp may be left out only if energy and energy_true are the same axis")
        edisp = np.eye(n)
    return {
        "name": name,
        "provenance": provenance,
        "energy": _float(energy),
        "energy_true": _float(energy_true),
        "counts": _checked(name, "counts", np.zeros(n) if counts is None else counts, n),
        "exposure": _checked(name, "exposure", exposure, m, unit=EXPOSURE),
        "edisp": _checked(name, "edisp", edisp, m, n),
        "mask_safe": _mask(name, "mask_safe", mask_safe, n),
        "mask_fit": _mask(name, "mask_fit", mask_fit, n),
        "livetime": _float(to_value(livetime, "s", f"{name}: livetime")),
    }


def _edges(name: str, axis: str, edges: Any) -> np.ndarray:
    edges = np.asarray(to_value(edges, "TeV", f"{name}: {axis}"), dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0) or not edges[0] > 0:
        raise DatasetError(f"{name}: {axis} needs at least two increasing positive bin edges [TeV]")
    return edges


def _checked(name: str, field: str, values: Any, *shape: int, unit: str = "") -> Array:
    if isinstance(values, u.Quantity):
        values = to_value(values, unit, f"{name}: {field}")
    try:
        values = np.asarray(values, dtype=float)
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{name}: {field} must be an array of numbers of shape {shape}: {error}") from error
    if values.shape != shape:
        raise DatasetError(f"{name}: {field} has shape {values.shape}, its axes ask for {shape}")
    if not np.all(np.isfinite(values)):
        raise DatasetError(f"{name}: {field} holds {np.sum(~np.isfinite(values))} values that are not finite")
    if np.any(values < 0):
        raise DatasetError(f"{name}: {field} holds {np.sum(values < 0)} negative values")
    return _float(values)


def _assign(module: eqx.Module, fields: dict) -> None:
    for key, value in fields.items():
        object.__setattr__(module, key, value)


def check_same_axes(datasets: Sequence[Spectrum]) -> None:
    """Raise `DatasetError` unless all datasets have the same kind and the same energy axes."""
    first = datasets[0]
    for other in datasets[1:]:
        if type(other) is not type(first):
            raise DatasetError(
                f"{first.name} and {other.name} differ in kind: {type(first).__name__} and {type(other).__name__}"
            )
        for axis in ("energy", "energy_true"):
            a, b = np.asarray(getattr(first, axis)), np.asarray(getattr(other, axis))
            if a.shape != b.shape or not np.allclose(a, b, rtol=1e-6, atol=0):
                raise DatasetError(f"{first.name} and {other.name} differ in their {axis} axis")
