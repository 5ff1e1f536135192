"""Every spectral model of the package, found by discovery."""

import importlib
import pkgutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from jax.test_util import check_grads

import gammajax
import gammajax as gj
from gammajax.errors import ModelError, UnitMismatch
from gammajax.models.spectral import SpectralModel, evaluate
from gammajax.params.field import ParamSpec
from gammajax.params.tree import leaves, slots

for info in pkgutil.iter_modules(importlib.import_module("gammajax.models").__path__, "gammajax.models."):
    importlib.import_module(info.name)

ENERGY = np.geomspace(0.01, 100.0, 9)

# Arguments, and dnde by an independent formula.
EXPECTED = {
    "PowerLaw": ({"index": 2.3, "amplitude": 2e-12, "reference": 3.0}, lambda e: 2e-12 * (e / 3.0) ** -2.3),
    "ExpCutoffPowerLaw": (
        {"index": 1.7, "amplitude": 2e-12, "reference": 3.0, "lambda_": 0.2, "alpha": 1.3},
        lambda e: 2e-12 * (e / 3.0) ** -1.7 * np.exp(-((0.2 * e) ** 1.3)),
    ),
    "LogParabola": (
        {"amplitude": 2e-12, "reference": 3.0, "alpha": 2.3, "beta": 0.15},
        lambda e: 2e-12 * (e / 3.0) ** (-2.3 - 0.15 * np.log(e / 3.0)),
    ),
    "CompoundSpectralModel": (
        {
            "model1": gj.PowerLaw(amplitude=2e-12),
            "model2": gj.PowerLaw(index=-0.5, amplitude=3.0),
            "operator": "mul",
        },
        lambda e: 6e-12 * e**-1.5,
    ),
    "TemplateSpectralModel": (
        {"energy": [0.001, 1.0, 1000.0], "values": [1e-6, 1e-12, 1e-21]},
        lambda e: np.where(e < 1, 1e-12 * e**-2.0, 1e-12 * e**-3.0),
    ),
}


def concrete(cls):
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("gammajax."):
            yield sub
            yield from concrete(sub)


MODELS = sorted({cls for cls in concrete(SpectralModel)}, key=lambda cls: cls.__name__)


@pytest.fixture(params=MODELS, ids=lambda cls: cls.__name__)
def model(request):
    assert request.param.__name__ in EXPECTED, f"{request.param.__name__} has no independent formula in this test"
    return request.param(**EXPECTED[request.param.__name__][0])


def test_value_by_an_independent_formula(model):
    formula = EXPECTED[type(model).__name__][1]
    np.testing.assert_allclose(evaluate(model, jnp.asarray(ENERGY)), formula(ENERGY), rtol=1e-12)
    assert model("2 TeV").to_value("cm-2 s-1 TeV-1") == pytest.approx(formula(np.array(2.0)), rel=1e-12)
    assert model(ENERGY.reshape(3, 3) * u.GeV).shape == (3, 3)


def test_first_and_second_derivatives(model):
    values = {path: v for path, spec, v in slots(model) if isinstance(spec, ParamSpec)}
    if not values:
        return
    start = jnp.asarray(list(values.values()))
    size = jnp.where(jnp.abs(start) < 1e-3, 1e-12, 1.0)

    def log_flux(x):
        from gammajax.params.tree import fill

        return jnp.log(fill(model, x * size).dnde(jnp.asarray(2.7)))

    check_grads(log_flux, (start / size,), order=2, modes=["fwd", "rev"], rtol=1e-5, atol=1e-5, eps=1e-4)


def test_batch_is_loop(model):
    """Instances of a class stack: one program for many sources."""
    copies = [jax.tree.map(lambda x, k=k: x * (1 + 0.01 * k), model) for k in range(3)]
    stack = jax.tree.map(lambda *x: jnp.stack(x), *copies)
    batch = jax.vmap(lambda m: evaluate(m, jnp.asarray(ENERGY)))(stack)
    np.testing.assert_allclose(batch, [evaluate(m, jnp.asarray(ENERGY)) for m in copies], rtol=1e-12)


def test_compiled_is_plain(model):
    energy = jnp.asarray(ENERGY)
    np.testing.assert_allclose(eqx.filter_jit(evaluate)(model, energy), evaluate(model, energy), rtol=1e-12)


def test_every_field_is_declared(model):
    assert all(leaf.value.dtype == jnp.float64 for leaf in leaves(model))


def test_default_values_are_finite(model):
    if type(model).__name__ in ("CompoundSpectralModel", "TemplateSpectralModel"):
        return
    assert np.all(np.isfinite(evaluate(type(model)(), jnp.asarray(ENERGY))))


def test_integral_and_energy_flux():
    flat = gj.PowerLaw(index=2.0, amplitude=3e-12)
    assert flat.integral("1 TeV", "10 TeV").to_value("cm-2 s-1") == pytest.approx(3e-12 * 0.9, rel=1e-12)
    assert flat.energy_flux("1 TeV", "10 TeV").to_value("TeV cm-2 s-1") == pytest.approx(3e-12 * np.log(10), rel=1e-12)
    with pytest.raises(UnitMismatch, match="energy_min is of kind energy"):
        flat.integral("1 deg", "10 TeV")


@pytest.mark.parametrize(("alpha", "slope"), [(1.0, -2.0), (2.0, 0.0), (1.5, 0.0)])
def test_cut_off_at_zero(alpha, slope):
    """Where the fit of a source without cut-off ends, value and derivatives are finite and right."""

    def log_flux(x):
        return jnp.log(gj.ExpCutoffPowerLaw(amplitude=1.0, lambda_=x[0], alpha=x[1]).dnde(jnp.asarray(2.0)))

    at = jnp.array([0.0, alpha])
    assert log_flux(at) == pytest.approx(-1.5 * np.log(2.0))
    assert jax.grad(log_flux)(at)[0] == pytest.approx(slope)
    assert np.all(np.isfinite(jax.hessian(log_flux)(at)))
    near = jnp.array([1e-9, alpha])
    assert jax.grad(log_flux)(near)[0] == pytest.approx(slope, abs=1e-3)


def test_cut_off_may_turn_negative():
    """A fit passes through lambda_ = 0 without a kink."""
    flux = [float(gj.ExpCutoffPowerLaw(lambda_=x).dnde(jnp.asarray(2.0))) for x in (-1e-3, 0.0, 1e-3)]
    assert flux[0] - 2 * flux[1] + flux[2] == pytest.approx(flux[1] * 4e-6, rel=1e-3)


def test_compound_of_any_depth():
    a, b, c = gj.PowerLaw(index=1.0), gj.PowerLaw(index=2.0), gj.LogParabola(reference=1.0)
    tree = (a + b) * (c + a * b) + c
    f = {name: np.asarray(evaluate(m, jnp.asarray(ENERGY))) for name, m in (("a", a), ("b", b), ("c", c))}
    expected = (f["a"] + f["b"]) * (f["c"] + f["a"] * f["b"]) + f["c"]
    np.testing.assert_allclose(evaluate(tree, jnp.asarray(ENERGY)), expected, rtol=1e-12)
    assert slots(tree)[0][0] == "model1.model1.model1.index"
    with pytest.raises(ModelError, match="combines with another spectral model, got float"):
        a * 2.0
    with pytest.raises(ModelError, match="operator 'div' is not one of add, mul"):
        gj.CompoundSpectralModel(a, b, "div")


class BandCut(gj.SpectralModel):
    """A model as a person writes it."""

    amplitude: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1", lower=0.0, scale="log")
    index: gj.Scalar = gj.param(2.0)
    cutoff: gj.Scalar = gj.param(10.0, unit="TeV", lower=0.0, scale="log")
    stretch: gj.Scalar = gj.param(1.0, lower=0.1, upper=3.0, frozen=True)

    def dnde(self, energy):
        return self.amplitude * energy**-self.index * jnp.exp(-((energy / self.cutoff) ** self.stretch))


def test_a_model_of_ones_own(spectra):
    models = gj.Models(crab=gj.SkyModel(BandCut(amplitude=2e-11, cutoff="20000 GeV")))
    row = models.rows["crab.spectral.stretch"]
    assert (row.lower, row.upper, row.frozen) == (0.1, 3.0, True)
    assert models.value("*.cutoff") == 20.0
    found = gj.fit(spectra, models)
    assert found.success
    assert found.models.value("*.cutoff") > 0


@pytest.mark.parametrize(
    ("dnde", "message"),
    [
        (
            lambda self, e: jnp.ones(3) * e,
            r"Wrong\.dnde must return one number for one energy, but its result has shape \(3,\)",
        ),
        (
            lambda self, e: (e, e),
            r"Wrong\.dnde must return one number for one energy, but its result is a tuple",
        ),
    ],
)
def test_dnde_of_the_wrong_shape(dnde, message):
    wrong = type("Wrong", (gj.SpectralModel,), {"dnde": dnde, "__module__": __name__})
    with pytest.raises(ModelError, match=message):
        wrong()("1 TeV")


def test_dnde_is_missing():
    class Empty(gj.SpectralModel):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty does not define dnde\(energy\)"):
        Empty()("1 TeV")


def test_sky_model_wants_a_spectrum():
    with pytest.raises(ModelError, match="spectral must be a spectral model, got str"):
        gj.SkyModel("PowerLaw")
    assert gj.SkyModel(gj.PowerLaw(), datasets_names="hess").datasets_names == ("hess",)


def test_discovery_saw_the_package():
    names = {cls.__name__ for cls in MODELS}
    assert {"PowerLaw", "ExpCutoffPowerLaw", "LogParabola", "CompoundSpectralModel"} <= names
    assert gammajax.PowerLaw in MODELS
