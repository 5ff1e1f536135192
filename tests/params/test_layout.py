import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gammajax as gj


class Decades(gj.SpectralModel):
    """Power law fitted in the logarithm of its amplitude."""

    amplitude: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1", lower=0.0, scale="log")
    index: gj.Scalar = gj.param(2.0)

    def dnde(self, energy):
        return self.amplitude * energy**-self.index


@pytest.fixture(scope="module")
def two():
    return gj.Models(a=gj.SkyModel(gj.PowerLaw(index=2.1)), b=gj.SkyModel(Decades(index=3.0)))


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-18, 1e-3), st.floats(-10, 10, allow_subnormal=False))
def test_linear_values_survive_the_way_to_z_and_back_exactly(amplitude, index):
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw(amplitude=amplitude, index=index)))
    layout = models.layout
    np.testing.assert_array_equal(layout.values(layout.z), [index, amplitude, 1.0])


def test_logarithmic_values(two):
    layout = two.layout
    assert layout.log.tolist() == [False, False, True, False]
    np.testing.assert_allclose(layout.values(layout.z), [2.1, 1e-12, 1.0, 1e-12, 3.0], rtol=1e-14)
    z = layout.z.at[2].add(np.log(10))
    assert layout.values(z)[3] == pytest.approx(1e-11)


def test_z_is_of_order_one(two):
    layout = two.layout
    assert np.all(np.abs(layout.z[~layout.log]) < 2)
    assert np.all(np.abs(layout.z[~layout.log]) > 0.5)


def test_slope_is_the_derivative_of_natural(two):
    layout = two.layout
    np.testing.assert_allclose(layout.slope(layout.z), jnp.diag(jax.jacfwd(layout.natural)(layout.z)), rtol=1e-14)


def test_directions_are_the_derivative_of_all_values(two):
    linked = two.link("a.*.amplitude", "b.*.amplitude", factor=3.0)
    held = eqx.tree_at(lambda layout: layout.held, linked.layout, jnp.array([False, True, False]))
    for layout in (two.layout, linked.layout, held):
        there = layout.z + 0.1
        expected = jax.jacfwd(layout.values)(there).T
        np.testing.assert_allclose(layout.directions(there), expected, rtol=1e-14)


def test_bounds_in_z(two):
    layout = two.bound("a.*.index", -1, 4).bound("b.*.amplitude", 1e-13, 1e-10).layout
    np.testing.assert_allclose(np.asarray(layout.natural(layout.lower))[[0, 2]], [-1, 1e-13], rtol=1e-13)
    np.testing.assert_allclose(np.asarray(layout.natural(layout.upper))[[0, 2]], [4, 1e-10], rtol=1e-13)
    assert layout.upper[1] == np.inf


def test_prior_support_narrows_the_box(two):
    layout = two.bound("a.*.index", -1, 4).prior("a.*.index", gj.Uniform(2.0, 9.0)).layout
    assert layout.natural(layout.lower)[0] == 2.0
    assert layout.natural(layout.upper)[0] == 4.0


def test_links_are_affine(two):
    layout = two.link("b.*.index", "a.spectral.index", factor=2.0, offset=-0.5).layout
    assert layout.free.size == 3
    z = layout.z.at[0].multiply(2)
    assert layout.values(z)[4] == pytest.approx(2.0 * 4.2 - 0.5)
    assert jax.jacfwd(layout.values)(z)[4, 0] == pytest.approx(2.0 * layout.scale[0])


def test_held_parameters_have_no_gradient(two):
    layout = two.layout
    held = type(layout)(**{**vars(layout), "held": jnp.array([False, True, False, False])})
    assert np.all(jax.jacfwd(held.values)(held.z)[:, 1] == 0)
    np.testing.assert_array_equal(held.values(held.z), layout.values(layout.z))
