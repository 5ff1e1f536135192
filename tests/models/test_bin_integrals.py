"""Integrals over the bins of a response: lines, kinks, products with factors."""

import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from made_spectra import on_off

import gammajax as gj
from gammajax.models.spectral import SpectralModel
from gammajax.numeric.quadrature import log_nodes

EDGES = np.geomspace(0.05, 500.0, 81)
NODES, WEIGHTS = (jnp.asarray(x) for x in log_nodes(EDGES))


def in_bins(model, power=0, weights=WEIGHTS):
    return np.asarray(model.integrate(NODES, weights, power))


@pytest.mark.parametrize("width", [0.1, 0.01, 1e-3, 1e-5])
def test_a_line_of_any_width(width):
    """Four nodes lose a line of a hundredth of its energy by 2.5 %, and a narrower one entirely."""
    line = gj.GaussianSpectralModel(amplitude=1e-12, mean=1.37, sigma=1.37 * width)
    np.testing.assert_allclose(in_bins(line).sum(), 1e-12, rtol=1e-12)
    np.testing.assert_allclose(in_bins(line, 1).sum(), 1.37e-12, rtol=1e-12)
    if width < 0.1:
        assert abs(float(SpectralModel.integrate(line, NODES, WEIGHTS).sum()) / 1e-12 - 1) > 0.01


def test_a_line_in_a_sum_under_a_factor():
    line = gj.GaussianSpectralModel(amplitude=1e-12, mean=1.37, sigma=1e-3)
    both = gj.ScaleSpectralModel((line + gj.PowerLaw()) * gj.PowerLawNorm(norm=0.5), 3.0) - line
    expected = 0.5 * in_bins(line) + 1.5 * in_bins(gj.PowerLaw())
    np.testing.assert_allclose(in_bins(both), expected, rtol=1e-12)
    np.testing.assert_allclose(in_bins(line / gj.PowerLawNorm(norm=2.0)), in_bins(line) / 2, rtol=1e-12)
    tilted = line * gj.PowerLawNorm(tilt=1.0)
    np.testing.assert_allclose(in_bins(tilted).sum(), 1e-12 / 1.37, rtol=0.05)
    # Bins that pad a group have no weight.
    assert not in_bins(line, weights=jnp.zeros_like(WEIGHTS)).any()


def test_a_break_inside_a_bin():
    model = gj.BrokenPowerLaw(index1=1.0, index2=3.0, ebreak=1.37)
    expected = model.integral(EDGES[:-1], EDGES[1:]).value
    np.testing.assert_allclose(in_bins(model), expected, rtol=1e-11)
    np.testing.assert_allclose(in_bins(model * gj.PowerLawNorm(norm=0.3)), 0.3 * expected, rtol=1e-11)
    assert np.abs(np.asarray(SpectralModel.integrate(model, NODES, WEIGHTS)) / expected - 1).max() > 5e-5


@pytest.mark.parametrize("start", [0.6, 3.0])
def test_fit_of_a_break(start):
    """The statistic is smooth in the energy of the break, wherever it stands in its bin."""
    spectrum = gj.BrokenPowerLaw(index1=1.8, index2=2.7, amplitude=3e-11, ebreak=1.37)
    truth = gj.Models(a=gj.SkyModel(spectrum))
    fit = gj.fit(gj.asimov(on_off(), truth), truth.set({"*.ebreak": start, "*.index1": 2.0}))
    assert fit.success
    np.testing.assert_allclose(fit.models.value("*.ebreak"), 1.37, rtol=1e-4)


def test_kinks_of_tables_are_good_to_a_part_in_ten_thousand():
    """What four nodes make of a kink in a factor, at 20 bins per decade."""
    model = gj.PowerLaw() * gj.PiecewiseNormSpectralModel([0.1, 1.37, 10.0], [1.0, 2.0, 1.0])
    expected = model.integral(EDGES[:-1], EDGES[1:]).value
    np.testing.assert_allclose(in_bins(model), expected, rtol=1e-4)
    np.testing.assert_allclose(in_bins(model).sum(), expected.sum(), rtol=1e-6)


def test_predicted_counts_of_a_line():
    """A dataset sees the whole line."""
    line = gj.GaussianSpectralModel(amplitude=1e-10, mean=2.0, sigma=1e-4 * u.TeV)
    wide = gj.GaussianSpectralModel(amplitude=1e-10, mean=2.0, sigma=0.1)
    spectra = on_off(n=1)
    narrow, broad = (float(gj.asimov(spectra, gj.Models(a=gj.SkyModel(m)))[0].counts.sum()) for m in (line, wide))
    np.testing.assert_allclose(narrow, broad, rtol=0.02)
