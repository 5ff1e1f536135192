"""OGIP spectra: PHA, BKG, ARF and RMF files, read into numpy and written so that Gammapy and Sherpa read them.

Reference: K. A. Arnaud & I. M. George, OGIP/92-007, "The OGIP spectral file format"; I. M. George et al.,
CAL/GEN/92-002, "The calibration requirements for spectral analysis".
"""

import dataclasses
import os
from pathlib import Path

import numpy as np
from astropy.io import fits

from gammajax.errors import FileFormatError
from gammajax.io.fits import column, column_index, find_hdu, number, open_fits, text


@dataclasses.dataclass(frozen=True)
class OgipSpectrum:
    """One on/off spectrum: axes [TeV], counts, scales, effective area [cm2], kernel (energy_true, energy).

    `counts_off` and `backscale_off` are None without a BKG file, `edisp` is None without an RMF file.
    """

    name: str
    telescope: str
    energy: np.ndarray
    energy_true: np.ndarray
    counts: np.ndarray
    counts_off: np.ndarray | None
    backscale: np.ndarray
    backscale_off: np.ndarray | None
    quality: np.ndarray
    area: np.ndarray
    edisp: np.ndarray | None
    exposure: float
    """Livetime [s]; 1 where it is unknown and `area` holds the exposure [cm2 s], as in Fermi-LAT files."""


def _links(pha: Path, header: fits.Header) -> dict[str, Path]:
    """The files that a PHA header names: keys "BACKFILE", "ANCRFILE", "RESPFILE", only those that are named."""
    named = {key: text(header, key) for key in ("BACKFILE", "ANCRFILE", "RESPFILE")}
    return {key: pha.parent / file for key, file in named.items() if file and file.upper() != "NONE"}


def read_ogip(pha: str | Path) -> OgipSpectrum:
    """Read a PHA file and the files that it names (`BACKFILE`, `ANCRFILE`, `RESPFILE`, relative to it).

    The background is scaled with BACKSCAL alone, as in Gammapy: the EXPOSURE of the BKG file is not used, and an
    AREASCAL other than 1 is an error. Raises `MissingFile` or `FileFormatError`, naming file, HDU and column.
    """
    pha = Path(pha)
    with open_fits(pha) as hdus:
        on = _spectrum(hdus, pha)
        energy = _ebounds(hdus, pha) if "EBOUNDS" in hdus else None
    files = on.links
    if "ANCRFILE" not in files:
        raise FileFormatError(f"{pha}[SPECTRUM] names no ANCRFILE: without an effective area nothing can be predicted")
    energy_true, area = _read_arf(files["ANCRFILE"])
    edisp = None
    if "RESPFILE" in files:
        edisp, energy, along = _read_rmf(files["RESPFILE"])
        _check_same_axis(files["RESPFILE"], along, files["ANCRFILE"], energy_true)
    if energy is None:
        raise FileFormatError(f"{pha} has no EBOUNDS and names no RESPFILE: its channels have no energies")
    if len(energy) != len(on.counts) + 1:
        raise FileFormatError(f"{pha}: {len(on.counts)} channels, but EBOUNDS of the response has {len(energy) - 1}")
    off = None
    if "BACKFILE" in files:
        with open_fits(files["BACKFILE"]) as hdus:
            off = _spectrum(hdus, files["BACKFILE"])
        if len(off.counts) != len(on.counts):
            raise FileFormatError(f"{files['BACKFILE']} has {len(off.counts)} channels, {pha} has {len(on.counts)}")
        for path, side in ((pha, on), (files["BACKFILE"], off)):
            _check_backscal(path, side.backscale, on.quality == 0)
    if not 0 < on.exposure < np.inf:
        raise FileFormatError(f"{pha}[SPECTRUM]: EXPOSURE must be a positive number of seconds, got {on.exposure}")
    return OgipSpectrum(
        name=on.name,
        telescope=on.telescope,
        energy=energy,
        energy_true=energy_true,
        counts=on.counts,
        counts_off=None if off is None else off.counts,
        backscale=on.backscale,
        backscale_off=None if off is None else off.backscale,
        quality=on.quality,
        area=area,
        edisp=edisp,
        exposure=on.exposure,
    )


def _check_same_axis(rmf: Path, along: np.ndarray, arf: Path, energy_true: np.ndarray) -> None:
    """RMF and ARF must share their true energies; the edges of an RMF are often float32."""
    if len(along) != len(energy_true):
        raise FileFormatError(f"{rmf}[MATRIX] has {len(along) - 1} true-energy bins, {arf} has {len(energy_true) - 1}")
    differ = np.flatnonzero(~np.isclose(along, energy_true, rtol=1e-5, atol=0))
    if differ.size:
        i = differ[0]
        raise FileFormatError(
            f"{rmf}[MATRIX] and {arf} have other true energies: edge {i} is {along[i]:g} and {energy_true[i]:g} TeV"
        )


def _check_backscal(path: Path, backscale: np.ndarray, good: np.ndarray) -> None:
    # Channels of bad quality may have none: where no run of a stack is safe, the acceptance is 0.
    if np.any(~(backscale[good] > 0)) or np.any(backscale < 0):
        raise FileFormatError(f"{path}[SPECTRUM]: BACKSCAL must be above 0 in all channels with QUALITY = 0")


@dataclasses.dataclass(frozen=True)
class _Spectrum:
    name: str
    telescope: str
    links: dict[str, Path]
    exposure: float
    counts: np.ndarray
    backscale: np.ndarray
    quality: np.ndarray


def _spectrum(hdus: fits.HDUList, path: Path) -> _Spectrum:
    hdu = find_hdu(hdus, path, classes=["SPECTRUM"], names=["SPECTRUM"], columns=["CHANNEL", "COUNTS"])
    counts = column(hdu, path, "COUNTS", unit="", default="")
    if not np.allclose(_per_channel(hdu, path, "AREASCAL", 1.0, len(counts)), 1.0):
        raise FileFormatError(
            f"{path}[SPECTRUM]: AREASCAL other than 1 is not supported; put it into the effective area or BACKSCAL"
        )
    return _Spectrum(
        text(hdu.header, "OBS_ID", path.stem),
        text(hdu.header, "TELESCOP"),
        _links(path, hdu.header),
        number(hdu.header, "EXPOSURE"),
        counts,
        _per_channel(hdu, path, "BACKSCAL", 1.0, len(counts)),
        _per_channel(hdu, path, "QUALITY", 0.0, len(counts)),
    )


def _per_channel(hdu: fits.BinTableHDU, path: Path, name: str, default: float, n: int) -> np.ndarray:
    """A quantity that OGIP allows as a column or as a keyword."""
    if column_index(hdu, name) is not None:
        return column(hdu, path, name)
    return np.full(n, number(hdu.header, name, default))


def _ebounds(hdus: fits.HDUList, path: Path) -> np.ndarray:
    hdu = find_hdu(hdus, path, names=["EBOUNDS"], columns=["E_MIN", "E_MAX"])
    return _edges(
        column(hdu, path, "E_MIN", unit="TeV", default="keV"), column(hdu, path, "E_MAX", unit="TeV", default="keV")
    )


def _edges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.append(low, high[-1])


def _read_arf(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_fits(path) as hdus:
        hdu = find_hdu(hdus, path, classes=["SPECRESP"], names=["SPECRESP"], columns=["ENERG_LO", "SPECRESP"])
        low, high = (column(hdu, path, name, unit="TeV", default="keV") for name in ("ENERG_LO", "ENERG_HI"))
        return _edges(low, high), column(hdu, path, "SPECRESP", unit="cm2", default="cm2")


def _read_rmf(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernel (energy_true, energy), energy edges and true-energy edges [TeV].

    Rows are never renormalised: they may be cut off.
    """
    with open_fits(path) as hdus:
        energy = _ebounds(hdus, path)
        hdu = find_hdu(
            hdus, path, classes=["RSP_MATRIX"], names=["MATRIX", "SPECRESP MATRIX"], columns=["F_CHAN", "MATRIX"]
        )
        position = column_index(hdu, "F_CHAN")
        if position is None or column_index(hdu, "N_GRP") is None or column_index(hdu, "N_CHAN") is None:
            raise FileFormatError(f"{path}[{hdu.name}] lacks one of the columns N_GRP, F_CHAN, N_CHAN")
        first = int(number(hdu.header, f"TLMIN{position + 1}", 1))
        kernel = np.zeros((len(hdu.data), len(energy) - 1))
        for i, row in enumerate(hdu.data):
            groups, values, start = int(row["N_GRP"]), np.asarray(row["MATRIX"], dtype=float), 0
            pairs = zip(np.atleast_1d(row["F_CHAN"])[:groups], np.atleast_1d(row["N_CHAN"])[:groups], strict=True)
            for f_chan, n_chan in pairs:
                low = int(f_chan) - first
                if low < 0 or low + n_chan > kernel.shape[1]:
                    raise FileFormatError(
                        f"{path}[{hdu.name}] row {i}: channels {f_chan}..{f_chan + n_chan - 1} lie outside EBOUNDS "
                        f"({kernel.shape[1]} channels from {first})"
                    )
                kernel[i, low : low + n_chan] = values[start : start + n_chan]
                start += int(n_chan)
        low, high = (column(hdu, path, name, unit="TeV", default="keV") for name in ("ENERG_LO", "ENERG_HI"))
        return kernel, energy, _edges(low, high)


def write_ogip(spectrum: OgipSpectrum, pha: str | Path) -> list[Path]:
    """Write PHA, BKG, ARF and RMF files next to each other as `<name>.fits`, `<name>_bkg.fits`, ... in keV and cm2.

    Returns the paths written. The names are Gammapy's, so that its reader finds them. The PHA comes last, and files
    take their names when they are complete: a PHA that is there has all it names.
    """
    pha = Path(pha)
    pha.parent.mkdir(parents=True, exist_ok=True)
    files = {
        "ANCRFILE": pha.with_name(f"{pha.stem}_arf.fits"),
        "RESPFILE": pha.with_name(f"{pha.stem}_rmf.fits"),
        "BACKFILE": pha.with_name(f"{pha.stem}_bkg.fits"),
    }
    if spectrum.counts_off is None:
        files.pop("BACKFILE")
    hdus = {
        files["ANCRFILE"]: [_arf_hdu(spectrum)],
        files["RESPFILE"]: [_matrix_hdu(spectrum), _ebounds_hdu(spectrum)],
    }
    if spectrum.counts_off is not None and spectrum.backscale_off is not None:
        hdus[files["BACKFILE"]] = _pha_hdus(spectrum, spectrum.counts_off, spectrum.backscale_off, files, "BKG")
    hdus[pha] = _pha_hdus(spectrum, spectrum.counts, spectrum.backscale, files, "TOTAL")
    for path, tables in hdus.items():
        part = path.with_name(f".part_{path.name}")
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(part, overwrite=True)
        os.replace(part, path)
    return list(hdus)


_KEV_PER_TEV = 1e9


def _table(name: str, columns: list[tuple[str, str, str | None, np.ndarray]], **header: object) -> fits.BinTableHDU:
    cols = [fits.Column(name=n, format=f, unit=u, array=a) for n, f, u, a in columns]
    hdu = fits.BinTableHDU.from_columns(cols, name=name)
    hdu.header.update({"HDUCLASS": "OGIP", "TELESCOP": "unknown", "INSTRUME": "unknown", "FILTER": "None", **header})
    return hdu


def _pha_hdus(
    spectrum: OgipSpectrum, counts: np.ndarray, backscale: np.ndarray, files: dict[str, Path], kind: str
) -> list[fits.BinTableHDU]:
    n = len(counts)
    whole = np.all(counts == np.round(counts))
    columns = [
        ("CHANNEL", "J", None, np.arange(n)),
        ("COUNTS", "J" if whole else "D", None, counts),
        ("QUALITY", "I", None, spectrum.quality.astype(int)),
        ("BACKSCAL", "D", None, backscale),
        ("AREASCAL", "D", None, np.ones(n)),
    ]
    header = {
        "HDUCLAS1": "SPECTRUM",
        "HDUCLAS2": kind,
        "HDUCLAS3": "COUNT",
        "HDUCLAS4": "TYPE:1",
        "HDUVERS": "1.2.1",
        "CHANTYPE": "PHA",
        "DETCHANS": n,
        "POISSERR": True,
        "CORRFILE": "",
        "CORRSCAL": "",
        "EXPOSURE": spectrum.exposure,
        "OBS_ID": spectrum.name,
        "TELESCOP": spectrum.telescope or "unknown",
        **{key: path.name for key, path in files.items()},
    }
    return [_table("SPECTRUM", columns, **header), _ebounds_hdu(spectrum)]


def _ebounds_hdu(spectrum: OgipSpectrum) -> fits.BinTableHDU:
    energy = spectrum.energy * _KEV_PER_TEV
    columns = [
        ("CHANNEL", "J", None, np.arange(len(energy) - 1)),
        ("E_MIN", "D", "keV", energy[:-1]),
        ("E_MAX", "D", "keV", energy[1:]),
    ]
    header = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "EBOUNDS", "HDUVERS": "1.2.0"}
    return _table("EBOUNDS", columns, **header, CHANTYPE="PHA", DETCHANS=len(energy) - 1)


def _arf_hdu(spectrum: OgipSpectrum) -> fits.BinTableHDU:
    energy = spectrum.energy_true * _KEV_PER_TEV
    columns = [
        ("ENERG_LO", "D", "keV", energy[:-1]),
        ("ENERG_HI", "D", "keV", energy[1:]),
        ("SPECRESP", "D", "cm2", spectrum.area),
    ]
    return _table("SPECRESP", columns, HDUCLAS1="RESPONSE", HDUCLAS2="SPECRESP", HDUVERS="1.1.0")


def _matrix_hdu(spectrum: OgipSpectrum) -> fits.BinTableHDU:
    """The kernel with one group per row, from its first to its last channel that is not zero."""
    kernel = np.eye(len(spectrum.area)) if spectrum.edisp is None else spectrum.edisp
    filled = [np.flatnonzero(row) for row in kernel]
    first = np.array([f[0] if len(f) else 0 for f in filled])
    size = np.array([f[-1] - f[0] + 1 if len(f) else 0 for f in filled])
    values = _ragged([row[f : f + s] for row, f, s in zip(kernel, first, size, strict=True)])
    energy = spectrum.energy_true * _KEV_PER_TEV
    columns = [
        ("ENERG_LO", "D", "keV", energy[:-1]),
        ("ENERG_HI", "D", "keV", energy[1:]),
        ("N_GRP", "I", None, (size > 0).astype(int)),
        (
            "F_CHAN",
            "PI()",
            None,
            _ragged([np.array([f] if s else [], dtype=int) for f, s in zip(first, size, strict=True)]),
        ),
        ("N_CHAN", "PI()", None, _ragged([np.array([s] if s else [], dtype=int) for s in size])),
        ("MATRIX", "PD()", None, values),
    ]
    header = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "RSP_MATRIX", "HDUCLAS3": "REDIST", "HDUVERS": "1.3.0"}
    shape = {"CHANTYPE": "PHA", "DETCHANS": kernel.shape[1], "NUMGRP": len(kernel), "NUMELT": int(size.sum())}
    return _table("MATRIX", columns, **header, **shape, TLMIN4=0)


def _ragged(rows: list[np.ndarray]) -> np.ndarray:
    out = np.empty(len(rows), dtype=object)
    out[:] = rows
    return out
