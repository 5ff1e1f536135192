import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import gammajax as gj
from gammajax.errors import OutOfBounds, PriorError, UnitMismatch

CASES = {
    "normal": (gj.Normal(1.0, 0.3), stats.norm(1.0, 0.3)),
    "lognormal": (gj.LogNormal(2.0, 0.4), stats.lognorm(0.4, scale=2.0)),
    "uniform": (gj.Uniform(0.5, 3.0), stats.uniform(0.5, 2.5)),
    "loguniform": (gj.LogUniform(0.1, 10.0), stats.loguniform(0.1, 10.0)),
    "generalised gaussian": (gj.GeneralizedGaussian(1.0, 0.3), stats.norm(1.0, 0.3)),
    "box": (gj.GeneralizedGaussian(1.0, 2.0, 0.2), stats.gennorm(5.0, 1.0, 2.0 * np.sqrt(2))),
    "laplace": (gj.GeneralizedGaussian(1.0, 0.3, 1.0), stats.laplace(1.0, 0.3 * np.sqrt(2))),
    "heavy": (gj.GeneralizedGaussian(1.0, 0.3, 1.5), stats.gennorm(1 / 1.5, 1.0, 0.3 * np.sqrt(2))),
}


@pytest.fixture(params=CASES)
def pair(request):
    prior, reference = CASES[request.param]
    return prior.in_unit("", "x"), reference


def test_density_as_in_scipy(pair):
    prior, reference = pair
    x = np.linspace(-1, 12, 200)
    ours = jax.vmap(prior.log_prob)(jnp.asarray(x))
    # The peak of a generalised Gaussian is rounded by 1e-8.
    rounding = 2e-8 if isinstance(prior, gj.GeneralizedGaussian) else 1e-12
    np.testing.assert_allclose(ours, reference.logpdf(x), rtol=1e-12, atol=rounding)


def test_ppf_is_the_inverse_of_the_distribution(pair):
    prior, reference = pair
    q = np.linspace(0.001, 0.999, 50)
    np.testing.assert_allclose(reference.cdf(jax.vmap(prior.ppf)(jnp.asarray(q))), q, rtol=1e-10)


def test_support_is_where_the_density_is_not_zero(pair):
    prior, reference = pair
    assert prior.support == pytest.approx(reference.support())


def test_gradients_are_finite_outside_the_support(pair):
    prior, _ = pair
    slope = jax.vmap(jax.grad(prior.log_prob))(jnp.array([-5.0, 0.0, 1.0, 50.0]))
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("eta", [0.1, 0.25, 0.4, 0.5, 0.7, 1.0, 2.0])
def test_derivatives_at_the_peak(eta):
    """Finite, and exact where they are: the curvature of a Gaussian is 1 / sigma^2."""
    prior = gj.GeneralizedGaussian(1.0, 0.3, eta).in_unit("", "x")
    slope, curvature = jax.grad(prior.log_prob), jax.grad(jax.grad(prior.log_prob))
    assert float(slope(1.0)) == 0.0
    assert np.isfinite(curvature(1.0))
    assert float(curvature(1.0)) <= 0.0
    if eta == 0.5:
        assert float(curvature(1.0)) == pytest.approx(-1 / 0.09, rel=1e-12)


@pytest.mark.parametrize("eta", [0.05, 0.5, 1.0, 4.0])
def test_quantiles_to_the_ends(eta):
    prior = gj.GeneralizedGaussian(1.0, 0.3, eta).in_unit("", "x")
    q = np.array([1e-12, 1e-6, 0.5, 1 - 1e-6, 1 - 1e-12])
    reference = stats.gennorm(1 / eta, 1.0, 0.3 * np.sqrt(2))
    np.testing.assert_allclose(jax.vmap(prior.ppf)(jnp.asarray(q)), reference.ppf(q), rtol=1e-4)
    np.testing.assert_array_equal(jax.vmap(prior.ppf)(jnp.array([0.0, 1.0])), [-np.inf, np.inf])


TEMPERED = {
    **{key: prior for key, (prior, _) in CASES.items()},
    "narrow": gj.LogNormal(2.0, 0.1),
    "wide": gj.LogUniform(1e-3, 1e3),
}


@pytest.mark.parametrize("weight", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("prior", TEMPERED.values(), ids=TEMPERED)
def test_a_tempered_prior(prior, weight):
    """`log_prob` is the weight times that of the prior; quantiles are those of `p^weight`, normalised."""
    tempered, plain = gj.Tempered(prior, weight).in_unit("", "x"), prior.in_unit("", "x")
    assert tempered.support == plain.support
    q = np.array([0.0005, 0.1, 0.3, 0.5, 0.8, 0.9995])
    x = np.asarray(jax.vmap(tempered.ppf)(jnp.asarray(q)))
    np.testing.assert_allclose(jax.vmap(tempered.log_prob)(x), weight * jax.vmap(plain.log_prob)(x), rtol=1e-12)
    # Between two quantiles lies their difference of the probability.
    density = jax.vmap(jax.vmap(tempered.log_prob))
    node, share = np.polynomial.legendre.leggauss(64)
    parts = []
    for low, high in zip(x[:-1], x[1:], strict=True):
        # In pieces: the density of a Laplace prior has a kink at its peak.
        edges = np.unique(np.clip(np.append(np.linspace(low, high, 60), 1.0), low, high))
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
        parts.append(np.sum(np.exp(density(jnp.asarray(middle + half * node))) * half * share))
    np.testing.assert_allclose(np.array(parts) / np.sum(parts), np.diff(q) / (q[-1] - q[0]), rtol=1e-5)


def test_tempered_priors_in_groups():
    """One group for each family inside, whatever the numbers."""
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw(index=1.5)), b=gj.SkyModel(gj.PowerLaw(index=1.5)))
    models = models.prior("a.*.index", gj.Tempered(gj.Normal(2.0, 0.5), 0.5)).prior("a.*.amplitude", gj.Normal(0, 1))
    models = models.prior("b.*.index", gj.Tempered(gj.Normal(1.0, 0.2), 2.0))
    models = models.prior("b.*.amplitude", gj.Tempered(gj.LogUniform(1e-14, 1e-10), 2.0))
    groups = {tuple(group.slots.tolist()): group for group in models.priors}
    assert set(groups) == {(0, 3), (4,), (1,)}
    values = models.layout.values(models.layout.z)
    expected = np.array([0.5, 2.0]) * stats.norm.logpdf([1.5, 1.5], [2.0, 1.0], [0.5, 0.2])
    np.testing.assert_allclose(groups[0, 3].log_prob(values), expected, rtol=1e-12)
    assert str(models.rows["a.spectral.index"].prior) == "Normal(2, 0.5)^0.5"


def test_the_law_of_a_prior_of_ones_own_is_not_known():
    class Flat(gj.Normal.__mro__[1]):
        height: float

        def log_prob(self, x):
            return 0.0 * x

    tempered = gj.Tempered(Flat(1.0), 2.0).in_unit("", "x")
    with pytest.raises(NotImplementedError, match=r"Flat does not define power_ppf"):
        tempered.ppf(0.5)


def test_units_of_numbers():
    models = gj.Models(a=gj.SkyModel(gj.ExpCutoffPowerLaw()))
    row = models.prior("*.lambda_", gj.Normal("0.1 TeV-1", "20 PeV-1")).rows["a.spectral.lambda_"]
    assert (float(row.prior.mu), float(row.prior.sigma)) == pytest.approx((0.1, 0.02))
    wide = models.prior("*.amplitude", gj.LogNormal("1e-8 m-2 s-1 TeV-1", 0.5)).rows["a.spectral.amplitude"]
    assert (float(wide.prior.median), float(wide.prior.sigma)) == pytest.approx((1e-12, 0.5))


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (gj.Normal(1.5, 0.0), PriorError, "sigma of its prior must be positive, got 0"),
        (gj.Normal(np.nan, 1.0), PriorError, "mu of the Normal prior must be finite"),
        (gj.LogNormal(-1.0, 1.0), PriorError, "median of its prior must be positive"),
        (gj.Uniform(2.0, 1.0), PriorError, "lower limit 2 is not below its upper limit 1"),
        (gj.LogUniform(0.0, 1.0), PriorError, "lower of its prior must be positive"),
        (gj.Normal("1 TeV", 1.0), UnitMismatch, "mu of its prior"),
        (gj.Uniform(5.0, 6.0), OutOfBounds, r"starts at 1.5, where its prior Uniform\(5, 6\) is zero"),
        (gj.GeneralizedGaussian(1.5, 0.0), PriorError, "sigma of its prior must be positive, got 0"),
        (gj.GeneralizedGaussian(1.5, 1.0, 0.0), PriorError, "eta of its prior must be positive, got 0"),
        (gj.Tempered(gj.Normal(1.5, 1.0), 0.0), PriorError, "weight of its prior must be above 0 and finite, got 0"),
        (gj.Tempered(gj.Normal(1.5, -1.0), 2.0), PriorError, "sigma of its prior must be positive"),
        (gj.Tempered(gj.Tempered(gj.Normal(1.5, 1.0), 2.0), 2.0), PriorError, "Tempered takes a prior such as Normal"),
        (gj.Tempered(2.0, gj.Normal(1.5, 1.0)), PriorError, "Tempered takes a prior such as Normal and a weight"),
        (gj.Tempered(gj.Uniform(5.0, 6.0), 2.0), OutOfBounds, r"where its prior Uniform\(5, 6\)\^2 is zero"),
        (stats.norm(1.5, 1.0), PriorError, "one of the classes Normal, Uniform"),
    ],
)
def test_priors_that_make_no_sense(prior, error, message):
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw(index=1.5)))
    with pytest.raises(error, match=message) as caught:
        models.prior("*.index", prior)
    assert "a.spectral.index" in str(caught.value)


def test_one_group_per_family_in_slot_order():
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw(index=1.5)), b=gj.SkyModel(gj.PowerLaw(index=1.5)))
    models = models.prior("b.*.index", gj.Normal(2.0, 0.5)).prior("a.*.index", gj.Normal(1.0, 0.2))
    models = models.prior("a.*.amplitude", gj.LogUniform(1e-13, 1e-11))
    log_uniform, normal = models.priors
    assert (log_uniform.slots.tolist(), normal.slots.tolist()) == ([1], [0, 3])
    values = models.layout.values(models.layout.z)
    expected = stats.norm.logpdf([1.5, 1.5], [1.0, 2.0], [0.2, 0.5])
    np.testing.assert_allclose(normal.log_prob(values), expected, rtol=1e-12)


def test_the_users_own_prior():
    class Cauchy(gj.Normal.__mro__[1]):
        centre: float
        width: float

        def log_prob(self, x):
            return -jnp.log(jnp.pi * self.width) - jnp.log1p(((x - self.centre) / self.width) ** 2)

    models = gj.Models(a=gj.SkyModel(gj.PowerLaw(index=1.5))).prior("*.index", Cauchy(2.0, 0.5))
    values = models.layout.values(models.layout.z)
    assert models.priors[0].log_prob(values)[0] == pytest.approx(stats.cauchy.logpdf(1.5, 2.0, 0.5))
