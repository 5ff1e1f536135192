"""Counts of sources that are wider than the map, lie beyond its edge, or shrink to less than a pixel."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from scipy.special import erf

import gammajax as gj
from gammajax.errors import DatasetError, ModelError
from gammajax.io.map_dataset import EdispMap, PsfMap
from gammajax.likelihood.problem import stat

EDGES = np.array([1.0, 10.0])
PSF = 0.1
FLUX = 9.0
"""Counts of a source that lies on the map as a whole."""


def psf(**changed) -> PsfMap:
    """A Gaussian of one width."""
    edges = np.linspace(0.0, 0.6, 121)
    rad = 0.5 * (edges[1:] + edges[:-1])
    density = np.exp(-0.5 * (rad / PSF) ** 2) / (2 * np.pi * np.radians(PSF) ** 2)
    return dataclasses.replace(
        PsfMap(None, np.array([3.0]), rad, density[None, :, None, None], False, edges, EDGES), **changed
    )


def cube(width="3 deg", binsz=0.05, name="cube", counts=None, **parts) -> gj.MapDataset:
    """One bin of energy, an exposure of 1e13 cm2 s."""
    grid = parts.pop("grid", None) or gj.SkyGrid.create((0.0, 0.0), width, binsz, proj="TAN")
    ones = np.ones((1, *grid.shape))
    known = {"exposure": 1e13 * ones, "background": 0.1 * ones, "psf": psf(), "energy": EDGES, "energy_true": EDGES}
    return gj.MapDataset(name=name, grid=grid, counts=counts, **(known | parts))


def models(spatial, **member) -> gj.Models:
    return gj.Models(s=gj.SkyModel(gj.PowerLaw(amplitude=1e-12, index=2.0), spatial, **member)).freeze("*.index")


def total(data, spatial) -> float:
    return float(np.sum(gj.predict_counts(data, models(spatial))[0]))


def with_counts(data, truth, seed=1):
    mean = sum(np.asarray(x) for x in gj.predict_counts(data, truth))
    return data.with_observed(np.random.default_rng(seed).poisson(mean).astype(float))


@pytest.mark.parametrize("sigma", [0.01, 0.5, 2.0, 20.0])
def test_a_wide_gaussian_leaves_the_map(sigma):
    """On a map of 3 deg, from its centre and from 1 deg beyond its edge: nothing is put back."""
    width = np.hypot(sigma, PSF) * np.sqrt(2.0)
    inside = FLUX * erf(1.5 / width) ** 2
    assert total(cube(), gj.GaussianSpatial(lon_0=0.0, lat_0=0.0, sigma=sigma)) == pytest.approx(inside, rel=1e-5)
    beside = 0.5 * FLUX * erf(1.5 / width) * (erf(4.0 / width) - erf(1.0 / width))
    # The plane of the map stretches a degree there by a thousandth.
    found = total(cube(), gj.GaussianSpatial(lon_0=2.5, lat_0=0.0, sigma=sigma))
    assert found == pytest.approx(beside, rel=5e-3, abs=1e-6)


def test_a_broad_source_is_fitted_without_bias():
    truth = models(gj.GaussianSpatial(lon_0=0.0, lat_0=0.0, sigma=1.5))
    data = cube(binsz=0.1, exposure=np.full((1, 30, 30), 1e15))
    data = data.with_observed(sum(np.asarray(x) for x in gj.predict_counts(data, truth)))
    fit = gj.fit(data, truth.set("*.sigma", 1.2).set("*.amplitude", 8e-13))
    assert fit.success, fit.message
    assert fit.models.value("s.spatial.sigma") == pytest.approx(1.5, rel=1e-3)
    assert fit.models.value("s.spectral.amplitude") == pytest.approx(1e-12, rel=1e-3)


def test_a_source_that_shrinks_gets_more_samples():
    """The statistic of a fit is that of its best values, from wherever it began."""
    data = cube("2 deg", 0.1, exposure=np.full((1, 20, 20), 5e14))
    truth = models(gj.GaussianSpatial(lon_0=0.013, lat_0=0.021, sigma=0.06, e=0.5)).freeze("*.phi", "*.e")
    data = with_counts(data, truth)
    near, far = gj.fit(data, truth), gj.fit(data, truth.set("*.sigma", 0.5))
    assert near.success
    assert far.success
    assert far.stat == pytest.approx(near.stat, abs=1e-3)
    problem = gj.Problem(data, far.models)
    assert float(stat(problem, problem.start)) == pytest.approx(far.stat, abs=1e-6)


def test_a_source_between_the_samples_is_no_success():
    data = cube("1 deg", 0.1)
    tiny = models(gj.GaussianSpatial(lon_0=0.013, lat_0=0.021, sigma=1e-3, e=0.5)).freeze("*.phi", "*.e", "*.sigma")
    fit = gj.fit(with_counts(data, models(gj.PointSpatial(lon_0=0.013, lat_0=0.021))), tiny)
    assert not fit.success
    assert "s became smaller than the samples of a pixel" in fit.message


def test_a_cube_that_no_model_acts_on():
    """It adds a number to the statistic, and nothing to its derivatives."""
    one, other = cube("1 deg"), cube("1.2 deg", name="other")
    source = gj.PointSpatial(lon_0=0.0, lat_0=0.0)
    alone, both = gj.Problem(one, models(source)), gj.Problem([one, other], models(source, datasets_names="cube"))
    slope, apart = (jax.grad(lambda z, p=p: stat(p, z))(p.start) for p in (both, alone))
    np.testing.assert_allclose(slope, apart, rtol=1e-12)
    assert np.all(np.isfinite(jax.hessian(lambda z: stat(both, z))(both.start)))


@pytest.mark.parametrize("shape", [(1, 20), (20, 1), (1, 1)])
def test_maps_of_one_row_or_column(shape):
    data = cube(grid=gj.SkyGrid.create((0.0, 0.0), npix=shape[::-1], binsz=0.05, proj="TAN"))
    disk = total(data, gj.DiskSpatial(lon_0=0.0, lat_0=0.0, r_0=0.2))
    assert 0.0 < disk < FLUX


# -- responses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proj", ["TAN", "CAR"])
def test_a_psf_on_a_grid_of_another_frame(proj):
    """Galactic columns are none on an ICRS map: the response is looked up, and is that of the place."""
    grid = gj.SkyGrid.create((10.0, 5.0), "2 deg", 0.1, proj=proj)
    centre = SkyCoord(10.0, 5.0, unit="deg")
    coarse = gj.SkyGrid.create(centre, npix=(4, 4), binsz=0.5, proj=proj, frame="galactic")
    rad = psf().rad
    widths = np.array([0.05, 0.08, 0.11, 0.14])
    density = np.exp(-0.5 * (rad[:, None] / widths) ** 2) / (2 * np.pi * np.radians(widths) ** 2)
    values = np.broadcast_to(density[None, :, None, :], (1, len(rad), 4, 4))
    data = cube(
        grid=grid,
        psf=psf(grid=coarse, values=values),
        edisp=EdispMap(None, EDGES, EDGES, None, np.ones((1, 1, 1, 1)), True),
    )
    lon, lat = (x[1] for x in coarse.radec)
    found = []
    for at in zip(lon[1:3], lat[1:3], strict=True):
        counts = np.asarray(gj.predict_counts(data, models(gj.PointSpatial(lon_0=at[0], lat_0=at[1])))[0])[0]
        away = grid.separation(*at)
        found.append(np.sqrt(0.5 * np.sum(counts * away**2) / np.sum(counts)))
    np.testing.assert_allclose(found, np.hypot(widths[1:3], 0.1 / np.sqrt(12)), rtol=0.03)


@pytest.mark.parametrize("part", ["psf", "edisp"])
def test_pixels_without_response_take_that_of_the_nearest(part):
    grid = gj.SkyGrid.create((0.0, 0.0), "4 deg", 0.1, proj="TAN")
    coarse = grid.coarse(0.5)
    column = np.arange(coarse.shape[1]) > coarse.shape[1] // 2
    kernel = np.where(column, 0.0, np.ones((1, 1, *coarse.shape)))
    responses = {
        "psf": {"psf": psf(grid=coarse, values=np.where(column, 0.0, psf().values * np.ones(coarse.shape)))},
        "edisp": {"edisp": EdispMap(coarse, EDGES, EDGES, None, kernel, True)},
    }
    data = cube(grid=grid, **responses[part])
    for lon in (0.5, 0.0, -0.2, -0.4):
        assert total(data, gj.PointSpatial(lon_0=lon, lat_0=0.0)) == pytest.approx(FLUX, rel=1e-5)


WRONG = {
    "psf": ({"psf": np.ones(3)}, "cube: psf must be of type PsfMap, got ndarray"),
    "edisp": ({"edisp": np.ones(3)}, "cube: edisp must be of type EdispMap, got ndarray"),
    "shape": ({"psf": psf(values=np.ones((1, 3, 1, 1)))}, "cube: psf has shape .1, 3, 1, 1., its axes and pixels ask"),
    "nan": ({"psf": psf(values=np.full((1, 120, 1, 1), np.nan))}, "cube: psf holds 120 values that are not finite"),
    "zero": ({"psf": psf(values=np.zeros((1, 120, 1, 1)))}, "cube: psf is zero everywhere"),
    "axis": (
        {"edisp": EdispMap(None, 100 * EDGES, EDGES, None, np.ones((1, 1, 1, 1)), True)},
        "cube: edisp has energy_true from 100 to 1000 TeV in 1 bins, the dataset from 1 to 10 TeV in 1:",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_responses_that_do_not_fit(wrong):
    parts, message = WRONG[wrong]
    with pytest.raises(DatasetError, match=message):
        cube(**parts)


def test_pixels_that_are_no_grid():
    wcs: Any = gj.SkyGrid.create(npix=(2, 2)).wcs
    with pytest.raises(DatasetError, match="cube: grid must be a SkyGrid, got WCS"):
        gj.MapDataset(name="cube", grid=wcs, energy=EDGES, energy_true=EDGES, exposure=np.ones((1, 2, 2)))


# -- models ------------------------------------------------------------------------------------------------------------


def test_two_factors_over_one_field_are_refused():
    one = gj.Models(a=gj.FoVBackground(spatial=gj.FoVGradient()), b=gj.FoVBackground(spatial=gj.FoVGradient()))
    with pytest.raises(ModelError, match="a and b both have a spatial model and act on cube"):
        gj.Problem(cube("1 deg"), one)


def test_a_gradient_that_makes_the_background_negative():
    steep = gj.Models(b=gj.FoVBackground(spatial=gj.FoVGradient(gradient_lon=3.0)))
    with pytest.raises(ModelError, match="b: its gradient makes the background negative, -0.425 times what it was"):
        gj.Problem(cube("1 deg", counts=np.ones((1, 20, 20))), steep)
    # A cube of which nothing is in the fit has no background to be negative.
    gj.Problem(cube("1 deg", mask_safe=np.zeros((1, 20, 20), bool)), steep)


class Lit(gj.SpatialModel):
    """A disk whose brightness a network gives."""

    net: eqx.nn.MLP = gj.weights()
    lon_0: jax.Array = gj.param(0.0, unit="deg")

    def brightness(self, lon, lat, energy=None):
        x = (lon - self.lon_0 + 180.0) % 360.0 - 180.0
        return jnp.exp(self.net(jnp.stack([x, lat]))) * 1e3


@pytest.mark.parametrize("moves", [True, False])
def test_weights_of_a_spatial_model_are_fitted(moves):
    net = eqx.nn.MLP(2, "scalar", 4, 1, activation=jnp.tanh, key=jax.random.key(0))
    source = models(Lit(net=net))
    source = source if moves else source.freeze("*.lon_0")
    fit = gj.fit(with_counts(cube("1 deg", 0.1), models(gj.PointSpatial(lon_0=0.2, lat_0=0.0))), source, max_steps=20)
    before, after = (jax.tree.leaves(eqx.filter(m.filled["s"].spatial.net, eqx.is_array)) for m in (source, fit.models))
    assert all(np.any(np.asarray(a) != np.asarray(b)) for a, b in zip(before, after, strict=True))
