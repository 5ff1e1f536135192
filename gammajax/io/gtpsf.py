"""PSFs of Fermi-LAT as the tool gtpsf writes them: for one direction, over energy and distance.

Two tables: PSF (Energy, Exposure, Psf) and THETA (Theta), without units: MeV, cm2 s, sr-1 and deg.
"""

from pathlib import Path

import numpy as np

from gammajax.errors import ConfigError, FileFormatError
from gammajax.geom.map_axis import MapAxis
from gammajax.io.fits import check_cells, column, find_hdu, finite_column, open_fits
from gammajax.io.map_dataset import PsfMap


def read_gtpsf(path: str | Path) -> PsfMap:
    """The PSF of a file of gtpsf, the same everywhere (`grid` is None), at nodes in true energy and distance.

    Raises `MissingFile`; `FileFormatError` for absent tables or columns, energies or distances that do not increase,
    values that are negative or no numbers.

    >>> read_gtpsf("fermi-3fhl-gc/fermi-3fhl-gc-psf-cube.fits.gz").values.shape  # doctest: +SKIP
    (11, 300, 1, 1)
    """
    path = Path(path)
    with open_fits(path) as hdus:
        table, theta = (find_hdu(hdus, path, name=name) for name in ("PSF", "THETA"))
        energies = finite_column(table, path, "Energy", unit="TeV", default="MeV")
        distances = finite_column(theta, path, "Theta", unit="deg", default="deg")
        values = column(table, path, "Psf", unit="sr-1", default="sr-1")
        exposure = finite_column(table, path, "Exposure", unit="cm2 s", default="cm2 s")
        check_cells(table, path, "Psf", ~(values >= 0) | np.isinf(values), "negative or not finite")
        check_cells(table, path, "Exposure", exposure < 0, "negative")
    if values.shape != (len(energies), len(distances)):
        raise FileFormatError(
            f"{path}[PSF] column Psf has the shape {values.shape}, its {len(energies)} energies and the "
            f"{len(distances)} distances of [THETA] need {(len(energies), len(distances))}"
        )
    try:
        energy = MapAxis.from_nodes("energy_true", energies, "TeV", "log")
        rad = MapAxis.from_nodes("rad", distances, "deg")
        edges = energy.edges, rad.edges
    except ConfigError as error:
        raise FileFormatError(f"{path}: {error}") from error
    cells = np.newaxis, np.newaxis
    return PsfMap(None, energies, distances, values[..., *cells], False, edges[1], edges[0], exposure[..., *cells])
