"""Every spectral model of the package, found by discovery."""

import importlib
import itertools
import pkgutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from derivatives import check_derivatives
from scipy.integrate import quad
from spectral_cases import CASES, ENERGY, MODELS, region_map, source

import gammajax
import gammajax as gj
from gammajax.errors import ModelError, UnitMismatch
from gammajax.io.maps import write_map
from gammajax.models.spectral import evaluate
from gammajax.params.field import ParamSpec
from gammajax.params.tree import fill, leaves, slots

for info in pkgutil.walk_packages(importlib.import_module("gammajax.models").__path__, "gammajax.models."):
    importlib.import_module(info.name)


@pytest.fixture(params=MODELS, ids=lambda cls: cls.__name__)
def model(request):
    assert request.param.__name__ in CASES, f"{request.param.__name__} has no independent formula in spectral_cases.py"
    return request.param(**CASES[request.param.__name__][0])


def log_flux(model, energy=2.7):
    """ln dnde as a function of all parameters, in units of their size."""
    start = np.array([value for _, spec, value in slots(model) if isinstance(spec, ParamSpec)])
    size = np.where((np.abs(start) < 1e-3) & (start != 0), np.abs(start), 1.0)

    @jax.jit
    def function(x):
        return jnp.log(fill(model, x * size).dnde(jnp.asarray(energy)))

    return function, jnp.asarray(start / size)


def test_value_by_an_independent_formula(model):
    formula = CASES[type(model).__name__][1]
    np.testing.assert_allclose(evaluate(model, jnp.asarray(ENERGY)), formula(ENERGY), rtol=2e-12)
    np.testing.assert_allclose(model("2 TeV").to_value(model.unit), formula(np.array(2.0)), rtol=2e-12)
    assert model(ENERGY.reshape(3, 3) * u.GeV).shape == (3, 3)


def test_first_and_second_derivatives(model):
    function, start = log_flux(model)
    if start.size:
        check_derivatives(function, start, rtol=1e-5, atol=1e-5)


def test_edges_of_the_natural_bounds(model):
    """Value, gradient and Hessian are finite where a fit may end."""
    start = np.array([v for _, _, v in slots(model)])

    @jax.jit
    def expansion(x):
        # Above the reference energy: below it a cut-off at no energy is infinite.
        flux = lambda x: fill(model, x).dnde(jnp.asarray(30.0))  # noqa: E731
        return flux(x), jax.grad(flux)(x), jax.hessian(flux)(x)

    for i, (path, spec, _) in enumerate(slots(model)):
        for bound in (spec.lower, spec.upper):
            if np.isfinite(bound):
                found = expansion(jnp.asarray(np.where(np.arange(start.size) == i, bound, start)))
                assert all(np.all(np.isfinite(x)) for x in found), (path, bound)


def test_yaml_and_back(model, tmp_path):
    if isinstance(model, gj.TemplateNDSpectralModel):
        model = gj.TemplateNDSpectralModel.read(write_map(region_map(), tmp_path / "map.fits"))
    models = gj.Models(a=gj.SkyModel(source(model)))
    back = gj.Models.read(models.write(tmp_path / "m.yaml"))
    assert back.to_list() == models.to_list()
    assert jax.tree.structure(back.tree) == jax.tree.structure(models.tree)
    energy = jnp.asarray(ENERGY)
    np.testing.assert_allclose(evaluate(back["a"].spectral, energy), evaluate(source(model), energy), rtol=1e-12)


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
    """Also where Gammapy's defaults make its own formula 0/0."""
    try:
        default = type(model)()
    except TypeError:  # it needs a table or a model
        return
    function, start = log_flux(default)
    assert np.all(np.isfinite(evaluate(default, jnp.asarray(ENERGY))))
    assert np.all(np.isfinite(jax.jit(jax.hessian(function))(start)))


def test_integrals_by_scipy(model):
    """Also over kinks and where a range is short, long or runs downwards."""
    formula = CASES[type(model).__name__][1]
    for low, high in ((0.5, 5.0), (0.011, 90.0), (1.0, 1.01), (5.0, 0.5)):
        marks = [x for x in (0.2, 1.0, 3.3) if min(low, high) < x < max(low, high)]
        edges = [low, *(marks if high > low else marks[::-1]), high]
        for power, found in ((0, model.integral(low, high)), (1, model.energy_flux(low, high))):
            parts = [
                quad(lambda x, p=power: formula(np.exp(x)) * np.exp(x * (1 + p)), *np.log(pair), epsabs=0)[0]
                for pair in itertools.pairwise(edges)
            ]
            np.testing.assert_allclose(found.value, sum(parts), rtol=1e-9)


def test_integral_and_energy_flux():
    flat = gj.PowerLaw(index=2.0, amplitude=3e-12)
    np.testing.assert_allclose(flat.integral("1 TeV", "10 TeV").to_value("cm-2 s-1"), 3e-12 * 0.9, rtol=1e-12)
    np.testing.assert_allclose(
        flat.energy_flux("1 TeV", "10 TeV").to_value("TeV cm-2 s-1"), 3e-12 * np.log(10), rtol=1e-12
    )
    pairs = flat.integral([1.0, 2.0] * u.TeV, "10 TeV")
    np.testing.assert_allclose(pairs.value, [2.7e-12, 1.2e-12], rtol=1e-12)
    np.testing.assert_allclose(gj.PowerLawNorm().integral("1 TeV", "3 TeV").to_value("TeV"), 2.0, rtol=1e-6)
    with pytest.raises(UnitMismatch, match="energy_min is of kind energy"):
        flat.integral("1 deg", "10 TeV")
    with pytest.raises(ModelError, match="limits of an integral must be positive"):
        flat.integral(0, "10 TeV")


@pytest.mark.parametrize(("alpha", "slope"), [(1.0, -2.0), (2.0, 0.0), (1.5, 0.0)])
def test_cut_off_at_zero(alpha, slope):
    """Where the fit of a source without cut-off ends, value and derivatives are finite and right."""

    def log_flux(x):
        return jnp.log(gj.ExpCutoffPowerLaw(amplitude=1.0, lambda_=x[0], alpha=x[1]).dnde(jnp.asarray(2.0)))

    at = jnp.array([0.0, alpha])
    np.testing.assert_allclose(log_flux(at), -1.5 * np.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(log_flux)(at)[0], slope, rtol=1e-6)
    assert np.all(np.isfinite(jax.hessian(log_flux)(at)))
    near = jnp.array([1e-9, alpha])
    assert jax.grad(log_flux)(near)[0] == pytest.approx(slope, abs=1e-3)


def test_cut_off_may_turn_negative():
    """A fit passes through lambda_ = 0 without a kink."""
    flux = [float(gj.ExpCutoffPowerLaw(lambda_=x).dnde(jnp.asarray(2.0))) for x in (-1e-3, 0.0, 1e-3)]
    np.testing.assert_allclose(flux[0] - 2 * flux[1] + flux[2], flux[1] * 4e-6, rtol=1e-3)


def test_compound_of_any_depth():
    a, b, c = gj.PowerLaw(index=1.0), gj.PowerLawNorm(tilt=2.0), gj.LogParabola(reference=1.0)
    tree = (a + a * b) * (b / b - b) / (c / a) - c
    f = {name: np.asarray(evaluate(m, jnp.asarray(ENERGY))) for name, m in (("a", a), ("b", b), ("c", c))}
    expected = (f["a"] + f["a"] * f["b"]) * (1 - f["b"]) / (f["c"] / f["a"]) - f["c"]
    np.testing.assert_allclose(evaluate(tree, jnp.asarray(ENERGY)), expected, rtol=1e-12)
    assert slots(tree)[0][0] == "model1.model1.model1.model1.index"
    assert tree.unit == gj.PowerLaw().unit
    assert (c / a).unit == ""


def test_numbers_in_sums():
    a, b = gj.PowerLaw(amplitude=1e-12), gj.PowerLawNorm(norm=2.0)
    np.testing.assert_allclose((a + 1e-12)("1 TeV").value, 2e-12, rtol=1e-6)
    np.testing.assert_allclose((3e-12 - a)("1 TeV").value, 2e-12, rtol=1e-6)
    np.testing.assert_allclose(("1e-9 cm-2 s-1 GeV-1" + a)("1 TeV").value, 1e-6 + 1e-12, rtol=1e-6)
    assert (1 - b)("1 TeV") == -1
    assert (gj.ConstantSpectralModel(0.5 * u.one) + b).unit == ""


@pytest.mark.parametrize(
    ("combine", "message"),
    [
        (lambda a, b: a * a, r"PowerLaw \* PowerLaw combines a flux with a flux; multiply a flux by a norm"),
        (lambda a, b: a + b, r"PowerLaw \+ PowerLawNorm combines a flux with a factor without unit; add fluxes"),
        (lambda a, b: b - a, "combines a factor without unit with a flux; subtract fluxes"),
        (lambda a, b: b / a, "PowerLawNorm / PowerLaw .*; divide by a norm model"),
        (lambda a, b: a * 2.0, r"got float; write ScaleSpectralModel\(model, norm=...\)"),
        (lambda a, b: a + 1 * u.one, "combines a flux with a factor without unit"),
        (lambda a, b: gj.CompoundSpectralModel(a, b, "div"), "operator 'div' is not one of add, sub, mul, truediv"),
        (lambda a, b: gj.ScaleSpectralModel(3.0), "got float"),
        (lambda a, b: gj.SkyModel(b), "SkyModel: PowerLawNorm has no unit: multiply it with the flux of a source"),
        (lambda a, b: gj.create_crab_spectral_model("hess"), "no Crab spectrum 'hess'; .*; nearest: 'hess_pl'"),
        (lambda a, b: gj.PiecewiseNormSpectralModel([1.0, 2.0], [1.0]), "2 energies and 1 norms"),
        (lambda a, b: gj.PiecewiseNormSpectralModel([2.0, 1.0]), "positive, finite and increasing"),
        (lambda a, b: gj.PiecewiseNormSpectralModel([1.0, 2.0], interp="cubic"), "'cubic' is not one of log, lin"),
        (lambda a, b: gj.TemplateSpectralModel([1.0, 2.0], [1.0, 2.0], interp="cubic"), "'cubic' is not one of log"),
        (lambda a, b: gj.TemplateSpectralModel([1.0, 2.0], [1.0, -2.0]), "has negative values"),
        (lambda a, b: gj.TemplateSpectralModel([1.0, 2.0], [1.0, np.nan]), "values that are not finite"),
    ],
)
def test_what_cannot_be(combine, message):
    with pytest.raises(ModelError, match=message):
        combine(gj.PowerLaw(), gj.PowerLawNorm())


def test_unit_of_a_template():
    with pytest.raises(
        UnitMismatch, match=r"TemplateSpectralModel.values must be a differential flux .* got the unit TeV"
    ):
        gj.TemplateSpectralModel([1.0, 2.0], [1.0, 2.0] * u.TeV)
    assert gj.TemplateSpectralModel([1.0, 2.0], [1.0, 2.0] * u.one).unit == ""
    per_gev = gj.TemplateSpectralModel([1, 2] * u.GeV, [1, 2] * u.Unit("cm-2 s-1 GeV-1"))
    np.testing.assert_allclose(per_gev("2 GeV").value, 2000, rtol=1e-6)


def test_templates_with_zeros():
    """A logarithm of zero: the flux falls to zero between the last point and the first zero, as in Gammapy."""
    model = gj.TemplateSpectralModel([1.0, 2.0, 4.0, 8.0], [1e-12, 1e-12, 0.0, 0.0])
    np.testing.assert_allclose(model(1.5).value, 1e-12, rtol=1e-6)
    assert model([4.0, 6.0, 100.0]).value.tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite(jax.grad(model.dnde)(jnp.array(4.0)))
    line = gj.TemplateSpectralModel([1.0, np.e], [1.0, 2.0] * u.one, interp="lin")
    np.testing.assert_allclose(line([np.exp(0.5), np.exp(-3.0)]).value, [1.5, 0.0])
    root = gj.TemplateSpectralModel([1.0, np.e], [1.0, 9.0] * u.one, interp="sqrt")
    np.testing.assert_allclose(root(np.exp(0.5)).value, 4.0, rtol=1e-6)


def test_norms_that_are_linear_may_be_negative():
    """As in Gammapy, where a fit must be able to cross zero."""
    norms = [1.0, 2.0, -1.0]
    energy = jnp.asarray([0.1, 0.55, 4.0, 10.0, 20.0])
    linear = gj.PiecewiseNormSpectralModel([0.1, 1.0, 10.0], norms, interp="lin")
    np.testing.assert_allclose(evaluate(linear, energy), np.interp(energy, [0.1, 1.0, 10.0], norms), rtol=1e-12)
    for interp, lower in (("lin", -np.inf), ("sqrt", 0.0), ("log", 0.0)):
        model = gj.PiecewiseNormSpectralModel([0.1, 1.0, 10.0], interp=interp)
        assert {spec.lower for _, spec, _ in slots(model)} == {lower}


def test_a_smooth_break_starts_to_steepen_at_equal_indices():
    model = gj.SmoothBrokenPowerLaw(index1=2.0, index2=2.0, beta=0.5)
    steeper = gj.SmoothBrokenPowerLaw(index1=2.0, index2=2.0 + 1e-9, beta=0.5)
    assert float(model.dnde(jnp.asarray(3.0))) == pytest.approx(float(steeper.dnde(jnp.asarray(3.0))), rel=1e-8)
    slope = jax.grad(lambda i: gj.SmoothBrokenPowerLaw(index2=i, amplitude=1.0).dnde(jnp.asarray(3.0)))(2.0)
    assert float(slope) == pytest.approx(-0.5 * np.log(3.0) * 3.0**-2.0 * 0.5, rel=1e-9)


def test_index_one_of_the_integral_flux():
    """Where the textbook formula is 0/0."""
    flat = gj.PowerLaw2(index=1.0, emin=1.0, emax=10.0)
    np.testing.assert_allclose(flat("1 TeV").value, 1e-12 / np.log(10), rtol=1e-6)
    function, start = log_flux(flat)
    check_derivatives(function, start, rtol=1e-5, atol=1e-5, step=1e-3)


def test_super_exponential_without_a_second_index():
    """Where it is a log parabola with curvature expfactor / 2."""
    near = gj.SuperExpCutoffPowerLaw4FGLDR3(index_2=0.0, expfactor=0.3)
    parabola = gj.LogParabola(reference=1.0, alpha=1.5, beta=0.15)
    np.testing.assert_allclose(evaluate(near, jnp.asarray(ENERGY)), evaluate(parabola, jnp.asarray(ENERGY)), rtol=1e-12)
    function, start = log_flux(near)
    check_derivatives(function, start, rtol=1e-5, atol=1e-5, step=1e-3)


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
    found = gj.fit(gj.asimov(spectra, models), models.set("*.cutoff", 10.0))
    assert found.success
    assert found.models.value("*.cutoff") == pytest.approx(20.0, rel=1e-3)


def test_a_subclass_has_a_name_of_its_own_in_files(tmp_path):
    """The tag of its parent stays the parent's, whatever was derived from it."""

    class Steep(gj.PowerLaw):
        index: gj.Scalar = gj.param(4.0)

    path = gj.Models(a=gj.SkyModel(gj.PowerLaw()), b=gj.SkyModel(Steep())).write(tmp_path / "m.yaml")
    back = gj.Models.read(path)
    assert type(back["a"].spectral) is gj.PowerLaw
    assert type(back["b"].spectral) is Steep
    assert not Steep().in_gammapy


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
    assert {cls.__name__ for cls in MODELS} == set(CASES)
    assert gammajax.PowerLaw in MODELS
