"""Flux points in files: GADF SED tables (FITS, ECSV), as plain arrays of differential flux.

Reference: GADF specification, "Flux points (SED)": https://gamma-astro-data-formats.readthedocs.io
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from gammajax.errors import FileFormatError
from gammajax.io.paths import check_file
from gammajax.units import DNDE, FLUX, conversion

UNITS = {
    "dnde": DNDE,
    "e2dnde": "TeV cm-2 s-1",
    "flux": FLUX,
    "eflux": "TeV cm-2 s-1",
}
_COLUMNS = ("", "_err", "_errn", "_errp", "_ul")
_LEVEL = 0.95
"""Confidence level of upper limits where a file does not say it (GADF)."""


@dataclasses.dataclass(frozen=True)
class Sed:
    """Flux points of one spectrum: energies [TeV], differential fluxes [cm-2 s-1 TeV-1], NaN where one is missing.

    `stat_scan[point, k]` is minus twice the log likelihood above its least value where the flux is
    `norm_scan[point, k] * dnde_ref[point]`.
    """

    energy_ref: np.ndarray
    energy_min: np.ndarray
    energy_max: np.ndarray
    dnde: np.ndarray
    dnde_err: np.ndarray
    dnde_errn: np.ndarray
    dnde_errp: np.ndarray
    dnde_ul: np.ndarray
    is_ul: np.ndarray
    dnde_ref: np.ndarray
    norm_scan: np.ndarray | None = None
    stat_scan: np.ndarray | None = None
    ul_conf: float = _LEVEL
    mask_safe: np.ndarray | None = None
    mask_fit: np.ndarray | None = None


def read_sed(path: str | Path, *, row: int | None = None) -> Sed:
    """Read an SED table; `row` picks one time bin of a light curve.

    SED_TYPE is dnde, e2dnde, flux, eflux or likelihood, and is told from the columns where the file does not say it.
    Integral fluxes become differential ones at `e_ref` with a power law of index 2 between `e_min` and `e_max`, as in
    Gammapy. Raises `FileFormatError`, naming the column, for what cannot be understood.
    """
    path = Path(path)
    table = _table(path)
    kind = _kind(path, table)
    columns = _Columns(path, table, row)
    required = {"dnde": ["e_ref"], "e2dnde": ["e_ref"], "likelihood": ["e_ref", "ref_dnde", "norm"]}
    columns.need(required.get(kind, ["e_min", "e_max"]))
    low, high = columns.energy("e_min"), columns.energy("e_max")
    energy = columns.energy("e_ref") if columns.has("e_ref") else np.sqrt(low * high)
    if not np.all(np.isfinite(energy) & (energy > 0)):
        raise FileFormatError(f"{path}: e_ref holds energies that are not positive and finite")
    fluxes, reference = _fluxes(columns, kind, energy, low, high)
    is_ul = columns.flags("is_ul")
    if is_ul is None:
        is_ul = np.isfinite(fluxes["_ul"]) & ~np.isfinite(fluxes[""])
    scan = _scan(path, columns, kind, len(energy))
    return Sed(
        energy_ref=energy,
        energy_min=low,
        energy_max=high,
        **{f"dnde{suffix}": x for suffix, x in fluxes.items()},
        is_ul=is_ul,
        dnde_ref=reference,
        norm_scan=None if scan is None else scan[0],
        stat_scan=None if scan is None else scan[1],
        ul_conf=_level(path, table),
        mask_safe=columns.flags("mask_safe"),
        mask_fit=columns.flags("mask_fit"),
    )


def write_sed(sed: Sed, path: str | Path) -> Path:
    """Write an SED as FITS or ECSV, as GADF and Gammapy read it: type dnde, or likelihood if it holds scans."""
    path = Path(path)
    out: Any = Table()
    out["e_ref"], out["e_min"], out["e_max"] = sed.energy_ref, sed.energy_min, sed.energy_max
    for name in ("e_ref", "e_min", "e_max"):
        out[name].unit = "TeV"
    likelihood = sed.stat_scan is not None and sed.norm_scan is not None
    if likelihood:
        _write_reference(out, sed)
        stem, scale, unit = "norm", 1.0 / sed.dnde_ref, ""
    else:
        stem, scale, unit = "dnde", np.ones_like(sed.dnde), DNDE
    for suffix in _COLUMNS:
        values = getattr(sed, f"dnde{suffix}") * scale
        if suffix == "" or np.any(np.isfinite(values)):
            out[f"{stem}{suffix}"] = values
            out[f"{stem}{suffix}"].unit = unit
    if likelihood:
        out["norm_scan"], out["stat_scan"], out["stat"] = sed.norm_scan, sed.stat_scan, np.zeros(len(out))
    out["is_ul"] = sed.is_ul
    for name in ("mask_fit", "mask_safe"):
        mask = getattr(sed, name)
        # Gammapy reads masks with the axes of a map of one pixel.
        out[name] = (np.ones(len(out), dtype=bool) if mask is None else mask)[:, None, None]
    out.meta.update({"SED_TYPE": "likelihood" if likelihood else "dnde", "UL_CONF": sed.ul_conf})
    format = "ascii.ecsv" if path.suffix == ".ecsv" else "fits"
    out.write(path, format=format, overwrite=True)
    return path


def _write_reference(out: Any, sed: Sed) -> None:
    """The reference spectrum of norms: a power law of index 2 through `dnde_ref`."""
    flux, eflux = _power_law(sed.energy_ref, sed.energy_min, sed.energy_max)
    for name, factor, unit in (("dnde", 1.0, DNDE), ("flux", flux, FLUX), ("eflux", eflux, UNITS["eflux"])):
        out[f"ref_{name}"] = sed.dnde_ref * factor
        out[f"ref_{name}"].unit = unit


def _power_law(energy: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integral flux and energy flux between `low` and `high` of a power law of index 2 with dnde = 1 at `energy`."""
    return energy**2 * (1.0 / low - 1.0 / high), energy**2 * np.log(high / low)


def _table(path: Path) -> Any:
    check_file(path)
    text = path.suffix in (".ecsv", ".txt", ".dat", ".csv")
    try:
        table = Table.read(path, format="ascii.ecsv") if text else Table.read(path, format="fits", hdu=1)
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        raise FileFormatError(f"{path} cannot be read as a table of flux points (FITS or ECSV): {error}") from error
    if not len(table):
        raise FileFormatError(f"{path}: its table of flux points has no rows")
    return table


def _kind(path: Path, table: Any) -> str:
    """SED_TYPE, from the header or from the columns."""
    said = str(table.meta.get("SED_TYPE") or "").strip().lower()
    known = (*UNITS, "likelihood")
    if said and said not in known:
        raise FileFormatError(f"{path}: SED_TYPE is {said!r}; types are {', '.join(known)}")
    found = [name for name in UNITS if name in table.colnames]
    found += ["likelihood"] if {"norm", "ref_dnde"} <= set(table.colnames) else []
    if said or found:
        return said or found[0]
    raise FileFormatError(
        f"{path} has no SED_TYPE and none of the columns {', '.join(UNITS)} or norm with ref_dnde; it has "
        f"{', '.join(table.colnames)}: rename them, or give the arrays to FluxPointsDataset"
    )


def _level(path: Path, table: Any) -> float:
    level = table.meta.get("UL_CONF", _LEVEL)
    try:
        value = float(level)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: UL_CONF is {level!r}, which is no number") from error
    if not 0 < value < 1:
        raise FileFormatError(f"{path}: UL_CONF is {value}, which is no confidence level between 0 and 1")
    return value


@dataclasses.dataclass(frozen=True)
class _Columns:
    """Columns of a table as float arrays in canonical units; NaN for masked entries."""

    path: Path
    table: Any
    row: int | None

    def has(self, name: str) -> bool:
        return name in self.table.colnames

    def need(self, names: list[str]) -> None:
        missing = [name for name in names if not self.has(name)]
        if missing:
            raise FileFormatError(f"{self.path} lacks the columns {', '.join(missing)}")

    def raw(self, name: str) -> np.ndarray:
        """Values of a column, one entry per point; of a light curve, those of the chosen time bin."""
        values = self.table[name]
        filled = values.filled(np.nan) if hasattr(values, "filled") and values.dtype.kind == "f" else values
        out = np.asarray(filled)
        if self.has("time_min"):
            n = len(self.table)
            if self.row is None or not -n <= self.row < n:
                raise FileFormatError(f"{self.path} is a light curve of {n} time bins: choose one with row=")
            out = np.atleast_1d(out[self.row])
        # Gammapy writes masks with the axes of a map of one pixel.
        return out.reshape(out.shape[:1]) if out.ndim > 1 and out.size == len(out) else out

    def floats(self, name: str, unit: str) -> np.ndarray:
        if not self.has(name):
            return np.full(len(self.raw(self.table.colnames[-1])), np.nan)
        try:
            values = self.raw(name).astype(float)
        except ValueError as error:
            raise FileFormatError(f"{self.path}: column {name} does not hold numbers") from error
        return values * conversion(self.table[name].unit or unit, unit, f"{self.path}: column {name}")

    def energy(self, name: str) -> np.ndarray:
        return self.floats(name, "TeV")

    def flags(self, name: str) -> np.ndarray | None:
        return self.raw(name).astype(bool) if self.has(name) else None


def _fluxes(
    columns: _Columns, kind: str, energy: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Differential fluxes by the suffix of their columns, and the reference flux."""
    if kind == "likelihood":
        reference = columns.floats("ref_dnde", DNDE)
        return {suffix: columns.floats(f"norm{suffix}", "") * reference for suffix in _COLUMNS}, reference
    columns.need([kind])
    factor = {"dnde": np.ones_like(energy), "e2dnde": energy**2}
    if kind in ("flux", "eflux"):
        factor["flux"], factor["eflux"] = _power_law(energy, low, high)
    # Limits on an error are given with either sign (Q36).
    found = {suffix: columns.floats(f"{kind}{suffix}", UNITS[kind]) / factor[kind] for suffix in _COLUMNS}
    found["_errn"] = np.abs(found["_errn"])
    return found, energy**-2.0


def _scan(path: Path, columns: _Columns, kind: str, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Norms and statistic of likelihood profiles, the latter above its least value."""
    if kind != "likelihood" or not columns.has("stat_scan"):
        return None
    columns.need(["norm_scan", "stat"])
    norm, stat = columns.raw("norm_scan").astype(float), columns.raw("stat_scan").astype(float)
    if norm.shape != stat.shape or norm.ndim != 2 or len(norm) != n:
        shapes = f"norm_scan {norm.shape}, stat_scan {stat.shape}"
        raise FileFormatError(f"{path}: the shapes are {shapes}; both must be ({n}, k)")
    return norm, stat - columns.raw("stat").astype(float)[:, None]
