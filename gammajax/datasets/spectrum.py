"""DL4 spectra: binned counts of one region with everything needed to predict them."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import ArrayLike

from gammajax._typing import Counts, Edges, Exposure, Kernel, Mask, Scalar
from gammajax.datasets import binned
from gammajax.datasets.binned import Binned, KnownBackground, OffMeasurement, Provenance
from gammajax.errors import DatasetError
from gammajax.tables import edges_text, on_host, range_text
from gammajax.units import EXPOSURE


class _Spectrum(Binned):
    """What both kinds of spectra say about themselves."""

    def _about(self: Any) -> dict[str, str]:
        return {
            "energy": f"{edges_text(self.energy, 'TeV')}{_used(self)}",
            "energy_true": edges_text(self.energy_true, "TeV"),
            **binned.measured(self, 1),
            "exposure": range_text(self.exposure, "cm2 s"),
            **binned.origin(self),
        }


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


class SpectrumDataset(KnownBackground, _Spectrum, eqx.Module):
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
        binned.assign(
            self, {**fields, "background": binned.zeros_or(name, "background", background, fields["counts"].shape)}
        )


class SpectrumDatasetOnOff(OffMeasurement, _Spectrum, eqx.Module):
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
        off = binned.off_fields(name, fields["counts"].shape, counts_off, acceptance, acceptance_off)
        binned.assign(self, {**fields, **off})


Spectrum = SpectrumDataset | SpectrumDatasetOnOff


def _common(
    name, energy, energy_true, exposure, edisp, counts, mask_safe, mask_fit, livetime, provenance
) -> dict[str, Any]:
    energy, energy_true = binned.edges_of(name, "energy", energy), binned.edges_of(name, "energy_true", energy_true)
    n, m = len(energy) - 1, len(energy_true) - 1
    if edisp is None:
        if not np.array_equal(energy, energy_true):
            raise DatasetError(f"{name}: edisp may be left out only if energy and energy_true are the same axis")
        edisp = np.eye(n)
    return {
        **binned.counted(name, (n,), counts, mask_safe, mask_fit, livetime, provenance),
        "energy": binned.as_float(energy),
        "energy_true": binned.as_float(energy_true),
        "exposure": binned.checked(name, "exposure", exposure, (m,), EXPOSURE),
        "edisp": binned.checked(name, "edisp", edisp, (m, n)),
    }


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
