"""PSFs as sums of Gaussians: containment, pixels against brute force, places between points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gammajax.irf.mixture import fit_gaussians, mixture_of, spread

RAD = np.linspace(0.0025, 0.6, 240)


def king(r, sigma, gamma=2.5):
    """Density [deg-2] of a King profile."""
    return (1 - 1 / gamma) / (2 * np.pi * sigma**2) * (1 + r**2 / (2 * gamma * sigma**2)) ** -gamma


def brute(density, size, centre, n=31, samples=40):
    """Share of a density in pixels of `size` [deg], by summing many points in each."""
    points = (np.arange(n * samples) - (n * samples - 1) / 2) / samples
    x, y = np.meshgrid((points - centre[0]) * size, (points - centre[1]) * size)
    return density(np.hypot(x, y)).reshape(n, samples, n, samples).mean(axis=(1, 3)) * size**2


@pytest.mark.parametrize("width", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.3, -0.45), (0.5, 0.5)])
def test_pixels_against_brute_force_down_to_a_width_of_one_pixel(width, centre):
    """A King profile with `sigma` of some pixels of 0.02 deg: error below 1e-3 of the peak."""
    size = 0.02
    table = king(RAD, width * size)
    sigma, weight = fit_gaussians(RAD, table[None])
    along = [spread(-15, 31, c, jnp.asarray(sigma / size), RAD[-1] / size) for c in centre]
    found = np.einsum("g,gy,gx->yx", weight[0], along[1], along[0])
    inside = 1 - (1 + RAD[-1] ** 2 / (2 * 2.5 * (width * size) ** 2)) ** -1.5
    expected = brute(lambda r: np.where(r < RAD[-1], king(r, width * size), 0.0), size, centre) / inside
    assert np.max(np.abs(found - expected)) < 5e-4 * expected.max()


@pytest.mark.parametrize("width", [0.025, 0.038, 0.05, 0.11])
def test_a_gaussian_is_itself(width):
    """Also where the table has only a few radii inside of it: at three places, with the same or with other widths."""
    rad = np.arange(0.005, 0.66, 0.01)
    widths = width * np.array([1.0, 1.0, 1.15])
    density = np.exp(-0.5 * (rad / widths[:, None]) ** 2) / widths[:, None] ** 2
    sigma, weight = fit_gaussians(rad, density)
    np.testing.assert_allclose(np.sqrt(weight @ sigma**2), widths, rtol=2e-3)
    found = (weight / sigma**2) @ np.exp(-0.5 * (rad / sigma[:, None]) ** 2)
    np.testing.assert_allclose(found, density, atol=3e-3 * density.max())


def test_containment_of_a_noisy_table():
    """As tables of few simulated events are: noise is smoothed, no Gaussian hides between the radii."""
    rad = np.arange(0.005, 0.66, 0.01)
    area = np.diff(np.append(0.0, rad + 0.005) ** 2)
    noise = 1.0 + 0.08 * np.random.default_rng(3).normal(size=(40, len(rad)))
    for density in king(rad, 0.03) * noise:
        sigma, weight = fit_gaussians(rad, np.stack([density, king(rad, 0.035)]))
        assert len(sigma) <= 12
        assert sigma.min() >= rad[0]
        found = -np.expm1(-0.5 * ((rad[:, None] + 0.005) / sigma) ** 2) @ weight[0]
        expected = np.cumsum(density * area) / (density @ area)
        np.testing.assert_allclose(found, expected, atol=0.03)


def test_places_without_psf_have_no_weight():
    density = np.stack([king(RAD, 0.05), np.zeros_like(RAD)])
    _, weight = fit_gaussians(RAD, density)
    assert weight[0].sum() > 0.9
    assert np.all(weight[1] == 0)
    _, nothing = fit_gaussians(RAD, 0 * density)
    assert np.all(nothing == 0)


def test_between_points_the_psf_is_linear():
    density = np.stack([king(RAD, s) for s in (0.04, 0.08)], axis=-1)[None, :, None, :]
    psf = mixture_of(RAD, density, np.array([0.0, 10.0]), np.array([0.0]))
    low, middle, high = (np.asarray(psf.at(jnp.array([x, 3.0]))) for x in (0.0, 5.0, 10.0))
    np.testing.assert_allclose(middle, 0.5 * (low + high), atol=1e-12)
    np.testing.assert_allclose(psf.at(jnp.array([-7.0, 0.0])), low)
    assert np.all(psf.weight >= 0)


def test_shares_are_smooth_in_centre_and_width():
    check_grads(lambda c, w: spread(0, 7, c, w, 2.2), (jnp.asarray(2.5), jnp.array([0.3, 1.5])), order=2)
    slope = jax.grad(lambda c: spread(0, 7, c, jnp.array([0.4]), 3.0).sum())(jnp.asarray(3.0))
    assert abs(slope) < 1e-12
