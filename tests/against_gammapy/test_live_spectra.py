"""Spectra, statistics, models and priors live against Gammapy 2.1, on made data."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from made_spectra import log_parabola, on_off

pytest.importorskip("gammapy.datasets")
pytestmark = pytest.mark.filterwarnings("ignore")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from gammapy.datasets import Datasets as Reference
    from gammapy.datasets import SpectrumDatasetOnOff
    from gammapy.modeling import models as reference
    from gammapy.stats import cash, wstat

import gammajax as gj  # noqa: E402
from gammajax.likelihood import stats  # noqa: E402
from gammajax.likelihood.problem import stat_per_dataset  # noqa: E402
from gammajax.models.spectral import evaluate  # noqa: E402

DNDE = u.Unit("cm-2 s-1 TeV-1")
ENERGY = np.geomspace(0.01, 100, 13)


def test_wstat():
    grid = np.array(
        np.meshgrid(
            [0.0, 1.0, 7.0, 400.0],
            [0.0, 1.0, 30.0, 1e4],
            [1e-3, 0.05, 1.0, 30.0],
            [1e-8, 0.7, 5.3, 1e3],
            indexing="ij",
        )
    ).reshape(4, -1)
    np.testing.assert_allclose(stats.wstat(*grid), wstat(*grid), rtol=1e-6, atol=1e-6)


def test_cash():
    n, mu = np.array(np.meshgrid([0.0, 1.0, 50.0], [1e-20, 0.1, 3.0, 1e5])).reshape(2, -1)
    np.testing.assert_allclose(stats.cash(n, mu), cash(n, mu), rtol=1e-12)


PAIRS = [
    ("PowerLaw", {"index": 2.3, "amplitude": 2e-12, "reference": 3.0}),
    ("ExpCutoffPowerLaw", {"index": 1.7, "amplitude": 2e-12, "reference": 3.0, "lambda_": 0.2, "alpha": 1.3}),
    ("LogParabola", {"amplitude": 2e-12, "reference": 3.0, "alpha": 2.3, "beta": 0.15}),
]


@pytest.mark.parametrize(("name", "values"), PAIRS)
def test_spectral_models(name, values):
    ours = getattr(gj, name)
    theirs = reference.Model.create(ours.tag[0], "spectral")
    assert set(theirs.parameters.names) == set(values)
    for key, x in values.items():
        theirs.parameters[key].quantity = u.Quantity(x, gj.Models(a=gj.SkyModel(ours())).rows[f"a.spectral.{key}"].unit)
    expected = theirs(ENERGY * u.TeV).to_value(DNDE)
    np.testing.assert_allclose(evaluate(ours(**values), jnp.asarray(ENERGY)), expected, rtol=1e-10)
    default = reference.Model.create(ours.tag[1], "spectral")
    np.testing.assert_allclose(
        evaluate(ours(), jnp.asarray(ENERGY)), default(ENERGY * u.TeV).to_value(DNDE), rtol=1e-10
    )
    for key in values:
        assert gj.Models(a=gj.SkyModel(ours())).rows[f"a.spectral.{key}"].frozen == default.parameters[key].frozen


def test_priors():
    from gammapy.modeling import Parameter

    pairs = [
        (gj.Normal(1.0, 0.3), reference.GaussianPrior(mu=1.0, sigma=0.3)),
        (gj.LogUniform(0.1, 10.0), reference.LogUniformPrior(min=0.1, max=10.0)),
    ]
    for ours, theirs in pairs:
        x = np.array([0.4, 0.9, 2.0])
        expected = [theirs(Parameter("x", v)) for v in x]
        got = -2 * jax.vmap(ours.in_unit("", "x").log_prob)(jnp.asarray(x))
        np.testing.assert_allclose(got - got[0], np.array(expected) - expected[0], rtol=1e-10)


def reference_models(**values):
    numbers = {"amplitude": 3e-11 * DNDE, "reference": 1 * u.TeV, "alpha": 2.4, "beta": 0.1} | values
    return [reference.SkyModel(reference.LogParabolaSpectralModel(**numbers), name="crab")]


def ours(datasets, models):
    problem = gj.Problem(datasets, models)
    return np.asarray(stat_per_dataset(problem, problem.layout.values(problem.start)))


def test_gammapy_reads_what_we_write(tmp_path):
    data = on_off()
    theirs = Reference.read(data.write(tmp_path))
    theirs.models = reference_models(beta=0.0)
    assert theirs.names == data.names
    for a, b in zip(theirs, data, strict=True):
        np.testing.assert_allclose(a.alpha.data.ravel(), b.alpha, rtol=1e-12)
        np.testing.assert_allclose(
            a.exposure.data.ravel(),
            np.asarray(b.exposure) * 1e-4 if a.exposure.unit == "m2 s" else b.exposure,
            rtol=1e-6,
        )
        np.testing.assert_array_equal(a.mask_safe.data.ravel(), b.mask_safe)
    # A power law is integrated exactly by both.
    expected = [d.stat_sum() for d in theirs]
    np.testing.assert_allclose(ours(data, log_parabola(beta=0.0)), expected, rtol=1e-6)


def test_we_read_what_gammapy_writes(tmp_path):
    files = []
    for dataset in Reference.read(on_off().write(tmp_path)):
        files.append(tmp_path / f"theirs_{dataset.name}.fits")
        dataset.write(files[-1], format="ogip")
    back = gj.Datasets.read_ogip(files)
    assert back.names == on_off().names
    np.testing.assert_allclose(ours(back, log_parabola()), ours(on_off(), log_parabola()), rtol=1e-6)


def test_datasets_of_gammapy_with_models(tmp_path):
    """Datasets and models that Gammapy writes together are read together, with equal statistic."""
    theirs = Reference.read(on_off().write(tmp_path / "ours"))
    theirs.models = reference_models(beta=0.0)
    theirs.write(tmp_path / "datasets.yaml", filename_models=tmp_path / "models.yaml")
    data, models = gj.Datasets.read(tmp_path / "datasets.yaml"), gj.Models.read(tmp_path / "models.yaml")
    np.testing.assert_allclose(ours(data, models), [d.stat_sum() for d in theirs], rtol=1e-6)


def test_gammapy_reads_what_we_read_of_real_data(tmp_path, gammajax_data):
    """Spectra of five instruments: read, written, read by Gammapy, with the statistic of the first file."""
    folder = gammajax_data / "joint-crab" / "spectra"
    names = ["hess/pha_obs23523", "magic/pha_obs5029747", "veritas/pha_obs54809", "fact/pha_stacked", "fermi/pha_obs0"]
    data = gj.Datasets.read_ogip([folder / f"{name}.fits" for name in names])
    theirs = Reference.read(data.write(tmp_path))
    theirs.models = reference_models(beta=0.0)
    np.testing.assert_allclose(ours(data, log_parabola(beta=0.0)), [d.stat_sum() for d in theirs], rtol=1e-6)
    first = Reference(
        [SpectrumDatasetOnOff.read(folder / f"{name}.fits", name=f"d{i}") for i, name in enumerate(names)]
    )
    first.models = reference_models(beta=0.0)
    np.testing.assert_allclose([d.stat_sum() for d in theirs], [d.stat_sum() for d in first], rtol=1e-6)
