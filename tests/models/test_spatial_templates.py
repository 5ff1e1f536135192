"""Maps and cubes as sources, maps of predicted counts: values, files, what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import check_derivatives
from made_spectra import counting
from spatial_formulas import GRID, LAT, LAT_0, LON, LON_0, slope, template

import gammajax as gj
from gammajax.errors import MissingFile, ModelError, UnitMismatch
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.maps import write_map
from gammajax.models.spatial import evaluate

ENERGIES = [0.1, 1.0, 10.0]
fast = eqx.filter_jit(evaluate)


def image(values=None, unit="", grid=GRID):
    values = np.random.default_rng(2).uniform(1, 5, grid.shape) if values is None else values
    return SkyMap(values, (), grid, unit)


def counts(energies=(1.0, 10.0), grid=GRID):
    axis = MapAxis.from_edges("energy", np.asarray(energies), "TeV", "log")
    return SkyMap(np.random.default_rng(2).poisson(3.0, (axis.size, *grid.shape)).astype(float), (axis,), grid)


# -- values ----------------------------------------------------------------------------------------------------------


def test_a_cube_between_its_energies():
    cube = gj.TemplateSpatial(template(ENERGIES), normalize=False)
    assert cube.energy_dependent
    energy = np.geomspace(0.1, 10.0, LON.size)
    np.testing.assert_allclose(fast(cube, LON, LAT, energy), slope(LON, LAT, energy), rtol=1e-11)
    assert float(fast(cube, LON_0, LAT_0, 100.0)) == 0.0
    with pytest.raises(ModelError, match="TemplateSpatial depends on the energy: give one"):
        evaluate(cube, LON, LAT)


def test_derivatives_of_a_cube():
    cube = gj.TemplateSpatial(template(ENERGIES), normalize=False)

    def function(x):
        moved = eqx.tree_at(lambda m: (m.lon_0, m.lat_0), cube, (x[0], x[1]))
        return jnp.log(moved.brightness(x[2], x[3], x[4]))

    start = jnp.array([LON_0 + 0.1, LAT_0 - 0.2, LON[0], LAT[0], 2.0])
    check_derivatives(function, start, rtol=1e-4, atol=1e-5)


def test_a_normalised_map_integrates_to_one():
    model = gj.TemplateSpatial(image())
    np.testing.assert_allclose(np.sum(fast(model, *GRID.lonlat) * GRID.solid_angle), 1.0, rtol=1e-12)
    cube = gj.TemplateSpatial(template(ENERGIES))
    planes = fast(cube, GRID.lonlat[0][None], GRID.lonlat[1][None], np.array(ENERGIES)[:, None, None])
    np.testing.assert_allclose(np.sum(np.asarray(planes) * GRID.solid_angle, axis=(1, 2)), 1.0, rtol=1e-12)
    assert model.normalized
    assert not gj.TemplateSpatial(template(), normalize=False).normalized


def test_a_map_moves_with_its_centre():
    model = gj.TemplateSpatial(template(), normalize=False, lon_0=LON_0 + 0.3, lat_0="21.9 deg")
    np.testing.assert_allclose(fast(model, LON + 0.3, LAT - 0.1), slope(LON, LAT), rtol=1e-11)


def test_nothing_shines_outside():
    model = gj.TemplateSpatial(template(), normalize=False)
    x, y = np.array([-0.6, -0.4, 11.4, 11.6, 3.0]), np.array([2.0, 2.0, 2.0, 2.0, 9.6])
    lon, lat = GRID.wcs.wcs_pix2world(x, y, 0)
    assert (np.asarray(fast(model, lon, lat)) > 0).tolist() == [False, True, True, False, False]
    assert float(fast(model, LON_0 + 180, -LAT_0)) == 0.0


@pytest.mark.parametrize("interp", ["log", "lin", "sqrt"])
def test_zeros_and_gaps(interp):
    """Pixels without a value shine no more than pixels with zero; derivatives stay finite next to them."""
    values = np.ones(GRID.shape)
    values[:, 6:], values[0, 0] = 0.0, np.nan
    model = gj.TemplateSpatial(image(values, "sr-1"), normalize=False, interp=interp)
    lon, lat = GRID.wcs.wcs_pix2world([3.0, 5.25, 7.0, 0.0], [4.0, 4.0, 4.0, 0.0], 0)
    expected = {"log": None, "lin": 0.75, "sqrt": 0.75**2}[interp]
    found = np.asarray(fast(model, lon, lat))
    np.testing.assert_allclose(found[[0, 2, 3]], [1.0, 0.0, 0.0], atol=1e-12)
    if expected is not None:
        np.testing.assert_allclose(found[1], expected, rtol=1e-9)
    for a, b in zip(lon, lat, strict=True):
        for derived in (jax.grad(model.brightness, argnums=(0, 1)), jax.hessian(model.brightness, argnums=(0, 1))):
            assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(derived(jnp.asarray(a), jnp.asarray(b))))


def test_units():
    flux = gj.TemplateSpatial(image(unit="cm-2 s-1 MeV-1 sr-1"), normalize=False)
    assert flux.unit == "cm-2 s-1 TeV-1 sr-1"
    per_degree = gj.TemplateSpatial(image(np.ones(GRID.shape), "deg-2"), normalize=False)
    np.testing.assert_allclose(float(fast(per_degree, LON_0, LAT_0)), np.rad2deg(1.0) ** 2)
    assert gj.SkyModel(gj.PowerLawNorm(), flux).spatial.unit == flux.unit
    with pytest.raises(ModelError, match="PowerLaw times TemplateSpatial is in .*: one of the two carries the flux"):
        gj.SkyModel(gj.PowerLaw(), flux)
    with pytest.raises(ModelError, match="PowerLawNorm times GaussianSpatial is in 1 / sr"):
        gj.SkyModel(gj.PowerLawNorm(), gj.GaussianSpatial())


# -- files -----------------------------------------------------------------------------------------------------------


def test_maps_are_written_beside_the_yaml(tmp_path):
    models = gj.Models(
        {"my source": gj.SkyModel(gj.PowerLaw(), gj.TemplateSpatial(image()))},
        cube=gj.SkyModel(gj.PowerLaw(), gj.TemplateSpatial(template(ENERGIES), normalize=False)),
        npred=gj.TemplateNPred(counts(), gj.PowerLawNorm(norm=1.3), datasets_names="x"),
    )
    path = models.write(tmp_path / "m.yaml")
    names = sorted(file.name for file in tmp_path.glob("*.fits"))
    assert names == ["m_cube.fits", "m_my_source.fits", "m_npred.fits"]
    back = gj.Models.read(path)
    assert repr(back) == repr(models)
    for name in ("my source", "cube"):
        energy = 2.0 if name == "cube" else None
        ours, theirs = (fast(m[name].spatial, LON, LAT, energy) for m in (models, back))
        np.testing.assert_allclose(theirs, ours, rtol=1e-12)
    np.testing.assert_allclose(back["npred"].expected(), models["npred"].expected(), rtol=1e-12)
    # moved together, the files are found beside the YAML
    (tmp_path / "there").mkdir()
    for file in [*tmp_path.glob("m*.fits"), path]:
        file.rename(tmp_path / "there" / file.name)
    assert repr(gj.Models.read(tmp_path / "there" / "m.yaml")) == repr(models)
    # a map that has a file is not written again
    again = gj.Models.read(tmp_path / "there" / "m.yaml")
    again.write(tmp_path / "other.yaml")
    assert not list(tmp_path.glob("other*.fits"))


def test_one_hdf5_file_holds_everything(tmp_path):
    map_file = write_map(image(), tmp_path / "map.fits")
    models = gj.Models(
        a=gj.SkyModel(gj.PowerLaw(), gj.TemplateSpatial.read(map_file)),
        b=gj.SkyModel(gj.PowerLaw(), gj.TemplateSpatial(template(ENERGIES), normalize=False, interp="lin")),
        n=gj.TemplateNPred(counts(), datasets_names="x"),
    ).free("a.spatial.lon_0")
    path = models.write(tmp_path / "m.h5")
    map_file.unlink()
    back = gj.Models.read(path)
    assert repr(back) == repr(models)
    assert jax.tree.structure(back.tree) == jax.tree.structure(models.tree)
    np.testing.assert_allclose(fast(back["a"].spatial, LON, LAT), fast(models["a"].spatial, LON, LAT), rtol=1e-12)
    np.testing.assert_array_equal(back["b"].spatial.scaled, models["b"].spatial.scaled)


def test_environment_variables_in_names(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_MAPS", str(tmp_path))
    write_map(image(), tmp_path / "map.fits")
    spatial = {"type": "TemplateSpatialModel", "filename": "$MY_MAPS/map.fits", "parameters": []}
    (tmp_path / "m.yaml").write_text(
        str({"components": [{"name": "a", "type": "SkyModel", "spectral": {"type": "pl"}, "spatial": spatial}]})
    )
    assert gj.Models.read(tmp_path / "m.yaml")["a"].spatial.filename == str(tmp_path / "map.fits")


# -- counts ----------------------------------------------------------------------------------------------------------


def test_counts_are_scaled_at_the_centres_of_the_bins():
    content = counts([1.0, 4.0, 16.0])
    model = gj.TemplateNPred(content, gj.PowerLawNorm(norm=2.0, tilt=1.0), datasets_names="x")
    np.testing.assert_allclose(model.expected(), content.values * np.array([1.0, 0.25])[:, None, None], rtol=1e-12)
    models = gj.Models(n=model)
    assert models.free_paths == ["n.spectral.norm"]
    assert models.set("n.spectral.norm", 3.0)["n"].spectral.norm == 3.0
    assert models.datasets_names == {"n": ("x",)}
    assert model.map.grid == GRID


def test_counts_are_nothing_to_a_spectrum():
    data = counting(n=1)
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw()), n=gj.TemplateNPred(counts()))
    with pytest.raises(ModelError, match=r"n is a map of counts, .*: name its cubes .*drop\('n'\)"):
        gj.Problem(data, models)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: gj.TemplateSpatial("map.fits"), ModelError, "a SkyMap with pixels is needed, got str; read"),
        (lambda: gj.TemplateSpatial(image(), interp="cubic"), ModelError, "interp 'cubic' is not one of log, lin"),
        (lambda: gj.TemplateSpatial(image(), normalize=False), UnitMismatch, "has no unit: with normalize=False"),
        (lambda: gj.TemplateSpatial(image(unit="TeV"), normalize=False), UnitMismatch, "is in TeV; a template"),
        (lambda: gj.TemplateSpatial(image(np.zeros(GRID.shape))), ModelError, "no value of the map is above 0"),
        (lambda: gj.TemplateSpatial(image(np.full(GRID.shape, np.nan))), ModelError, "no value of the map is above 0"),
        (lambda: gj.TemplateSpatial(image(), frame="galactic"), ModelError, "the frame is that of its map, 'icrs'"),
        (lambda: gj.TemplateNPred(image()), ModelError, "counts stand over bins of energy; the map has no axes"),
        (lambda: gj.TemplateNPred(template(ENERGIES)), ModelError, "bins of energy; the map has energy_true"),
        (lambda: gj.TemplateNPred(counts(), gj.PowerLaw()), ModelError, "a spectral model without unit"),
        (lambda: gj.TemplateNPred("x.fits"), ModelError, "a SkyMap with pixels is needed, got str"),
        (lambda: gj.TemplateSpatial.read("nowhere.fits"), MissingFile, "nowhere.fits does not exist"),
    ],
)  # fmt: skip
def test_maps_that_are_no_models(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_time_axis_is_no_energy():
    axis = MapAxis.from_edges("rad", [0.0, 1.0], "deg")
    with pytest.raises(ModelError, match="an image, or a cube over energy_true; it has rad"):
        gj.TemplateSpatial(SkyMap(np.ones((1, *GRID.shape)), (axis,), GRID))


def test_an_image_in_a_projection_that_models_do_not_know():
    grid = SkyGrid.create((LON_0, LAT_0), npix=5, binsz=0.5, proj="MOL")
    with pytest.raises(gj.GammajaxError, match="models are evaluated in CAR"):
        gj.TemplateSpatial(image(grid=grid))
