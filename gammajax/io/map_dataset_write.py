"""Writing datasets of cubes as FITS files that Gammapy's `MapDataset.read` and `MapDatasetOnOff.read` take."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.dl3_write import gti_hdu
from gammajax.io.fits import ascii_text
from gammajax.io.map_dataset import EdispMap, MapDatasetFile, PsfMap
from gammajax.io.maps import map_hdus


def write_map_dataset(path: str | Path, content: MapDatasetFile) -> Path:
    """Write a dataset of cubes; gzip-compressed if the name ends in `.gz`. Returns the path.

    Parts that are None are left out. An existing file is replaced.
    """
    path = Path(path)
    primary = fits.PrimaryHDU()
    primary.header["NAME"] = ascii_text(content.name)
    primary.header["CREATOR"] = "gammajax"
    hdus: list[Any] = [primary]
    energy = MapAxis.from_edges("energy", content.energy, "TeV", "log")
    for name in ("counts", "background", "counts_off", "acceptance", "acceptance_off", "mask_safe", "mask_fit"):
        values = getattr(content, name)
        if values is not None:
            hdus += map_hdus(SkyMap(values, (energy,), content.grid), name.upper())
    if content.exposure is not None:
        meta = {} if content.livetime is None else {"livetime": f"{content.livetime!r} s"}
        axis = _true_axis(content.energy_true, content.energy_true_nodes)
        hdus += map_hdus(SkyMap(content.exposure, (axis,), content.grid, "cm2 s", meta), "EXPOSURE")
    hdus += [] if content.psf is None else _psf_hdus(content.psf)
    hdus += [] if content.edisp is None else _edisp_hdus(content.edisp)
    hdus += [] if content.gti is None else [gti_hdu(content.gti)]
    if content.meta_table is not None:
        hdus.append(fits.BinTableHDU(content.meta_table, name="META_TABLE"))
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def _true_axis(edges: Any, nodes: Any) -> MapAxis:
    if nodes is not None:
        return MapAxis.from_nodes("energy_true", nodes, "TeV", "log")
    return MapAxis.from_edges("energy_true", edges, "TeV", "log")


def _psf_hdus(psf: PsfMap) -> list[Any]:
    name = "energy" if psf.reco else "energy_true"
    bins = MapAxis.from_edges(name, psf.energy_edges, "TeV", "log")
    # a file with nodes is written with nodes: only equal steps have their nodes in the middle of the bins
    same = np.allclose(bins.centers, psf.energy, rtol=1e-9, atol=0.0)
    energy = bins if same else MapAxis.from_nodes(name, psf.energy, "TeV", "log")
    rad = MapAxis.from_edges("rad", psf.rad_edges, "deg")
    if not np.allclose(rad.centers, psf.rad, rtol=1e-9, atol=1e-12):
        rad = MapAxis.from_nodes("rad", psf.rad, "deg")
    return _response_hdus("PSF", SkyMap(psf.values, (energy, rad), psf.grid, "sr-1"), psf.exposure)


def _edisp_hdus(edisp: EdispMap) -> list[Any]:
    true = _true_axis(edisp.energy_true, edisp.energy_true_nodes)
    if edisp.kernel:
        second = MapAxis.from_edges("energy", edisp.energy, "TeV", "log")
    else:
        second = MapAxis.from_edges("migra", edisp.migra)
    return _response_hdus("EDISP", SkyMap(edisp.values, (true, second), edisp.grid), edisp.exposure)


def _response_hdus(name: str, response: SkyMap, exposure: np.ndarray | None) -> list[Any]:
    """A response and its exposure, over one bin that spans the second axis (as Gammapy wants)."""
    hdus = map_hdus(response, name)
    if exposure is not None:
        first, second = response.axes
        whole = MapAxis(second.name, second.edges[[0, -1]], second.unit, second.interp)
        weight = SkyMap(exposure[:, None], (first, whole), response.grid, "cm2 s")
        hdus += map_hdus(weight, f"{name}_EXPOSURE")
    return hdus
