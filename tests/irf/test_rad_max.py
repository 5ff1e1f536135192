import numpy as np
from dl3_files import rad_max_hdu, write

from gammajax.io.irf import read_response
from gammajax.irf import RadMax


def test_nearest_bin_and_zero_outside(tmp_path):
    rad_max = RadMax.from_response(read_response(write(tmp_path / "irf.fits", rad_max_hdu()), "rad_max_2d"))
    table = np.linspace(0.3, 0.05, 6)
    energy = np.array([0.11, 0.3, 0.33, 99.0, 0.09, 101.0])
    np.testing.assert_allclose(rad_max.evaluate(energy, 0.4), [*table[[0, 0, 1, 5]], 0, 0], rtol=1e-6)
    np.testing.assert_allclose(
        rad_max.evaluate(1.1, np.array([0.391, 0.409, 0.38, 0.42])), [table[2]] * 2 + [0, 0], rtol=1e-6
    )
    assert not rad_max.is_fixed


def test_fixed_radius_holds_everywhere():
    rad_max = RadMax.fixed(0.14)
    assert rad_max.is_fixed
    np.testing.assert_allclose(rad_max.evaluate(np.array([1e-6, 1e6]), np.array([0.0, 50.0])), 0.14)
