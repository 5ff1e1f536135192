"""fit: truth, poor starts, bounds, degenerate models, messages."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import counting, log_parabola

import gammajax as gj
from gammajax.errors import ConfigError, NothingToFit, UnknownDataset
from gammajax.infer.covariance import laplace
from gammajax.infer.minimise import MAX_STEPS, Status, minimise, minimise_and_expand
from gammajax.likelihood.toys import draw

BEST = jax.jit(minimise)


def test_asimov_gives_the_truth_back(asimov_spectra, source):
    start = source.set({"*.amplitude": 1e-11, "*.alpha": 3.0, "*.beta": 0.3})
    found = gj.fit(asimov_spectra, start)
    assert found.success
    assert found.stat == pytest.approx(0.0, abs=1e-6)
    for path in found.models.free_paths:
        assert abs(found.models.value(path) - source.value(path)) < 3e-4 * found.models.error(path)
    assert found.stat == pytest.approx(sum(found.stat_per_dataset.values()), abs=1e-9)
    assert found.n_bins == 34


def test_covariance_is_the_inverse_of_the_numerical_hessian(truth_fit, asimov_spectra):
    models = truth_fit.models
    problem = gj.Problem(asimov_spectra, models)
    natural = problem.layout.natural(problem.start)
    error = np.array([models.error(p) for p in models.free_paths])
    stat = jax.jit(lambda p, x: gj.stat(p, p.layout.to_z(x)))
    h = 0.02 * np.eye(3) * error

    def shifted(*signs_and_steps):
        return float(stat(problem, natural + sum(s * step for s, step in signs_and_steps)))

    hessian = np.array(
        [[sum(a * b * shifted((a, x), (b, y)) for a in (1, -1) for b in (1, -1)) for y in h] for x in h]
    ) / (4 * np.outer(0.02 * error, 0.02 * error))
    np.testing.assert_allclose(np.linalg.inv(hessian / 2), truth_fit.covariance.matrix, rtol=2e-3)
    np.testing.assert_allclose(np.sqrt(np.diag(truth_fit.covariance.matrix)), error)
    np.testing.assert_allclose(np.diag(truth_fit.covariance.correlation), 1.0)


@pytest.mark.parametrize("reference", ["0.05 TeV", "20 TeV"])
def test_the_pivot_energy_does_not_matter(spectra, source, reference):
    """beta and its error are those of the fit at 1 TeV to a thousandth of the error."""
    one = gj.fit(spectra, source)
    other = gj.fit(spectra, source.set("*.reference", reference))
    assert other.success
    assert other.stat == pytest.approx(one.stat, abs=1e-5)
    error = one.models.error("*.beta")
    assert abs(other.models.value("*.beta") - one.models.value("*.beta")) < 1e-3 * error
    assert abs(other.models.error("*.beta") - error) < 1e-3 * error


def test_thirty_poor_starts(spectra, source):
    rng = np.random.default_rng(11)
    problem = gj.Problem(spectra, source)
    best = BEST(problem, problem.start)
    for _ in range(30):
        start = jnp.array([10 ** rng.uniform(-15, -8), rng.uniform(0, 5), rng.uniform(-1, 1)])
        end = BEST(problem, problem.layout.to_z(start))
        assert end.status == Status.CONVERGED
        assert end.deviance == pytest.approx(float(best.deviance), abs=1e-4)


def test_a_bound_is_reached_exactly_and_the_message_says_so(asimov_spectra, source):
    found = gj.fit(asimov_spectra, source.set("*.beta", 0.25).bound("*.beta", 0.2, 0.5))
    assert found.success
    assert found.models.value("*.beta") == 0.2
    assert np.isnan(found.models.error("*.beta"))
    assert "On a bound, without an error: crab.spectral.beta" in found.message
    assert found.models.error("*.alpha") > 0
    free = gj.fit(asimov_spectra, source.set("*.beta", 0.2).freeze("*.beta"))
    assert found.models.value("*.alpha") == pytest.approx(free.models.value("*.alpha"), abs=1e-5)
    assert found.models.error("*.alpha") == pytest.approx(free.models.error("*.alpha"), rel=1e-4)


def test_a_start_on_a_bound_leaves_it(asimov_spectra, source):
    found = gj.fit(asimov_spectra, source.set("*.beta", 0.3).bound("*.beta", 0.0, 0.3))
    assert found.models.value("*.beta") == pytest.approx(0.1, abs=1e-5)


def test_a_start_without_a_source_finds_it(spectra, source):
    """At no flux the index has no influence, and bins without off counts have no expected counts."""
    start = gj.Models(crab=gj.SkyModel(gj.PowerLaw()))
    few = [d.with_observed(d.counts, 0 * d.counts_off) for d in spectra]
    for datasets in (spectra, few):
        wanted = gj.fit(datasets, start.set("*.amplitude", 1e-11))
        found = gj.fit(datasets, start.set("*.amplitude", 0.0))
        assert found.success
        assert found.stat == pytest.approx(wanted.stat, abs=1e-4)
        assert found.steps < 15


def test_a_parameter_on_a_bound_without_influence_leaves_the_errors_of_the_others(asimov_spectra):
    """The last norm of a spectrum that ends before it: its logarithm has no slope at zero."""
    norms = gj.PiecewiseNormSpectralModel([0.1, 1.0, 10.0, 100.0], [1.0, 1.0, 1.0, 0.0])
    models = gj.Models(crab=gj.SkyModel(gj.PowerLaw(amplitude=3.8e-11, index=2.6) * norms)).freeze(
        "*.index", "*.amplitude"
    )
    fit = gj.fit(asimov_spectra, models.freeze("*.norm_1"))
    assert fit.success
    assert "On a bound, without an error: crab.spectral.model2.norm_3" in fit.message
    assert fit.models.error("*.norm_0") > 0


def test_the_support_of_a_prior_is_a_bound(asimov_spectra, source):
    found = gj.fit(asimov_spectra, source.set("*.beta", 0.25).prior("*.beta", gj.Uniform(0.2, 0.5)))
    assert found.success
    assert found.models.value("*.beta") == 0.2


class Decades(gj.SpectralModel):
    amplitude: gj.Scalar = gj.param(3e-11, unit="cm-2 s-1 TeV-1", lower=0.0, scale="log")
    index: gj.Scalar = gj.param(2.4)

    def dnde(self, energy):
        return self.amplitude * energy**-self.index


def test_logarithmic_parameter(spectra):
    linear = gj.fit(spectra, gj.Models(s=gj.SkyModel(gj.PowerLaw(amplitude=3e-11))))
    log = gj.fit(spectra, gj.Models(s=gj.SkyModel(Decades())))
    assert log.stat == pytest.approx(linear.stat, abs=1e-6)
    assert log.models.value("*.amplitude") == pytest.approx(linear.models.value("*.amplitude"), rel=1e-5)
    assert log.models.error("*.amplitude") == pytest.approx(linear.models.error("*.amplitude"), rel=1e-4)
    bounded = gj.fit(spectra, gj.Models(s=gj.SkyModel(Decades())).bound("*.amplitude", 1e-13, 3.0000001e-11))
    value = bounded.models.value("*.amplitude")
    assert value == pytest.approx(3.0000001e-11, rel=1e-14) or value < 3.0000001e-11
    bounded.models.freeze("*.index")


def test_a_prior_pulls(asimov_spectra, source):
    """Product of two Gaussians, as the likelihood is nearly one."""
    plain = gj.fit(asimov_spectra, source)
    sigma = plain.models.error("*.alpha")
    pulled = gj.fit(asimov_spectra, source.prior("*.alpha", gj.Normal(2.4 + sigma, sigma)))
    assert pulled.models.value("*.alpha") == pytest.approx(2.4 + sigma / 2, abs=0.05 * sigma)
    assert pulled.models.error("*.alpha") == pytest.approx(sigma / np.sqrt(2), rel=0.05)


def test_links(asimov_spectra, source):
    two = source.add(faint=gj.SkyModel(gj.LogParabola(amplitude=3e-12, reference=1.0, alpha=2.0, beta=0.5)))
    two = two.link("faint.*.amplitude", "crab.spectral.amplitude", factor=0.1)
    two = two.link("faint.*.alpha", "crab.spectral.alpha").link("faint.*.beta", "crab.spectral.beta")
    found = gj.fit(asimov_spectra, two)
    assert found.models.value("crab.*.amplitude") == pytest.approx(3e-11 / 1.1, rel=1e-6)
    assert found.models.value("faint.*.amplitude") == pytest.approx(3e-12 / 1.1, rel=1e-6)
    assert found.models.error("faint.*.amplitude") == pytest.approx(0.1 * found.models.error("crab.*.amplitude"))
    row = found.table[list(found.table["path"]).index("faint.spectral.amplitude")]
    assert row["error"] == found.models.error("faint.*.amplitude")


def test_degenerate_parameters_are_named(asimov_spectra, source):
    found = gj.fit(asimov_spectra, source.free("*.reference"))
    assert not found.success
    assert found.status is Status.CONVERGED
    for word in (
        "not positive definite",
        "crab.spectral.amplitude",
        "crab.spectral.reference",
        "freeze or bound",
    ):
        assert word in found.message
    with pytest.raises(NothingToFit, match="no covariance"):
        _ = found.covariance


def test_parameter_without_influence_is_named(asimov_spectra):
    class Idle(gj.SpectralModel):
        amplitude: gj.Scalar = gj.param(3e-11, unit="cm-2 s-1 TeV-1")
        idle: gj.Scalar = gj.param(1.0)

        def dnde(self, energy):
            return self.amplitude * energy**-2.4 + 0.0 * self.idle

    found = gj.fit(asimov_spectra, gj.Models(s=gj.SkyModel(Idle())))
    assert not found.success
    assert found.models.value("*.idle") == 1.0
    assert "s.spectral.idle" in found.message
    assert "s.spectral.amplitude" not in found.message


class Saturated(gj.SpectralModel):
    """A log parabola whose shape can change by one part in 1e5, however large `turn` becomes."""

    amplitude: gj.Scalar = gj.param(3e-11, unit="cm-2 s-1 TeV-1")
    turn: gj.Scalar = gj.param(0.5)

    def dnde(self, energy):
        x = jnp.log(energy)
        return self.amplitude * jnp.exp(-(2.4 + 0.1 * x + 1e-5 * jnp.tanh(self.turn)) * x)


def test_an_error_that_means_nothing_is_no_success(asimov_spectra):
    """The Hessian is positive, but a step of its error leaves the statistic where it is."""
    found = gj.fit(asimov_spectra, gj.Models(s=gj.SkyModel(Saturated())))
    assert found.status is Status.CONVERGED
    assert found.models.error("*.turn") > 200
    assert found.models.error("*.amplitude") < 1e-12
    assert not found.success
    assert "The data do not constrain s.spectral.turn: freeze or bound" in found.message


def test_a_large_error_that_means_something_is_a_success(asimov_spectra, source):
    """A start of 1e-9 makes no size of a parameter."""
    assert gj.fit(asimov_spectra, source.set("*.beta", 1e-9)).success
    tiny = source.add(b=gj.SkyModel(gj.PowerLaw(amplitude=1e-22, index=1.0))).freeze("b.*.index", "crab.*")
    found = gj.fit(asimov_spectra, tiny)
    assert found.models.error("b.*.amplitude") > 1e6 * 1e-22
    assert found.success, found.message


def test_an_open_logarithm_is_no_success(asimov_spectra):
    models = gj.Models(s=gj.SkyModel(Decades()), t=gj.SkyModel(Decades(amplitude=1e-20, index=9.0)))
    found = gj.fit(asimov_spectra, models.freeze("*.index"))
    assert not found.success
    assert "The data do not constrain t.spectral.amplitude" in found.message


def test_a_start_that_is_not_finite(asimov_spectra):
    class Root(gj.SpectralModel):
        amplitude: gj.Scalar = gj.param(3e-11, unit="cm-2 s-1 TeV-1")
        inner: gj.Scalar = gj.param(-1.0)

        def dnde(self, energy):
            return self.amplitude * jnp.sqrt(self.inner) * energy**-2.4

    models = gj.Models(s=gj.SkyModel(Root()))
    found = gj.fit(asimov_spectra, models)
    assert found.status is Status.NOT_FINITE
    assert "not finite at the start" in found.message
    assert not found.success
    assert gj.fit(asimov_spectra, models.set("*.inner", 2.0).freeze("*.inner")).success


def test_too_few_steps(spectra, source):
    found = gj.fit(spectra, source.set("*.alpha", 4.0), max_steps=2)
    assert found.status is Status.MAX_STEPS
    assert "raise max_steps" in found.message


def test_nothing_to_fit(spectra, source):
    with pytest.raises(NothingToFit, match="no parameter is free"):
        gj.fit(spectra, source.freeze("*"))
    with pytest.raises(NothingToFit, match="there are no datasets"):
        gj.fit(gj.Datasets([]), source)
    with pytest.raises(NothingToFit, match="there are no models"):
        gj.fit(spectra, gj.Models())
    with pytest.raises(NothingToFit, match="no bin is left"):
        gj.fit(spectra.select_energy("1 GeV", "2 GeV"), source)
    with pytest.raises(UnknownDataset, match="glow act on no dataset"):
        gj.fit(spectra, source.add(glow=gj.SkyModel(gj.PowerLaw(), datasets_names=())))
    with pytest.raises(ConfigError, match="'minuit' is not one of"):
        gj.fit(spectra, source, method="minuit")


def test_a_source_in_empty_data_ends_at_its_bound():
    """No counts and no background: the statistic only rises with the flux."""
    empty = [eqx.tree_at(lambda d: d.counts, d, jnp.zeros(12)) for d in counting(background=0.0)]
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(amplitude=1e-12))).bound("*.amplitude", 0.0).freeze("*.index")
    found = gj.fit(empty, models)
    assert found.status is Status.CONVERGED
    assert 0 <= found.models.value("*.amplitude") < 1e-20
    again = gj.fit(empty, models.set("*.amplitude", 0.0))
    assert again.status is Status.CONVERGED
    assert again.models.value("*.amplitude") == 0.0


def test_method_lbfgs_agrees(spectra, source):
    fisher, lbfgs = gj.fit(spectra, source), gj.fit(spectra, source.set("*.alpha", 2.6), method="lbfgs")
    assert lbfgs.success
    assert lbfgs.stat == pytest.approx(fisher.stat, abs=1e-3)
    assert abs(lbfgs.models.value("*.alpha") - fisher.models.value("*.alpha")) < 0.03 * fisher.models.error("*.alpha")


def test_without_covariance(spectra, source):
    found = gj.fit(spectra, source, covariance=False)
    assert found.success
    assert found.models.covariance is None


def test_result_reads_well(truth_fit, tmp_path):
    from gammajax.io.json import read_json

    assert "Converged" in repr(truth_fit)
    assert "crab.spectral.alpha" in repr(truth_fit)
    assert "<table" in truth_fit._repr_html_()
    content = read_json(truth_fit.write(tmp_path / "fit.json"))
    assert content["success"] is True
    assert content["covariance"]["paths"] == truth_fit.models.free_paths
    np.testing.assert_array_equal(content["covariance"]["matrix"], truth_fit.covariance.matrix)
    by_path = {p["path"]: p for p in content["parameters"]}
    assert by_path["crab.spectral.alpha"]["error"] == truth_fit.models.error("*.alpha")
    assert by_path["crab.spectral.reference"] == {
        "path": "crab.spectral.reference", "value": 1.0, "error": None, "unit": "TeV",
        "min": 1e-12, "max": None, "frozen": True, "link": None,
    }  # fmt: skip
    assert set(content["timings"]) == {"compile", "run", "total"}
    assert "jax" in content["versions"]


def test_pulls_of_toys(asimov_spectra, source):
    """Best fits to 200 Poisson draws scatter around the truth by their own errors."""
    problem = gj.Problem(asimov_spectra, source)
    counts = draw(problem, jax.random.key(5), 200)

    @jax.jit
    def fits(problem, counts):
        def one(c):
            toy = problem.with_counts(c)
            end, at = minimise_and_expand(toy, toy.start, 1e-4, MAX_STEPS)
            return end, laplace(toy, end.z, at).covariance

        return jax.vmap(one)(counts)

    end, covariance = fits(problem, counts)
    assert np.all(end.status == Status.CONVERGED)
    width = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    pulls = (np.asarray(end.z) - np.asarray(problem.start)) / width
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(200))
    assert np.all(np.abs(pulls.std(axis=0) - 1) < 4 / np.sqrt(400))
    # and the statistic falls by a chi-square of three degrees of freedom
    at_truth = jax.jit(jax.vmap(lambda p, c: gj.stat(p.with_counts(c), p.start), in_axes=(None, 0)))(problem, counts)
    fall = np.asarray(at_truth - end.deviance)
    assert abs(fall.mean() - 3) < 4 * np.sqrt(6 / 200)


def test_toys_are_lanes_of_one_program(asimov_spectra, source):
    toys = gj.refit_toys(asimov_spectra, source, key=jax.random.key(1), n=8)
    problem = gj.Problem(asimov_spectra, source)
    counts = draw(problem, jax.random.fold_in(jax.random.key(1), 0), 8)
    for i in range(8):
        one = jax.tree.map(lambda x, i=i: x[i], counts)
        end = BEST(problem.with_counts(one), problem.start)
        error = np.abs(toys.values[i] - problem.layout.natural(end.z))
        assert np.all(error < 0.02 * np.abs(toys.values[i]))
        assert toys.stat[i] == pytest.approx(float(end.deviance), abs=1e-4)


def test_a_network_learns_a_curved_spectrum(asimov_spectra):
    class Bent(gj.SpectralModel):
        base: gj.PowerLaw
        net: eqx.nn.MLP = gj.weights()

        def dnde(self, energy):
            return self.base.dnde(energy) * jnp.exp(self.net(jnp.log(energy)))

    net = eqx.nn.MLP("scalar", "scalar", 6, 1, activation=jnp.tanh, key=jax.random.key(0))
    models = gj.Models(crab=gj.SkyModel(Bent(gj.PowerLaw(amplitude=2e-11, index=2.2), net))).freeze("*")
    found = gj.fit(asimov_spectra, models)
    assert found.success
    straight = gj.fit(asimov_spectra, gj.Models(crab=gj.SkyModel(gj.PowerLaw(amplitude=2e-11))))
    assert straight.stat > 500
    assert found.stat < 2
    energy = np.geomspace(0.3, 10, 20)
    truth = log_parabola()["crab"].spectral(energy)
    np.testing.assert_allclose(found.models["crab"].spectral(energy), truth, rtol=0.1)
    adam = gj.fit(asimov_spectra, models, method="adam", max_steps=300)
    assert adam.stat < straight.stat
