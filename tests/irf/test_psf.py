import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dl3_files import psf_gauss_hdu, psf_table_hdu, write

from gammajax.io.irf import read_response
from gammajax.irf import PSF3Gauss, PSFTable

RADII = np.array([0.02, 0.1, 0.13, 0.3])


@pytest.fixture
def table(tmp_path):
    return PSFTable.from_response(read_response(write(tmp_path / "irf.fits", psf_table_hdu()), "psf_table"))


@pytest.fixture
def gauss(tmp_path):
    def build(**tables):
        path = write(tmp_path / "irf.fits", psf_gauss_hdu(**tables))
        return PSF3Gauss.from_response(read_response(path, "psf_3gauss"))

    return build


def rayleigh(radius, sigma):
    return 1 - np.exp(-0.5 * (radius / sigma) ** 2)


def test_table_of_a_gaussian(table):
    # exact at the rad edges; between them the density is constant per bin
    np.testing.assert_allclose(table.containment(RADII[:2], 1.0, 0.7), rayleigh(RADII[:2], 0.1), rtol=2e-5)
    np.testing.assert_allclose(table.containment(RADII[2:], 1.0, 0.7), rayleigh(RADII[2:], 0.1), rtol=1e-2)
    assert table.containment(5.0, 1.0, 0.7) == pytest.approx(1.0)
    assert table.containment(0.0, 1.0, 0.7) == 0.0


def test_table_without_normalisation_is_its_integral(table):
    assert table.containment(5.0, 1.0, 0.7, normalize=False) == pytest.approx(rayleigh(0.5, 0.1), rel=1e-6)


def test_zero_outside(table, gauss):
    for psf in (table, gauss()):
        np.testing.assert_array_equal(psf.containment(0.1, np.array([0.05, 200.0, 1.0]), np.array([1, 1, 3.1])), 0.0)


def test_one_gaussian(gauss):
    np.testing.assert_allclose(gauss().containment(RADII, 1.0, 0.7), rayleigh(RADII, 0.1), rtol=1e-6)


def test_mixture_ignores_scale(gauss):
    shape = (3, 6)
    psf = gauss(SCALE=np.full(shape, 1e6), AMPL_2=np.full(shape, 0.5), SIGMA_2=np.full(shape, 0.2))
    weight = np.array([0.1**2, 0.5 * 0.2**2])
    expected = (weight[0] * rayleigh(RADII, 0.1) + weight[1] * rayleigh(RADII, 0.2)) / weight.sum()
    np.testing.assert_allclose(psf.containment(RADII, 1.0, 0.7), expected, rtol=1e-6)


def test_empty_grid_points_have_no_psf_and_finite_gradients(gauss):
    psf = gauss(SIGMA_1=np.zeros((3, 6)))
    np.testing.assert_array_equal(psf.containment(RADII, 1.0, 0.7), 0.0)
    slope = jax.grad(lambda p, o: p.containment(RADII, 1.0, o).sum(), argnums=(0, 1))(psf, 0.7)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(slope))
