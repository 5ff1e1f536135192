"""Rows on cubes: datasets and maps in FITS files, HEALPix, grids of the sky."""

import gzip

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from cube_files import COARSE, GRID, dataset, psf
from good_inputs import Case, cut
from spoilers import header, lacking, without

from gammajax.datasets.cube_files import read_cube
from gammajax.errors import ConfigError, DatasetError, FileFormatError, MissingFile, UnitMismatch
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.geom.resample import interpolate, reproject
from gammajax.io.map_dataset import read_map_dataset
from gammajax.io.map_dataset_write import write_map_dataset
from gammajax.io.maps import map_hdus, read_healpix, read_map, write_map

SHIFTED = SkyGrid.create((84.63, 22.01), npix=(6, 4), binsz=0.5)
OTHER = MapAxis.from_edges("energy", np.geomspace(1.0, 27.0, 5), "TeV", "log")


def cube(g, hdu=None, change=None, **content):
    """The good dataset in a file, with other content, and with a change of one HDU or of all of them."""
    path = write_map_dataset(g.folder / "cube.fits", dataset(**content))
    if change is None:
        return path
    with fits.open(path, memmap=False) as hdus:
        new = change(hdus if hdu is None else hdus[hdu])
        if hdu is not None and new is not None:
            hdus[hdus.index_of(hdu)] = new
        hdus = new if isinstance(new, fits.HDUList) else hdus
        hdus.writeto(path, overwrite=True)
    return path


def swapped(*new):
    """A map replaced by HDUs of another."""

    def change(hdus):
        gone = {one.name for one in new}
        return fits.HDUList([*(one for one in hdus if one.name not in gone), *new])

    return change


def data(function):
    """Other values of an image."""

    def change(image):
        image.data = function(image.data)

    return change


def cell(value, at=(0, 1, 2)):
    def change(values):
        values = np.asarray(values, dtype=float).copy()
        values[at] = value
        return values

    return data(change)


def units(name, new):
    return lambda table: table.columns.change_unit(name, new)


def cells(function, *names):
    def change(table):
        for name in names:
            table.data[name] = function(table.data[name])

    return change


def doubled_lower_edge(table):
    table.data["E_MIN"][1] = 1.5


def safe_everywhere(hdus):
    hdus["MASK_SAFE"].data[...] = 1
    hdus["COUNTS"].data[0, 1, 2] = np.nan


def off_nan(hdus):
    hdus["MASK_SAFE"].data[...] = 1
    hdus["COUNTS_OFF"].data[0, 1, 2] = np.nan


def bytes_of(g, change):
    path = cube(g)
    path.write_bytes(change(path.read_bytes()))
    return path


def needs(*parts):
    return lambda path: read_map_dataset(path, require=parts)


def healpix(g, **keys):
    table = fits.BinTableHDU.from_columns([fits.Column("CHANNEL1", "D", array=np.ones(12 * 4))], name="SKY")
    table.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 2, "COORDSYS": "GAL"} | keys)
    for key in [k for k, v in keys.items() if v is None]:
        del table.header[key]
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(g.folder / "sky.fits")
    return g.folder / "sky.fits"


def image(g, **keys):
    path = write_map(SkyMap(np.ones(GRID.shape), (), GRID), g.folder / "map.fits")
    with fits.open(path, memmap=False) as hdus:
        header(**keys)(hdus[0])
        hdus.writeto(path, overwrite=True)
    return path


def planes(g, bands):
    """A cube of three planes with a table of energies that is not Gammapy's."""
    hdus = [fits.PrimaryHDU(np.ones((3, *GRID.shape)), GRID.to_header()), *bands]
    fits.HDUList(hdus).writeto(g.folder / "planes.fits")
    return g.folder / "planes.fits"


def table(name, **columns):
    made = [fits.Column(key, "D", unit="MeV", array=values) for key, values in columns.items()]
    return fits.BinTableHDU.from_columns(made, name=name)


def flat(axes, name, unit=""):
    """A map of ones over axes, on the pixels of the responses."""
    return map_hdus(SkyMap(np.ones((*(a.size for a in axes), *COARSE.shape)), axes, COARSE, unit), name)


TRUE = MapAxis.from_edges("energy_true", np.geomspace(0.5, 50.0, 5), "TeV", "log")
RAD = MapAxis.from_edges("rad", [0.0, 0.1, 0.2], "deg")
NAN_PSF = psf()
NAN_PSF.values[...] = np.nan

CONTAINERS = [
    Case("absent cube", lambda g: g.folder / "absent.fits", read_map_dataset, MissingFile, "absent.fits does not exist"),
    Case("truncated cube", lambda g: bytes_of(g, lambda b: cut(b, 0.7)), read_map_dataset, FileFormatError, "cube.fits",
         "truncated", "download it again"),
    Case("cut gzip of a cube", lambda g: bytes_of(g, lambda b: cut(gzip.compress(b), 0.5)), read_map_dataset,
         FileFormatError, "cube.fits", "EOFError"),
    Case("text instead of a cube", lambda g: bytes_of(g, lambda b: b"name: cube"), read_map_dataset, FileFormatError,
         "cube.fits", "no FITS file"),
    Case("no EXPOSURE", lambda g: cube(g, None, without("EXPOSURE")), read_map_dataset, FileFormatError,
         "cube.fits has no EXPOSURE; it has COUNTS, BACKGROUND", "leave 'exposure' out of require=(...)"),
    Case("no PSF", lambda g: cube(g, None, without("PSF")), needs("exposure", "psf"), FileFormatError,
         "cube.fits has no PSF", "'psf'"),
    Case("no EDISP", lambda g: cube(g, None, without("EDISP")), needs("edisp"), FileFormatError, "has no EDISP"),
    Case("on-off without COUNTS_OFF", lambda g: cube(g, None, without("COUNTS_OFF"), on_off=True), read_cube, DatasetError,
         "cube.fits has ACCEPTANCE, ACCEPTANCE_OFF but no COUNTS_OFF", "an on-off cube needs all three"),
    Case("on-off without ACCEPTANCE_OFF", lambda g: cube(g, None, without("ACCEPTANCE_OFF"), on_off=True), read_cube,
         DatasetError, "but no ACCEPTANCE_OFF"),
    Case("negative acceptance", lambda g: cube(g, "ACCEPTANCE", cell(-1.0), on_off=True), read_cube, FileFormatError,
         "cube.fits[ACCEPTANCE]", "negative or not finite"),
    Case("NaN in off counts outside of MASK_SAFE = 0", lambda g: cube(g, None, off_nan, on_off=True), read_cube,
         FileFormatError, "cube.fits[COUNTS_OFF]", "the first is nan"),
    Case("no cubes at all", lambda g: cube(g, None, without("COUNTS", "BACKGROUND", "MASK_SAFE", "MASK_FIT")),
         read_map_dataset, FileFormatError, "cube.fits holds none of COUNTS, BACKGROUND", "it has 'PRIMARY', 'COUNTS_BANDS'"),
    Case("a BANDS table that is absent", lambda g: cube(g, None, without("COUNTS_BANDS")), read_map_dataset,
         FileFormatError, "cube.fits has no HDU 'COUNTS_BANDS'"),
    Case("a spectrum as a cube",
         lambda g: cube(g, None, swapped(*map_hdus(SkyMap(np.ones((4, 1, 1)), (OTHER,), None), "COUNTS"))),
         read_map_dataset, FileFormatError, "[COUNTS] belongs to one region", "Datasets.read"),
    Case("intervals that end before they start",
         lambda g: cube(g, "GTI", lambda t: t.data["STOP"].__setitem__(slice(None), -1.0)), read_map_dataset,
         FileFormatError, "[GTI] has an interval that stops before it starts"),
]  # fmt: skip

SHAPES = [
    Case("fewer planes than bins", lambda g: cube(g, "COUNTS", data(lambda v: v[:2])), read_map_dataset,
         FileFormatError, "cube.fits[COUNTS] has the shape (2, 4, 6), but [COUNTS_BANDS] says energy 3"),
    Case("fewer rows in the table of bins", lambda g: cube(g, "BACKGROUND_BANDS", lambda t: fits.BinTableHDU(t.data[:2], t.header)),
         read_map_dataset, FileFormatError, "[BACKGROUND] has the shape (3, 4, 6)", "energy 2"),
    Case("an image without an axis", lambda g: cube(g, None, swapped(*map_hdus(SkyMap(np.ones(GRID.shape), (), GRID), "COUNTS"))),
         read_map_dataset, FileFormatError, "[COUNTS] must have one axis, energy", "it has []"),
    Case("counts over true energy",
         lambda g: cube(g, None, swapped(*map_hdus(SkyMap(np.ones((4, *GRID.shape)), (TRUE,), GRID), "COUNTS"))),
         read_map_dataset, FileFormatError, "[COUNTS] must have one axis, energy", "['energy_true']"),
    Case("counts at nodes",
         lambda g: cube(g, None, swapped(*map_hdus(SkyMap(np.ones((2, *GRID.shape)), (MapAxis.from_nodes("energy", [1, 9], "TeV"),), GRID), "COUNTS"))),
         read_map_dataset, FileFormatError, "[COUNTS] needs bins in energy (E_MIN, E_MAX), its axis has nodes"),
    Case("a mask with other bins",
         lambda g: cube(g, None, swapped(*map_hdus(SkyMap(np.ones((4, *GRID.shape)), (OTHER,), GRID), "MASK_SAFE"))),
         read_map_dataset, FileFormatError, "[MASK_SAFE] has 4 bins from 1 to 27 TeV, COUNTS has 3", "must be the same"),
    Case("background on other pixels", lambda g: cube(g, "BACKGROUND", header(CRVAL1=84.63)), read_map_dataset,
         FileFormatError, "[BACKGROUND] lies on other pixels than COUNTS", "84.6300"),
    Case("exposure on other pixels",
         lambda g: cube(g, None, swapped(*map_hdus(SkyMap(np.ones((4, *SHIFTED.shape)), (TRUE,), SHIFTED, "cm2 s"), "EXPOSURE"))),
         read_map_dataset, FileFormatError, "[EXPOSURE] lies on other pixels than the counts"),
    Case("exposure over migra",
         lambda g: cube(g, None, swapped(*flat((MapAxis.from_edges("migra", [0.5, 2.0]),), "EXPOSURE", "cm2 s"))),
         read_map_dataset, FileFormatError, "[EXPOSURE] must have one axis, energy_true", "['migra']"),
    Case("PSF without distances", lambda g: cube(g, None, swapped(*flat((TRUE,), "PSF", "sr-1"))), read_map_dataset,
         FileFormatError, "[PSF] needs the axes rad and energy_true (or rad and energy), it has ['energy_true']"),
    Case("dispersion over distances", lambda g: cube(g, None, swapped(*flat((TRUE, RAD), "EDISP"))), read_map_dataset,
         FileFormatError, "[EDISP] needs the axes energy or migra, and energy_true, it has ['rad', 'energy_true']"),
    Case("dispersion with other bins", lambda g: cube(g, None, swapped(*flat((TRUE, OTHER), "EDISP"))), read_map_dataset,
         FileFormatError, "[EDISP] has 4 bins in energy from 1 to 27 TeV, the counts have 3", "must be the same"),
    Case("an exposure of the PSF that is too small", lambda g: cube(g, None, swapped(*flat((RAD,), "PSF_EXPOSURE", "cm2 s"))),
         read_map_dataset, FileFormatError, "[PSF_EXPOSURE] has the shape (2, 2, 3), the response needs (4, 1, 2, 3)"),
    Case("one node in true energy",
         lambda g: cube(g, None, swapped(*map_hdus(SkyMap(np.ones((1, *GRID.shape)), (MapAxis.from_nodes("energy_true", [1.0], "TeV", "log"),), GRID, "cm2 s"), "EXPOSURE"))),
         read_map_dataset, FileFormatError, "[EXPOSURE]: the axis energy_true needs bins, or two nodes at least"),
]  # fmt: skip

AXES = [
    Case("an axis without its column", lambda g: cube(g, "COUNTS_BANDS", lacking("E_MIN")),
         read_map_dataset, FileFormatError, "cube.fits[COUNTS_BANDS] has no column E_MIN", "nearest: 'E_MAX'"),
    Case("upper edges below lower ones", lambda g: cube(g, "COUNTS_BANDS", cells(lambda v: 0.01 * v, "E_MAX")),
         read_map_dataset, FileFormatError, "cube.fits[COUNTS_BANDS]: bins of energy must follow one another"),
    Case("bins with gaps", lambda g: cube(g, "COUNTS_BANDS", doubled_lower_edge), read_map_dataset, FileFormatError,
         "[COUNTS_BANDS]: bins of energy must follow one another, but one ends at 3 and the next begins at 1.5 TeV"),
    Case("energies that are no numbers", lambda g: cube(g, "PSF_BANDS", cells(lambda v: v * np.nan, "ENERGY_TRUE_MIN")),
         read_map_dataset, FileFormatError, "[PSF_BANDS] column ENERGY_TRUE_MIN has values that are not finite"),
    Case("energies below zero", lambda g: cube(g, "EXPOSURE_BANDS", cells(lambda v: v - 1.0, "ENERGY_TRUE_MIN", "ENERGY_TRUE_MAX")),
         read_map_dataset, FileFormatError, "[EXPOSURE_BANDS]", "interpolated in log, but begins at -0.5"),
    Case("energies in deg", lambda g: cube(g, "COUNTS_BANDS", units("E_MIN", "deg")), read_map_dataset, UnitMismatch,
         "[COUNTS_BANDS] column E_MIN is of kind energy (TeV)", "'deg'"),
    Case("distances in TeV", lambda g: cube(g, "PSF_BANDS", units("RAD_MIN", "TeV")), read_map_dataset, UnitMismatch,
         "[PSF_BANDS] column RAD_MIN is of kind angle (deg)", "'TeV'"),
    Case("an unknown interpolation", lambda g: cube(g, "COUNTS_BANDS", header(INTERP1="cubic")), read_map_dataset,
         FileFormatError, "[COUNTS_BANDS]", "'lin', 'log', 'sqrt', got 'cubic'"),
    Case("an axis of three columns", lambda g: cube(g, "COUNTS_BANDS", header(AXCOLS1="ENERGY,E_MIN,E_MAX")),
         read_map_dataset, FileFormatError, "[COUNTS_BANDS]: AXCOLS1 must name one column or two"),
    Case("a cube that says nothing of its axis", lambda g: planes(g, []), read_map, FileFormatError,
         "planes.fits[PRIMARY] has the shape (3, 4, 6), but no BANDS table says no axes"),
    Case("decreasing energies of a cube of Fermi", lambda g: planes(g, [table("ENERGIES", Energy=[3.0, 2.0, 1.0])]),
         read_map, FileFormatError, "planes.fits[ENERGIES]", "'energy_true' must increase"),
    Case("a table of energies without energies", lambda g: planes(g, [table("EBOUNDS", CHANNEL=[1.0, 2.0, 3.0])]),
         read_map, FileFormatError, "planes.fits[EBOUNDS] says nothing of the axes", "E_MIN, E_MAX or ENERGY"),
]  # fmt: skip

VALUES = [
    Case("exposure in m2", lambda g: cube(g, "EXPOSURE", header(BUNIT="m2")), read_map_dataset, UnitMismatch,
         "cube.fits[EXPOSURE] is of kind exposure (cm2 s), got the unit 'm2'"),
    Case("a unit that is none", lambda g: cube(g, "EXPOSURE", header(BUNIT="furlong2 s")), read_map_dataset,
         UnitMismatch, "cube.fits[EXPOSURE]: BUNIT", "'furlong2 s' is not a unit"),
    Case("PSF per TeV", lambda g: cube(g, "PSF", header(BUNIT="TeV-1")), read_map_dataset, UnitMismatch,
         "cube.fits[PSF]", "1 / sr", "got the unit '1 / TeV'"),
    Case("counts in TeV", lambda g: cube(g, "COUNTS", header(BUNIT="TeV")), read_map_dataset, UnitMismatch,
         "cube.fits[COUNTS] is of kind dimensionless, got the unit 'TeV'"),
    Case("negative counts", lambda g: cube(g, "COUNTS", cell(-1.0)), read_map_dataset, FileFormatError,
         "cube.fits[COUNTS]: 1 of 72 values are negative or not finite, the first is -1 at (energy, lat, lon) = (0, 1, 2)"),
    Case("counts that are no numbers", lambda g: cube(g, None, safe_everywhere), read_map_dataset, FileFormatError,
         "cube.fits[COUNTS]: 1 of 72 values", "the first is nan", "mask these bins in MASK_SAFE"),
    Case("infinite background", lambda g: cube(g, "BACKGROUND", cell(np.inf)), read_map_dataset, FileFormatError,
         "cube.fits[BACKGROUND]", "the first is inf"),
    Case("negative off counts", lambda g: cube(g, "COUNTS_OFF", cell(-3.0), on_off=True), read_map_dataset,
         FileFormatError, "cube.fits[COUNTS_OFF]", "the first is -3"),
    Case("exposure that is no number", lambda g: cube(g, "EXPOSURE", cell(np.nan)), read_map_dataset, FileFormatError,
         "cube.fits[EXPOSURE]: 1 of 96 values", "the first is nan"),
    Case("negative exposure", lambda g: cube(g, "EXPOSURE", cell(-1e13)), read_map_dataset, FileFormatError,
         "cube.fits[EXPOSURE]", "the first is -1e+13"),
    Case("a PSF of NaN", lambda g: cube(g, psf=NAN_PSF), read_map_dataset, FileFormatError,
         "cube.fits[PSF]: all of its values are negative or not finite"),
    Case("a livetime in metres", lambda g: cube(g, "EXPOSURE", header(META='{"livetime": "5 m"}')), read_map_dataset,
         UnitMismatch, "cube.fits[EXPOSURE]: META: livetime '5 m' is no time"),
]  # fmt: skip

FRAMES = [
    Case("no projection", lambda g: cube(g, "COUNTS", header(CTYPE1="X", CTYPE2="Y")), read_map_dataset,
         FileFormatError, "cube.fits[COUNTS] has no celestial WCS", "CTYPE1 = 'X'"),
    Case("an unknown projection", lambda g: image(g, CTYPE1="RA---ABC", CTYPE2="DEC--ABC"), read_map, FileFormatError,
         "map.fits[PRIMARY] has no WCS that can be read"),
    Case("pixels without a size", lambda g: image(g, CDELT1=0.0), read_map, FileFormatError, "map.fits[PRIMARY]",
         "no WCS that can be read"),
    Case("a frame of 1950", lambda g: image(g, RADESYS="FK4", EQUINOX=1950.0), read_map, FileFormatError,
         "map.fits[PRIMARY] is in FK4", "ICRS, FK5 or Galactic"),
    Case("ecliptic coordinates", lambda g: image(g, CTYPE1="ELON-CAR", CTYPE2="ELAT-CAR"), read_map, FileFormatError,
         "map.fits[PRIMARY] has no celestial WCS", "'ELON-CAR'"),
    Case("a unit of the coordinates that is none", lambda g: image(g, CUNIT1="furlong"), read_map, FileFormatError,
         "map.fits[PRIMARY] has no WCS that can be read"),
    Case("HEALPix without a frame", lambda g: healpix(g, COORDSYS=None), read_healpix, FileFormatError,
         "sky.fits[SKY] has no COORDSYS", "frame='galactic' or frame='icrs'"),
    Case("HEALPix in another frame", lambda g: healpix(g), lambda p: read_healpix(p, frame="icrs"), FileFormatError,
         "sky.fits[SKY] is in 'galactic'", "not in frame='icrs'"),
    Case("HEALPix that is cut", lambda g: healpix(g, NSIDE=4), read_healpix, FileFormatError,
         "sky.fits[SKY] has 48 rows, and NSIDE = 4 needs 192"),
    Case("HEALPix as an image", lambda g: healpix(g), read_map, FileFormatError,
         "sky.fits holds a HEALPix map: use read_healpix"),
    Case("an HDU that is not there", lambda g: cube(g), lambda p: read_map(p, "COUNT"), FileFormatError,
         "cube.fits has no HDU 'COUNT'; it has 'PRIMARY', 'COUNTS'"),
    Case("a file without maps", lambda g: cube(g, None, lambda h: fits.HDUList([h[0], h["GTI"]])), read_map,
         FileFormatError, "cube.fits holds no map; it has 'PRIMARY', 'GTI'"),
]  # fmt: skip

GRIDS = [
    Case("a grid in FK4", lambda g: "fk4", lambda f: SkyGrid.create(frame=f), ConfigError, "'icrs' or 'galactic', got 'fk4'"),
    Case("a projection that is none", lambda g: "ABC", lambda p: SkyGrid.create(proj=p), ConfigError,
         "'ABC' is no projection"),
    Case("a grid smaller than its pixels", lambda g: 0.1, lambda w: SkyGrid.create(width=w, binsz=1.0), ConfigError,
         "width 0.1 holds no pixel of 1 x 1 deg", "smaller binsz"),
    Case("a grid beyond the pole", lambda g: (0.0, 100.0), SkyGrid.create, ConfigError, "latitude in -90..90 deg"),
    Case("a pixel size in TeV", lambda g: "1 TeV", lambda b: SkyGrid.create(binsz=b), UnitMismatch,
         "binsz is of kind angle (deg)"),
    Case("a cutout elsewhere", lambda g: SkyCoord("10d", "0d"), lambda c: GRID.cutout(c, 1.0), ConfigError,
         "the cutout at 10 0 deg (icrs) lies outside SkyGrid(6 x 4 pixels"),
    Case("blocks that do not fit", lambda g: 5, GRID.downsample, ConfigError, "6 x 4 pixels", "blocks of 5 x 5"),
    Case("a region without a size", lambda g: SkyCoord("83d", "22d"), GRID.mask, ConfigError, "has no radius"),
    Case("values on other pixels", lambda g: np.ones((3, 3)), lambda v: interpolate(v, GRID, 83.0, 22.0), ConfigError,
         "the values have (3, 3) pixels, the grid has (4, 6)"),
    Case("an unknown reprojection", lambda g: np.ones(GRID.shape), lambda v: reproject(v, GRID, COARSE, method="cubic"),
         ConfigError, "'interp' or 'exact', got 'cubic'"),
]  # fmt: skip

CASES = [*CONTAINERS, *SHAPES, *AXES, *VALUES, *FRAMES, *GRIDS]
