"""Nuisances of the response: what each does to predictions, derivatives and fits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import counting, log_parabola, on_off, value

import gammajax as gj
from gammajax.errors import ModelError, UnknownDataset
from gammajax.infer.expansion import exact_hessian, expand
from gammajax.infer.stopwatch import Stopwatch
from gammajax.likelihood.expected import predict_all
from gammajax.likelihood.terms import least_stat
from gammajax.models.nuisance import Nuisance
from gammajax.params.tree import slots

BUILT_IN = [cls for cls in Nuisance.__subclasses__() if cls.__module__.startswith("gammajax.")]
BUILT_IN.remove(gj.TemplateNPred)  # counts of a cube, which change no spectrum
MADE = {
    "EnergyScale": gj.EnergyScale(delta=0.1),
    "ExposureNorm": gj.ExposureNorm(norm=1.3),
    "ExposureTilt": gj.ExposureTilt(tilt=0.2, reference="2 TeV"),
    "ExposureShape": gj.ExposureShape(nodes=["300 GeV", "3 TeV", "30 TeV"], shifts=[0.1, -0.2, 0.05]),
    "BackgroundNorm": gj.BackgroundNorm(norm=1.2, tilt=0.1),
    "FoVBackground": gj.FoVBackground(gj.PowerLawNorm(norm=1.2, tilt=0.1), gj.FoVGradient()),
}

expanded, hessian = jax.jit(expand), jax.jit(exact_hessian)


class Clouds(gj.Nuisance):
    """A nuisance as a person writes it."""

    depth: gj.Scalar = gj.param(0.2, lower=0.0)

    def efficiency(self, energy):
        return jnp.exp(-self.depth / energy)


@pytest.fixture(params=BUILT_IN, ids=lambda cls: cls.__name__)
def nuisance(request):
    assert request.param.__name__ in MADE, f"{request.param.__name__} is not tested"
    return MADE[request.param.__name__]


@pytest.fixture(scope="module")
def mixed():
    return gj.Datasets([*on_off(n=2), *counting(n=1)])


def signals(datasets, models):
    return [x.signal for x in predict_all(datasets, models)]


def power_law(**changed):
    return gj.Models(crab=gj.SkyModel(gj.PowerLaw(**{"index": 2.4, "amplitude": 3e-11} | changed)))


def test_expansion_and_hessian_are_those_of_the_statistic(mixed, nuisance):
    """The closed forms of the minimiser against differences, on-off data without off counts included."""
    empty = dataclasses.replace(mixed[0], counts_off=np.zeros(12), name="empty")
    problem = gj.Problem([*mixed, empty], log_parabola().add(n=nuisance))
    z, step = np.asarray(problem.start) * 1.01, 1e-4
    sides = [(z + h, z - h) for h in step * np.eye(z.size)]
    at = expanded(problem, z)
    np.testing.assert_allclose(
        at.deviance + sum(float(least_stat(g).sum()) for g in problem.groups), value(problem, z), rtol=1e-12
    )
    slope = [(value(problem, up) - value(problem, down)) / (2 * step) for up, down in sides]
    np.testing.assert_allclose(at.gradient, slope, rtol=1e-5, atol=1e-3)
    rows = [(expanded(problem, up).gradient - expanded(problem, down).gradient) / (2 * step) for up, down in sides]
    size = np.abs(rows).max()
    np.testing.assert_allclose(hessian(problem, z), rows, rtol=1e-4, atol=1e-6 * size)


def test_a_scale_of_energies_scales_a_power_law():
    """phi(E / (1 + d)) / (1 + d) of a power law is its amplitude times (1 + d)^(index - 1)."""
    datasets = on_off(n=2)
    shifted = signals(datasets, power_law().add(scale=gj.EnergyScale(delta=0.2)))
    for a, b in zip(shifted, signals(datasets, power_law(amplitude=3e-11 * 1.2**1.4)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_two_scales_compose_and_undo_each_other():
    datasets, models = on_off(n=1), log_parabola()
    twice = models.add(a=gj.EnergyScale(delta=0.25), b=gj.EnergyScale(delta=-0.2))
    np.testing.assert_allclose(signals(datasets, twice)[0], signals(datasets, models)[0], rtol=1e-12)


def test_exposure_factors_multiply():
    datasets, models = on_off(n=1), log_parabola()
    factors = {"a": gj.ExposureNorm(norm=2.0), "b": gj.ExposureTilt(tilt=-0.4, reference=1.0)}
    tilted = log_parabola(alpha=2.8, amplitude=6e-11)
    np.testing.assert_allclose(signals(datasets, models.add(factors))[0], signals(datasets, tilted)[0], rtol=1e-12)


def test_the_shape_of_an_exposure_goes_through_its_nodes():
    shape = MADE["ExposureShape"]
    energies = [0.01, 0.3, np.sqrt(0.9), 3.0, 100.0]
    factors = [float(shape.efficiency(jnp.asarray(e))) for e in energies]
    np.testing.assert_allclose(np.log(factors), [0.1, 0.1, -0.05, -0.2, 0.05], atol=1e-12)
    assert [path for path, *_ in slots(shape)] == ["shifts.0", "shifts.1", "shifts.2"]


@pytest.mark.parametrize("norm", [0.5, 1.0, 1.7])
def test_background_of_counts_is_multiplied(norm):
    datasets = counting(n=1)
    (found,) = predict_all(datasets, log_parabola().add(b=gj.BackgroundNorm(norm=norm)))
    np.testing.assert_allclose(found.background, 3.0 * norm)
    lifted = [dataclasses.replace(d, background=np.asarray(d.background) * norm) for d in datasets]
    same = gj.Problem(lifted, log_parabola())
    other = gj.Problem(datasets, log_parabola().add(b=gj.BackgroundNorm(norm=norm)).freeze("b.*"))
    assert value(other, other.start) == pytest.approx(float(value(same, same.start)), rel=1e-13)


def test_background_of_on_off_data_scales_alpha():
    datasets = on_off(n=1)
    scaled = [dataclasses.replace(d, acceptance=np.asarray(d.acceptance) * 1.3) for d in datasets]
    same = gj.Problem(scaled, log_parabola())
    other = gj.Problem(datasets, log_parabola().add(b=gj.BackgroundNorm(norm=1.3)).freeze("b.*"))
    assert value(other, other.start) == pytest.approx(float(value(same, same.start)), rel=1e-13)


def test_the_background_of_a_field_acts_on_a_spectrum_like_a_norm(mixed):
    norm, field = (log_parabola().add(b=MADE[name]) for name in ("BackgroundNorm", "FoVBackground"))
    for a, b in zip(predict_all(mixed, norm), predict_all(mixed, field), strict=True):
        np.testing.assert_allclose(a.background, b.background, rtol=1e-14)
    one, other = (gj.Problem(mixed, m.freeze("b.*")) for m in (norm, field))
    assert value(other, other.start) == pytest.approx(float(value(one, one.start)), rel=1e-14)


def test_only_the_named_datasets_see_it(mixed, nuisance):
    """Datasets share their axes: a nuisance on one of them must leave the others alone."""
    models = log_parabola()
    named = dataclasses.replace(nuisance, datasets_names="d1")
    before, after = predict_all(mixed, models), predict_all(mixed, models.add(n=named))
    for name, a, b in zip(mixed.names, before, after, strict=True):
        same = np.allclose(a.signal, b.signal, rtol=1e-12) and np.allclose(a.scale, b.scale)
        assert same == (name != "d1"), name


def test_at_rest_nothing_changes(mixed):
    models = log_parabola()
    rest = {"a": gj.EnergyScale(), "b": gj.ExposureNorm(), "c": gj.ExposureTilt(), "d": gj.BackgroundNorm()}
    rest["e"] = gj.ExposureShape(nodes=[0.1, 10.0])
    for a, b in zip(predict_all(mixed, models), predict_all(mixed, models.add(rest)), strict=True):
        np.testing.assert_allclose(a.signal, b.signal, rtol=1e-13)
        np.testing.assert_allclose(a.background, b.background, rtol=1e-12)


def test_one_of_ones_own(mixed):
    models = log_parabola().add(clouds=Clouds(datasets_names=["d0"]))
    lower, same, _ = (a / b for a, b in zip(signals(mixed, models), signals(mixed, log_parabola()), strict=True))
    assert np.all(lower < 1)
    np.testing.assert_allclose(same, 1.0)
    assert "clouds.depth" in models.free_paths


def test_a_fit_with_scales_and_priors_finds_the_truth():
    datasets = on_off(n=3)
    names = {f"scale_{d.name}": gj.EnergyScale(datasets_names=d.name) for d in datasets}
    truth = log_parabola().add(names).set("scale_d1.delta", 0.08)
    models = truth.prior("scale_*.delta", gj.Normal(0.0, 0.15)).prior("scale_d0.delta", gj.Normal(0.0, 1e-3))
    result = gj.fit(gj.asimov(datasets, truth), models.set("scale_d1.delta", 0.0))
    assert result.success
    # The prior draws the scale towards zero, by its share of the information.
    share = (result.models.error("scale_d1.delta") / 0.15) ** 2
    assert result.models.value("scale_d1.delta") == pytest.approx(0.08 * (1 - share), abs=0.01)
    assert result.models.value("crab.spectral.alpha") == pytest.approx(2.4, abs=0.01)


def test_a_background_norm_is_found():
    truth = log_parabola().add(b=gj.BackgroundNorm(norm=1.4, datasets_names="c0"))
    datasets = gj.asimov(counting(n=2, background=30.0), truth)
    result = gj.fit(datasets, truth.set("b.norm", 1.0))
    assert result.success
    assert result.models.value("b.norm") == pytest.approx(1.4, rel=1e-4)


def test_other_names_and_values_compile_nothing():
    def run(name, delta):
        models = log_parabola().add({f"s_{name}": gj.EnergyScale(delta=delta, datasets_names=[name])})
        return gj.fit(on_off(n=2), models.prior("s_*.delta", gj.Normal(0, 0.1)))

    run("d0", 0.0)
    with Stopwatch() as watch:
        run("d1", 0.05)
    assert watch.programs == 0


def test_written_and_read(tmp_path, mixed):
    models = log_parabola().add(MADE).add(own=Clouds(datasets_names=["d0", "d1"]))
    models = models.prior("EnergyScale.delta", gj.Normal(0, 0.15)).link("ExposureTilt.tilt", "EnergyScale.delta", 2.0)
    again = gj.Models.read(models.write(tmp_path / "models.yaml"))
    assert repr(again) == repr(models)
    assert again.datasets_names == models.datasets_names
    for a, b in zip(predict_all(mixed, models), predict_all(mixed, again), strict=True):
        np.testing.assert_array_equal(a.signal, b.signal)


def test_gammapy_has_no_nuisances(tmp_path):
    models = log_parabola().add(scale=gj.EnergyScale())
    with pytest.raises(ModelError, match=r"scale \(EnergyScale\) has no form in Gammapy's files.*drop\('scale'\)"):
        models.write(tmp_path / "models.yaml", gammapy=True)


def test_wrong_use_is_said():
    with pytest.raises(ModelError, match="'crab' must be a SkyModel or a nuisance, got PowerLaw"):
        gj.Models(crab=gj.PowerLaw())
    with pytest.raises(UnknownDataset, match="scale acts on 'hess_crb'; datasets are 'd0'"):
        gj.Problem(on_off(n=1), log_parabola().add(scale=gj.EnergyScale(datasets_names="hess_crb")))
    with pytest.raises(ModelError, match="'scale' is a nuisance, which has no spectrum; sources are 'crab'"):
        gj.flux_band(log_parabola().add(scale=gj.EnergyScale()), "scale", [1.0])
    with pytest.raises(ModelError, match=r"ExposureShape: 2 nodes need 2 shifts, got 3"):
        gj.ExposureShape(nodes=[0.1, 1.0], shifts=[0.0, 0.0, 0.0])
    with pytest.raises(ModelError, match="ExposureShape: nodes must be positive and increase"):
        gj.ExposureShape(nodes=[1.0, 0.1])
