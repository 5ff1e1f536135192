"""Priors, links and covariance together, in files that go both ways between Gammapy and gammajax."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from made_spectra import on_off

import gammajax as gj
from gammajax.models.covariance import Covariance

pytest.importorskip("gammapy.datasets")
pytestmark = pytest.mark.filterwarnings("ignore")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from gammapy.datasets import Datasets as Reference
    from gammapy.modeling import Parameter
    from gammapy.modeling import models as reference

PAIRS = [
    (gj.Normal(1.0, 0.3), reference.GaussianPrior(mu=1.0, sigma=0.3)),
    (gj.Uniform(0.1, 3.0), reference.UniformPrior(min=0.1, max=3.0)),
    (gj.LogUniform(0.1, 10.0), reference.LogUniformPrior(min=0.1, max=10.0)),
    (gj.GeneralizedGaussian(1.0, 0.3), reference.GeneralizedGaussianPrior(mu=1.0, sigma=0.3, eta=0.5)),
    (gj.GeneralizedGaussian(1.0, 0.3, 0.2), reference.GeneralizedGaussianPrior(mu=1.0, sigma=0.3, eta=0.2)),
    (gj.GeneralizedGaussian(1.0, 0.3, 1.0), reference.GeneralizedGaussianPrior(mu=1.0, sigma=0.3, eta=1.0)),
]


@pytest.mark.parametrize("weight", [1.0, 0.25, 3.0])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair[0]))
def test_values_and_quantiles(pair, weight):
    """The statistic is Gammapy's number, constants and weight included; quantiles are those of the plain prior."""
    ours, theirs = pair
    theirs.weight = weight
    weighted = ours if weight == 1.0 else gj.Tempered(ours, weight)
    x = np.array([0.4, 0.9, 1.0, 2.0])
    expected = [theirs(Parameter("x", v)) for v in x]
    theirs.weight = 1.0
    np.testing.assert_allclose(
        -2 * jax.vmap(weighted.in_unit("", "x").log_prob)(jnp.asarray(x)), expected, rtol=1e-7, atol=1e-7
    )
    q = np.array([0.01, 0.3, 0.5, 0.77, 0.999])
    np.testing.assert_allclose(jax.vmap(ours.in_unit("", "x").ppf)(jnp.asarray(q)), theirs._inverse_cdf(q), rtol=1e-9)


def theirs():
    """Two sources that share an index, with every prior of Gammapy, weights among them."""
    dnde = u.Unit("cm-2 s-1 TeV-1")
    first = reference.PowerLawSpectralModel(index=2.3, amplitude=2e-11 * dnde, reference=1 * u.TeV)
    second = reference.PowerLawSpectralModel(index=2.3, amplitude=1e-11 * dnde, reference=2 * u.TeV)
    second.index = first.index
    first.amplitude.prior = reference.LogUniformPrior(min=1e-13, max=1e-9, weight=2.0)
    first.reference.prior = reference.UniformPrior(min=0.5, max=1.5)
    first.index.prior = reference.GeneralizedGaussianPrior(mu=2.1, sigma=0.3, eta=0.25, weight=0.5)
    second.amplitude.prior = reference.GaussianPrior(mu=1.2e-11, sigma=3e-12)
    first.index.min, first.index.max = 1.0, 5.0
    names = {"datasets_names": ["d0", "d2"]}
    return reference.Models([reference.SkyModel(first, name="a"), reference.SkyModel(second, name="b", **names)])


def value(datasets, models):
    problem = gj.Problem(datasets, models)
    return float(gj.stat(problem, problem.start))


def fitted(models):
    """The models with a covariance as after a fit."""
    paths = models.free_paths
    values = np.array([models.value(p) for p in paths])
    half = np.random.default_rng(1).normal(size=(len(paths), len(paths))) * 0.1
    found = Covariance(tuple(paths), half @ half.T * np.outer(values, values))
    return models.fitted(dict(zip(paths, values, strict=True)), found)


@pytest.fixture
def data(tmp_path):
    ours = on_off()
    return ours, Reference.read(ours.write(tmp_path / "data"))


def test_from_gammapy_and_back(tmp_path, data):
    ours, peers = data
    peers.models = theirs()
    peers.models.write(tmp_path / "theirs.yaml")
    models = gj.Models.read(tmp_path / "theirs.yaml")
    assert models.datasets_names == {"a": None, "b": ("d0", "d2")}
    assert str(models.rows["b.spectral.index"].link) == "a.spectral.index"
    assert (models.rows["a.spectral.index"].lower, models.rows["a.spectral.index"].upper) == (1.0, 5.0)
    assert str(models.rows["a.spectral.amplitude"].prior) == "LogUniform(1e-13, 1e-09)^2"
    assert value(ours, models) == pytest.approx(peers.stat_sum(), rel=1e-6)
    models = fitted(models)
    again = reference.Models.read(models.write(tmp_path / "ours.yaml", gammapy=True))
    peers.models = again
    assert peers.stat_sum() == pytest.approx(value(ours, models), rel=1e-6)
    assert again["b"].spectral_model.index is again["a"].spectral_model.index
    assert again["a"].spectral_model.amplitude.prior.weight == 2.0
    assert again["b"].datasets_names == ["d0", "d2"]
    assert again["b"].spectral_model.amplitude.error == pytest.approx(models.error("b.spectral.amplitude"))
    matrix, names = again.covariance.data, again.parameters_unique_names
    place = [names.index(p) for p in ("a.spectral.index", "a.spectral.amplitude")]
    mine = [models.covariance.paths.index(p) for p in ("a.spectral.index", "a.spectral.amplitude")]
    np.testing.assert_allclose(matrix[np.ix_(place, place)], models.covariance.matrix[np.ix_(mine, mine)], rtol=1e-9)
    back = gj.Models.read(tmp_path / "ours.yaml")
    assert str(back) == str(models)
    np.testing.assert_allclose(back.covariance.matrix, models.covariance.matrix, rtol=1e-12)
