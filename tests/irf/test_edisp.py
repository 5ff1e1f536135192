import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dl3_files import ENERGY, MIGRA, edisp_hdu, gauss_migration, write
from jax.test_util import check_grads
from scipy.stats import norm

from gammajax.io.irf import read_response
from gammajax.irf import EnergyDispersion

TRUE, RECO = np.geomspace(0.2, 50, 9), np.geomspace(0.01, 300, 13)


@pytest.fixture
def make(tmp_path):
    def build(data=None):
        return EnergyDispersion.from_response(read_response(write(tmp_path / "irf.fits", edisp_hdu(data)), "edisp_2d"))

    return build


def test_density_is_normalised(make):
    edisp = make()
    mu = 0.5 * (MIGRA[1:] + MIGRA[:-1])
    density = edisp.evaluate(jnp.array([0.3, 3.0])[:, None], mu, 0.7)
    np.testing.assert_allclose((np.asarray(density) * np.diff(MIGRA)).sum(axis=-1), 1.0, rtol=1e-6)
    assert edisp.evaluate(1.0, 3.5, 0.7) == 0
    assert edisp.evaluate(1.0, 1.0, 3.5) == 0


def test_kernel_is_the_integral_of_the_migration_density(make):
    kernel = np.asarray(make().kernel(TRUE, RECO, 1.2))
    centre = np.sqrt(TRUE[1:] * TRUE[:-1])
    expected = np.diff(norm(1, 0.2).cdf(RECO / centre[:, None]), axis=-1)
    # 30 migra bins of half a sigma resolve the Gaussian to a few per cent
    np.testing.assert_allclose(kernel, expected, atol=0.02)
    np.testing.assert_allclose(kernel.sum(axis=1), 1.0, rtol=1e-5)


def test_negative_entries_are_clipped_and_empty_rows_stay_empty(make):
    data = gauss_migration()
    data[:, 3, :] = -0.5
    data[:, :, 1:4] = 0.0
    kernel = np.asarray(make(data).kernel(ENERGY, RECO, 0.5))
    assert (kernel >= 0).all()
    np.testing.assert_array_equal(kernel[2], 0.0)
    np.testing.assert_allclose(kernel[[0, 4, 5]].sum(axis=1), 1.0, rtol=1e-5)


def test_zero_outside_the_offsets(make):
    np.testing.assert_array_equal(make().kernel(TRUE, RECO, 3.2), 0.0)


def test_gradients_are_right_and_finite_with_empty_rows(make):
    data = gauss_migration()
    data[1] *= np.linspace(1, 2, 30)[:, None]
    edisp = make(data)
    check_grads(lambda offset: edisp.kernel(TRUE, RECO, offset), (jnp.array(1.2),), order=1, modes=["rev"])
    empty = make(np.zeros_like(data))
    slope = jax.grad(lambda e, o: e.kernel(TRUE, RECO, o).sum(), argnums=(0, 1))(empty, 1.2)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(slope))
