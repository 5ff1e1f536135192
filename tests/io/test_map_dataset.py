import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from cube_files import COARSE, GRID, dataset, edisp, psf

from gammajax.errors import FileFormatError
from gammajax.geom.grid import SkyGrid
from gammajax.io.map_dataset import read_map_dataset
from gammajax.io.map_dataset_write import write_map_dataset

NODES = np.array([0.6, 2.0, 5.0, 30.0])

CONTENTS = {
    "MapDataset": dataset(),
    "MapDatasetOnOff": dataset(on_off=True),
    "migra": dataset(edisp=edisp(kernel=False)),
    "PSF in reco energy": dataset(psf=psf(reco=True)),
    "responses of a region": dataset(psf=psf(grid=None), edisp=edisp(grid=None)),
    "nodes in true energy": dataset(
        energy_true=np.array([0.6**1.5 / 2.0**0.5, 1.2**0.5, 10.0**0.5, 150.0**0.5, 30.0**1.5 / 5.0**0.5]),
        energy_true_nodes=NODES,
    ),
    "counts alone": dataset(
        background=None, exposure=None, energy_true=None, livetime=None, psf=None, edisp=None, gti=None, mask_fit=None
    ),
    "Galactic": dataset(grid=SkyGrid.create((0.0, 0.0), npix=(6, 4), binsz=0.5, frame="galactic")),
    "a table": dataset(meta_table=Table({"OBS_ID": [1, 2], "TELESCOP": ["HESS", "HESS"]})),
}


def same(one, two, where=""):
    assert type(one) is type(two), where
    for field in dataclasses.fields(one):
        a, b, name = getattr(one, field.name), getattr(two, field.name), f"{where}{field.name}"
        if dataclasses.is_dataclass(a) and not isinstance(a, SkyGrid):
            same(a, b, f"{name}.")
        elif isinstance(a, np.ndarray):
            np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-15, err_msg=name)
            assert b.dtype == a.dtype, name
            assert b.dtype.isnative
        elif isinstance(a, Table):
            assert all(list(a[c]) == list(b[c]) for c in a.colnames)
        else:
            assert a == b, name


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("file", ["cube.fits", "cube.fits.gz"])
def test_there_and_back(name, file, tmp_path):
    path = write_map_dataset(tmp_path / "new" / file, CONTENTS[name])
    require = () if name == "counts alone" else ("exposure",)
    same(CONTENTS[name], read_map_dataset(path, require=require))
    assert read_map_dataset(path, "other", require=require).name == "other"


def changed(path, **changes):
    """Keywords of HDUs replaced, values multiplied."""
    with fits.open(path) as hdus:
        for name, (factor, keys) in changes.items():
            if hdus[name].is_image:
                hdus[name].data = hdus[name].data * factor
            hdus[name].header.update(keys)
        hdus.writeto(path, overwrite=True)


def test_any_mixture_of_units(tmp_path):
    """m2 s, deg-2, keV beside TeV, and old names of columns."""
    content = dataset()
    path = write_map_dataset(tmp_path / "cube.fits", content)
    sr = (180 / np.pi) ** 2
    changed(path, EXPOSURE=(1e-4, {"BUNIT": "m2 s"}), PSF=(1 / sr, {"BUNIT": "deg-2"}))
    with fits.open(path) as hdus:
        for name, unit, factor in (("COUNTS_BANDS", "keV", 1e9), ("PSF_BANDS", "MeV", 1e6)):
            table = hdus[name]
            for column in list(table.columns.names):
                if column.startswith(("E_", "ENERGY")):
                    table.data[column] *= factor
                    table.columns.change_unit(column, unit)
                if column.startswith("RAD"):
                    table.data[column] = np.radians(table.data[column])
                    table.columns.change_unit(column, "rad")
                    table.columns.change_name(column, column.replace("RAD", "THETA"))
        for hdu in (hdus["PSF"], hdus["PSF_BANDS"]):
            hdu.header["AXCOLS1"] = "THETA_MIN,THETA_MAX"
        hdus.writeto(path, overwrite=True)
    same(content, read_map_dataset(path))


def test_holes_in_values(tmp_path, caplog):
    """NaN where the safe mask is False, roundings below zero, cells without a PSF."""
    background = dataset().background.copy()
    mask = np.ones_like(background, dtype=bool)
    mask[0, 1, 2], background[0, 1, 2], background[1, 1, 2] = False, np.nan, -1e-16
    response = psf()
    response.values[0, 0, 0, 0], response.values[0, 1, 0, 0] = np.nan, -1.0
    path = write_map_dataset(tmp_path / "c.fits", dataset(background=background, mask_safe=mask, psf=response))
    found = read_map_dataset(path)
    assert found.background[0, 1, 2] == found.background[1, 1, 2] == 0
    assert found.psf.values[0, :2, 0, 0].tolist() == [0.0, 0.0]
    assert "[PSF]: 2 of" in caplog.text
    changed(path, MASK_SAFE=(0, {}))
    assert read_map_dataset(path).background[0, 1, 2] == 0
    changed(path, MASK_SAFE=(1, {}))
    with fits.open(path) as hdus:
        del hdus["MASK_SAFE"]
        hdus.writeto(path, overwrite=True)
    with pytest.raises(FileFormatError, match=r"\[BACKGROUND\]: 1 of 72 .* nan at \(energy, lat, lon\) = \(0, 1, 2\)"):
        read_map_dataset(path)


def test_weights_that_are_zero_are_none(tmp_path):
    path = write_map_dataset(tmp_path / "cube.fits", dataset())
    changed(path, EDISP_EXPOSURE=(0.0, {}))
    found = read_map_dataset(path)
    assert found.edisp.exposure is None
    assert found.psf.exposure.shape == (4, *COARSE.shape)


def test_an_exposure_over_energy(tmp_path):
    """Old files call the axis of the exposure energy."""
    path = write_map_dataset(tmp_path / "cube.fits", dataset())
    with fits.open(path) as hdus:
        for hdu in (hdus["EXPOSURE"], hdus["EXPOSURE_BANDS"]):
            hdu.header["AXCOLS1"] = "E_MIN,E_MAX"
        table = hdus["EXPOSURE_BANDS"]
        for old, new in (("ENERGY_TRUE_MIN", "E_MIN"), ("ENERGY_TRUE_MAX", "E_MAX"), ("ENERGY_TRUE", "ENERGY")):
            table.columns.change_name(old, new)
        hdus.writeto(path, overwrite=True)
    np.testing.assert_allclose(read_map_dataset(path).energy_true, dataset().energy_true)


FERMI = {
    "fermi-3fhl-gc/fermi-3fhl-gc.fits.gz": ((11, 200, 400), 12, 32843 - 30, False),
    "fermi-3fhl-crab/Fermi-LAT-3FHL_data_Fermi-LAT.fits": ((5, 40, 50), 5, 3004, False),
    "hawc/DL4/nHit-5.fits.gz": ((10, 120, 120), 50, None, True),
    "hawc/DL4/nHit-7.fits.gz": ((10, 120, 120), 50, None, True),
    "hawc/DL4/nHit-9.fits.gz": ((10, 120, 120), 50, None, True),
    "tests/models/gc_example_data_gc.fits": ((3, 20, 20), 3, None, False),
    "tests/models/gc_example_data_g09.fits": ((3, 20, 20), 3, None, False),
}


@pytest.mark.parametrize("file", FERMI)
def test_published_files(gammajax_data, file, tmp_path):
    shape, true, counts, reco = FERMI[file]
    found = read_map_dataset(gammajax_data / file, require=("counts", "background", "exposure", "psf", "edisp"))
    assert found.counts.shape == found.background.shape == found.mask_safe.shape == shape
    assert found.exposure.shape == (true, *shape[1:])
    assert np.all(found.exposure >= 0)
    assert 1e10 < found.exposure.max() < 1e16
    assert found.psf.reco == reco
    assert found.edisp.kernel
    assert found.edisp.values.sum(axis=1).max() == pytest.approx(1.0, abs=0.15)
    ring = 2 * np.pi * np.diff(-np.cos(np.radians(np.maximum(found.psf.rad_edges, 0.0))))
    total = np.tensordot(ring, found.psf.values, axes=(0, 1))
    assert np.median(total[total > 0.5]) == pytest.approx(1.0, abs=0.02)
    if counts and "crab" in file:
        assert found.counts.sum() == counts
    same(found, read_map_dataset(write_map_dataset(tmp_path / "again.fits", found)))


def test_true_energy_nodes_of_the_galactic_centre(gammajax_data):
    found = read_map_dataset(gammajax_data / "fermi-3fhl-gc/fermi-3fhl-gc.fits.gz")
    assert found.energy_true_nodes.shape == (12,)
    np.testing.assert_allclose(
        np.sqrt(found.energy_true_nodes[1:] * found.energy_true_nodes[:-1]), found.energy_true[1:-1]
    )
    np.testing.assert_allclose(found.energy[[0, -1]], [0.01, 0.5])
    assert found.psf.grid is None
    assert found.gti is None
    assert found.grid.frame == "galactic"
    assert GRID.frame == "icrs"
