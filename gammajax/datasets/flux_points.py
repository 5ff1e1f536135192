"""DL5 flux points of one spectrum, as a dataset of the likelihood."""

from pathlib import Path
from typing import Any, Literal, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from gammajax._typing import Array, Bool, Float
from gammajax.datasets.binned import Provenance
from gammajax.errors import DatasetError
from gammajax.io.sed import Sed, read_sed, write_sed
from gammajax.tables import as_text, make_table
from gammajax.units import DNDE, to_number, to_value

StatType = Literal["chi2", "distrib", "profile"]
STAT_TYPES = ("chi2", "distrib", "profile")

Points = Float[Array, "point"]


class FluxPointsDataset(eqx.Module):
    r"""Differential fluxes `dnde` [cm-2 s-1 TeV-1] at the energies `energy_ref` [TeV], with their uncertainties.

    `stat_type` says what they are compared by, point by point with a predicted flux f:

    - "chi2": `((f - dnde) / dnde_err)^2`; upper limits take no part.
    - "distrib": the same with the error of the side on which f lies, and for an upper limit `u` of confidence level
      `ul_conf` the probability of staying below it, `-2 ln [Phi((u - f) / s) / Phi(u / s)]`, `s = u / n` with
      `Phi(n) = ul_conf` (S. Mohanty et al., ApJ 773, 168 (2013), eq. C7). Gammapy 2.1 takes `+2 ln` of the opposite
      probability there, which ends at 5.1 however much a limit is violated; this one rises without end.
    - "profile": the likelihood profile of the point, `stat_scan` at fluxes `norm_scan * dnde_ref`, as the square of a
      monotone cubic through its signed roots, straight beyond both ends.

    A point takes part where `mask_safe` and `mask_fit` are True and its numbers allow it (`mask`).

    >>> FluxPointsDataset(name="sed", energy_ref=[1, 10], dnde=[1e-11, 1e-13], dnde_err=[1e-12, 1e-14]).mask.tolist()
    [True, True]
    """

    energy_ref: Points
    dnde: Points
    dnde_err: Points
    dnde_errn: Points
    dnde_errp: Points
    dnde_ul: Points
    is_ul: Bool[Array, "point"]
    dnde_ref: Points
    dnde_best: Points
    """Where the likelihood profiles have their minimum."""
    energy_min: Points
    energy_max: Points
    norm_scan: Float[Array, "point scan"] | None
    stat_scan: Float[Array, "point scan"] | None
    mask_safe: Bool[Array, "point"]
    mask_fit: Bool[Array, "point"]
    ul_conf: float = eqx.field(static=True)
    stat_type: StatType = eqx.field(static=True)
    name: str = eqx.field(static=True)
    provenance: Provenance = eqx.field(static=True)

    def __init__(
        self,
        *,
        name: str,
        energy_ref: Any,
        dnde: Any,
        dnde_err: Any = None,
        dnde_errn: Any = None,
        dnde_errp: Any = None,
        dnde_ul: Any = None,
        is_ul: Any = None,
        dnde_ref: Any = None,
        dnde_best: Any = None,
        energy_min: Any = None,
        energy_max: Any = None,
        norm_scan: Any = None,
        stat_scan: Any = None,
        mask_safe: Any = None,
        mask_fit: Any = None,
        ul_conf: float = 0.95,
        stat_type: StatType = "chi2",
        provenance: Provenance = Provenance(),  # noqa: B008 - frozen
    ):
        energy = _column(name, "energy_ref", energy_ref, "TeV", None)
        n = len(energy)
        if not np.all(np.isfinite(energy) & (energy > 0)) or not np.all(np.diff(energy) > 0):
            raise DatasetError(f"{name}: energy_ref must be positive and increase: sort the points")
        given = {"dnde": dnde, "dnde_err": dnde_err, "dnde_errn": dnde_errn, "dnde_errp": dnde_errp, "dnde_ul": dnde_ul}
        columns = {key: _column(name, key, x, DNDE, n) for key, x in given.items()}
        if np.all(np.isnan(columns["dnde_err"])):
            columns["dnde_err"] = 0.5 * (columns["dnde_errn"] + columns["dnde_errp"])
        for key in ("dnde_errn", "dnde_errp"):
            columns[key] = np.where(np.isnan(columns[key]), columns["dnde_err"], columns[key])
        limit = np.isfinite(columns["dnde_ul"]) & ~np.isfinite(columns["dnde"])
        scale = np.abs(np.where(np.isfinite(columns["dnde"]), columns["dnde"], columns["dnde_ul"]))
        fallback = np.where(np.isfinite(scale) & (scale > 0), scale, energy**-2.0 * 1e-12)
        columns |= {
            "dnde_ref": fallback if dnde_ref is None else _column(name, "dnde_ref", dnde_ref, DNDE, n),
            "dnde_best": columns["dnde"] if dnde_best is None else _column(name, "dnde_best", dnde_best, DNDE, n),
            "energy_min": _column(name, "energy_min", energy_min, "TeV", n),
            "energy_max": _column(name, "energy_max", energy_max, "TeV", n),
        }
        scans = _scans(name, norm_scan, stat_scan, n)
        if stat_type not in STAT_TYPES:
            raise DatasetError(f"{name}: stat_type {stat_type!r} is not one of {', '.join(STAT_TYPES)}")
        if stat_type == "profile" and scans is None:
            raise DatasetError(f"{name}: stat_type 'profile' needs norm_scan and stat_scan; use 'chi2' or 'distrib'")
        if not 0 < ul_conf < 1:
            raise DatasetError(f"{name}: ul_conf must lie between 0 and 1, got {ul_conf}")
        fields = {"energy_ref": energy, **columns, "is_ul": _flags(name, "is_ul", is_ul, n, limit)}
        fields |= {"norm_scan": None, "stat_scan": None}
        fields |= {} if scans is None else {"norm_scan": scans[0], "stat_scan": scans[1]}
        fields |= {key: _flags(name, key, x, n) for key, x in (("mask_safe", mask_safe), ("mask_fit", mask_fit))}
        for key, value in fields.items():
            object.__setattr__(self, key, None if value is None else jnp.asarray(value))
        statics = {"ul_conf": float(ul_conf), "stat_type": stat_type, "name": name, "provenance": provenance}
        for key, value in statics.items():
            object.__setattr__(self, key, value)
        _check_errors(self)

    @classmethod
    def read(
        cls, path: str | Path, *, name: str | None = None, stat_type: StatType = "chi2", row: int | None = None
    ) -> Self:
        """Read an SED table (GADF; FITS or ECSV); `row` picks a time bin of a light curve.

        >>> FluxPointsDataset.read("crab_hess_fp.fits", stat_type="profile")            # doctest: +SKIP
        """
        sed = read_sed(path, row=row)
        given = {key: value for key, value in vars(sed).items() if value is not None}
        return cls(name=name or Path(path).name.split(".")[0], stat_type=stat_type, **given)

    def write(self, path: str | Path) -> Path:
        """Write as an SED table that Gammapy reads: ECSV for a name ending in .ecsv, else FITS."""
        fields: dict[str, Any] = {key: getattr(self, key) for key in Sed.__dataclass_fields__}
        fields |= {key: np.asarray(x) for key, x in fields.items() if x is not None and key != "ul_conf"}
        return write_sed(Sed(**fields), path)

    @property
    def usable(self) -> np.ndarray:
        """Points whose numbers allow a comparison by `stat_type`."""
        value, is_ul = np.isfinite(np.asarray(self.dnde)), np.asarray(self.is_ul)
        if self.stat_type == "profile":
            return (
                np.all(np.isfinite(np.asarray(self.stat_scan)) & np.isfinite(np.asarray(self.norm_scan)), axis=1)
                & value
            )
        if self.stat_type == "chi2":
            return value & ~is_ul
        return np.where(is_ul, np.isfinite(np.asarray(self.dnde_ul)), value)

    @property
    def mask(self) -> np.ndarray:
        """Points that take part in the likelihood."""
        return np.asarray(self.mask_safe) & np.asarray(self.mask_fit) & self.usable

    @property
    def livetime(self) -> float:
        """Unknown: NaN."""
        return float("nan")

    def select_energy(self, energy_min: Any, energy_max: Any) -> Self:
        """The dataset with `mask_fit` set to the points inside [energy_min, energy_max]."""
        low, high = (to_number(x, "TeV", f"{self.name}: energy range") for x in (energy_min, energy_max))
        if not low < high:
            raise DatasetError(f"{self.name}: energy_min = {low:g} TeV is not below energy_max = {high:g} TeV")
        inside = (np.asarray(self.energy_ref) >= low) & (np.asarray(self.energy_ref) <= high)
        return eqx.tree_at(lambda d: d.mask_fit, self, jnp.asarray(inside))

    def with_observed(self, norm: Any) -> Self:
        """The dataset with other fluxes, in units of `dnde_ref`; upper limits stay."""
        values = np.asarray(norm) * np.asarray(self.dnde_ref)
        new = np.where(np.asarray(self.is_ul), np.asarray(self.dnde), values)
        return eqx.tree_at(lambda d: d.dnde, self, jnp.asarray(new))

    @property
    def table(self) -> Table:
        """One row per point: energy, flux, errors, limit, whether it takes part."""
        columns = {
            "e_ref": np.asarray(self.energy_ref),
            **{key: np.asarray(getattr(self, key)) for key in ("dnde", "dnde_errn", "dnde_errp", "dnde_ul")},
        }
        out: Any = make_table({**columns, "is_ul": np.asarray(self.is_ul), "used": self.mask}, list(columns))
        out["e_ref"].unit = "TeV"
        for key in ("dnde", "dnde_errn", "dnde_errp", "dnde_ul"):
            out[key].unit = DNDE
        return out

    def __repr__(self) -> str:
        head = f"FluxPointsDataset {self.name}: {int(self.mask.sum())} points used ({self.stat_type})"
        return f"{head}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def _column(name: str, field: str, values: Any, unit: str, n: int | None) -> np.ndarray:
    """A column as floats in `unit`; NaN throughout where it is not given."""
    if values is None:
        return np.full(n or 0, np.nan)
    out = np.atleast_1d(np.asarray(to_value(values, unit, f"{name}: {field}"), dtype=float))
    if out.ndim != 1 or (n is not None and out.shape != (n,)) or out.size == 0:
        raise DatasetError(f"{name}: {field} has shape {out.shape}, expected {'a list' if n is None else (n,)}")
    return out


def _flags(name: str, field: str, values: Any, n: int, default: Any = True) -> np.ndarray:
    out = np.broadcast_to(np.asarray(default, dtype=bool), (n,)) if values is None else np.asarray(values, dtype=bool)
    if out.shape != (n,):
        raise DatasetError(f"{name}: {field} has shape {out.shape}, there are {n} points")
    return out


def _scans(name: str, norm: Any, stat: Any, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    if norm is None or stat is None:
        return None
    a, b = np.asarray(norm, dtype=float), np.asarray(stat, dtype=float)
    if a.shape != b.shape or a.ndim != 2 or len(a) != n or a.shape[1] < 3:
        raise DatasetError(
            f"{name}: norm_scan has shape {a.shape}, stat_scan {b.shape}; both must be ({n}, k) with k > 2"
        )
    order = np.argsort(a, axis=1)
    return np.take_along_axis(a, order, axis=1), np.take_along_axis(b, order, axis=1)


def _check_errors(dataset: FluxPointsDataset) -> None:
    """Raise `DatasetError` for points that take part without an error, or with one that is not positive."""
    if dataset.stat_type == "profile":
        return
    value = dataset.usable & ~np.asarray(dataset.is_ul)
    for key in ("dnde_err",) if dataset.stat_type == "chi2" else ("dnde_errn", "dnde_errp"):
        bad = value & ~(np.asarray(getattr(dataset, key)) > 0)
        if bad.any():
            where = ", ".join(f"{e:.4g}" for e in np.asarray(dataset.energy_ref)[bad])
            raise DatasetError(
                f"{dataset.name}: {key} is missing or not positive at {where} TeV: give errors, or mask those points"
            )
    limits = dataset.usable & np.asarray(dataset.is_ul)
    if np.any(limits & ~(np.asarray(dataset.dnde_ul) > 0)):
        raise DatasetError(f"{dataset.name}: upper limits must be positive for stat_type 'distrib'")
