"""Priors with limits: a fit ends exactly on the limit, from either side, wherever it starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import on_off

import gammajax as gj

BEST = 1.5e-12
"""About where the shared data put the amplitude."""


class Decades(gj.SpectralModel):
    """Power law fitted in the logarithm of its amplitude."""

    amplitude: gj.Scalar = gj.param(1e-11, unit="cm-2 s-1 TeV-1", lower=0.0, scale="log")
    index: gj.Scalar = gj.param(2.4, frozen=True)

    def dnde(self, energy):
        return self.amplitude * energy**-self.index


class Plain(Decades):
    amplitude: gj.Scalar = gj.param(1e-11, unit="cm-2 s-1 TeV-1", lower=0.0)


@pytest.fixture(scope="module")
def data():
    return on_off()


@pytest.mark.parametrize("start", ["inside", "limit"])
@pytest.mark.parametrize("limits", [(1e-14, 5.3e-13), (1e-14, 7.7e-13), (4.7e-12, 9e-11), (3.3e-12, 9e-11)])
@pytest.mark.parametrize("prior", [gj.Uniform, gj.LogUniform])
@pytest.mark.parametrize("source", [Plain, Decades])
def test_a_fit_ends_exactly_on_the_limit(data, source, prior, limits, start):
    limit = limits[1] if limits[1] < BEST else limits[0]
    value = limit if start == "limit" else np.sqrt(limits[0] * limits[1])
    models = gj.Models(a=gj.SkyModel(source(amplitude=value))).prior("*.amplitude", prior(*limits))
    found = gj.fit(data, models)
    assert found.success, found.message
    assert found.models.value("*.amplitude") == limit
    found.models.freeze("*.amplitude")


@jax.jit
def evaluate(layout, group, z):
    """Value, log density, and the slopes of both in z."""

    def both(z):
        return jnp.stack([layout.natural(z)[0], group.log_prob(layout.values(z))[0]])

    value, density = both(z)
    return value, density, jax.jacfwd(both)(z)[:, 0]


@pytest.mark.parametrize("limit", np.geomspace(1e-30, 1e30, 41) * 1.37)
def test_value_and_slope_on_a_limit(limit):
    """exp(log(limit)) is beside the limit: the value is put on it, the slope is that of the exponential."""
    models = gj.Models(a=gj.SkyModel(Decades(amplitude=limit)))
    for prior, side in ((gj.LogUniform(limit / 10, limit), "upper"), (gj.LogUniform(limit, 10 * limit), "lower")):
        told = models.prior("*.amplitude", prior)
        layout, (group,) = told.layout, told.priors
        value, density, slope = evaluate(layout, group, getattr(layout, side))
        assert value == limit
        assert np.isfinite(density)
        assert slope == pytest.approx([limit, -1.0])
        value, density, _ = evaluate(layout, group, layout.z)
        assert value == pytest.approx(limit, rel=1e-12)
        assert np.isfinite(density)
