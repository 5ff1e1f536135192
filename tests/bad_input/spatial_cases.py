"""Rows on the spatial side of models: shapes, templates, backgrounds of a field of view, counts from a map."""

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from good_inputs import POWER_LAW, Case

import gammajax as gj
from gammajax.errors import FileFormatError, MissingFile, ModelError, OutOfBounds, UnitMismatch
from gammajax.geom.grid import SkyGrid
from gammajax.geom.maps import SkyMap
from gammajax.io.maps import write_map
from gammajax.models.spatial import evaluate

GRID = SkyGrid.create((83.6, 22.0), npix=4, binsz=0.1)
GAUSS = {
    "type": "GaussianSpatialModel",
    "frame": "icrs",
    "parameters": [
        {"name": "lon_0", "value": 83.63, "unit": "deg"},
        {"name": "lat_0", "value": 22.01, "unit": "deg"},
        {"name": "sigma", "value": 0.1, "unit": "deg"},
    ],
}
NORM = {"type": "PowerLawNormSpectralModel", "parameters": [{"name": "norm", "value": 1.0}]}


def component(**content):
    """A models file with one component."""
    return lambda g: g.yaml("models.yaml", lambda c: {"components": [content]})


def spatial(**changes):
    """A source with a Gaussian, other entries in it."""
    return component(name="crab", type="SkyModel", spectral=POWER_LAW, spatial=GAUSS | changes)


def sigma(**changes):
    listed = [*GAUSS["parameters"][:2], GAUSS["parameters"][2] | changes]
    return spatial(parameters=listed)


def source(shape, **more):
    return component(name="crab", type="SkyModel", spectral=POWER_LAW, spatial=shape, **more)


def template(normalize=False, **keys):
    """A template whose FITS file has other keywords; None takes one away."""

    def make(g):
        file = write_map(SkyMap(np.ones(GRID.shape), (), GRID, "sr-1"), g.folder / "map.fits")
        for key, value in keys.items():
            if value is None:
                fits.delval(file, key)
            else:
                fits.setval(file, key, value=value)
        shape = {"type": "TemplateSpatialModel", "filename": "map.fits", "normalize": normalize}
        return source(shape)(g)

    return make


def values(number):
    """A template that holds one number everywhere."""

    def make(g):
        write_map(SkyMap(np.full(GRID.shape, number), (), GRID, "sr-1"), g.folder / "map.fits")
        return source({"type": "TemplateSpatialModel", "filename": "map.fits"})(g)

    return make


def background(**changes):
    content = {"type": "FoVBackgroundModel", "datasets_names": ["hess"], "spectral": NORM} | changes
    return component(**content)


def nodes(**changes):
    square = {"lon": {"data": [0, 1, 0, 1], "unit": "deg"}, "lat": {"data": [0, 0, 1, 1], "unit": "deg"}}
    listed = [{"name": f"norm_{i}", "value": 1.0} for i in range(4)]
    shape = {"type": "PiecewiseNormSpatialModel", "frame": "icrs", "parameters": listed} | square | changes
    return background(spatial=shape)


def npred(**changes):
    def make(g):
        write_map(SkyMap(np.ones(GRID.shape), (), GRID), g.folder / "counts.fits")
        content = {"type": "TemplateNPredModel", "name": "diffuse", "spectral": NORM, "filename": "counts.fits"}
        return component(**content | changes)(g)

    return make


read = gj.Models.read
GIVEN = lambda g: None  # noqa: E731

FILES = [
    Case("a spatial model that is text", source("point"), read, FileFormatError, "models.yaml: spatial of crab must be keys and values, got 'point'"),
    Case("a spatial model without type", source({"frame": "icrs"}), read, FileFormatError, "models.yaml: the type of crab.spatial must be a text, got None"),
    Case("an unknown spatial model", spatial(type="GaussianSpatialModle"), read, ModelError, "crab.spatial has the unknown type 'GaussianSpatialModle'; nearest: 'GaussianSpatialModel'"),
    Case("a spectral model in its place", spatial(type="PowerLawSpectralModel"), read, ModelError, "crab.spatial has the unknown type 'PowerLawSpectralModel'"),
    Case("an unknown frame", spatial(frame="fk5"), read, ModelError, "models.yaml: crab.spatial: GaussianSpatial: the frame must be 'icrs' or 'galactic', got 'fk5'"),
    Case("a frame that is a number", spatial(frame=5), read, ModelError, "crab.spatial: GaussianSpatial: the frame must be 'icrs' or 'galactic', got 5"),
    Case("a width in TeV", sigma(unit="TeV"), read, UnitMismatch, "crab.spatial.sigma is of kind angle (deg), got the unit 'TeV'"),
    Case("a width that is NaN", sigma(value=float("nan")), read, OutOfBounds, "models.yaml: crab.spatial.sigma starts at nan", "finite value"),
    Case("a negative width", sigma(value=-0.1), read, OutOfBounds, "crab.spatial.sigma starts at -0.1 deg, outside [0, inf] deg"),
    Case("a latitude beyond the pole", spatial(parameters=[{"name": "lat_0", "value": 95.0, "unit": "deg"}]), read, OutOfBounds, "crab.spatial.lat_0 starts at 95 deg, outside [-90, 90] deg"),
    Case("a parameter of another shape", spatial(parameters=[{"name": "r_0", "value": 0.1, "unit": "deg"}]), read, ModelError, "GaussianSpatial of crab.spatial has no parameter 'r_0'"),
    Case("a width that is text", sigma(value="wide"), read, FileFormatError, "value of crab.spatial.sigma must be a number, got 'wide'"),
    Case("a response that is misspelt", source(GAUSS, apply_irf={"pfs": False}), read, ModelError, "models.yaml: crab: apply_irf has the unknown key 'pfs'; nearest: 'psf'"),
    Case("a response that is no flag", source(GAUSS, apply_irf={"psf": "no"}), read, ModelError, "crab: apply_irf.psf must be True or False, got 'no'"),
    Case("a template without file", source({"type": "TemplateSpatialModel"}), read, FileFormatError, "crab.spatial: a TemplateSpatialModel needs the filename of its map"),
    Case("a template whose file is absent", source({"type": "TemplateSpatialModel", "filename": "gone.fits"}), read, MissingFile, "crab.spatial: gone.fits does not exist"),
    Case("a template without unit", template(BUNIT=None), read, UnitMismatch, "map.fits has no unit: with normalize=False a map is in sr-1", "set BUNIT, or normalize it"),
    Case("a template in another unit", template(BUNIT="TeV"), read, UnitMismatch, "map.fits is in TeV; a template is in sr-1, or a flux in cm-2 s-1 TeV-1 sr-1"),
    Case("a template with a unit that is none", template(BUNIT="photns"), read, UnitMismatch, "map.fits", "'photns' is not a unit"),
    Case("a template that is a flux, with a flux", template(BUNIT="cm-2 s-1 MeV-1 sr-1"), read, ModelError, "crab: SkyModel: PowerLaw times TemplateSpatial is in", "one of the two carries the flux"),
    Case("a template of zeros", values(0.0), read, ModelError, "map.fits: no value of the map is above 0"),
    Case("a template of NaN", values(np.nan), read, ModelError, "map.fits: no value of the map is above 0"),
    Case("a template that is no FITS", lambda g: ((g.folder / "map.fits").write_text("hello"), source({"type": "template", "filename": "map.fits"})(g))[1], read, FileFormatError, "map.fits"),
    Case("a template with a misspelt flag", source({"type": "template", "filename": "map.fits", "normalize": "yes"}), read, FileFormatError, "crab.spatial: normalize must be true or false, got 'yes'"),
    Case("a background without dataset", background(datasets_names=None), read, FileFormatError, "FoVBackgroundModel must name one dataset in datasets_names, or have a name, got none"),
    Case("a background that is a flux", background(spectral=POWER_LAW), read, ModelError, "hess-bkg: FoVBackground: PowerLaw is a flux; a background is scaled by a model without unit"),
    Case("norms at three directions", nodes(lon={"data": [0, 1, 0], "unit": "deg"}, lat={"data": [0, 0, 1], "unit": "deg"}), read, ModelError, "hess-bkg.spatial", "it needs lists of equal length, with at least 4 entries"),
    Case("norms along a line", nodes(lat={"data": [0, 1, 0, 1], "unit": "deg"}), read, ModelError, "PiecewiseNormSpatial: the directions lie on a line"),
    Case("norms in TeV", nodes(lon={"data": [0, 1, 0, 1], "unit": "TeV"}), read, UnitMismatch, "hess-bkg.spatial.lon is of kind angle (deg), got the unit 'TeV'"),
    Case("a norm too many", nodes(parameters=[{"name": "norm_7", "value": 1.0}]), read, ModelError, "PiecewiseNormSpatial of hess-bkg.spatial has no parameter 'norm_7'; nearest: 'norm_"),
    Case("a norm that is no latitude", nodes(lat={"data": [0, 0, 1, 91], "unit": "deg"}), read, ModelError, "latitudes between -90 and 90 deg"),
    Case("counts without file", npred(filename=None), read, FileFormatError, "diffuse (TemplateNPredModel) needs the filename of its map"),
    Case("counts without energies", npred(), read, ModelError, "diffuse:", "counts.fits: counts stand over bins of energy; the map has no axes"),
    Case("counts with a shape", npred(spatial=GAUSS), read, ModelError, "diffuse has a spatial model, by which a map of counts is not scaled"),
]  # fmt: skip


class Vector(gj.SpatialModel):
    """Returns two numbers."""

    def brightness(self, lon, lat):
        return np.ones(2) * lon


CALLS = [
    Case("a source with a shape as text", GIVEN, lambda _: gj.SkyModel(gj.PowerLaw(), "point"), ModelError, "SkyModel: spatial must be a spatial model such as PointSpatial(), got str"),
    Case("a shape in the place of a spectrum", GIVEN, lambda _: gj.SkyModel(gj.PointSpatial()), ModelError, "SkyModel: spectral must be a spectral model, got PointSpatial"),
    Case("a norm with a shape", GIVEN, lambda _: gj.SkyModel(gj.PowerLawNorm(), gj.PointSpatial()), ModelError, "SkyModel: PowerLawNorm times PointSpatial is in"),
    Case("responses as a list", GIVEN, lambda _: gj.SkyModel(gj.PowerLaw(), apply_irf=["psf"]), ModelError, "apply_irf must be a mapping such as {'psf': False}, got ['psf']"),
    Case("a frame nobody knows", GIVEN, lambda _: gj.PointSpatial(frame="ecliptic"), ModelError, "PointSpatial: the frame must be 'icrs' or 'galactic', got 'ecliptic'"),
    Case("a position in TeV", GIVEN, lambda _: gj.PointSpatial(lon_0="1 TeV"), UnitMismatch, "PointSpatial.lon_0 is of kind angle (deg)"),
    Case("a radius without unit", GIVEN, lambda _: gj.DiskSpatial(r_0="0.5"), UnitMismatch, "DiskSpatial.r_0: '0.5' has no unit; write for example '0.5 deg'"),
    Case("the brightness of a point", GIVEN, lambda _: gj.PointSpatial()(SkyCoord("0d 0d")), ModelError, "a point source has no surface brightness"),
    Case("a position that is two numbers", GIVEN, lambda _: gj.DiskSpatial()((0.0, 0.0)), ModelError, "DiskSpatial: positions are a SkyCoord, got tuple"),
    Case("a brightness of two numbers", GIVEN, lambda _: evaluate(Vector(), np.zeros(3), np.zeros(3)), ModelError, "Vector.brightness must return one number for one direction, but its result has shape (2,)"),
    Case("a background with a shape as text", GIVEN, lambda _: gj.FoVBackground(spatial="gradient"), ModelError, "FoVBackground: spatial must be FoVGradient() or a spatial model, got str"),
    Case("a background with a flux", GIVEN, lambda _: gj.FoVBackground(gj.PowerLaw()), ModelError, "FoVBackground: PowerLaw is a flux"),
    Case("a norm without counts", GIVEN, lambda _: gj.TemplateNPred(np.ones((1, 2, 2))), ModelError, "TemplateNPred: a SkyMap with pixels is needed, got ndarray"),
]  # fmt: skip

CASES = [*FILES, *CALLS]
