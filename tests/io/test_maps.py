import json

import numpy as np
import pytest
from astropy.io import fits

from gammajax.errors import ConfigError, FileFormatError, UnitMismatch
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.geom.resample import interpolate
from gammajax.io.maps import map_hdus, read_healpix, read_map, write_map

GRID = SkyGrid.create((83.63, 22.01), npix=(5, 3), binsz=0.5, proj="TAN")
ENERGY = MapAxis.from_edges("energy", [1.0, 3.0, 10.0], "TeV", "log")


def made(*axes, grid=GRID, unit="", **meta):
    shape = (*(axis.size for axis in axes), *((1, 1) if grid is None else grid.shape))
    values = np.random.default_rng(6).uniform(size=shape)
    values.flat[0] = np.nan
    return SkyMap(values, axes, grid, unit, meta)


MAPS = {
    "image": made(),
    "energy bins": made(ENERGY, unit="cm-2 s-1", livetime="3 s"),
    "three axes": made(
        MapAxis.from_nodes("energy_true", [1.0, 2.0, 5.0, 7.0], "TeV", "log"),
        MapAxis.from_edges("rad", [0.0, 0.1, 0.3, 0.4], "deg"),
        MapAxis.from_nodes("energy", [1.0], "TeV", "log"),
    ),
    "labels": made(MapAxis.from_labels("dataset", ["one", "three", "two"]), ENERGY),
    "times": made(MapAxis.from_intervals("time", [[0.0, 60.0], [90.0, 100.0]], "s", (51544, 0.25, "utc"))),
    "an axis of one's own": made(MapAxis.from_edges("phase", [0.0, 0.2, 1.0], "h", "sqrt")),
    "region": made(ENERGY, grid=None, unit="TeV"),
}


@pytest.mark.parametrize("name", MAPS)
def test_there_and_back(name, tmp_path):
    content = MAPS[name]
    found = read_map(write_map(content, tmp_path / "map.fits.gz"))
    np.testing.assert_array_equal(found.values, content.values)
    assert found.axes == content.axes
    assert found.grid == content.grid
    assert (found.unit, found.meta) == (content.unit, content.meta)
    assert found.values.dtype == np.float64


def test_masks_are_whole_numbers(tmp_path):
    mask = SkyMap(np.ones(GRID.shape, dtype=bool), (), GRID)
    assert map_hdus(mask, "MASK")[0].data.dtype == np.int64


def test_hdu_by_name_or_number(tmp_path):
    path = tmp_path / "maps.fits"
    two = map_hdus(MAPS["image"], "ONE") + map_hdus(MAPS["energy bins"], "TWO")
    fits.HDUList([fits.PrimaryHDU(), *two]).writeto(path)
    assert read_map(path).axes == ()
    assert read_map(path, "two").axes == read_map(path, 2).axes == (ENERGY,)
    with pytest.raises(FileFormatError, match=r"no HDU 'THREE'; it has 'PRIMARY', 'ONE', 'TWO', 'TWO_BANDS'"):
        read_map(path, "THREE")
    with pytest.raises(FileFormatError, match="no HDU 9"):
        read_map(path, 9)


def test_sparse_images(tmp_path):
    """Only the pixels that are not zero, as Gammapy writes them with sparse=True."""
    image, bands = map_hdus(MAPS["energy bins"], "SKYMAP")
    columns = [
        fits.Column("PIX", "K", array=[0, 7, 14]),
        fits.Column("CHANNEL", "K", array=[0, 1, 1]),
        fits.Column("VALUE", "D", array=[1.0, 2.0, 3.0]),
    ]
    keys = {k: v for k, v in image.header.items() if k not in ("XTENSION", "BITPIX", "PCOUNT", "GCOUNT", "EXTNAME")}
    sparse = fits.BinTableHDU.from_columns(columns, name="SKYMAP")
    sparse.header.update({k: v for k, v in keys.items() if not k.startswith("NAXIS")})
    fits.HDUList([fits.PrimaryHDU(), sparse, bands]).writeto(tmp_path / "map.fits")
    found = read_map(tmp_path / "map.fits").values
    assert found.shape == (2, 3, 5)
    assert found.sum() == 6.0
    assert (found[0, 0, 0], found[1, 1, 2], found[1, 2, 4]) == (1.0, 2.0, 3.0)


def fermi_cube(path, name, column, values, *, gti=False, unit=None):
    image = fits.PrimaryHDU(np.ones((3, *GRID.shape), dtype=">f4"), GRID.to_header())
    columns = [fits.Column(c, "D", unit=unit, array=v) for c, v in zip(column, values, strict=True)]
    hdus = [image, fits.BinTableHDU.from_columns(columns, name=name)]
    hdus += [fits.BinTableHDU.from_columns([fits.Column("START", "D", array=[0.0])], name="GTI")] if gti else []
    fits.HDUList(hdus).writeto(path)
    return path


def test_cubes_of_fermi(tmp_path):
    edges = np.geomspace(1e7, 1e8, 4)
    counts = read_map(fermi_cube(tmp_path / "c.fits", "EBOUNDS", ("E_MIN", "E_MAX"), (edges[:-1], edges[1:])))
    np.testing.assert_allclose(counts.axes[0].points, edges * 1e-9)
    assert (counts.axes[0].name, counts.axes[0].kind, counts.unit) == ("energy", "edges", "")
    nodes = np.array([1e4, 2e4, 5e4])
    exposure = read_map(fermi_cube(tmp_path / "e.fits", "ENERGIES", ("Energy",), (nodes,), gti=True))
    assert exposure.unit == "cm2 s"
    assert (exposure.axes[0].name, exposure.axes[0].kind) == ("energy_true", "nodes")
    np.testing.assert_allclose(exposure.axes[0].points, nodes * 1e-6)
    assert read_map(fermi_cube(tmp_path / "d.fits", "ENERGIES", ("Energy",), (nodes,))).unit == "cm-2 s-1 MeV-1 sr-1"


def healpix_file(path, *, nside=4, planes=2, column="CHANNEL{}", **keys):
    values = np.random.default_rng(7).uniform(size=(planes, 12 * nside**2))
    columns = [fits.Column(column.format(i + 1), "D", array=plane) for i, plane in enumerate(values)]
    table = fits.BinTableHDU.from_columns(columns, name="SKYMAP")
    header = {"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": nside, "COORDSYS": "GAL", "BUNIT": "cm2 s"} | keys
    table.header.update({k: v for k, v in header.items() if v is not None})
    energies = fits.Column("Energy", "D", unit="GeV", array=[10.0, 100.0])
    bands = fits.BinTableHDU.from_columns([energies], name="ENERGIES")
    fits.HDUList([fits.PrimaryHDU(), table, bands]).writeto(path)
    return path, values


@pytest.mark.parametrize(
    ("keys", "frame", "nested", "found"),
    [
        ({}, None, False, "galactic"),
        ({"COORDSYS": "CEL", "ORDERING": "NESTED"}, "icrs", True, "icrs"),
        ({"COORDSYS": None}, "icrs", False, "icrs"),
        ({"COORDSYS": None, "column": "ENERGY{}"}, "galactic", False, "galactic"),
    ],
)
def test_healpix(tmp_path, keys, frame, nested, found):
    path, values = healpix_file(tmp_path / "sky.fits", **keys)
    sky = read_healpix(path, frame=frame)
    np.testing.assert_array_equal(sky.values, values)
    assert (sky.nested, sky.frame, sky.unit, sky.nside) == (nested, found, "cm2 s", 4)
    np.testing.assert_allclose(sky.axes[0].points, [0.01, 0.1])


def test_one_plane_of_healpix_has_no_axes(tmp_path):
    sky = read_healpix(healpix_file(tmp_path / "sky.fits", planes=1)[0])
    assert sky.axes == ()
    assert sky.values.shape == (192,)


@pytest.mark.parametrize(
    ("keys", "frame", "error", "message"),
    [
        ({"COORDSYS": None}, None, FileFormatError, "has no COORDSYS: say frame='galactic' or frame='icrs'"),
        ({"COORDSYS": None}, "fk5", ConfigError, "got 'fk5'"),
        ({"COORDSYS": "ECL"}, None, FileFormatError, "GAL or CEL, it is 'ECL'"),
        ({}, "icrs", FileFormatError, "is in 'galactic' .* not in frame='icrs'"),
        ({"NSIDE": 8}, None, FileFormatError, "192 rows, and NSIDE = 8 needs 768"),
        ({"NSIDE": None}, None, FileFormatError, "NSIDE = 0"),
        ({"ORDERING": "SPIRAL"}, None, FileFormatError, "RING or NESTED, it is 'SPIRAL'"),
        ({"planes": 3}, None, FileFormatError, r"3 columns, its axes have \(2,\) bins"),
        ({"PIXTYPE": "SQUARE"}, None, FileFormatError, "holds no HEALPix table"),
    ],
)
def test_healpix_messages(tmp_path, keys, frame, error, message):
    path, _ = healpix_file(tmp_path / "sky.fits", **keys)
    with pytest.raises(error, match=message):
        read_healpix(path, frame=frame)


def test_a_healpix_file_is_no_image(tmp_path):
    path, _ = healpix_file(tmp_path / "sky.fits")
    with pytest.raises(FileFormatError, match="holds a HEALPix map: use read_healpix"):
        read_map(path)
    with pytest.raises(FileFormatError, match="holds no HEALPix table 'ENERGIES'"):
        read_healpix(path, "ENERGIES")


def test_odd_headers(tmp_path):
    path = write_map(MAPS["image"], tmp_path / "map.fits")
    fits.setval(path, "META", value="{'no json")
    assert read_map(path).meta == {}
    fits.setval(path, "META", value=json.dumps([1, 2]))
    assert read_map(path).meta == {}
    fits.setval(path, "BUNIT", value="furlong2")
    with pytest.raises(UnitMismatch, match=r"map.fits\[PRIMARY\]: BUNIT: 'furlong2' is not a unit"):
        read_map(path)


def test_exposure_of_fermi_is_galactic(gammajax_data):
    """The header of this cube is silent; another file holds the exposure around the Crab."""
    path = gammajax_data / "joint-crab/data/fermi/exposure_cube.fits.gz"
    with pytest.raises(FileFormatError, match="exposure_cube.fits.gz.* has no COORDSYS"):
        read_healpix(path)
    known = read_map(gammajax_data / "fermi-3fhl-crab/Fermi-LAT-3FHL_data_Fermi-LAT.fits", "EXPOSURE")
    want = interpolate(known.values, known.grid, *known.grid.from_icrs(83.63, 22.01))
    ratio = {}
    for frame in ("galactic", "icrs"):
        sky = read_healpix(path, frame=frame)
        assert sky.unit == "cm2 s"
        found = sky.at(83.63, 22.01, "icrs")
        ratio[frame] = np.interp(np.log(known.axes[0].centers), np.log(sky.axes[0].points), found) / want
        grid = SkyGrid.create((83.63, 22.01), npix=(1, 1), binsz=0.1)
        np.testing.assert_allclose(sky.to_grid(grid).values[:, 0, 0], found, rtol=1e-9)
    np.testing.assert_allclose(ratio["galactic"], 1.0, atol=0.006)
    assert np.all(ratio["icrs"] > 1.25)


HAWC = {
    "background/BackgroundMap_Crab_fHitbin5NN": ("", ["energy"], (10, 100, 100)),
    "irfs/EffectiveAreaMap_Crab_fHitbin5NN": ("cm2 s", ["energy_true"], (140, 10, 10)),
    "irfs/EDispKernelMap_Crab_fHitbin9GP": ("", ["energy_true", "energy"], (140, 12, 10, 10)),
    "irfs/PSFMap_Crab_fHitbin9GP": ("deg-2", ["energy", "rad"], (12, 500, 10, 10)),
    "irfs/TransitsMap_Crab": ("", [], (20, 20)),
}


@pytest.mark.parametrize("name", HAWC)
def test_response_maps_of_hawc(gammajax_data, name):
    found = read_map(gammajax_data / f"hawc/crab_events_pass4/{name}.fits.gz")
    unit, axes, shape = HAWC[name]
    assert (found.unit, [axis.name for axis in found.axes], found.values.shape) == (unit, axes, shape)


def test_nan_are_kept(gammajax_data):
    found = read_map(gammajax_data / "hawc/crab_events_pass4/background/BackgroundMap_Crab_fHitbin5GP.fits.gz")
    assert np.isnan(found.values).sum() == 2 * 100 * 100
