import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dl3_files import ENERGY, FOV, bkg_2d_hdu, bkg_3d_hdu, centre, centre_of, write
from jax.test_util import check_grads

from gammajax.errors import ConfigError, FileFormatError, UnitMismatch
from gammajax.io.irf import read_response
from gammajax.irf import Background2D, Background3D
from gammajax.irf.fov import fov_lonlat


@pytest.fixture
def cube(tmp_path):
    def build(**options):
        return Background3D.from_response(read_response(write(tmp_path / "irf.fits", bkg_3d_hdu(**options)), "bkg_3d"))

    return build


@pytest.fixture
def ring(tmp_path):
    def build(**options):
        return Background2D.from_response(read_response(write(tmp_path / "irf.fits", bkg_2d_hdu(**options)), "bkg_2d"))

    return build


def rate(energy, lon, lat):
    """The made table [s-1 TeV-1 sr-1], a power law in energy and exponential in the field of view: exact everywhere."""
    return energy**-2.7 * np.exp(lon) * 0.5**lat


def test_log_interpolation_is_exact_for_power_laws(cube, ring):
    energy, lon, lat = np.array([0.11, 1.0, 7.3, 99.0]), np.array([-2.9, 0.1, 1.7, 2.9]), np.array([2.9, 0, -1.1, -2.9])
    np.testing.assert_allclose(cube().evaluate(energy, lon, lat), rate(energy, lon, lat), rtol=1e-5)
    np.testing.assert_allclose(ring().evaluate(energy, 1.3, -0.7), energy**-2.7, rtol=1e-5)
    np.testing.assert_allclose(ring().evaluate(energy, 1.3), energy**-2.7, rtol=1e-5)
    for x in (0.05, 200.0, 0.0, np.nan):
        assert cube().evaluate(x, 0.0, 0.0) == ring().evaluate(x, 0.0) == 0.0
    assert cube().evaluate(1.0, 3.6, 0.0) == cube().evaluate(1.0, 0.0, -3.6) == ring().evaluate(1.0, 2.5, 2.5) == 0.0


def test_axis_order_name_and_units(cube, tmp_path):
    """The four ways in which real files write the same table."""
    expected = cube()
    x = centre_of(FOV)
    data = 1e-6 * centre(ENERGY)[:, None, None] ** -2.7 * np.exp(x)[:, None] * 0.5**x
    for options in (
        {"name": "BGD", "unit": "1/s/MeV/sr"},
        {"unit": None},
        {"unit": "MeV-1 s-1 sr-1"},
        {"data": data * 1e6, "unit": "s-1 TeV-1 sr-1"},
        {"data": np.transpose(data, (2, 1, 0))},  # the order that the format recommends: energy fastest
    ):
        np.testing.assert_allclose(cube(**options).values, expected.values, rtol=1e-5)


def test_a_stated_order_wins(tmp_path):
    data = np.arange(1.0, 295.0).reshape(6, 7, 7)
    path = write(tmp_path / "irf.fits", bkg_3d_hdu(data=data))
    order = ("energy", "fov_lat", "fov_lon")
    found = read_response(path, "bkg_3d", axis_order=order).values["BKG"]
    np.testing.assert_allclose(found, np.transpose(data, (0, 2, 1)) * 1e6, rtol=1e-6)
    with pytest.raises(FileFormatError, match="axis_order must name each of fov_lat, fov_lon, energy"):
        read_response(path, "bkg_3d", axis_order=("energy", "offset"))


def test_wrong_alignment_and_unit(tmp_path, cube):
    with pytest.raises(FileFormatError, match="FOVALIGN is 'NORTH'"):
        read_response(write(tmp_path / "irf.fits", bkg_3d_hdu(FOVALIGN="NORTH")), "bkg_3d")
    with pytest.raises(UnitMismatch, match=r"\[BKG\] column BKG"):
        read_response(write(tmp_path / "irf.fits", bkg_3d_hdu(unit="s-1")), "bkg_3d")
    assert cube(FOVALIGN="altaz").alignment == "ALTAZ"
    with pytest.raises(ConfigError, match="alignment is one of RADEC"):
        cube().aligned("NORTH")


def test_integral_is_exact_for_the_interpolation(cube):
    rng = np.random.default_rng(3)
    bkg = cube(data=np.exp(rng.normal(size=(6, 7, 7))))
    edges = np.array([0.05, 0.15, 0.7, 20.0, 150.0])
    first, last = np.asarray(bkg.energy.edges)[[0, -1]]
    found = bkg.integrate(edges, np.array([0.3, -2.8]), np.array([1.2, 0.0]))
    assert found.shape == (2, 4)
    # fine log-log trapezoids between the table's own edges
    for row, (lon, lat) in zip(np.asarray(found), [(0.3, 1.2), (-2.8, 0.0)], strict=True):
        for value, low, high in zip(row, edges[:-1], edges[1:], strict=True):
            fine = np.geomspace(max(low, first), min(high, last), 20001)[1:-1]
            y = np.asarray(bkg.evaluate(fine, lon, lat)) * fine
            assert value == pytest.approx(np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(np.log(fine))), rel=1e-3)


def test_one_power_law_per_bin(cube):
    bkg, edges = cube(), np.array([0.2, 2.0, 30.0])
    expected = (edges[1:] ** -1.7 - edges[:-1] ** -1.7) / -1.7
    np.testing.assert_allclose(bkg.integrate(edges, 0.0, 0.0, exact=False), expected, rtol=1e-5)
    np.testing.assert_allclose(bkg.integrate(edges, 0.0, 0.0), expected, rtol=1e-5)


def test_empty_bins_neither_explode_nor_give_nan(cube):
    x = centre_of(FOV)
    data = 1e-6 * centre(ENERGY)[:, None, None] ** -2.7 * np.exp(x)[:, None] * 0.5**x
    data[4:] = 0.0
    data[0, 1] = 0.0
    bkg = cube(data=data)
    rng = np.random.default_rng(2)
    energy, lon, lat = np.exp(rng.uniform(-4, 6, 3000)), *rng.uniform(-4, 4, (2, 3000))
    found = np.asarray(bkg.evaluate(energy, lon, lat))
    assert np.isfinite(found).all()
    # next to an empty bin the plain extrapolation would reach 1e+30
    assert found.max() < 1.3 * 1e6 * data.max() * np.exp(0.5) * 2**0.5 * 10 ** (2.7 * 0.25)
    slope = jax.grad(lambda b, e, x, y: b.evaluate(e, x, y).sum(), argnums=(0, 1, 2, 3))
    with jax.numpy_rank_promotion("allow"):
        leaves = jax.tree.leaves(
            eqx.filter(slope(bkg, jnp.asarray(energy), jnp.asarray(lon), jnp.asarray(lat)), eqx.is_array)
        )
    assert all(jnp.isfinite(leaf).all() for leaf in leaves)
    whole = bkg.integrate(np.geomspace(0.1, 100, 5), 0.0, 0.0)
    assert np.isfinite(whole).all()
    assert whole[-1] == 0.0


def test_gradients(cube, ring):
    at = jnp.array(1.3), jnp.array(0.4), jnp.array(-0.8)
    check_grads(cube().evaluate, at, order=1)
    check_grads(ring().evaluate, at, order=1)
    assert all(jnp.isfinite(x) for x in jax.grad(ring().evaluate, argnums=(0, 1, 2))(1.3, 0.0, 0.0))


def test_field_of_view_frame():
    """Against plain rotations: the pointing comes to (0, 0), distances and angles stay."""
    lon, lat = fov_lonlat(np.array([83.6, 84.6, 83.6]), np.array([22.0, 22.0, 23.0]), 83.6, 22.0)
    np.testing.assert_allclose(lon, [0, -0.9272, 0], atol=1e-4)
    np.testing.assert_allclose(lat, [0, 0.00303, 1.0], atol=1e-5)
    mirrored, same = fov_lonlat(np.array([84.6]), np.array([22.0]), 83.6, 22.0, reverse=True)
    assert (mirrored[0], same[0]) == (-lon[1], lat[1])
    poles, _ = fov_lonlat(np.array([0.0, 90.0]), np.array([89.0, 89.0]), 0.0, 90.0)
    np.testing.assert_allclose(np.abs(poles), [0.0, 1.0], atol=1e-12)
