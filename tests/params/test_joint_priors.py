"""Correlated priors: density, derivatives, rules of the table, files, fit and sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import log_parabola, on_off
from scipy.stats import multivariate_normal

import gammajax as gj
from gammajax.errors import PriorError
from gammajax.infer.expansion import exact_hessian, expand
from gammajax.likelihood.problem import prior_stat

CORRELATION = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, -0.3], [0.0, -0.3, 1.0]])
PATHS = ["s0.delta", "s1.delta", "s2.delta"]
MU, SIGMA = np.array([0.0, 0.1, -0.1]), np.array([0.1, 0.2, 0.15])


def scales():
    return log_parabola().add({f"s{i}": gj.EnergyScale(datasets_names=f"d{i}") for i in range(3)})


@pytest.fixture(scope="module")
def models():
    return scales().prior(PATHS, gj.MultiNormal(mu=list(MU), sigma=list(SIGMA), correlation=CORRELATION))


def test_density_is_that_of_scipy(models):
    problem = gj.Problem(on_off(n=3), models)
    values = np.array(problem.layout.values(problem.start))
    values[[models.free_paths.index(p) + 1 for p in PATHS]] = [0.05, -0.02, 0.11]
    wanted = multivariate_normal(MU, CORRELATION * np.outer(SIGMA, SIGMA)).logpdf([0.05, -0.02, 0.11])
    assert prior_stat(problem, jnp.asarray(values)) == pytest.approx(-2 * wanted, rel=1e-12)


def test_derivatives(models):
    """The priors' part of gradient and Hessian, as the difference that they make, against automatic derivatives."""
    problem, free = (gj.Problem(on_off(n=3), m) for m in (models, scales()))
    z = problem.start + 0.01
    at, without = (jax.jit(expand)(p, z) for p in (problem, free))

    def own(z):
        return prior_stat(problem, problem.layout.values(z))

    np.testing.assert_allclose(at.gradient - without.gradient, jax.grad(own)(z), atol=1e-6)
    curvature = jax.jit(jax.hessian(own))(z)
    np.testing.assert_allclose(at.hessian - without.hessian, curvature, atol=1e-6)
    exact = jax.jit(exact_hessian)
    np.testing.assert_allclose(exact(problem, z) - exact(free, z), curvature, atol=1e-6)


def test_quantiles_have_the_covariance(models):
    (group,) = models.priors
    q = np.random.default_rng(1).random((20000, 1, 3))
    drawn = np.asarray(jax.jit(jax.vmap(group.ppf))(q))[:, 0]
    np.testing.assert_allclose(drawn.mean(axis=0), MU, atol=0.006)
    np.testing.assert_allclose(np.corrcoef(drawn.T), CORRELATION, atol=0.02)


def test_a_correlated_scale_is_carried_along():
    """Data that move one scale move the other with it, as the correlation says."""
    truth = scales().set("s0.delta", 0.1)
    datasets = gj.asimov(on_off(n=3), truth)[:1]
    models = log_parabola().add(s0=gj.EnergyScale(datasets_names="d0"), s1=gj.EnergyScale(datasets_names="d0"))
    models = models.freeze("crab.*").prior(["s0.delta", "s1.delta"], gj.MultiNormal(0.0, 0.1, [[1, 0.9], [0.9, 1]]))
    fit = gj.fit(datasets, models)
    assert fit.success
    assert fit.models.value("s0.delta") == pytest.approx(fit.models.value("s1.delta"), rel=1e-3)
    covariance = fit.covariance
    assert covariance.matrix[0, 1] < covariance.matrix[0, 0]


def test_numbers_change_without_compiling(models):
    from gammajax.infer.stopwatch import Stopwatch

    datasets = on_off(n=3)
    gj.fit(datasets, models)
    with Stopwatch() as watch:
        gj.fit(datasets, scales().prior(PATHS, gj.MultiNormal(0.0, 0.2, np.eye(3))))
    assert watch.programs == 0


def test_table_and_files(models, tmp_path):
    assert "MultiNormal(0.1, 0.2; 2 of 3)" in repr(models)
    for name in ("models.yaml", "models.h5"):
        again = gj.Models.read(models.write(tmp_path / name))
        assert repr(again.rows) == repr(models.rows)
    with pytest.raises(PriorError, match=r"alpha: the prior MultiNormal.*has no form in Gammapy's files"):
        log_parabola().prior(["crab.spectral.alpha", "crab.spectral.beta"], gj.MultiNormal(0.0, 1.0, np.eye(2))).write(
            tmp_path / "gammapy.yaml", gammapy=True
        )


def test_a_joint_prior_stays_whole(models):
    whole = "s0.delta, s1.delta, s2.delta share one prior, and s1.delta would leave it"
    for change in (lambda m: m.prior("s1.delta", None), lambda m: m.prior("s1.delta", gj.Normal(0, 1))):
        with pytest.raises(PriorError, match=whole):
            change(models)
    with pytest.raises(PriorError, match=whole):
        models.drop("s1")
    with pytest.raises(PriorError, match="s1.delta has a prior"):
        models.link("s1.delta", "s0.delta")
    assert not any(row.prior for row in models.prior("s*.delta", None).rows.values())
    assert models.freeze("s1.delta").prior(["s*.delta"], None).drop("s1").free_paths[-1] == "s2.delta"


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (gj.MultiNormal(0.0, 1.0, np.eye(3)), r"needs a correlation matrix of shape \(2, 2\), got \(3, 3\)"),
        (gj.MultiNormal(0.0, 1.0, [[1, 0.5], [0.2, 1]]), "must be symmetric, with ones on its diagonal"),
        (gj.MultiNormal(0.0, 1.0, [[1, 1.5], [1.5, 1]]), "is not positive definite"),
        (gj.MultiNormal(0.0, [1.0, -1.0], np.eye(2)), "sigma in the prior of .* must be positive"),
        (gj.MultiNormal([0.0], 1.0, np.eye(2)), "1 numbers for 2 parameters"),
    ],
)
def test_numbers_that_make_no_density(prior, message):
    with pytest.raises(PriorError, match=message):
        scales().prior(["s0.delta", "s1.delta"], prior)


def test_linked_parameters_take_no_share():
    with pytest.raises(PriorError, match="s1.delta are linked"):
        scales().link("s1.delta", "s0.delta").prior(["s0.delta", "s1.delta"], gj.MultiNormal(0.0, 1.0, np.eye(2)))


def test_units_are_those_of_the_parameters():
    models = scales().prior(
        ["crab.spectral.amplitude", "crab.spectral.alpha"],
        gj.MultiNormal(["3e-8 m-2 s-1 TeV-1", 2.4], ["1e-9 m-2 s-1 TeV-1", 0.1], np.eye(2)),
    )
    joint = models.rows["crab.spectral.alpha"].prior.joint
    np.testing.assert_allclose(joint.mu, [3e-12, 2.4])
    np.testing.assert_allclose(joint.sigma, [1e-13, 0.1])
