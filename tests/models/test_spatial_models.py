"""Every spatial model of the package, found by discovery."""

import dataclasses
import importlib
import pkgutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from spatial_formulas import CASES, GRID, LAT, LAT_0, LON, LON_0, MODELS, NORMALIZED, make

import gammajax as gj
from gammajax.errors import ModelError
from gammajax.models.spatial import evaluate
from gammajax.numeric.sphere import offset_by
from gammajax.params.tree import fill, leaves, slots

for info in pkgutil.walk_packages(importlib.import_module("gammajax.models").__path__, "gammajax.models."):
    importlib.import_module(info.name)

SHINING = [cls for cls in MODELS if cls is not gj.PointSpatial]


@pytest.fixture(params=MODELS, ids=lambda cls: cls.__name__)
def model(request):
    assert request.param.__name__ in CASES, f"{request.param.__name__} has no formula in spatial_formulas.py"
    return make(request.param)


@pytest.fixture(params=SHINING, ids=lambda cls: cls.__name__)
def shining(request):
    return make(request.param)


def values_of(model):
    return np.array([value for _, _, value in slots(model)])


def one(model, x):
    """The brightness with all parameters and one direction in one vector."""
    return fill(model, x[:-2]).brightness(x[-2], x[-1])


fast = eqx.filter_jit(evaluate)


@eqx.filter_jit
def expansion(model, x):
    """Value, gradient (backward), Hessian (forward over backward), gradient (forward) in parameters and direction."""
    forward = jax.jacfwd(one, argnums=1)(model, x)
    return one(model, x), jax.grad(one, argnums=1)(model, x), jax.hessian(one, argnums=1)(model, x), forward


def everything_finite(model, lon, lat, values=None):
    at = jnp.asarray([*(values_of(model) if values is None else values), lon, lat])
    return all(np.all(np.isfinite(x)) for x in expansion(model, at))


def test_value_by_an_independent_formula(shining):
    formula = CASES[type(shining).__name__][1]
    np.testing.assert_allclose(evaluate(shining, LON, LAT), formula(LON, LAT), rtol=1e-11)
    positions = SkyCoord(LON.reshape(5, 8), LAT.reshape(5, 8), unit="deg")
    found = shining(positions)
    assert found.shape == (5, 8)
    np.testing.assert_allclose(found.to_value(shining.unit).ravel(), formula(LON, LAT), rtol=1e-11)


def integral(model, reach=40.0):
    """Over the sphere, in rings around the centre; each decade of radius is cut at the radii of the model."""
    cuts = {float(getattr(model, name)) for name in ("radius", "r_0", "sigma") if hasattr(model, name)}
    cuts |= {float(model.extent())}
    if isinstance(model, gj.Shell2Spatial):
        cuts |= {float((1 - model.eta) * model.r_0)}
    edges = np.unique([0.0, *np.geomspace(0.01, reach, 40), *(x for x in cuts if x < reach)])
    x, w = np.polynomial.legendre.leggauss(30)
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    # a root at the ends of a piece: substitution s = middle + half sin(pi x / 2)
    radius = (middle[:, None] + half[:, None] * np.sin(0.5 * np.pi * x)).ravel()
    weight = (half[:, None] * 0.5 * np.pi * np.cos(0.5 * np.pi * x) * w).ravel()
    angle = np.arange(0, 360, 0.5)
    lon, lat = offset_by(*(float(c) for c in model.centre), angle[None, :], radius[:, None])
    rings = np.asarray(fast(model, lon, lat)).mean(axis=1)
    return 2 * np.pi * np.sum(rings * weight * np.deg2rad(1) * np.sin(np.deg2rad(radius)))


@pytest.mark.parametrize("e", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("name", NORMALIZED)
def test_integral_over_the_sphere(name, e):
    cls = getattr(gj, name)
    model = make(cls)
    if hasattr(model, "e"):
        model = dataclasses.replace(model, e=e)
    elif e:
        pytest.skip("the model is round")
    expected, allowed = 1.0, NORMALIZED[name] + 1e-9
    if cls is gj.DiskSpatial:
        # the soft edge adds (width / k)^2 / 2, the sphere terms of the order of r_0^2
        expected, allowed = 1 + 0.5 * (0.6 / 2.326174307353347) ** 2, 2e-3
    assert integral(model) == pytest.approx(expected, abs=allowed)


def test_integral_of_large_gaussians():
    """Where the sphere is not flat, and the tail wraps around it."""
    for sigma, e in ((30.0, 0.0), (50.0, 0.7), (20.0, 0.99)):
        model = gj.GaussianSpatial(lon_0=10.0, lat_0=-60.0, sigma=sigma, e=e, phi=25.0)
        assert integral(model, reach=180.0) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("e", [None, 0.0])
def test_derivatives_against_differences(shining, e):
    """First and second ones; at zero eccentricity the formula has neither a jump nor a kink."""
    if e is not None:
        if not hasattr(shining, "e"):
            return
        shining = dataclasses.replace(shining, e=e)
    for lon, lat in zip(LON[:6], LAT[:6], strict=True):
        at = jnp.asarray([*values_of(shining), lon, lat])
        value, slope, curvature, forward = expansion(shining, at)
        step = 1e-4 * jnp.eye(at.size)
        up, down = ([expansion(shining, at + sign * row) for row in step] for sign in (1, -1))
        np.testing.assert_allclose(forward, slope, rtol=1e-9, atol=1e-9 * np.abs(slope).max())
        slopes = [(a[0] - b[0]) / 2e-4 for a, b in zip(up, down, strict=True)]
        np.testing.assert_allclose(slope / value, np.array(slopes) / value, rtol=1e-5, atol=1e-6)
        rows = [(a[1] - b[1]) / 2e-4 / value for a, b in zip(up, down, strict=True)]
        np.testing.assert_allclose(curvature / value, rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("e", [0.0, 0.8])
@pytest.mark.parametrize("eta", [None, 0.5, 0.25])
def test_derivatives_at_the_centre(e, eta):
    """At zero separation, where position angle and separation have no derivative."""
    size = {"sigma": 1.8} if eta is None else {"r_0": 1.8, "eta": eta}
    cls = gj.GaussianSpatial if eta is None else gj.GeneralizedGaussianSpatial
    model = cls(lon_0=LON_0, lat_0=LAT_0, e=e, phi=35.0, **size)
    at = jnp.array([*values_of(model), LON_0, LAT_0])
    peak, slope, curvature, _ = expansion(model, at)
    np.testing.assert_allclose(slope[-2:] / peak, 0.0, atol=1e-12)
    step = 1e-2 if eta == 0.25 else 1e-3
    near = [expansion(model, at.at[i].add(step))[1][-2:] for i in (-2, -1)]
    np.testing.assert_allclose(curvature[-2:, -2:] / peak, np.stack(near) / step / peak, atol=2e-3, rtol=1e-3)


PLACES = {
    "zero separation": (LON_0, LAT_0),
    "almost zero separation": (LON_0 + 1e-13, LAT_0),
    "a tiny separation": (LON_0, LAT_0 + 1e-9),
    "the other side of the sky": (LON_0 + 180.0, -LAT_0),
    "a quarter of the sky": (LON_0, LAT_0 - 90.0),
    "the pole": (10.0, 90.0),
    "the other pole": (-170.0, -90.0),
    "on the edge of a shell": (LON_0, LAT_0 + 1.1),
    "on the outer edge of a shell": (LON_0, LAT_0 - 1.9),
}


@pytest.mark.parametrize("place", PLACES)
def test_finite_everywhere(shining, place):
    assert everything_finite(shining, *PLACES[place])


def test_finite_at_the_edges_of_the_bounds(shining):
    """Where a fit may end, at zero extension and beyond, in and beside the centre."""
    for i, (path, spec, _) in enumerate(slots(shining)):
        beyond = (0.0, -0.3) if path in ("r_0", "radius", "width") else (0.0,) if path == "sigma" else ()
        for bound in (*(x for x in (spec.lower, spec.upper) if np.isfinite(x)), *beyond):
            values = values_of(shining)
            values[i] = bound
            for lon, lat in ((LON_0, LAT_0), (LON[0], LAT[0]), (LON_0, LAT_0 + 1e-4), (LON_0, LAT_0 + 1.1)):
                assert everything_finite(shining, lon, lat, values), (path, bound, lon, lat)


def test_finite_with_all_sizes_zero(shining):
    """A shell without radius and width, a disk without radius and edge."""
    values = values_of(shining)
    for i, (path, *_) in enumerate(slots(shining)):
        values[i] = values[i] if path in ("lon_0", "lat_0", "eta", "value") else 0.0
    for lon, lat in ((LON_0, LAT_0), (LON[0], LAT[0]), (LON_0, LAT_0 + 1e-6)):
        assert everything_finite(shining, lon, lat, values)
    assert float(evaluate(fill(shining, values), LON[0], LAT[0])) >= 0.0


def test_at_a_pole(shining):
    """A source on the pole is a source like any other."""
    if shining.centre is None:
        return
    if isinstance(shining, gj.TemplateSpatial):
        pytest.skip("a map moves by differences of coordinates")
    on_pole = dataclasses.replace(shining, lon_0=0.0, lat_0=90.0)
    near = dataclasses.replace(shining, lon_0=0.0, lat_0=0.0)
    assert everything_finite(on_pole, 20.0, 90.0)
    for angle in (0.0, 77.0, 200.0):
        # northwards of the origin is towards the longitude 180 of the pole
        lon, lat = offset_by(0.0, 0.0, angle, 0.9)
        polar = offset_by(0.0, 90.0, angle, 0.9)
        np.testing.assert_allclose(fast(on_pole, *polar), fast(near, lon, lat), rtol=1e-10)


def test_around_the_circle(shining):
    """Longitudes and position angles are periodic."""
    start = fast(shining, LON, LAT)
    np.testing.assert_allclose(fast(shining, LON - 360.0, LAT), start, rtol=1e-10)
    if hasattr(shining, "lon_0"):
        moved = eqx.tree_at(lambda m: m.lon_0, shining, shining.lon_0 + 360.0)
        np.testing.assert_allclose(fast(moved, LON, LAT), start, rtol=1e-10)
    if hasattr(shining, "phi"):
        turned = dataclasses.replace(shining, phi=shining.phi - 180.0)
        np.testing.assert_allclose(fast(turned, LON, LAT), start, rtol=1e-12)


def test_batch_is_loop(shining):
    """Instances of a class stack: one program for many sources."""
    if not values_of(shining).size:
        return
    copies = [jax.tree.map(lambda x, k=k: x * (1 + 0.001 * k), shining) for k in range(3)]
    stack = jax.tree.map(lambda *x: jnp.stack(x), *copies)
    batch = jax.vmap(lambda m: fast(m, LON, LAT))(stack)
    np.testing.assert_allclose(batch, [fast(m, LON, LAT) for m in copies], rtol=1e-11)


def test_compiled_is_plain(shining):
    np.testing.assert_allclose(fast(shining, LON, LAT), evaluate(shining, LON, LAT), rtol=1e-11)


def test_default_values_are_finite(shining):
    try:
        default = type(shining)()
    except TypeError:  # it needs a table
        return
    assert everything_finite(default, 0.3, 0.2)


def test_every_field_is_declared(model):
    assert all(leaf.value.dtype == jnp.float64 for leaf in leaves(model))


def test_yaml_and_back(model, tmp_path):
    frame = model.frame if isinstance(model, gj.TemplateSpatial) else "galactic"
    model = make(type(model), frame=frame)
    if model.unit:
        models = gj.Models(a=gj.SkyModel(gj.PowerLaw(), model, apply_irf={"psf": False}))
    else:
        models = gj.Models(a=gj.FoVBackground(spatial=model, datasets_names="x"))
    for ending in ("yaml", "h5"):
        back = gj.Models.read(models.write(tmp_path / f"m.{ending}"))
        assert back.to_list() == models.to_list()
        # the name of the file of a map is known only once it is written
        written = type(back).read(back.write(tmp_path / f"again.{ending}"))
        assert jax.tree.structure(back.tree) == jax.tree.structure(written.tree)
        assert back["a"].spatial.frame == frame
        if not isinstance(model, gj.PointSpatial):
            np.testing.assert_allclose(fast(back["a"].spatial, LON, LAT), fast(model, LON, LAT), rtol=1e-12)
        assert all(
            a.shape == b.shape for a, b in zip(jax.tree.leaves(back["a"]), jax.tree.leaves(models["a"]), strict=True)
        )


def test_extent(model):
    """Almost nothing is left outside; constants have no extent, and that of a map is half its side."""
    if model.centre is None:
        assert model.extent() is None
        assert model.position is None
        return
    reach, centre = float(model.extent()), float(model.resolution())
    assert reach >= centre >= 0
    if isinstance(model, gj.TemplateSpatial):
        assert reach == pytest.approx(0.5 * max(GRID.width))
    elif reach > 0:
        lon, lat = offset_by(LON_0, LAT_0, np.arange(0, 360, 20.0), 1.001 * reach)
        assert np.all(np.asarray(evaluate(model, lon, lat)) <= 0.05 * np.asarray(evaluate(model, LON, LAT)).max())


def test_discovery_saw_the_package():
    assert {cls.__name__ for cls in MODELS} == set(CASES)


# -- positions and frames --------------------------------------------------------------------------------------------


def test_positions():
    there = SkyCoord("184.55d -5.79d", frame="galactic")
    model = gj.GaussianSpatial.from_position(there, sigma="0.1 deg")
    assert model.frame == "galactic"
    assert model.position.separation(there).deg < 1e-12
    same = gj.GaussianSpatial.from_position(there.icrs, sigma="0.1 deg")
    assert same.frame == "icrs"
    around = SkyCoord([83.6, 83.7], [22.0, 22.1], unit="deg")
    np.testing.assert_allclose(model(around).value, same(around).value, rtol=1e-9)
    assert gj.PointSpatial.from_position(there.transform_to("fk5")).frame == "icrs"
    source = gj.SkyModel(gj.PowerLaw(), model)
    assert source.position.separation(there).deg < 1e-12
    assert gj.SkyModel(gj.PowerLaw()).position is None


def test_a_point_has_no_brightness():
    with pytest.raises(ModelError, match="a point source has no surface brightness"):
        gj.PointSpatial()(SkyCoord("0d 0d"))


# -- models of one's own ---------------------------------------------------------------------------------------------


class Ring(gj.SpatialModel):
    """A model as a person writes it."""

    lon_0: gj.Scalar = gj.param(0.0, unit="deg")
    lat_0: gj.Scalar = gj.param(0.0, unit="deg", lower=-90.0, upper=90.0)
    radius: gj.Scalar = gj.param(0.5, unit="deg", lower=0.0)

    def brightness(self, lon, lat):
        return jnp.exp(-((lon - self.lon_0) ** 2) - (lat - self.lat_0 - self.radius) ** 2)


class Halo(gj.SpatialModel):
    """A model whose shape depends on the energy."""

    sigma: gj.Scalar = gj.param(0.5, unit="deg", lower=0.0)

    def brightness(self, lon, lat, energy):
        return jnp.exp(-0.5 * (lon**2 + lat**2) * energy / self.sigma**2)


def test_a_model_of_ones_own(tmp_path):
    models = gj.Models(ring=gj.SkyModel(gj.PowerLaw(), Ring(radius="30 arcmin")))
    assert models.value("ring.spatial.radius") == 0.5
    assert models["ring"].spatial(SkyCoord("0d 0d")).unit == "sr-1"
    back = gj.Models.read(models.write(tmp_path / "m.yaml"))
    assert repr(back) == repr(models)
    with pytest.raises(ModelError, match=r"ring\.spatial \(Ring\) has no form in Gammapy's files"):
        models.write(tmp_path / "m.yaml", gammapy=True)


def test_a_shape_that_depends_on_the_energy():
    halo = Halo()
    assert halo.energy_dependent
    assert not Ring().energy_dependent
    found = halo(SkyCoord([0.1, 0.2], [0.0, 0.0], unit="deg"), "2 TeV")
    np.testing.assert_allclose(found.value, np.exp(-0.5 * np.array([0.01, 0.04]) * 2 / 0.25))
    cube = evaluate(halo, LON[None, :], LAT[None, :], np.array([[1.0], [2.0]]))
    assert cube.shape == (2, 40)
    with pytest.raises(ModelError, match="Halo depends on the energy: give one"):
        evaluate(halo, LON, LAT)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda self, lon, lat: jnp.ones(3) * lon, r"Wrong\.brightness must return one number .* has shape \(3,\)"),
        (lambda self, lon, lat: (lon, lat), r"Wrong\.brightness must return one number .* is a tuple"),
    ],
)
def test_brightness_of_the_wrong_shape(method, message):
    wrong = type("Wrong", (gj.SpatialModel,), {"brightness": method, "__module__": __name__})
    with pytest.raises(ModelError, match=message):
        wrong()(SkyCoord("0d 0d"))


def test_brightness_is_missing():
    class Empty(gj.SpatialModel):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty does not define brightness\(lon, lat\)"):
        Empty()(SkyCoord("0d 0d"))
