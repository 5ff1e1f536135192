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
}


@pytest.fixture(params=CASES)
def pair(request):
    prior, reference = CASES[request.param]
    return prior.in_unit("", "x"), reference


def test_density_as_in_scipy(pair):
    prior, reference = pair
    x = np.linspace(-1, 12, 200)
    ours = jax.vmap(prior.log_prob)(jnp.asarray(x))
    np.testing.assert_allclose(ours, reference.logpdf(x), rtol=1e-12, atol=1e-12)


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
