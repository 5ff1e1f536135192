"""PSFs over reconstructed energy, which act after the dispersion."""

import jax
import numpy as np
import pytest
from made_cubes import CENTRE, RAD, cube, king, models, source

import gammajax as gj
from gammajax.errors import DatasetError
from gammajax.infer.expansion import exact_hessian
from gammajax.io.map_dataset import PsfMap
from gammajax.likelihood.problem import Problem

WIDTHS = (0.14, 0.09, 0.06)
SHAPES = {
    "point": gj.PointSpatial(lon_0=CENTRE[0] + 0.03, lat_0=CENTRE[1] - 0.02),
    "gauss": gj.GaussianSpatial(lon_0=CENTRE[0] + 0.03, lat_0=CENTRE[1] - 0.02, sigma=0.12),
    "ellipse": gj.GaussianSpatial(lon_0=CENTRE[0] + 0.03, lat_0=CENTRE[1] - 0.02, sigma=0.15, e=0.5, phi=20.0),
}


def with_psf(data, widths, *, reco):
    """The cube with King profiles of these widths, per bin of its energy."""
    edges = np.asarray(data.energy if reco else data.energy_true)
    centres = np.sqrt(edges[1:] * edges[:-1])
    values = np.stack([king(RAD, width) for width in np.broadcast_to(widths, len(centres))])[:, :, None, None]
    psf = PsfMap(None, centres, RAD, values, reco, data.psf.rad_edges, edges)
    return gj.MapDataset(**vars(data) | {"psf": psf})


@pytest.fixture(scope="module")
def data():
    return cube()


def signal(data, shape, *, free=True):
    there = gj.Models(src=source(SHAPES[shape])).freeze("src.spatial.*")
    return np.asarray(gj.predict_counts(data, there.free("src.spatial.lon_0") if free else there)[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_each_energy_has_its_own_psf(data, shape):
    """As in a cube with that PSF at all energies, where the order of PSF and dispersion is all the same."""
    found = signal(with_psf(data, WIDTHS, reco=True), shape)
    for k, width in enumerate(WIDTHS):
        alone = signal(with_psf(data, width, reco=False), shape)
        np.testing.assert_allclose(found[k], alone[k], rtol=1e-9, atol=1e-12 * alone.max())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_source_at_rest_is_folded_with_the_same_result(data, shape):
    there = with_psf(data, WIDTHS, reco=True)
    np.testing.assert_allclose(signal(there, shape, free=False), signal(there, shape), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", ["point", "gauss"])
def test_the_hessian_is_that_of_the_statistic(data, shape):
    problem = Problem([with_psf(data, WIDTHS, reco=True)], models(SHAPES[shape], amplitude=2e-11))
    z = problem.start
    expected = jax.jit(jax.hessian(gj.stat, argnums=1))(problem, z)
    np.testing.assert_allclose(
        jax.jit(exact_hessian)(problem, z), expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max()
    )


def test_a_fit_finds_its_own_counts(data):
    truth = models(SHAPES["gauss"], amplitude=4e-11)
    there = gj.asimov([with_psf(data, WIDTHS, reco=True)], truth)
    fit = gj.fit(there, truth.set("src.spatial.sigma", 0.2).set("src.spatial.lon_0", CENTRE[0]))
    assert fit.success
    for path in truth.free_paths:
        assert fit.models.value(path) == pytest.approx(truth.value(path), abs=1e-3 * fit.models.error(path)), path


def test_cubes_with_either_psf_in_one_fit(data):
    """They are groups of their own."""
    one = gj.MapDataset(**vars(with_psf(data, 0.1, reco=False)) | {"name": "one"})
    two = gj.MapDataset(**vars(with_psf(data, 0.1, reco=True)) | {"name": "two"})
    problem = Problem([one, two], gj.Models(src=source(SHAPES["point"])))
    assert [g.reco for g in problem.groups] == [False, True]
    each = gj.likelihood.problem.stat_per_dataset(problem, problem.layout.values(problem.start))
    assert float(each[0]) == pytest.approx(float(each[1]), rel=1e-10)


def test_what_needs_a_psf_over_true_energy_says_so(data):
    there = with_psf(data, 0.1, reco=True)
    with pytest.raises(DatasetError, match="cube: a PSF over reconstructed energy cannot be stacked: fit jointly"):
        gj.stack_maps([there])
    region = f"icrs;circle({CENTRE[0]}, {CENTRE[1]}, 0.3)"
    with pytest.raises(DatasetError, match="cube: a containment correction needs a PSF over true energy"):
        there.to_spectrum_dataset(region, containment_correction=True)
