"""Sources to which not all responses are applied: against integrals, and against cubes without them."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from made_cubes import CENTRE, ENERGY, cube, edisp_map, source

import gammajax as gj
from gammajax.errors import ModelError
from gammajax.likelihood.problem import Problem, predictions, stat
from gammajax.models.sky import AppliedIRF
from gammajax.predict.cube import Fold, Live

LON, LAT = CENTRE[0] + 0.013, CENTRE[1] + 0.007
SHAPES = {
    "point": gj.PointSpatial(lon_0=LON, lat_0=LAT),
    "gauss": gj.GaussianSpatial(lon_0=LON, lat_0=LAT, sigma=0.06),
    "ellipse": gj.GaussianSpatial(lon_0=LON, lat_0=LAT, sigma=0.1, e=0.6, phi=30.0),
}
SUBSETS = [AppliedIRF(psf=False), AppliedIRF(exposure=False, edisp=False), AppliedIRF(False, False, False)]

value, slope = jax.jit(stat), jax.jit(jax.grad(stat, argnums=1))


@jax.jit
def signal(problem, z):
    return predictions(problem, problem.layout.values(z))[0].signal


def seen(shape, irf, **spectral):
    """A source in one of the shapes, as a collection."""
    if not irf.exposure:
        spectral = {"amplitude": 300.0} | spectral
    made = source(SHAPES[shape], **spectral)
    return gj.Models(src=gj.SkyModel(made.spectral, made.spatial, apply_irf=irf), bkg=gj.FoVBackground())


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_without_any_response_counts_are_the_flux(shape, fixed):
    models = seen(shape, AppliedIRF(False, False, False))
    models = models.freeze("src.spatial.*") if fixed else models
    found, _ = gj.predict_counts(cube(nested=True), models)
    expected = [float(models["src"].spectral.integral(a, b).value) for a, b in itertools.pairwise(ENERGY)]
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, rtol=1e-8 if shape != "ellipse" else 1e-2)
    if shape == "point":
        np.testing.assert_allclose(found.max(axis=(1, 2)), expected, rtol=1e-9)
        x, y = cube().grid.pixel(LON, LAT)
        assert np.argmax(found[0]) == np.ravel_multi_index((round(float(y)), round(float(x))), found[0].shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_source_without_psf_is_a_source_on_a_cube_without(shape):
    data = cube()
    bare = _without(data, psf=None)
    found, _ = gj.predict_counts(data, seen(shape, AppliedIRF(psf=False)))
    expected, _ = gj.predict_counts(bare, seen(shape, AppliedIRF()))
    assert expected.sum() > 50
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def _without(data, **changes):
    fields = {f.name: getattr(data, f.name) for f in dataclasses.fields(data)}
    return gj.MapDataset(**fields | changes)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_exposure_counts_are_those_of_an_exposure_of_one(shape):
    data = cube()
    one = _without(data, exposure=np.ones(data.exposure.shape))
    found, expected = (
        gj.predict_counts(d, seen(shape, irf, amplitude=300.0))[0]
        for d, irf in ((data, AppliedIRF(exposure=False)), (one, AppliedIRF()))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", ["point", "ellipse"])
def test_without_dispersion_counts_stay_in_the_bins_of_their_true_energy(shape):
    """That of a dispersion whose probabilities are zero or one."""
    data = cube(nested=True)
    sharp = np.zeros((8, 3, 1, 1))
    sharp[np.arange(1, 7), np.repeat(np.arange(3), 2)] = 1.0
    perfect = _without(data, edisp=dataclasses.replace(edisp_map(np.asarray(data.energy_true)), values=sharp))
    found, _ = gj.predict_counts(data, seen(shape, AppliedIRF(edisp=False)))
    expected, _ = gj.predict_counts(perfect, seen(shape, AppliedIRF()))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_bin_of_true_energy_that_an_edge_cuts_is_said():
    message = r"src is predicted without edisp .* in cube an edge cuts the one from 0\.7 to 1\.27\d+ TeV"
    with pytest.raises(ModelError, match=message):
        Problem([cube()], seen("point", AppliedIRF(edisp=False)))
    Problem([cube()], gj.Models(bkg=gj.FoVBackground()))


@pytest.mark.parametrize("irf", SUBSETS, ids=lambda irf: "".join(str(int(flag)) for flag in irf))
@pytest.mark.parametrize("shape", SHAPES)
def test_at_rest_and_moving(shape, irf):
    rest = seen(shape, irf).freeze("src.spatial.*")
    still, live = (Problem([cube(nested=True)], models) for models in (rest, rest.free("src.spatial.lat_0")))
    assert isinstance(still.groups[0].plans[0], Fold)
    assert isinstance(live.groups[0].plans[0], Live)
    np.testing.assert_allclose(signal(still, still.start), signal(live, live.start), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("irf", SUBSETS, ids=lambda irf: "".join(str(int(flag)) for flag in irf))
def test_gradients_against_differences(irf):
    models = seen("gauss", irf).free("src.spatial.sigma").bound("src.spatial.sigma", 0.01, 0.3)
    problem = Problem([cube(nested=True)], models)
    z = problem.start
    found = np.asarray(slope(problem, z))
    for i, path in enumerate(models.free_paths):
        step = 1e-5 * max(1.0, abs(float(z[i]))) / max(1.0, float(problem.layout.scale[i]))
        up, down = (float(value(problem, z.at[i].add(s))) for s in (step, -step))
        np.testing.assert_allclose(found[i], (up - down) / (2 * step), rtol=1e-4, atol=1e-3, err_msg=path)


def test_derivatives_of_an_unspread_point_are_finite():
    problem = Problem([cube()], seen("point", AppliedIRF(psf=False)))
    curved = jax.jit(jax.hessian(stat, argnums=1))(problem, problem.start)
    assert np.all(np.isfinite(curved))
    assert np.all(np.isfinite(slope(problem, problem.start)))


def test_a_nuisance_of_the_exposure_leaves_a_source_without_one_alone():
    half = {"norm": gj.ExposureNorm(norm=0.5)}
    for irf, factor in ((AppliedIRF(), 0.5), (AppliedIRF(exposure=False), 1.0)):
        models = seen("point", irf)
        plain, bent = (gj.predict_counts(cube(), m)[0] for m in (models, models.add(**half)))
        np.testing.assert_allclose(bent, factor * plain, rtol=1e-12)


def test_a_fit_finds_the_flux_of_a_source_that_is_not_spread():
    models = seen("gauss", AppliedIRF(psf=False)).freeze("src.spatial.*")
    data = gj.asimov([cube(nested=True)], models)
    fit = gj.fit(data, models.set("src.spectral.amplitude", 5e-12))
    assert fit.success
    np.testing.assert_allclose(fit.models.rows["src.spectral.amplitude"].value, 3e-12, rtol=1e-4)
