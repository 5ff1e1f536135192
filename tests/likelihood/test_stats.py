"""Cash and WStat against an independent solution in extended precision, in every corner."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gammajax.likelihood import stats

L = np.longdouble
N_ON = [0.0, 1.0, 7.0, 400.0]
N_OFF = [0.0, 1.0, 30.0, 1e4]
ALPHA = [1e-6, 0.05, 1.0, 30.0]
SIGNAL = [-20.0, -0.3, 0.0, 1e-30, 1e-8, 0.7, 5.3, 1e3, 1e7]
GRID = np.array(np.meshgrid(N_ON, N_OFF, ALPHA, SIGNAL, indexing="ij")).reshape(4, -1)

wstat = jax.jit(stats.wstat)
slope = jax.jit(jax.vmap(jax.grad(stats.wstat, argnums=3)))
curvature = jax.jit(jax.vmap(jax.grad(jax.grad(stats.wstat, argnums=3), argnums=3)))


def best_background(n_on, n_off, alpha, signal):
    """Most likely off counts by bisection of the likelihood's derivative: nothing in common with ours."""
    low = np.maximum(L(0), -signal / alpha) + np.zeros_like(n_on)
    high = low + n_on / alpha + n_on + n_off + 1

    def rises(b):
        with np.errstate(divide="ignore", invalid="ignore"):
            on = np.where(n_on > 0, alpha * n_on / (signal + alpha * b), L(0))
            off = np.where(n_off > 0, n_off / b, L(0))
        return on + off > 1 + alpha

    for _ in range(130):
        middle = (low + high) / 2
        up = rises(middle)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return (low + high) / 2


def deviance(n, mu):
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 * (mu - n + np.where(n > 0, n * np.log(n / mu), L(0)))


def brute(n_on, n_off, alpha, signal):
    n_on, n_off, alpha, signal = (np.asarray(x, dtype=L) for x in (n_on, n_off, alpha, signal))
    b = best_background(n_on, n_off, alpha, signal)
    return deviance(n_on, np.maximum(signal + alpha * b, L(0))) + deviance(n_off, b)


def test_wstat_value_on_the_grid():
    expected = brute(*GRID).astype(float)
    np.testing.assert_allclose(wstat(*GRID), expected, rtol=2e-12, atol=2e-10)


def away_from_branch_points(grid, step):
    """Points where the statistic is smooth within the step."""
    n_on, n_off, alpha, signal = grid
    smooth = np.ones(n_on.size, dtype=bool)
    for edge in (n_on * alpha / (1 + alpha), -n_off * alpha / (1 + alpha), 0 * n_on):
        smooth &= np.abs(signal - edge) > 10 * step
    return smooth


@pytest.mark.parametrize("alpha", [0.05, 1.0, 30.0])
def test_wstat_derivatives_against_differences_in_extended_precision(alpha):
    grid = np.array(np.meshgrid(N_ON, N_OFF, [alpha], [-20.0, -0.3, 0.11, 0.7, 5.3, 50.0, 1e3], indexing="ij")).reshape(
        4, -1
    )
    h = np.full(grid.shape[1], 2e-4)
    grid, h = grid[:, away_from_branch_points(grid, h)], h[away_from_branch_points(grid, h)]
    w = [brute(*grid[:3], grid[3].astype(L) + k * h.astype(L)) for k in (-2, -1, 0, 1, 2)]
    first = (w[0] - 8 * w[1] + 8 * w[3] - w[4]) / (12 * h)
    second = (-w[0] + 16 * w[1] - 30 * w[2] + 16 * w[3] - w[4]) / (12 * h * h)
    np.testing.assert_allclose(slope(*grid), first.astype(float), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(curvature(*grid), second.astype(float), rtol=1e-4, atol=1e-6)


def test_derivatives_in_alpha():
    grid = np.array(np.meshgrid([0.0, 7.0, 40.0], [0.0, 3.0, 300.0], [0.05, 1.0], [-0.31, 0.7, 50.0])).reshape(4, -1)
    smooth = away_from_branch_points(grid, 1e-3)
    grid = grid[:, smooth]
    h = L(1e-4) * grid[2]
    w = {k: brute(grid[0], grid[1], grid[2] + k * h, grid[3]) for k in (-2, -1, 1, 2)}
    by_alpha = jax.vmap(jax.grad(stats.wstat, argnums=2))(*grid)
    np.testing.assert_allclose(
        by_alpha, ((w[-2] - 8 * w[-1] + 8 * w[1] - w[2]) / (12 * h)).astype(float), rtol=1e-6, atol=1e-6
    )
    mixed = jax.vmap(jax.grad(jax.grad(stats.wstat, argnums=3), argnums=2))(*grid)
    step = 1e-6 * grid[2]
    ahead, behind = (slope(grid[0], grid[1], grid[2] + k * step, grid[3]) for k in (1, -1))
    np.testing.assert_allclose(mixed, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-4)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.one_of(st.just(0.0), st.floats(1e-30, 1e6)),
    st.floats(-1e6, 1e8, allow_subnormal=False),
)
def test_wstat_is_finite_everywhere(n_on, n_off, alpha, signal):
    x = tuple(jnp.asarray([float(v)]) for v in (n_on, n_off, alpha, signal))
    assert jnp.isfinite(wstat(*x)).all()
    assert jnp.isfinite(slope(*x)).all()
    assert jnp.isfinite(curvature(*x)).all()
    if alpha > 0:
        assert wstat(*x)[0] >= -1e-6 * (1 + n_on + n_off)
        assert curvature(*x)[0] >= 0


@pytest.mark.parametrize("edge", ["signal = 0", "no on counts", "no off counts"])
def test_wstat_is_continuous_across_its_branch_points(edge):
    n_on, n_off, alpha = {
        "signal = 0": (3.0, 20.0, 0.1),
        "no on counts": (0.0, 8.0, 0.25),
        "no off counts": (5.0, 0.0, 0.5),
    }[edge]
    at = {"signal = 0": 0.0, "no on counts": -8.0 * 0.25 / 1.25, "no off counts": 5.0 * 0.5 / 1.5}[edge]
    near = at + np.array([-1e-9, 0.0, 1e-9])
    x = np.full(3, n_on), np.full(3, n_off), np.full(3, alpha), near
    assert np.ptp(wstat(*x)) < 1e-7
    assert np.ptp(slope(*x)) < 1e-6


def test_wstat_is_convex_in_the_signal():
    signal = np.linspace(-40, 60, 2001)
    for n_on, n_off, alpha in ((0, 0, 0.5), (0, 8, 0.25), (5, 0, 0.5), (9, 40, 0.1), (2, 3, 4.0)):
        w = np.asarray(wstat(*(np.full(2001, float(x)) for x in (n_on, n_off, alpha)), signal))
        assert np.all(np.diff(w, 2) > -1e-9)


def test_wstat_without_off_measurement_is_the_deviance_of_the_on_counts():
    n, mu = np.array([0.0, 4.0, 9.0]), np.array([0.5, 4.0, 2.0])
    got = wstat(n, np.array([0.0, 3.0, 0.0]), np.zeros(3), mu)
    np.testing.assert_allclose(got, deviance(n.astype(L), mu.astype(L)).astype(float), atol=1e-12)


def test_wstat_for_a_well_measured_background_is_the_deviance():
    """With alpha -> 0 at fixed background the off counts fix it."""
    n, mu, background, alpha = 12.0, 5.0, 6.0, 1e-7
    got = wstat(*(jnp.asarray([x]) for x in (n, background / alpha, alpha, mu)))
    assert got[0] == pytest.approx(float(deviance(L(n), L(mu + background))), rel=1e-5)


def test_information_is_the_expected_curvature():
    """The mean of the curvature over Poisson counts, for many counts."""
    rng = np.random.default_rng(3)
    mu, off, alpha = 300.0, 2000.0, 0.1
    n = 20000
    x = (
        rng.poisson(mu + alpha * off, n).astype(float),
        rng.poisson(off, n).astype(float),
        np.full(n, alpha),
        np.full(n, mu),
    )
    mean = curvature(*x).mean()
    truth = stats.wstat_information(*(jnp.asarray([v]) for v in (mu + alpha * off, off, alpha, mu)))[0]
    assert mean == pytest.approx(float(truth), rel=0.01)


CASH_MU = np.array([1e-30, 1e-12, 0.3, 4.0, 1e5])


@pytest.mark.parametrize("n", [0.0, 1.0, 40.0])
def test_cash_value_and_derivatives(n):
    mu, counts = CASH_MU[1:], np.full(4, n)
    np.testing.assert_allclose(stats.cash(counts, mu), 2 * (mu - n * np.log(mu)), rtol=1e-13)
    each = jax.vmap(jax.grad(stats.cash, argnums=1))
    np.testing.assert_allclose(each(counts, mu), 2 * (1 - n / mu), rtol=1e-13)
    each = jax.vmap(jax.grad(jax.grad(stats.cash, argnums=1), argnums=1))
    np.testing.assert_allclose(each(counts, mu), 2 * n / mu**2, rtol=1e-13)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1e6, 1e8, allow_subnormal=False))
def test_cash_is_finite_everywhere(n, mu):
    x = jnp.asarray(float(n)), jnp.asarray(mu)
    first = jax.grad(stats.cash, argnums=1)
    assert jnp.isfinite(stats.cash(*x))
    assert jnp.isfinite(first(*x))
    assert jnp.isfinite(jax.grad(first, argnums=1)(*x))


def test_cash_leads_back_from_negative_predictions():
    n, mu = np.zeros(4), np.array([-3.0, -1e-9, 0.0, 1e-9])
    np.testing.assert_array_equal(stats.cash_slope(n, mu), [-2.0, -2.0, 2.0, 2.0])
    np.testing.assert_allclose(stats.cash(n, mu), 2 * np.abs(mu), atol=1e-24)
    assert np.all(stats.cash_slope(np.ones(3), mu[:3]) < 0)


@pytest.mark.parametrize(("n_on", "n_off", "alpha"), [(5.0, 0.0, 1e-20), (5.0, 3.0, 1e-20), (0.0, 3.0, 1e-20)])
def test_tiny_alpha(n_on, n_off, alpha):
    x = n_on, n_off, alpha, 0.0
    got = wstat(*(jnp.asarray([v]) for v in x))[0]
    assert got == pytest.approx(float(brute(*(np.array([v]) for v in x))[0]), rel=1e-9)
