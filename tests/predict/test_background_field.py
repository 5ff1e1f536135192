"""A spatial model as factor on the background of cubes."""

import jax
import numpy as np
import pytest
from made_cubes import CENTRE, cube

import gammajax as gj
from gammajax.errors import ModelError
from gammajax.likelihood.problem import Problem, stat
from gammajax.models.spatial import evaluate

LON, LAT = CENTRE
NODES = [LON - 1.0, LON + 1.0, LON + 1.0, LON - 1.0, LON], [LAT - 0.8, LAT - 0.8, LAT + 0.8, LAT + 0.8, LAT + 0.1]
NORMS = [0.6, 1.4, 1.1, 0.8, 1.7]
SPECTRAL = gj.PowerLawNorm(norm=1.2, tilt=0.1)

value = jax.jit(stat)


def piecewise(norms=NORMS, **options):
    return gj.PiecewiseNormSpatial(*NODES, norms, **options)


def with_field(spatial=None) -> gj.Models:
    spatial = piecewise() if spatial is None else spatial
    return gj.Models(bkg=gj.FoVBackground(SPECTRAL, spatial)).freeze("bkg.spectral.*")


def expected(data, factor) -> np.ndarray:
    return gj.predict_counts(data, gj.Models(bkg=gj.FoVBackground(SPECTRAL)))[1] * np.asarray(factor)


def on_pixels(data):
    return np.asarray(evaluate(piecewise(), *data.grid.lonlat))


def test_every_bin_is_multiplied_at_its_centre():
    _, background = gj.predict_counts(cube(), with_field())
    np.testing.assert_allclose(background, expected(cube(), on_pixels(cube())), rtol=1e-12)


def test_directions_are_those_of_its_frame():
    turned = cube().grid.wcs.pixel_to_world(*np.meshgrid(np.arange(30), np.arange(24))).galactic
    lon, lat = turned.l.deg, turned.b.deg
    spatial = gj.PiecewiseNormSpatial(*(x.ravel()[[0, 29, -30, -1, 375]] for x in (lon, lat)), NORMS, frame="galactic")
    _, background = gj.predict_counts(cube(), with_field(spatial))
    np.testing.assert_allclose(background, expected(cube(), evaluate(spatial, lon, lat)), rtol=1e-9)


def test_the_statistic_is_cash_over_all_bins():
    data = cube()
    problem = Problem([data], with_field())
    mask, n, mu = np.asarray(data.mask), np.asarray(data.counts), expected(data, on_pixels(data))
    whole = 2 * (mu[mask].sum() - (n[mask] * np.log(mu[mask])).sum())
    np.testing.assert_allclose(float(value(problem, problem.start)), whole, rtol=1e-10)


def test_derivatives_and_fit():
    data = gj.asimov([cube("a"), cube("b", level=2.0)], with_field())
    start = with_field(piecewise(np.ones(5)))
    problem = Problem(data, start)
    slope = np.asarray(jax.jit(jax.grad(stat, argnums=1))(problem, problem.start))
    h = 1e-5
    for i, unit in enumerate(np.eye(5)):
        up, down = (float(value(problem, problem.start + s * h * unit)) for s in (1, -1))
        assert slope[i] == pytest.approx((up - down) / (2 * h), rel=1e-6)
    fit = gj.fit(data, start)
    assert fit.success
    np.testing.assert_allclose([fit.models.value(f"bkg.spatial.norm_{i}") for i in range(5)], NORMS, rtol=1e-5)


@pytest.mark.parametrize(
    ("spatial", "message"),
    [
        (
            gj.GaussianSpatial(lon_0=LON, lat_0=LAT, sigma=1.0),
            r"FoVBackground: Gaussian.* is a brightness \[sr-1\]",
        ),
        (
            gj.ConstantSpatial(),
            r"FoVBackground: ConstantSpatial is a brightness \[sr-1\]; .* or by FoVGradient",
        ),
    ],
)
def test_a_brightness_is_no_factor(spatial, message):
    with pytest.raises(ModelError, match=message):
        with_field(spatial)
