"""Optical depth of the extragalactic background light: tables in the format of XSPEC table models.

Reference: K. A. Arnaud, OGIP memo 92-009 ("The file format for XSPEC table models").
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gammajax.errors import FileFormatError, MissingFile, nearest
from gammajax.io.fits import column, find_hdu, open_fits
from gammajax.io.paths import is_file

BUILTIN = {
    "franceschini": "ebl_franceschini.fits.gz",
    "dominguez": "ebl_dominguez11.fits.gz",
    "finke": "frd_abs.fits.gz",
    "franceschini17": "ebl_franceschini_2017.fits.gz",
    "saldana-lopez21": "ebl_saldana-lopez_2021.fits.gz",
}
"""Gammapy's names of the tables in the folder `ebl` of its data."""


@dataclass(frozen=True)
class EBLTable:
    """Transmission exp(-tau) at redshifts and energies."""

    energy: np.ndarray
    """Logarithmic centres of the bins [TeV], increasing."""
    redshift: np.ndarray
    """Increasing, each once."""
    transmission: np.ndarray
    """Shape (redshift, energy), in [0, 1]."""


def read_ebl(path: str | Path) -> EBLTable:
    """Read the HDUs PARAMETERS, ENERGIES (keV where no unit is given) and SPECTRA of an XSPEC table model.

    Of a redshift that is listed twice the first spectrum is taken. Raises `MissingFile`, `FileFormatError`.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        bins = find_hdu(hdus, path, names=["ENERGIES"], columns=["ENERG_LO", "ENERG_HI"])
        low, high = (column(bins, path, name, unit="TeV", default="keV") for name in ("ENERG_LO", "ENERG_HI"))
        spectra = find_hdu(hdus, path, names=["SPECTRA"], columns=["PARAMVAL", "INTPSPEC"])
        values, rows = column(spectra, path, "PARAMVAL"), column(spectra, path, "INTPSPEC")
        # Some files keep the list of redshifts as an array of variable length, and it repeats what SPECTRA says.
        redshift, first = np.unique(values.reshape(len(values), -1)[:, 0], return_index=True)
    # The centres as the product of floats of double precision.
    energy, transmission = np.sqrt(low * high), rows.reshape(len(values), -1)[first]
    _check(path, energy, redshift, transmission)
    return EBLTable(energy, redshift, transmission)


def _check(path: Path, energy: np.ndarray, redshift: np.ndarray, transmission: np.ndarray) -> None:
    wrong = (
        f"{energy.size} energies and spectra of {transmission.shape[1]} entries"
        if transmission.shape[1] != energy.size
        else f"{energy.size} energies and {redshift.size} redshifts; at least 2 of each are needed"
        if min(energy.size, redshift.size) < 2
        else "energies that are not positive and increasing"
        if not (energy[0] > 0 and np.all(np.diff(energy) > 0))
        else "redshifts that are negative or not finite"
        if not (redshift[0] >= 0 and np.isfinite(redshift[-1]))
        else "transmissions outside 0 to 1"
        if not np.all((transmission >= 0) & (transmission <= 1))
        else ""
    )
    if wrong:
        raise FileFormatError(f"{path} has {wrong}")


def find_ebl(name: str | Path) -> Path:
    """The file of a built-in table or of a file name: where it stands, else in the folder `ebl` of the data.

    The data are `$GAMMAJAX_DATA` or `$GAMMAPY_DATA`. Raises `MissingFile` saying where was looked.
    """
    given = Path(os.path.expandvars(str(name))).expanduser()
    if str(name) not in BUILTIN and is_file(given):
        return given
    folders = [Path(x) / "ebl" for key in ("GAMMAJAX_DATA", "GAMMAPY_DATA") if (x := os.environ.get(key))]
    wanted = BUILTIN.get(str(name), given.name)
    for folder in folders:
        # Gammapy's rule: the base name decides, compressed or not.
        for file in (folder / wanted, *(folder / f for f in BUILTIN.values() if f.startswith(wanted + "."))):
            if is_file(file):
                return file
    known = "" if str(name) in BUILTIN else f"; built-in are {', '.join(BUILTIN)}"
    close = nearest(str(name), BUILTIN)
    known += f" (nearest: {close})" if known and close else ""
    where = (
        f"is not in {', '.join(map(str, folders))}" if folders else "needs $GAMMAJAX_DATA or $GAMMAPY_DATA to be set"
    )
    raise MissingFile(f"the EBL table {name} ({wanted}) {where}{known}")
