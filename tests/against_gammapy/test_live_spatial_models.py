"""Spatial models against Gammapy: parameters, brightness, files in both directions."""

import logging

import jax
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from spatial_formulas import GRID, LAT, LAT_0, LON, LON_0, MODELS, NODES, make, template
from test_live_models import fitted, variance

import gammajax as gj
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.models.spatial import evaluate

peer = pytest.importorskip("gammapy.modeling.models")
maps = pytest.importorskip("gammapy.maps")
pytestmark = pytest.mark.filterwarnings("ignore")

PLAIN = [cls for cls in MODELS if cls not in (gj.TemplateSpatial, gj.PiecewiseNormSpatial)]
ENERGIES = [0.1, 1.0, 10.0]


def theirs_of(cls):
    """Gammapy's class with our tag."""
    found = getattr(peer.spatial, cls.tag[0])
    assert found.tag == list(cls.tag)
    return found


def same_as(model):
    """Gammapy's model with the parameters of ours."""
    cls = theirs_of(type(model))
    names = cls.default_parameters.names
    return cls(**{n: getattr(model, n).item() * cls.default_parameters[n].unit for n in names}, frame=model.frame)


def value(theirs, lon=LON, lat=LAT, energy=None):
    args = (lon * u.deg, lat * u.deg) if energy is None else (lon * u.deg, lat * u.deg, energy * u.TeV)
    found = theirs(*args)
    unit = "sr-1" if found.unit.is_equivalent("sr-1") else found.unit
    return found.to_value(unit) * np.ones(lon.shape)


@pytest.mark.parametrize("cls", MODELS, ids=lambda c: c.__name__)
def test_tags_and_parameters(cls):
    """Names, units, defaults, frozen flags and bounds."""
    parameters = theirs_of(cls).default_parameters
    if cls in (gj.TemplateSpatial, gj.PiecewiseNormSpatial):
        return
    rows = gj.Models(a=gj.SkyModel(gj.PowerLaw(), cls())).rows
    ours = {path.removeprefix("a.spatial."): row for path, row in rows.items() if ".spatial." in path}
    assert list(ours) == parameters.names
    for name, row in ours.items():
        other = parameters[name]
        assert (row.value, row.frozen) == (other.quantity.to_value(row.unit or ""), other.frozen)
        low, high = (np.nan if not np.isfinite(x) else x for x in (row.lower, row.upper))
        np.testing.assert_array_equal([low, high], [other.min, other.max])


ROUND = [gj.GaussianSpatial, gj.GeneralizedGaussianSpatial, gj.DiskSpatial]


@pytest.mark.parametrize("e", [0.0, 0.6])
@pytest.mark.parametrize("cls", [c for c in PLAIN if c is not gj.PointSpatial], ids=lambda c: c.__name__)
def test_brightness(cls, e):
    model = make(cls, e=e) if cls in ROUND else make(cls)
    ratio = np.asarray(evaluate(model, LON, LAT)) / value(same_as(model))
    if cls is gj.GaussianSpatial and e:
        # Gammapy's norm of an ellipse is that of the plane, ours that of the sphere
        a = np.deg2rad(1.8)
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-10)
        assert ratio[0] - 1 == pytest.approx(a**2 * (2 - e**2) / 24, rel=1e-2)
    else:
        np.testing.assert_allclose(ratio, 1.0, rtol=1e-10)


@pytest.mark.parametrize("cls", PLAIN, ids=lambda c: c.__name__)
def test_extent_and_resolution(cls):
    model = make(cls)
    theirs = same_as(model)
    for ours, other in (
        (model.extent(), theirs.evaluation_radius),
        (model.resolution(), theirs.evaluation_bin_size_min),
    ):
        assert (ours is None) == (other is None)
        if ours is not None:
            np.testing.assert_allclose(float(ours), other.to_value("deg"), rtol=1e-12, atol=1e-12)
    if model.position is not None:
        assert model.position.separation(theirs.position).deg < 1e-10


def source(model, **more):
    return gj.Models(a=gj.SkyModel(gj.PowerLaw(), model, **more))


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("cls", [c for c in PLAIN if c is not gj.ConstantFluxSpatial], ids=lambda c: c.__name__)
def test_files_in_both_directions(tmp_path, cls, frame):
    model = make(cls, frame=frame)
    models = source(model, apply_irf={"psf": False}, datasets_names=["x"])
    path = models.write(tmp_path / "ours.yaml", gammapy=True)
    theirs = peer.Models.read(path)
    found = theirs["a"]
    assert (found.apply_irf["psf"], found.datasets_names) == (False, ["x"])
    if model.position is not None:
        assert found.spatial_model.frame == frame
    if cls is not gj.PointSpatial:
        np.testing.assert_allclose(value(found.spatial_model), value(same_as(model)), rtol=1e-12)
    if cls is gj.ConstantSpatial:  # Gammapy writes no value
        return
    theirs.write(tmp_path / "theirs.yaml", overwrite=True)
    back = gj.Models.read(tmp_path / "theirs.yaml")
    assert list(back.rows) == list(models.rows)
    for row in models.rows.values():
        again = back.rows[row.path]
        np.testing.assert_allclose(again.value, row.value, rtol=1e-12)
        assert (again.unit, again.lower, again.upper, again.frozen) == (row.unit, row.lower, row.upper, row.frozen)
    assert back["a"].apply_irf == models["a"].apply_irf
    if model.position is not None:
        assert jax.tree.structure(back.tree) == jax.tree.structure(models.tree)


def test_correlations_with_the_position(tmp_path, caplog):
    models = gj.Models(
        a=gj.SkyModel(gj.PowerLaw(), make(gj.GaussianSpatial)),
        b=gj.SkyModel(gj.PowerLaw(), make(gj.PointSpatial)),
        bkg=gj.FoVBackground(datasets_names="x"),
    )
    models = fitted(models.link("b.spatial.lon_0", "a.spatial.lon_0"))
    with caplog.at_level(logging.WARNING):
        theirs = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    assert "covariance" not in caplog.text
    assert theirs["b"].spatial_model.lon_0 is theirs["a"].spatial_model.lon_0
    place = {p: i for i, p in enumerate(models.covariance.paths)}
    found = variance(theirs)
    for p in place:
        for q in place:
            if p.startswith("a.") and q.startswith("a."):
                expected = models.covariance.matrix[place[p], place[q]]
                np.testing.assert_allclose(found(p, q), expected, rtol=1e-12)
    error = theirs["a"].spatial_model.sigma.error
    np.testing.assert_allclose(error, models.error("a.spatial.sigma"), rtol=1e-6)


# -- maps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("energies", [None, ENERGIES])
def test_templates(tmp_path, normalize, energies):
    """Values, and files in both directions. Gammapy's solid angles of pixels are those of plane triangles."""
    models = source(gj.TemplateSpatial(template(energies), normalize=normalize)).free("a.spatial.lon_0")
    theirs = peer.Models.read(models.write(tmp_path / "ours.yaml", gammapy=True))
    other = theirs["a"].spatial_model
    assert other.parameters.free_parameters.names == ["lon_0"]
    energy = None if energies is None else np.geomspace(0.08, 12.0, LON.size)
    expected = value(other, energy=energy)
    rtol = 1e-5 if normalize else 1e-10
    np.testing.assert_allclose(evaluate(models["a"].spatial, LON, LAT, energy), expected, rtol=rtol)
    assert float(models["a"].spatial.extent()) == pytest.approx(other.evaluation_radius.to_value("deg"))
    other.filename = str(tmp_path / "theirs.fits")
    maps.Map.read(next(tmp_path.glob("ours*.fits"))).write(other.filename)
    theirs.write(tmp_path / "theirs.yaml", overwrite=True)
    back = gj.Models.read(tmp_path / "theirs.yaml")
    assert back.free_paths == models.free_paths
    np.testing.assert_allclose(evaluate(back["a"].spatial, LON, LAT, energy), expected, rtol=rtol)


def test_a_template_that_was_moved(tmp_path):
    models = source(gj.TemplateSpatial(template(), normalize=False, lon_0=LON_0 + 0.3, lat_0=LAT_0 - 0.2))
    theirs = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))["a"].spatial_model
    np.testing.assert_allclose(evaluate(models["a"].spatial, LON, LAT), value(theirs), rtol=1e-10)


def test_the_galactic_centre_of_the_real_data(gammajax_data):
    file = gammajax_data / "fermi-3fhl-gc/gll_iem_v06_gc.fits.gz"
    ours = gj.TemplateSpatial.read(file, normalize=False)
    theirs = peer.TemplateSpatialModel.read(file, normalize=False)
    rng = np.random.default_rng(1)
    lon, lat, energy = rng.uniform(-10, 10, 50), rng.uniform(-8, 8, 50), rng.uniform(0.01, 0.2, 50)
    expected = theirs(lon * u.deg, lat * u.deg, energy * u.TeV).to_value(ours.unit)
    np.testing.assert_allclose(evaluate(ours, lon, lat, energy), expected, rtol=1e-5)


def test_piecewise_norms(tmp_path):
    norms = np.array([0.7, 1.4, 1.1, 0.9, 1.6])
    ours = gj.PiecewiseNormSpatial(*NODES, norms)
    coords = maps.MapCoord.create(tuple(x * u.deg for x in NODES))
    theirs = peer.PiecewiseNormSpatialModel(coords, norms)
    np.testing.assert_allclose(evaluate(ours, LON, LAT), value(theirs), atol=3e-6)  # scipy iterates to 1e-6
    models = gj.Models(bkg=gj.FoVBackground(spatial=ours, datasets_names="x"))
    read = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    np.testing.assert_allclose(value(read[0].spatial_model), value(theirs), rtol=1e-9)
    read.write(tmp_path / "theirs.yaml", overwrite=True)
    back = gj.Models.read(tmp_path / "theirs.yaml")
    np.testing.assert_allclose(evaluate(back["x-bkg"].spatial, LON, LAT), evaluate(ours, LON, LAT), rtol=1e-9)
    assert back.free_paths == ["x-bkg.spectral.norm", *(f"x-bkg.spatial.norm_{i}" for i in range(5))]


@pytest.mark.parametrize(
    "lon", [[359.0, 1.0, 359.5, 0.5, 0.0], [-1.0, 1.0, -0.5, 0.5, 360.0], [179.0, 181.0, 179.5, 180.5, 180.0]]
)
def test_piecewise_norms_across_a_cut(lon):
    lat, norms = np.array([-1.0, -0.9, 1.0, 1.1, 0.2]), np.array([0.7, 1.4, 1.1, 0.9, 1.6])
    ours = gj.PiecewiseNormSpatial(lon, lat, norms)
    theirs = peer.PiecewiseNormSpatialModel(maps.MapCoord.create((lon * u.deg, lat * u.deg)), norms)
    at = SkyCoord(np.array(lon[-1]) + np.linspace(-0.4, 0.4, 9), np.linspace(-0.3, 0.3, 9), unit="deg")
    expected = value(theirs, at.ra.deg, at.dec.deg)
    assert np.all(np.isfinite(expected))
    np.testing.assert_allclose(ours(at).value, expected, atol=3e-6)


def test_backgrounds(tmp_path):
    models = gj.Models({"x-bkg": gj.FoVBackground(gj.PowerLawNorm(norm=1.2, tilt=0.1), datasets_names="x")})
    models = models.free("*.tilt").bound("*.norm", 0.1, 10)
    theirs = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    assert isinstance(theirs[0], peer.FoVBackgroundModel)
    assert theirs[0].datasets_names == ["x"]
    assert theirs[0].spectral_model.norm.max == 10
    energy = np.array([0.3, 2.0])
    expected = theirs[0].evaluate(energy * u.TeV).value
    np.testing.assert_allclose([models["x-bkg"].background(e) for e in energy], expected, rtol=1e-12)
    theirs.write(tmp_path / "theirs.yaml", overwrite=True)
    assert repr(gj.Models.read(tmp_path / "theirs.yaml")) == repr(models)
    gradient = gj.Models(b=gj.FoVBackground(spatial=gj.FoVGradient(), datasets_names="x"))
    with pytest.raises(gj.GammajaxError, match=r"b\.spatial \(FoVGradient\) has no form in Gammapy's files"):
        gradient.write(tmp_path / "m.yaml", gammapy=True)
    with pytest.raises(gj.GammajaxError, match="b: Gammapy's background models act on one dataset"):
        gj.Models(b=gj.FoVBackground()).write(tmp_path / "m.yaml", gammapy=True)


def test_maps_of_counts(tmp_path, monkeypatch):
    # Gammapy writes the map into the working folder.
    monkeypatch.chdir(tmp_path)
    axis = MapAxis.from_edges("energy", [1.0, 4.0, 16.0], "TeV", "log")
    content = SkyMap(np.random.default_rng(1).uniform(1, 2, (2, *GRID.shape)), (axis,), GRID)
    models = gj.Models(n=gj.TemplateNPred(content, gj.PowerLawNorm(norm=1.3, tilt=0.4), datasets_names="x"))
    theirs = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    assert theirs[0].datasets_names == ["x"]
    np.testing.assert_allclose(models["n"].expected(), theirs[0].evaluate().data, rtol=1e-10)
    theirs.write(tmp_path / "theirs.yaml", overwrite=True)
    back = gj.Models.read(tmp_path / "theirs.yaml")
    assert list(back.rows) == list(models.rows)
    np.testing.assert_allclose(back["n"].expected(), models["n"].expected(), rtol=1e-12)


def test_every_spatial_model_of_gammapy_has_its_place(tmp_path):
    """All but the maps whose further axes are parameters; one that Gammapy's own files do not know."""
    tags = {cls.tag[0] for cls in peer.SPATIAL_MODEL_REGISTRY} - {"TemplateNDSpatialModel"}
    assert {cls.tag[0] for cls in MODELS} == tags | {"ConstantFluxSpatialModel"}
    with pytest.raises(gj.GammajaxError, match=r"a\.spatial \(ConstantFluxSpatial\) has no form in Gammapy's files"):
        source(gj.ConstantFluxSpatial()).write(tmp_path / "m.yaml", gammapy=True)
