import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from dl3_files import ENERGY, aeff_hdu, write
from jax.test_util import check_grads

from gammajax.errors import UnitMismatch
from gammajax.io.irf import read_response
from gammajax.irf import EffectiveArea
from gammajax.irf.aeff import _aeff


@pytest.fixture
def make(tmp_path):
    def build(data=None, **header):
        return EffectiveArea.from_response(
            read_response(write(tmp_path / "irf.fits", aeff_hdu(data=data, **header)), "aeff_2d")
        )

    return build


def test_value_at_the_bin_centres_and_units(make):
    data = np.arange(18.0).reshape(3, 6)
    aeff = make(data, LO_THRES=0.5)
    centre = np.sqrt(ENERGY[1:] * ENERGY[:-1])
    np.testing.assert_allclose(aeff.evaluate(centre, 1.5), data[1] * 1e4, rtol=1e-6)
    found = aeff.evaluate(centre[2] * 1e3 * u.GeV, "90 arcmin")
    np.testing.assert_allclose(found, data[1, 2] * 1e4, rtol=1e-6)
    assert aeff.lo_thres == 0.5
    assert jnp.isnan(aeff.hi_thres)
    with pytest.raises(UnitMismatch, match="offset"):
        aeff.evaluate(1.0, "1 TeV")


def test_outer_half_bins_are_extrapolated_and_clipped_then_zero(make):
    data = np.tile(np.array([1.0, 3.0, 5.0])[:, None], (1, 6))
    aeff = make(data)
    np.testing.assert_allclose(
        aeff.evaluate(1.0, jnp.array([0.0, 0.5, 3.0, 3.01, -0.01])), [0, 1e4, 6e4, 0, 0], atol=1e-3
    )
    np.testing.assert_array_equal(aeff.evaluate(jnp.array([0.0999, 100.1, 0.0, -1.0, jnp.nan]), 1.0), 0.0)
    falling = make(data[::-1])
    assert falling.evaluate(1.0, 2.999) >= 0


def test_gradients(make):
    aeff = make(np.random.default_rng(4).uniform(1, 2, (3, 6)))
    check_grads(lambda e, o: aeff.evaluate(e, o) / 1e4, (jnp.array(2.3), jnp.array(1.1)), order=2)
    slope = jax.grad(lambda e: aeff.evaluate(e, 0.5))
    assert all(jnp.isfinite(slope(e)) for e in (0.0, 1e-5, 1e5))
    values = eqx.filter_grad(lambda a: a.evaluate(jnp.array([0.2, 1e3]), 0.5).sum())(aeff).values
    assert jnp.isfinite(values).all()


def test_runs_with_the_same_shapes_share_one_program(make):
    make(np.ones((3, 6))).evaluate(1.0, 0.5)
    before = _aeff._cache_size()
    make(np.full((3, 6), 2.0), LO_THRES=1.0).evaluate(1.0, 0.7)
    assert _aeff._cache_size() == before


def test_batch_of_runs(make):
    one, two = make(np.ones((3, 6))), make(np.full((3, 6), 2.0))
    stacked = jax.tree.map(lambda *x: jnp.stack(x), one, two)
    found = jax.vmap(lambda aeff, offset: aeff.evaluate(1.0, offset))(stacked, jnp.array([0.5, 0.7]))
    np.testing.assert_allclose(found, [1e4, 2e4])
