from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dl3_files import ENERGY, OFFSET, axis, psf_gauss_hdu, psf_king_hdu, psf_table_hdu, table, value, write
from jax.test_util import check_grads

from gammajax.errors import FileFormatError
from gammajax.io.irf import read_response
from gammajax.irf import PSF3Gauss, PSFKing, PSFTable

RADII = np.array([0.02, 0.1, 0.13, 0.3])


@pytest.fixture
def tabulated(tmp_path):
    return PSFTable.from_response(read_response(write(tmp_path / "irf.fits", psf_table_hdu()), "psf_table"))


@pytest.fixture
def gauss(tmp_path):
    def build(**tables):
        path = write(tmp_path / "irf.fits", psf_gauss_hdu(**tables))
        return PSF3Gauss.from_response(read_response(path, "psf_3gauss"))

    return build


@pytest.fixture
def king(tmp_path):
    def build(**tables):
        path = write(tmp_path / "irf.fits", psf_king_hdu(**tables))
        return PSFKing.from_response(read_response(path, "psf_king"))

    return build


def integral(psf, edges, *at):
    """int dP/dOmega dOmega by midpoints [deg]; the plane is flat enough for 1e-4."""
    middle = 0.5 * (edges[1:] + edges[:-1])
    area = np.pi * np.diff(np.deg2rad(edges) ** 2)
    return float(np.sum(np.asarray(psf.evaluate(middle, *at)) * area))


def rayleigh(radius, sigma):
    return 1 - np.exp(-0.5 * (radius / sigma) ** 2)


def test_table_of_a_gaussian(tabulated):
    # exact at the rad edges; between them the density is constant per bin
    np.testing.assert_allclose(tabulated.containment(RADII[:2], 1.0, 0.7), rayleigh(RADII[:2], 0.1), rtol=2e-5)
    np.testing.assert_allclose(tabulated.containment(RADII[2:], 1.0, 0.7), rayleigh(RADII[2:], 0.1), rtol=1e-2)
    assert tabulated.containment(5.0, 1.0, 0.7) == pytest.approx(1.0)
    assert tabulated.containment(0.0, 1.0, 0.7) == 0.0


def test_table_without_normalisation_is_its_integral(tabulated):
    assert tabulated.containment(5.0, 1.0, 0.7, normalize=False) == pytest.approx(rayleigh(0.5, 0.1), rel=1e-6)


def test_zero_outside(tabulated, gauss):
    for psf in (tabulated, gauss()):
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


def test_density_integrates_to_the_containment(tabulated, gauss, king):
    shape = (3, 6)
    mixture = gauss(AMPL_2=np.full(shape, 0.1), SIGMA_2=np.full(shape, 0.2))
    fine = np.linspace(0.0, 0.2, 4001)
    for psf in (mixture, king()):
        assert integral(psf, fine, 1.0, 0.7) == pytest.approx(float(psf.containment(0.2, 1.0, 0.7)), rel=1e-6)
        assert integral(psf, np.linspace(0, 30, 60001), 1.0, 0.7) == pytest.approx(1.0, rel=2e-4)
    assert integral(tabulated, np.linspace(0, 0.5, 26), 1.0, 0.7) == pytest.approx(1.0, rel=1e-6)
    assert integral(tabulated, fine, 1.0, 0.7) == pytest.approx(rayleigh(0.2, 0.1), rel=5e-3)


def test_density_of_one_gaussian(gauss, tabulated):
    peak = 1 / (2 * np.pi * np.deg2rad(0.1) ** 2)
    expected = peak * np.exp(-0.5 * (RADII / 0.1) ** 2)
    np.testing.assert_allclose(gauss().evaluate(RADII, 1.0, 0.7), expected, rtol=1e-6)
    np.testing.assert_allclose(tabulated.evaluate(RADII, 1.0, 0.7), expected, rtol=6e-2)
    assert tabulated.evaluate(0.51, 1.0, 0.7) == 0.0
    half = tabulated.evaluate(0.1, 1.0, 0.7, normalize=False) / tabulated.evaluate(0.1, 1.0, 0.7)
    assert half == pytest.approx(rayleigh(0.5, 0.1), rel=1e-6)


def test_king(king):
    psf, g, s = king(gamma=2.5, sigma=0.08), 2.5, 0.08
    base = 1 + RADII**2 / (2 * g * s**2)
    np.testing.assert_allclose(psf.containment(RADII, 1.0, 0.7), 1 - base ** (1 - g), rtol=1e-6)
    peak = (1 - 1 / g) / (2 * np.pi * np.deg2rad(s) ** 2)
    np.testing.assert_allclose(psf.evaluate(RADII, 1.0, 0.7), peak * base**-g, rtol=1e-6)
    np.testing.assert_array_equal(psf.evaluate(0.1, np.array([0.05, 200.0, 1.0]), np.array([1, 1, 3.1])), 0.0)


@pytest.mark.parametrize("kind", ["tabulated", "gauss", "king"])
def test_radius_is_the_inverse_of_the_containment(request, kind):
    psf = request.getfixturevalue(kind)
    if kind == "gauss":
        shape = (3, 6)
        psf = psf(AMPL_2=np.full(shape, 0.02), SIGMA_2=np.full(shape, 0.5))
    psf = psf() if kind == "king" else psf
    fraction = np.array([0.01, 0.39, 0.68, 0.95, 0.999])
    radius = psf.containment_radius(fraction, 1.0, 0.7)
    np.testing.assert_allclose(psf.containment(radius, 1.0, 0.7), fraction, rtol=1e-10)
    assert psf.containment_radius(0.0, 1.0, 0.7) == 0.0
    assert np.isnan(psf.containment_radius(np.array([-0.1, 1.1, 0.5]), 1.0, np.array([0.7, 0.7, 9.0]))).all()
    # dR/df = 1 / (dC/dr)
    slope = jax.grad(lambda f: psf.containment_radius(f, 1.0, 0.7))(0.68)
    rise = jax.grad(lambda r: psf.containment(r, 1.0, 0.7))(radius[2])
    assert slope * rise == pytest.approx(1.0, rel=1e-8)


def test_gradients_of_the_parametric_ones(gauss, king):
    rng = np.random.default_rng(1)
    mixture = gauss(
        SIGMA_1=rng.uniform(0.05, 0.1, (3, 6)), AMPL_2=rng.uniform(0, 1, (3, 6)), SIGMA_2=np.full((3, 6), 0.2)
    )
    for psf in (mixture, king(gamma=rng.uniform(1.5, 3, (3, 6)), sigma=rng.uniform(0.05, 0.1, (3, 6)))):
        at = jnp.array(0.12), jnp.array(1.3), jnp.array(1.1)
        check_grads(psf.containment, at, order=1, rtol=1e-4)
        check_grads(lambda *x, psf=psf: psf.evaluate(*x) / 1e4, at, order=1, rtol=1e-4)
        fraction = jnp.array(0.68), jnp.array(1.3), jnp.array(1.1)
        check_grads(psf.containment_radius, fraction, order=1, rtol=1e-4)


@pytest.mark.parametrize("kind", ["gauss", "king"])
def test_next_to_an_empty_grid_point_the_others_count(request, kind):
    width = np.full((3, 6), 0.1)
    width[:, 2:4] = 0.0
    tables = {"gauss": {"SIGMA_1": width}, "king": {"gamma": np.where(width > 0, 2.0, 0.0), "sigma": width}}[kind]
    psf = request.getfixturevalue(kind)(**tables)
    full = request.getfixturevalue(kind)(**({} if kind == "gauss" else {"gamma": 2.0, "sigma": 0.1}))
    middle = np.sqrt(ENERGY[1:] * ENERGY[:-1])
    at = 0.5 * (np.log(middle[1]) + np.log(middle[2]))
    for energy in np.exp([at, 0.9 * np.log(middle[2]) + 0.1 * np.log(middle[1])]):
        np.testing.assert_allclose(psf.containment(RADII, energy, 1.0), full.containment(RADII, energy, 1.0), rtol=1e-5)
    empty = float(np.sqrt(middle[2] * middle[3]))
    np.testing.assert_array_equal(psf.containment(RADII, empty, 1.0), 0.0)
    np.testing.assert_array_equal(psf.evaluate(RADII, empty, 1.0), 0.0)
    everything = jax.grad(
        lambda p, e, o: p.containment(RADII, e, o).sum() + p.evaluate(RADII, e, o).sum(), argnums=(0, 1, 2)
    )
    for energy in (empty, middle[2], float(np.exp(at)), 1e4):
        assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(everything(psf, energy, 1.0)))
    radius = jax.grad(lambda p, e: p.containment_radius(0.68, e, 1.0), argnums=(0, 1))(psf, empty)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(radius))


def test_an_empty_table_has_no_nan(tmp_path):
    response = read_response(write(tmp_path / "irf.fits", psf_table_hdu()), "psf_table")
    values = response.values["RPSF"].copy()
    values[2:4] = 0.0
    psf = PSFTable.from_response(replace(response, values={"RPSF": values}))
    energy = float(ENERGY[3])
    for name in ("containment", "evaluate"):
        np.testing.assert_array_equal(getattr(psf, name)(RADII, energy, 1.0), 0.0)
        slope = jax.grad(lambda p, e, o, name=name: getattr(p, name)(RADII, e, o).sum(), argnums=(0, 1, 2))
        assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(slope(psf, energy, 1.0)))
    assert np.isnan(psf.containment_radius(0.5, energy, 1.0))


def test_one_node_in_rad_bounds_no_area(tmp_path):
    columns = [
        *axis("ENERG", ENERGY, "TeV"),
        *axis("THETA", OFFSET, "deg"),
        *axis("RAD", np.array([0.1]), "deg", nodes=True),
        value("RPSF", np.ones((1, 3, 6)), "sr-1"),
    ]
    response = read_response(write(tmp_path / "irf.fits", table("PSF", columns)), "psf_table")
    with pytest.raises(FileFormatError, match="axis RAD has a single node"):
        PSFTable.from_response(response)
