"""Predicted counts of cubes: against brute force, smooth in place and width, linear, the same by every way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brute_force import brute_force
from made_cubes import CENTRE, cube, models, source

import gammajax as gj
from gammajax.errors import ModelError
from gammajax.likelihood.problem import Problem, predictions, stat
from gammajax.predict.cube import Fold, Live, Scaled

LON, LAT = CENTRE[0] + 0.004, CENTRE[1] + 0.007


value = jax.jit(stat)


@jax.jit
def signal(problem, z):
    return predictions(problem, problem.layout.values(z))[0].signal


@pytest.mark.parametrize("place", [(0.03, -0.02), (0.0, 0.0), (-0.11, 0.076)])
def test_a_point_against_brute_force(place):
    """Below 1e-3 of the peak, with PSFs of one to two pixels of 0.05 deg."""
    data = cube()
    model = source(gj.PointSpatial(lon_0=LON + place[0], lat_0=LAT + place[1]))
    found, _ = gj.predict_counts(data, gj.Models(src=model))
    expected = brute_force(data, model.spectral, LON + place[0], LAT + place[1])
    for a, b in zip(found, expected, strict=True):
        assert np.max(np.abs(a - b)) < 1e-3 * b.max()
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected.sum(axis=(1, 2)), rtol=2e-3)


def test_counts_and_slopes_are_continuous_in_the_position():
    """Across the edges of pixels: values along a line have the slopes that derivatives say."""
    problem = Problem([cube()], models().freeze("*.amplitude"))
    paths = models().freeze("*.amplitude").free_paths
    i = paths.index("src.spatial.lon_0")
    one = jax.jit(lambda t: stat(problem, problem.start.at[i].add(t)))
    t = np.linspace(-0.2, 0.2, 801) / float(problem.layout.scale[i])
    values = np.array(jax.vmap(one)(jnp.asarray(t)))
    slopes = np.array(jax.vmap(jax.grad(one))(jnp.asarray(t)))
    step = t[1] - t[0]
    off = np.abs(np.diff(values) / step - 0.5 * (slopes[1:] + slopes[:-1])) > 2e-3 * np.abs(slopes).max()
    # The edge of the PSF's window has a kink where it meets the edge of a pixel with counts.
    assert off.sum() <= 4
    assert np.abs(np.diff(values)).max() < 1.1 * np.abs(slopes).max() * step


SHAPES = {
    "point": gj.PointSpatial(lon_0=LON + 0.03, lat_0=LAT),
    "galactic point": gj.PointSpatial(lon_0=184.56, lat_0=-5.78, frame="galactic"),
    "gauss": gj.GaussianSpatial(lon_0=LON, lat_0=LAT, sigma=0.1),
    "ellipse": gj.GaussianSpatial(lon_0=LON, lat_0=LAT, sigma=0.2, e=0.6, phi=30.0),
    "disk": gj.DiskSpatial(lon_0=LON, lat_0=LAT, r_0=0.2),
    "shell": gj.ShellSpatial(lon_0=LON, lat_0=LAT, radius=0.15, width=0.1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_against_differences(name):
    free = models(SHAPES[name]).free("src.spatial.*")
    free = free.bound("src.spatial.sigma", 0.01, 0.5) if hasattr(SHAPES[name], "sigma") else free
    problem = Problem([cube()], free)
    f, g = value, jax.jit(jax.grad(stat, argnums=1))
    z = problem.start
    slope = np.asarray(g(problem, z))
    assert np.all(np.isfinite(slope))
    for i, path in enumerate(free.free_paths):
        # small beside the edge of a disk, large beside rounding
        step = 3e-6 * max(1.0, abs(float(z[i]))) / max(1.0, float(problem.layout.scale[i]))
        up, down = (float(f(problem, z.at[i].add(s))) for s in (step, -step))
        np.testing.assert_allclose(slope[i], (up - down) / (2 * step), rtol=1e-3, atol=1e-3, err_msg=path)


@pytest.mark.parametrize("name", ["gauss", "disk"])
def test_a_source_at_rest_is_folded_with_the_same_result(name):
    still = models(SHAPES[name]).freeze("src.spatial.*")
    moving = models(SHAPES[name]).freeze("src.spatial.*").free("src.spatial.lon_0")
    folded, live = Problem([cube()], still), Problem([cube()], moving)
    assert isinstance(folded.groups[0].plans[0], Fold)
    assert isinstance(live.groups[0].plans[0], Live)
    np.testing.assert_allclose(signal(folded, folded.start), signal(live, live.start), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("factor", [gj.PowerLawNorm(norm=0.7), gj.LogParabola(amplitude=2e-12, beta=0.1)])
def test_a_source_at_rest_with_one_factor_is_a_template(factor):
    """Counts and derivatives are those of the response, which is kept where a slope is free too."""
    spectral = factor if factor.unit else gj.PowerLaw(amplitude=3e-12, index=2.3) * factor
    at_rest = gj.Models(
        src=gj.SkyModel(spectral, gj.DiskSpatial(lon_0=LON, lat_0=LAT, r_0=0.2)), bkg=gj.FoVBackground()
    )
    at_rest = at_rest.freeze("src.*").free("src.spectral.model2.norm" if not factor.unit else "src.spectral.amplitude")
    slope = "src.spectral.model1.index" if not factor.unit else "src.spectral.alpha"
    one, two = (Problem([cube()], m) for m in (at_rest, at_rest.free(slope)))
    assert isinstance(one.groups[0].plans[0], Scaled)
    assert isinstance(two.groups[0].plans[0], Fold)
    names = at_rest.free_paths
    i, j = (m.free_paths.index(path) for m, path in ((at_rest, names[0]), (at_rest.free(slope), names[0])))
    for k in (1.0, 3.0):
        a, b = (jax.value_and_grad(stat, argnums=1)(p, p.start.at[n].multiply(k)) for p, n in ((one, i), (two, j)))
        np.testing.assert_allclose(a[0], b[0], rtol=1e-11)
        np.testing.assert_allclose(a[1][i], b[1][j], rtol=1e-8)


def test_a_gaussian_without_width_is_a_point():
    point, gauss = (
        gj.Models(src=source(s)) for s in (SHAPES["point"], gj.GaussianSpatial(lon_0=LON + 0.03, lat_0=LAT, sigma=1e-6))
    )
    a, b = (gj.predict_counts(cube(), m)[0] for m in (point, gauss))
    assert np.max(np.abs(a - b)) < 4e-3 * a.max()


def test_closed_form_and_convolution_agree():
    """A round Gaussian and an ellipse that is nearly round go different ways."""
    made = [gj.GaussianSpatial(lon_0=LON + 0.03, lat_0=LAT, sigma=0.2, e=e) for e in (0.0, 1e-5)]
    a, b = (gj.predict_counts(cube(), gj.Models(src=source(s)))[0] for s in made)
    assert np.max(np.abs(a - b)) < 3e-3 * a.max()


def test_a_source_that_left_the_map_and_came_back():
    problem = Problem([cube()], models())
    f = value
    before = float(f(problem, problem.start))
    far = [
        float(f(problem, problem.start.at[2].add(shift / float(problem.layout.scale[2]))))
        for shift in (3.0, 90.0, 170.0)
    ]
    assert np.all(np.isfinite(far))
    assert float(f(problem, problem.start)) == before


def test_cubes_of_one_shape_are_one_group_and_a_batch_is_a_loop():
    pair = [cube("a"), cube("b", level=2.0)]
    other = cube("c", size=(20, 20))
    problem = Problem([*pair, other], models())
    assert [g.counts.shape[0] for g in problem.groups] == [2, 1]
    apart = sum(float(value(p, p.start)) for p in (Problem([d], models()) for d in (*pair, other)))
    np.testing.assert_allclose(float(value(problem, problem.start)), apart, rtol=1e-12)


def test_the_background_follows_its_gradient():
    sloped = gj.Models(bkg=gj.FoVBackground(spatial=gj.FoVGradient(gradient_lon=0.1, gradient_lat=-0.2)))
    problem = Problem([cube()], sloped.free("bkg.spatial.*"))
    _, background = gj.predict_counts(cube(), sloped)
    data = cube()
    mu, n, mask = background, np.asarray(data.counts), np.asarray(data.mask)
    expected = 2 * (mu[mask].sum() - (n[mask] * np.log(mu[mask])).sum())
    np.testing.assert_allclose(float(value(problem, problem.start)), expected, rtol=1e-10)


def test_what_does_not_fit_is_said():
    with pytest.raises(ModelError, match="crab acts on a cube and has no spatial model"):
        Problem([cube()], gj.Models(crab=gj.SkyModel(gj.PowerLaw())))
