"""Writing OGIP spectra: PHA, BKG, ARF and RMF files that Gammapy, Sherpa and XSPEC read (`io/ogip.py` reads them)."""

import os
from pathlib import Path

import numpy as np
from astropy.io import fits

from gammajax.io.dl3_write import gti_hdu
from gammajax.io.fits import ascii_text
from gammajax.io.ogip import OgipSpectrum


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
    if spectrum.gti is not None:
        hdus[pha].append(gti_hdu(spectrum.gti))
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
        "OBS_ID": ascii_text(spectrum.name),
        "TELESCOP": ascii_text(spectrum.telescope or "unknown"),
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
