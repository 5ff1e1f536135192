"""OGIP spectra: PHA, BKG, ARF and RMF files, of X-ray telescopes too, read into numpy (`io/ogip_write.py` writes them).

Reference: K. A. Arnaud & I. M. George, OGIP/92-007, "The OGIP spectral file format"; I. M. George et al.,
CAL/GEN/92-002, "The calibration requirements for spectral analysis".
"""

import dataclasses
import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.io import fits

from gammajax.errors import ConfigError, FileFormatError, MissingFile
from gammajax.io.dl3 import GTITable, good_time
from gammajax.io.fits import column, column_index, find_hdu, hdu_classes, number, open_fits, text
from gammajax.io.paths import is_file

log = logging.getLogger(__name__)

Grouping = Literal["ignore", "apply"]


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
    gti: GTITable | None = None


def read_ogip(pha: str | Path, *, grouping: Grouping = "ignore") -> OgipSpectrum:
    """Read a PHA file and the files that it names (`BACKFILE`, `ANCRFILE`, `RESPFILE`, relative to it).

    Off counts are scaled by `BACKSCAL AREASCAL EXPOSURE` of the PHA over that of the BKG file, as OGIP/92-007 says;
    Gammapy uses BACKSCAL alone, which is the same for the files of Cherenkov telescopes. AREASCAL multiplies the
    predicted counts of its channel. `grouping="apply"` joins channels as the column GROUPING asks. An RMF that
    includes the area (HDUCLAS3 = FULL) needs no ARF.

    Raises `MissingFile` or `FileFormatError`, naming file, HDU and column.
    """
    if grouping not in ("ignore", "apply"):
        raise ConfigError(f"grouping must be 'ignore' or 'apply', got {grouping!r}")
    pha = Path(pha)
    with open_fits(pha) as hdus:
        on = _spectrum(hdus, pha)
        energy = _ebounds(hdus, pha)[0] if "EBOUNDS" in hdus else None
        gti = _gti(hdus, pha)
    for key, file in on.links.items():
        if not is_file(file):
            raise MissingFile(
                f"{file} does not exist; {pha} names it as its {key}: put it there or correct the keyword"
            )
    area, energy_true, edisp, along = _response(pha, on.links)
    energy = energy if along is None else along
    if energy is None:
        raise FileFormatError(f"{pha} has no EBOUNDS and names no RESPFILE: its channels have no energies")
    if len(energy) != len(on.counts) + 1:
        raise FileFormatError(f"{pha}: {len(on.counts)} channels, but EBOUNDS of the response has {len(energy) - 1}")
    if edisp is None and (len(energy) != len(energy_true) or not np.allclose(energy, energy_true, rtol=1e-5, atol=0)):
        raise FileFormatError(
            f"{pha} names no RESPFILE, so its EBOUNDS ({len(energy) - 1} bins) and the true energies of "
            f"{on.links['ANCRFILE']} ({len(energy_true) - 1} bins) must be the same axis"
        )
    if not 0 < on.exposure < np.inf:
        raise FileFormatError(f"{pha}[SPECTRUM]: EXPOSURE must be a positive number of seconds, got {on.exposure}")
    scaled, off = np.any(on.areascale != 1.0), None
    if scaled:
        edisp = (np.eye(len(on.counts)) if edisp is None else edisp) * on.areascale
    if "BACKFILE" in on.links:
        off = _background(on, on.links["BACKFILE"], pha)
    found = OgipSpectrum(
        name=on.name,
        telescope=on.telescope,
        energy=energy,
        energy_true=energy_true,
        counts=on.counts,
        counts_off=None if off is None else off.counts,
        backscale=on.backscale * on.areascale,
        backscale_off=None if off is None else off.backscale * off.areascale * (off.exposure / on.exposure),
        quality=on.quality,
        area=area,
        edisp=edisp,
        exposure=on.exposure,
        gti=gti,
    )
    if not np.any(on.grouping < 0):
        return found
    if grouping == "ignore":
        log.info('%s asks to join channels (GROUPING); they are kept apart: read with grouping="apply"', pha)
        return found
    return grouped(found, on.grouping, pha)


def _gti(hdus: fits.HDUList, pha: Path) -> GTITable | None:
    """Good time where the file tells it; X-ray files that leave out its epoch have none that could be used."""
    try:
        return good_time(hdus, pha)
    except FileFormatError as error:
        log.warning("good time is not read: %s", error)
        return None


def _background(on: "_Spectrum", path: Path, pha: Path) -> "_Spectrum":
    """The BKG file, checked against the PHA."""
    with open_fits(path) as hdus:
        off = _spectrum(hdus, path)
    if len(off.counts) != len(on.counts):
        raise FileFormatError(f"{path} has {len(off.counts)} channels, {pha} has {len(on.counts)}")
    for file, side in ((pha, on), (path, off)):
        _check_scale(file, "BACKSCAL", side.backscale, on.quality == 0)
    if not np.isfinite(off.exposure):
        # Without a keyword the off counts belong to the same time.
        return dataclasses.replace(off, exposure=on.exposure)
    if not off.exposure > 0:
        raise FileFormatError(f"{path}[SPECTRUM]: EXPOSURE must be a positive number of seconds, got {off.exposure}")
    if not np.isclose(off.exposure, on.exposure, rtol=1e-5):
        log.info("%s: off counts of %g s are scaled to the %g s of %s", path, off.exposure, on.exposure, pha)
    else:
        off = dataclasses.replace(off, exposure=on.exposure)
    return off


def grouped(spectrum: OgipSpectrum, grouping: np.ndarray, pha: Path) -> OgipSpectrum:
    """The spectrum with the channels of each group joined; groups are cut where the quality changes from good to bad.

    A group begins at a channel with GROUPING = 1 (or 0) and goes on through those with -1.
    """
    good = spectrum.quality == 0
    begins = (grouping >= 0) | np.append(True, good[1:] != good[:-1])
    begins[0] = True
    first = np.flatnonzero(begins)
    on, off = spectrum.backscale, spectrum.backscale_off
    if off is not None:
        alpha = np.divide(on, off, out=np.zeros_like(on), where=off > 0)
        low, high = (f.reduceat(np.where(good, alpha, alpha[first][np.cumsum(begins) - 1]), first)
                     for f in (np.minimum, np.maximum))  # fmt: skip
        if not np.allclose(low, high, rtol=1e-6, atol=0):
            raise FileFormatError(f"{pha}: the ratio of the BACKSCAL changes inside a group; read without grouping")
    kernel = np.eye(len(spectrum.area)) if spectrum.edisp is None else spectrum.edisp
    return dataclasses.replace(
        spectrum,
        energy=np.append(spectrum.energy[first], spectrum.energy[-1]),
        counts=np.add.reduceat(spectrum.counts, first),
        counts_off=None if spectrum.counts_off is None else np.add.reduceat(spectrum.counts_off, first),
        backscale=on[first],
        backscale_off=None if off is None else off[first],
        quality=spectrum.quality[first],
        edisp=np.add.reduceat(kernel, first, axis=1),
    )


# -- counts --------------------------------------------------------------------------------------------------------


def _links(pha: Path, header: fits.Header) -> dict[str, Path]:
    """The files that a PHA header names: keys "BACKFILE", "ANCRFILE", "RESPFILE", only those that are named."""
    named = {key: text(header, key) for key in ("BACKFILE", "ANCRFILE", "RESPFILE")}
    return {key: pha.parent / file for key, file in named.items() if file and file.upper() != "NONE"}


@dataclasses.dataclass(frozen=True)
class _Spectrum:
    name: str
    telescope: str
    links: dict[str, Path]
    exposure: float
    counts: np.ndarray
    backscale: np.ndarray
    areascale: np.ndarray
    quality: np.ndarray
    grouping: np.ndarray


def _spectrum(hdus: fits.HDUList, path: Path) -> _Spectrum:
    hdu = find_hdu(hdus, path, classes=["SPECTRUM"], names=["SPECTRUM"], columns=["CHANNEL", "COUNTS"])
    _check_kind(hdu, path)
    counts = column(hdu, path, "COUNTS", unit="", default="")
    _check_positive(counts, f"{path}[{hdu.name}]: COUNTS")
    if column_index(hdu, "CHANNEL") is not None:
        channel = column(hdu, path, "CHANNEL")
        if np.any(np.diff(channel) != 1):
            raise FileFormatError(f"{path}[{hdu.name}]: CHANNEL must count up by one; channels are missing or unsorted")
    n = len(counts)
    if n == 0:
        raise FileFormatError(f"{path}[{hdu.name}] has no channels")
    areascale = _per_channel(hdu, path, "AREASCAL", 1.0, n)
    quality = _per_channel(hdu, path, "QUALITY", 0.0, n)
    _check_scale(path, "AREASCAL", areascale, quality == 0)
    return _Spectrum(
        name=text(hdu.header, "OBS_ID", path.stem),
        telescope=text(hdu.header, "TELESCOP"),
        links=_links(path, hdu.header),
        exposure=number(hdu.header, "EXPOSURE"),
        counts=counts,
        backscale=_per_channel(hdu, path, "BACKSCAL", 1.0, n),
        areascale=areascale,
        quality=quality,
        grouping=_per_channel(hdu, path, "GROUPING", 0.0, n),
    )


def _check_positive(values: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if bad.size:
        raise FileFormatError(f"{what} must be finite and not negative, but row {bad[0]} has {values.flat[bad[0]]:g}")


def _check_kind(hdu: fits.BinTableHDU, path: Path) -> None:
    """Raise `FileFormatError` for spectra whose statistic is not that of counts in the channels of one spectrum."""
    where, header = f"{path}[{hdu.name}]", hdu.header
    index = column_index(hdu, "COUNTS")
    table: Any = hdu
    wide = index is not None and np.ndim(table.data.field(index)) > 1
    if hdu_classes(hdu)[3].endswith("TYPE:II") or wide or column_index(hdu, "SPEC_NUM") is not None:
        raise FileFormatError(f"{where} holds several spectra (PHA type II): split it into files of type I")
    if index is None and column_index(hdu, "RATE") is not None:
        raise FileFormatError(f"{where} holds rates (RATE), whose statistic is not Poisson: counts are needed")
    if header.get("POISSERR") is False:
        raise FileFormatError(
            f"{where} has POISSERR = False: its errors are not those of counts, and its statistic is not Poisson"
        )
    if text(header, "CORRFILE").upper() not in ("", "NONE") and number(header, "CORRSCAL", 0.0) != 0.0:
        raise FileFormatError(f"{where} asks to subtract {text(header, 'CORRFILE')} (CORRFILE), which is not supported")
    if column_index(hdu, "SYS_ERR") is not None and np.any(column(hdu, path, "SYS_ERR") > 0):
        log.warning("%s: systematic errors (SYS_ERR) are not used; give the model a nuisance with a prior", where)


def _per_channel(hdu: fits.BinTableHDU, path: Path, name: str, default: float, n: int) -> np.ndarray:
    """A quantity that OGIP allows as a column or as a keyword."""
    if column_index(hdu, name) is not None:
        return column(hdu, path, name)
    return np.full(n, number(hdu.header, name, default))


def _check_scale(path: Path, name: str, scale: np.ndarray, good: np.ndarray) -> None:
    # Channels of bad quality may have none: where no run of a stack is safe, the acceptance is 0.
    if np.any(~(scale[good] > 0)) or np.any(~(scale >= 0)) or np.any(~np.isfinite(scale)):
        raise FileFormatError(f"{path}[SPECTRUM]: {name} must be above 0 in all channels with QUALITY = 0")


# -- responses -----------------------------------------------------------------------------------------------------


def _response(pha: Path, links: dict[str, Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Area, its true-energy edges, kernel and its energy edges; the last two None without an RMF file."""
    rmf = links.get("RESPFILE")
    if "ANCRFILE" in links:
        energy_true, area = _read_arf(links["ANCRFILE"])
        if rmf is None:
            return area, energy_true, None, None
        edisp, energy, along, _ = _read_rmf(rmf)
        _check_same_axis(rmf, along, links["ANCRFILE"], energy_true)
        return area, energy_true, edisp, energy
    missing = "names no ANCRFILE: without an effective area nothing can be predicted"
    if rmf is None:
        raise FileFormatError(f"{pha}[SPECTRUM] {missing}")
    full, energy, energy_true, includes_area = _read_rmf(rmf)
    if not includes_area:
        raise FileFormatError(f"{pha}[SPECTRUM] {missing} ({rmf} is a redistribution alone)")
    area = full.sum(axis=1)
    return area, energy_true, full / np.where(area > 0, area, 1.0)[:, None], energy


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


def _ebounds(hdus: fits.HDUList, path: Path) -> tuple[np.ndarray, int]:
    """Energy edges [TeV] of the channels, and the number of the first channel."""
    hdu = find_hdu(hdus, path, names=["EBOUNDS"], columns=["E_MIN", "E_MAX"])
    first = column(hdu, path, "CHANNEL") if column_index(hdu, "CHANNEL") is not None else np.array([1.0])
    return _edges(hdu, path, "E_MIN", "E_MAX"), int(first[0]) if len(first) else 1


def _edges(hdu: fits.BinTableHDU, path: Path, *names: str) -> np.ndarray:
    """Edges [TeV] of contiguous bins. An axis that begins at 0, as X-ray responses do, begins at a tenth of its next
    edge instead: its logarithm must exist, and the response is empty there."""
    low, high = (column(hdu, path, name, unit="TeV", default="keV") for name in names)
    if len(low) == 0 or not np.all(np.isfinite([low, high])):
        raise FileFormatError(f"{path}[{hdu.name}]: {' and '.join(names)} must be finite numbers, at least one")
    edges = np.append(low, high[-1])
    if not np.all(np.diff(edges) > 0) or not np.allclose(low[1:], high[:-1], rtol=1e-4, atol=0):
        raise FileFormatError(f"{path}[{hdu.name}]: {' and '.join(names)} must be increasing bins without gaps")
    if edges[0] == 0:
        edges[0] = 0.1 * edges[1]
        log.info("%s[%s] begins at energy 0; %g TeV is taken instead", path, hdu.name, edges[0])
    if edges[0] < 0:
        raise FileFormatError(f"{path}[{hdu.name}]: {names[0]} is negative")
    return edges


def _read_arf(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_fits(path) as hdus:
        hdu = find_hdu(hdus, path, classes=["SPECRESP"], names=["SPECRESP"], columns=["ENERG_LO", "SPECRESP"])
        area = column(hdu, path, "SPECRESP", unit="cm2", default="cm2")
        _check_positive(area, f"{path}[{hdu.name}]: SPECRESP")
        return _edges(hdu, path, "ENERG_LO", "ENERG_HI"), area


def _read_rmf(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Kernel (energy_true, energy), energy edges and true-energy edges [TeV], and whether it includes the area.

    Rows are never renormalised: they may be cut off.
    """
    with open_fits(path) as hdus:
        energy, channel = _ebounds(hdus, path)
        hdu = find_hdu(
            hdus, path, classes=["RSP_MATRIX"], names=["MATRIX", "SPECRESP MATRIX"], columns=["F_CHAN", "MATRIX"]
        )
        position = column_index(hdu, "F_CHAN")
        if position is None or column_index(hdu, "N_GRP") is None or column_index(hdu, "N_CHAN") is None:
            raise FileFormatError(f"{path}[{hdu.name}] lacks one of the columns N_GRP, F_CHAN, N_CHAN")
        # OGIP's default is 1, but a file without the keyword counts as its EBOUNDS do.
        kernel = _decoded(hdu, path, int(number(hdu.header, f"TLMIN{position + 1}", channel)), len(energy) - 1)
        return kernel, energy, _edges(hdu, path, "ENERG_LO", "ENERG_HI"), hdu_classes(hdu)[2] == "FULL"


def _decoded(hdu: fits.BinTableHDU, path: Path, first: int, n: int) -> np.ndarray:
    """The matrix from its groups of channels; `first` is the number of the first of `n` channels."""
    table: Any = hdu
    kernel = np.zeros((len(table.data), n))
    for i, row in enumerate(table.data):
        groups, values, start = int(row["N_GRP"]), np.atleast_1d(np.asarray(row["MATRIX"], dtype=float)), 0
        f_chan, n_chan = np.atleast_1d(row["F_CHAN"])[:groups], np.atleast_1d(row["N_CHAN"])[:groups]
        where = f"{path}[{hdu.name}] row {i}"
        if groups < 0 or np.any(n_chan < 0):
            raise FileFormatError(f"{where}: N_GRP = {groups}, N_CHAN = {n_chan.tolist()} must not be negative")
        if len(f_chan) < groups or len(n_chan) < groups or np.sum(n_chan) > len(values):
            raise FileFormatError(f"{where}: N_GRP = {groups}, but F_CHAN, N_CHAN or MATRIX are shorter")
        for channel, size in zip(f_chan, n_chan, strict=True):
            low = int(channel) - first
            if size and (low < 0 or low + size > n):
                raise FileFormatError(
                    f"{where}: channels {channel}..{channel + size - 1} lie outside EBOUNDS ({n} channels from {first})"
                )
            kernel[i, low : low + size] = values[start : start + size]
            start += int(size)
    if not np.all(np.isfinite(kernel)) or np.any(kernel < 0):
        raise FileFormatError(f"{path}[{hdu.name}]: MATRIX must be finite and not negative")
    return kernel
