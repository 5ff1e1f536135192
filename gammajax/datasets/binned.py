"""What spectra and cubes share: checked fields, bins in the fit, the off measurement, what they say of themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from astropy import units as u
from jaxtyping import ArrayLike

from gammajax._typing import Array, Bool, Edges, Float, Scalar
from gammajax.data.gti import GTI, stack_gti
from gammajax.errors import DatasetError
from gammajax.tables import Shown, on_host, range_text, shape_text
from gammajax.units import to_number, to_value

Bins = Float[Array, "*bin"]


@dataclass(frozen=True)
class Provenance:
    """Where a dataset comes from, and its good time, if known: never used in a computation."""

    telescope: str = ""
    obs_ids: tuple[int, ...] = ()
    gti: GTI | None = None

    @classmethod
    def merged(cls, parts: "Iterable[Provenance]") -> "Provenance":
        """That of a stack: all telescopes and runs; the good time is known where that of all parts is."""
        parts = list(parts)
        gtis = [part.gti for part in parts if part.gti is not None]
        return cls(
            telescope="+".join(sorted({part.telescope for part in parts} - {""})),
            obs_ids=tuple(obs_id for part in parts for obs_id in part.obs_ids),
            gti=stack_gti(gtis).union() if parts and len(gtis) == len(parts) else None,
        )


class Binned(Shown):
    """Counts in bins of energy, which come first among their axes."""

    energy: Edges
    counts: Bins
    mask_safe: Bool[Array, "*bin"]
    mask_fit: Bool[Array, "*bin"]
    livetime: Scalar
    name: str
    provenance: Provenance

    def _title(self) -> str:
        return f"{type(self).__name__} {getattr(self, 'name', '')}".rstrip()

    @property
    def mask(self) -> Bool[Array, "*bin"]:
        """Bins that take part in the likelihood: `mask_safe` and `mask_fit`."""
        return self.mask_safe & self.mask_fit

    def select_energy(self, energy_min: Any, energy_max: Any) -> Self:
        """The dataset with `mask_fit` set to the whole energy bins inside [energy_min, energy_max]."""
        low = to_number(energy_min, "TeV", f"{self.name}: energy_min")
        high = to_number(energy_max, "TeV", f"{self.name}: energy_max")
        if not low < high:
            raise DatasetError(f"{self.name}: energy_min = {low:g} TeV is not below energy_max = {high:g} TeV")
        edges, shape = np.asarray(self.energy), self.mask_fit.shape
        # Edges come from float32 headers and unit changes: a bin that misses the limit by rounding belongs inside.
        inside = (edges[:-1] >= low * (1 - 1e-6)) & (edges[1:] <= high * (1 + 1e-6))
        mask = np.broadcast_to(inside.reshape(-1, *(1,) * (len(shape) - 1)), shape)
        return eqx.tree_at(lambda d: d.mask_fit, self, jnp.asarray(mask))


class KnownBackground(Binned):
    """Counts against a known background."""

    background: Bins

    def with_observed(self, counts: ArrayLike) -> Self:
        """The dataset with other counts."""
        return eqx.tree_at(lambda d: d.counts, self, as_float(counts))

    def with_background(self, background: ArrayLike | None) -> Self:
        """The dataset with another background, in expected counts per bin, in the shape of `counts`; None: without any.

        Raises `DatasetError` for another shape, negative numbers, or such that are not finite.

        >>> cube.with_background(None).background.sum()                                     # doctest: +SKIP
        """
        new = zeros_or(self.name, "background", background, self.counts.shape)
        return eqx.tree_at(lambda d: d.background, self, new)


class OffMeasurement(Binned):
    """Counts against off counts."""

    counts_off: Bins
    acceptance: Bins
    acceptance_off: Bins

    @property
    def alpha(self) -> Bins:
        """Ratio of the on to the off acceptance per bin; 0 where there is no off acceptance."""
        has_off = self.acceptance_off > 0
        return jnp.where(has_off, self.acceptance / jnp.where(has_off, self.acceptance_off, 1.0), 0.0)

    @property
    def background(self) -> Bins:
        """Expected background counts among the on counts, `alpha * counts_off`."""
        return self.alpha * self.counts_off

    @property
    def excess(self) -> Bins:
        """Counts above the expected background, `counts - alpha * counts_off`."""
        return self.counts - self.background

    def with_observed(self, counts: ArrayLike, counts_off: ArrayLike) -> Self:
        """The dataset with other counts."""
        return eqx.tree_at(lambda d: (d.counts, d.counts_off), self, (as_float(counts), as_float(counts_off)))


# -- fields --------------------------------------------------------------------------------------------------------


def as_float(x: ArrayLike) -> Array:
    """An array of floats."""
    return jnp.asarray(np.asarray(x, dtype=float))


def edges_of(name: str, axis: str, edges: Any) -> np.ndarray:
    """Bin edges [TeV] of an axis of the dataset `name`. Raises `DatasetError` unless they increase and are positive."""
    edges = np.asarray(to_value(edges, "TeV", f"{name}: {axis}"), dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0) or not edges[0] > 0:
        raise DatasetError(f"{name}: {axis} needs at least two increasing positive bin edges [TeV]")
    return edges


def checked(name: str, field: str, values: Any, shape: tuple[int, ...], unit: str = "") -> Array:
    """Numbers >= 0 of a shape, in `unit`. Raises `DatasetError`, naming the dataset and the field."""
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
    return as_float(values)


def zeros_or(name: str, field: str, values: Any, shape: tuple[int, ...]) -> Array:
    """`checked`, with None for zeros."""
    return checked(name, field, np.zeros(shape) if values is None else values, shape)


def counted(
    name: str, shape: tuple[int, ...], counts: Any, mask_safe: Any, mask_fit: Any, livetime: Any, provenance: Provenance
) -> dict[str, Any]:
    """The fields of `Binned` besides its axes, checked."""
    return {
        "name": name,
        "provenance": provenance,
        "counts": zeros_or(name, "counts", counts, shape),
        "mask_safe": _mask(name, "mask_safe", mask_safe, shape),
        "mask_fit": _mask(name, "mask_fit", mask_fit, shape),
        "livetime": as_float(to_value(livetime, "s", f"{name}: livetime")),
    }


def off_fields(
    name: str, shape: tuple[int, ...], counts_off: Any, acceptance: Any, acceptance_off: Any
) -> dict[str, Array]:
    """The fields of `OffMeasurement` besides the counts, checked; an acceptance may be one number for all bins."""
    fields = {"counts_off": zeros_or(name, "counts_off", counts_off, shape)}
    for field, values in (("acceptance", acceptance), ("acceptance_off", acceptance_off)):
        fields[field] = checked(name, field, np.full(shape, values) if np.ndim(values) == 0 else values, shape)
    return fields


def _mask(name: str, field: str, x: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    values = np.ones(shape, dtype=bool) if x is None else np.asarray(x, dtype=bool)
    if values.shape != shape:
        raise DatasetError(f"{name}: {field} has shape {values.shape}, its axes ask for {shape}")
    return jnp.asarray(values)


def assign(module: eqx.Module, fields: Mapping[str, Any]) -> None:
    """Set the fields of a frozen module in its `__init__`."""
    for key, value in fields.items():
        object.__setattr__(module, key, value)


# -- texts ---------------------------------------------------------------------------------------------------------


def measured(dataset: Any, ndim: int) -> dict[str, str]:
    """What a dataset says of its counts, along `ndim` axes, and of its background."""
    counts = _sum(dataset.counts, ndim)
    if not isinstance(dataset, OffMeasurement):
        return {"counts": counts, "background": _sum(dataset.background, ndim)}
    alpha = f", alpha {range_text(dataset.alpha)}" if on_host(dataset.acceptance) is not None else ""
    return {"counts": f"{counts}, off {_sum(dataset.counts_off, ndim)}{alpha}"}


def origin(dataset: Binned) -> dict[str, str]:
    """What a dataset says of its livetime, telescope and runs."""
    ids = dataset.provenance.obs_ids
    few = ", ".join(map(str, ids[:5]))
    return {
        "livetime": _hours(dataset.livetime),
        "telescope": dataset.provenance.telescope,
        "runs": f"{few}, ... ({len(ids)})" if len(ids) > 5 else few,
        "good time": "" if dataset.provenance.gti is None else repr(dataset.provenance.gti),
    }


def _sum(x: Any, ndim: int) -> str:
    values = on_host(x)
    return shape_text(x) if values is None or values.ndim != ndim else f"{values.sum():.6g}"


def _hours(livetime: Any) -> str:
    value = on_host(livetime)
    if value is None or value.ndim:
        return shape_text(livetime)
    return f"{value / 3600:.4g} h" if np.isfinite(value) else ""
