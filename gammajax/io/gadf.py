"""Spectra in Gammapy's own dataset files: region maps in the "gadf" format, one HDU per quantity.

A quantity `NAME` is a table with columns CHANNEL and DATA, its axes are in the table `NAME_BANDS` (one row per
combination of bins, first axis fastest), and the keywords AXCOLS1, AXCOLS2 name the columns that hold their edges.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from gammajax.errors import FileFormatError, UnitMismatch
from gammajax.io.dl3 import GTITable, good_time
from gammajax.io.dl3_write import gti_hdu
from gammajax.io.fits import ascii_text, column, column_names, find_hdu, number, open_fits, tables, text
from gammajax.units import to_number


@dataclasses.dataclass(frozen=True)
class GadfSpectrum:
    """The maps of one spectrum; None for those that the file does not hold.

    `energy`, `energy_true` are edges [TeV], `exposure` [cm2 s], `livetime` [s]; `edisp` has the shape
    (energy_true, energy).
    """

    name: str
    energy: np.ndarray
    energy_true: np.ndarray
    exposure: np.ndarray
    edisp: np.ndarray | None = None
    counts: np.ndarray | None = None
    background: np.ndarray | None = None
    counts_off: np.ndarray | None = None
    acceptance: np.ndarray | None = None
    acceptance_off: np.ndarray | None = None
    mask_safe: np.ndarray | None = None
    mask_fit: np.ndarray | None = None
    livetime: float = np.nan
    """NaN where the file does not tell: Gammapy 2.1 leaves it out, and good time intervals include the dead time."""
    telescope: str = ""
    obs_ids: tuple[int, ...] = ()
    gti: GTITable | None = None


_PER_ENERGY = ("counts", "background", "counts_off", "acceptance", "acceptance_off", "mask_safe", "mask_fit")
_RECO, _TRUE = ("E_MIN", "E_MAX"), ("ENERGY_TRUE_MIN", "ENERGY_TRUE_MAX")


def read_gadf(path: str | Path) -> GadfSpectrum:
    """Read a spectrum from Gammapy's dataset file. Raises `MissingFile` or `FileFormatError`, naming HDU and column."""
    path = Path(path)
    with open_fits(path) as hdus:
        present = {hdu.name.upper() for hdu in tables(hdus)}
        exposure, (energy_true,) = _map(hdus, path, "EXPOSURE", [_TRUE], "cm2 s")
        found: dict[str, np.ndarray] = {}
        energy = None
        for name in _PER_ENERGY:
            if name.upper() in present:
                found[name], (energy,) = _map(hdus, path, name.upper(), [_RECO])
        if energy is None:
            raise FileFormatError(f"{path} has none of the HDUs {', '.join(n.upper() for n in _PER_ENERGY)}")
        edisp = None
        if "EDISP" in present:
            edisp, (along, along_true) = _map(hdus, path, "EDISP", [_RECO, _TRUE])
            if edisp.shape != (len(energy_true) - 1, len(energy) - 1) or not _equal(
                along, energy, along_true, energy_true
            ):
                raise FileFormatError(f"{path}[EDISP] has other energy axes than the counts and the exposure")
        livetime = _livetime(find_hdu(hdus, path, name="EXPOSURE").header, path)
        primary: Any = hdus[0]
        name = text(primary.header, "NAME", path.stem)
        origin = _origin(hdus, path, primary.header)
    masks: dict[str, Any] = {key: found.pop(key) > 0 for key in ("mask_safe", "mask_fit") if key in found}
    return GadfSpectrum(name, energy, energy_true, exposure, edisp, livetime=livetime, **origin, **found, **masks)


def _equal(*pairs: np.ndarray) -> bool:
    return all(np.allclose(a, b, rtol=1e-6, atol=0) for a, b in zip(pairs[::2], pairs[1::2], strict=True))


def _livetime(header: fits.Header, path: Path) -> float:
    """Livetime [s] from the header of the exposure: our keyword LIVETIME, or Gammapy's META of maps (JSON)."""
    if "LIVETIME" in header:
        return number(header, "LIVETIME")
    try:
        said = json.loads(text(header, "META") or "{}")
        return to_number(said.get("livetime", np.nan), "s", "livetime") if isinstance(said, dict) else np.nan
    except (json.JSONDecodeError, UnitMismatch) as error:
        raise FileFormatError(f"{path}[EXPOSURE]: META holds no livetime that can be read: {error}") from error


def _origin(hdus: fits.HDUList, path: Path, header: fits.Header) -> dict[str, Any]:
    """Good time; telescope and observations from Gammapy's META_TABLE, or our keywords TELESCOP and OBS_IDS."""
    listed = [hdu for hdu in tables(hdus) if hdu.name.upper() == "META_TABLE"]
    rows: Any = listed[0].data if listed else ()
    names = set(column_names(listed[0])) if listed else set()
    telescopes = {str(row["TELESCOP"]).strip() for row in rows} if "TELESCOP" in names else set()
    ids = [str(row["OBS_ID"]) for row in rows] if "OBS_ID" in names else text(header, "OBS_IDS").split(",")
    return {
        "telescope": ", ".join(sorted(telescopes)) or text(header, "TELESCOP"),
        "obs_ids": tuple(int(x) for x in ids if x.strip().isdigit()),
        "gti": good_time(hdus, path),
    }


def _map(
    hdus: fits.HDUList, path: Path, name: str, axes: list[tuple[str, str]], unit: str = ""
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Values of a region map, last axis first as in numpy, and the edges of its `axes` (first axis first)."""
    hdu, bands = find_hdu(hdus, path, name=name), find_hdu(hdus, path, name=f"{name}_BANDS")
    stated = [text(hdu.header, f"AXCOLS{i + 1}") for i in range(len(axes))]
    if stated != [",".join(pair) for pair in axes]:
        wanted = " and ".join(",".join(pair) for pair in axes)
        raise FileFormatError(f"{path}[{name}] has the axes {' and '.join(stated)}, a spectrum needs {wanted}")
    edges = []
    for low, high in axes:
        pair = [np.unique(column(bands, path, key, unit="TeV")) for key in (low, high)]
        edges.append(np.append(pair[0], pair[1][-1]))
    shape = tuple(len(e) - 1 for e in reversed(edges))
    values = column(hdu, path, "DATA", unit=unit)
    if values.size != np.prod(shape):
        raise FileFormatError(
            f"{path}[{name}] holds {values.size} values for axes of {shape} bins (one region is needed)"
        )
    return values.reshape(shape), edges


def write_gadf(spectrum: GadfSpectrum, path: str | Path) -> Path:
    """Write a spectrum as Gammapy's dataset file; returns the path."""
    path = Path(path)
    primary = fits.PrimaryHDU()
    primary.header.update({"NAME": ascii_text(spectrum.name), "CREATOR": "gammajax"})
    reco = [(_RECO, "ENERGY", spectrum.energy)]
    true = [(_TRUE, "ENERGY_TRUE", spectrum.energy_true)]
    if spectrum.telescope:
        primary.header["TELESCOP"] = ascii_text(spectrum.telescope)
    if spectrum.obs_ids:
        primary.header["OBS_IDS"] = ",".join(map(str, spectrum.obs_ids))
    hdus = [primary, *_map_hdus("EXPOSURE", spectrum.exposure, true, "cm2 s")]
    if np.isfinite(spectrum.livetime):
        hdus[1].header["LIVETIME"] = (spectrum.livetime, "[s]")
    for name in _PER_ENERGY:
        values = getattr(spectrum, name)
        if values is not None:
            hdus += _map_hdus(name.upper(), values, reco)
    if spectrum.edisp is not None:
        hdus += _map_hdus("EDISP", spectrum.edisp, [*reco, *true])
    if spectrum.gti is not None:
        hdus.append(gti_hdu(spectrum.gti))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def _map_hdus(
    name: str, values: np.ndarray, axes: list[tuple[tuple[str, str], str, np.ndarray]], unit: str | None = None
) -> list[fits.BinTableHDU]:
    """The tables `name` and `name_BANDS` of a region map; one row per bin of the last axis, as Gammapy writes it."""
    rows = values.reshape(len(values), -1)
    code = "L" if values.dtype == bool else "D"
    inner = ",".join(str(n) for n in (1, 1, *reversed(values.shape[1:])))
    per_row = rows.reshape(len(rows), *values.shape[1:], 1, 1)
    data = [
        fits.Column("CHANNEL", "J", array=np.arange(len(rows))),
        fits.Column("DATA", f"{rows.shape[1]}{code}", unit=unit, dim=f"({inner})", array=per_row),
    ]
    table = fits.BinTableHDU.from_columns(data, name=name)
    bins = np.indices([len(edges) - 1 for *_, edges in reversed(axes)]).reshape(len(axes), -1)[::-1]
    columns = [fits.Column("CHANNEL", "K", array=np.arange(bins.shape[1]))]
    header = {}
    for i, ((pair, center, edges), index) in enumerate(zip(axes, bins, strict=True), start=1):
        low, high = edges[:-1][index], edges[1:][index]
        columns.append(fits.Column(center, "D", unit="TeV", array=np.sqrt(low * high)))
        columns += [fits.Column(key, "D", unit="TeV", array=x) for key, x in zip(pair, (low, high), strict=True)]
        header |= {f"AXCOLS{i}": ",".join(pair), f"INTERP{i}": "log"}
    bands = fits.BinTableHDU.from_columns(columns, name=f"{name}_BANDS")
    table.header.update(header)
    bands.header.update(header)
    return [table, bands]
