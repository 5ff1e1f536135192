import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u

import gammajax as gj
from gammajax.errors import UndeclaredArray, UnitMismatch
from gammajax.params.tree import fill, fill_weights, has_weights, leaves, slots, weight_leaves


@pytest.mark.parametrize(
    "given", [0.3, "0.3 TeV", "300 GeV", 300 * u.GeV, np.float32(0.3), jnp.asarray(0.3), "3e11 eV"]
)
def test_values_are_converted_at_the_door(given):
    reference = gj.PowerLaw(reference=given).reference
    assert float(reference) == pytest.approx(0.3, rel=1e-7)
    assert reference.dtype == jnp.float64
    assert not reference.weak_type


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("3 deg", r"PowerLaw\.reference is of kind energy \(TeV\), got the unit 'deg'"),
        ("0.3", r"PowerLaw\.reference: '0.3' has no unit; write for example '0.3 TeV'"),
        ("three TeV", r"PowerLaw\.reference: 'three TeV' is not a number with a unit"),
        (2 * u.s, r"PowerLaw\.reference is of kind energy"),
    ],
)
def test_wrong_units_name_the_field(given, message):
    with pytest.raises(UnitMismatch, match=message):
        gj.PowerLaw(reference=given)


def test_photons_are_dimensionless():
    assert float(gj.PowerLaw(amplitude="1e-12 ph cm-2 s-1 TeV-1").amplitude) == 1e-12


def test_instances_share_one_structure():
    a, b = gj.LogParabola(alpha=1.0), gj.LogParabola(alpha=2.0, amplitude="1e-8 m-2 s-1 GeV-1")
    assert jax.tree_util.tree_structure(a) == jax.tree_util.tree_structure(b)


class Mixed(gj.SpectralModel):
    base: gj.PowerLaw
    net: eqx.nn.MLP = gj.weights()
    table: gj.Scalar = gj.table()
    shift: gj.Scalar = gj.param(0.1, unit="TeV")
    steps: gj.Scalar = gj.param(0.0)

    def dnde(self, energy):
        return self.base.dnde(energy) * jnp.exp(self.net(jnp.log(energy))) + self.table[0] * self.steps[0]


@pytest.fixture(scope="module")
def mixed():
    net = eqx.nn.MLP("scalar", "scalar", 4, 1, key=jax.random.key(0))
    return Mixed(gj.PowerLaw(index=1.7), net, np.arange(4.0), steps=[1.0, 2.0, 3.0])


def test_slots(mixed):
    assert [(path, value) for path, _, value in slots(mixed)] == [
        ("base.index", 1.7),
        ("base.amplitude", 1e-12),
        ("base.reference", 1.0),
        ("shift", 0.1),
        ("steps.0", 1.0),
        ("steps.1", 2.0),
        ("steps.2", 3.0),
    ]


def test_fill_is_the_inverse_of_slots(mixed):
    new = fill(mixed, jnp.arange(7.0))
    assert [value for _, _, value in slots(new)] == list(range(7))
    np.testing.assert_array_equal(new.table, mixed.table)
    assert all(x is y for x, y in zip(weight_leaves(new), weight_leaves(mixed), strict=True))
    assert slots(mixed)[0][2] == 1.7


def test_weights(mixed):
    assert has_weights(mixed)
    assert not has_weights(gj.PowerLaw())
    doubled = fill_weights(mixed, [2 * w for w in weight_leaves(mixed)])
    assert all(np.array_equal(2 * x, y) for x, y in zip(weight_leaves(mixed), weight_leaves(doubled), strict=True))
    assert slots(doubled) == slots(mixed)


def test_functions_of_a_network_are_structure_not_leaves(mixed):
    """jit takes arrays only: an activation must not be a leaf."""
    assert all(eqx.is_array_like(x) for x in jax.tree_util.tree_leaves(mixed))
    assert jnp.isfinite(jax.jit(lambda m: m.dnde(jnp.asarray(2.0)))(mixed))


def test_leaves_follow_the_order_of_the_tree(mixed):
    tree = {"b": (mixed, [gj.PowerLaw()]), "a": gj.LogParabola()}
    for leaf, value in zip(leaves(tree), jax.tree_util.tree_leaves(tree), strict=True):
        assert leaf.value is value
    assert leaves(tree)[0].path == "a.amplitude"


def test_undeclared_arrays():
    class Forgot(gj.SpectralModel):
        net: eqx.nn.MLP

        def dnde(self, energy):
            return self.net(energy)

    model = gj.SkyModel(Forgot(eqx.nn.MLP("scalar", "scalar", 4, 2, key=jax.random.key(0))))
    with pytest.raises(
        UndeclaredArray, match=r"Forgot\.net holds \d+ arrays; mark the field param\(\), weights\(\) or table\(\)"
    ):
        gj.Models(a=model)


def test_undeclared_number():
    class Plain(gj.SpectralModel):
        scale: float = 2.0

        def dnde(self, energy):
            return self.scale * energy

    with pytest.raises(UndeclaredArray, match=r"Plain\.scale holds 1 arrays"):
        gj.Models(a=gj.SkyModel(Plain()))
