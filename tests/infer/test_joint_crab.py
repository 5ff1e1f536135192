"""The joint Crab spectra against Gammapy's reference numbers and the published fit (A&A 625, A10).

Gammapy integrates the flux of a bin with a log-log trapezoid of a few points, good to 3e-5 for a log
parabola; ours is exact to 1e-10. The difference shows in the statistic of Fermi-LAT far from the best fit:
with Gammapy's rule put into our own predicted counts, its statistic comes out to 1e-6.
"""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad_vec

import gammajax as gj
from gammajax.likelihood.problem import predictions, stat_per_dataset
from gammajax.likelihood.stats import wstat

pytestmark = pytest.mark.data

FILES = {
    "fermi": ["obs0"],
    "magic": ["obs5029747", "obs5029748"],
    "veritas": ["obs54809", "obs57993"],
    "fact": ["stacked"],
    "hess": ["obs23523", "obs23526", "obs23559", "obs23592"],
}
SETUPS = ["with_paper_fit_range", "files_as_they_are"]


@pytest.fixture(scope="module")
def reference(gammajax_data):
    file = gammajax_data.parent / "reference" / "crab_joint_ogip.json"
    if not file.is_file():
        pytest.skip("no reference numbers beside the data")
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def crab_spectra(gammajax_data, reference):
    folder = gammajax_data / "joint-crab" / "spectra"
    whole, cut = [], []
    for instrument, names in FILES.items():
        for name in names:
            (dataset,) = gj.Datasets.read_ogip([folder / instrument / f"pha_{name}.fits"])
            object.__setattr__(dataset, "name", f"{instrument}-{name}")
            whole.append(dataset)
            low, high = reference["fit_ranges_TeV"][instrument]
            cut.append(dataset.select_energy(low, high))
    return {"files_as_they_are": gj.Datasets(whole), "with_paper_fit_range": gj.Datasets(cut)}


def crab(point=None):
    values = {"amplitude": 3.8e-11, "reference": 1.0, "alpha": 2.5, "beta": 0.24}
    for key, entry in (point or {}).items():
        values[key.split("[")[0]] = entry["value"]
    return gj.Models(crab=gj.SkyModel(gj.LogParabola(**values)))


def points(reference, setup):
    for point in reference[setup]["fixed_points"].values():
        yield crab(point["point"]), point["stat_per_dataset"]


def ours(datasets, models):
    problem = gj.Problem(datasets, models)
    return dict(
        zip(
            datasets.names,
            np.asarray(stat_per_dataset(problem, problem.layout.values(problem.start))),
            strict=True,
        )
    )


def counts_of(datasets, models):
    problem = gj.Problem(datasets, models)
    out = {}
    predicted = predictions(problem, problem.layout.values(problem.start))
    for group, (signal, _) in zip(problem.groups, predicted, strict=True):
        for row, i in enumerate(group.index.tolist()):
            out[datasets.names[i]] = np.asarray(signal[row])[: datasets[i].counts.size]
    return out


def folded(dataset, flux):
    return (flux * np.asarray(dataset.exposure)) @ np.asarray(dataset.edisp)


def brute(dataset, spectrum):
    """Flux of each bin by adaptive quadrature in ln E."""
    edges = np.log(np.asarray(dataset.energy_true))
    width = np.diff(edges)

    def integrand(t):
        e = np.exp(edges[:-1] + t * width)
        return spectrum(e).value * e * width

    return quad_vec(integrand, 0, 1, epsrel=1e-12)[0]


def gammapy_rule(dataset, spectrum):
    """Flux of each bin as Gammapy 2.1 computes it: power laws between 100 points a decade, 4 or 5 a bin."""
    edges = np.asarray(dataset.energy_true)
    points = int(max(np.max(100 * np.log10(edges[1:] / edges[:-1])), 2))
    e = np.geomspace(edges[:-1], edges[1:], points, axis=1)
    f = spectrum(e).value
    index = -np.diff(np.log(f), axis=1) / np.diff(np.log(e), axis=1)
    ratio = e[:, 1:] / e[:, :-1]
    return (f[:, :-1] * e[:, :-1] * (ratio ** (1 - index) - 1) / (1 - index)).sum(axis=1)


@pytest.mark.parametrize("setup", SETUPS)
def test_statistic_at_the_fixed_points(setup, crab_spectra, reference):
    datasets = crab_spectra[setup]
    for models, expected in points(reference, setup):
        got = ours(datasets, models)
        for name in datasets.names:
            # The quadrature of Gammapy, see below: up to 0.023, for Fermi-LAT at the point that is far off.
            assert got[name] == pytest.approx(expected[name], rel=1e-4), name


def test_our_counts_are_those_of_a_brute_force_integral(crab_spectra):
    datasets, models = crab_spectra["files_as_they_are"], crab()
    got = counts_of(datasets, models)
    for dataset in datasets:
        expected = folded(dataset, brute(dataset, models["crab"].spectral))
        np.testing.assert_allclose(got[dataset.name], expected, rtol=1e-8)


@pytest.mark.parametrize("setup", SETUPS)
def test_gammapys_quadrature_gives_gammapys_statistic(setup, crab_spectra, reference):
    for models, expected in points(reference, setup):
        for dataset in crab_spectra[setup]:
            signal = jnp.asarray(folded(dataset, gammapy_rule(dataset, models["crab"].spectral)))
            each = wstat(dataset.counts, dataset.counts_off, dataset.alpha, signal)
            got = float(jnp.sum(jnp.where(dataset.mask, each, 0.0)))
            assert got == pytest.approx(expected[dataset.name], abs=1e-6), dataset.name


def test_best_fit(crab_spectra, reference):
    expected = reference["with_paper_fit_range"]["fit"]
    found = gj.fit(crab_spectra["with_paper_fit_range"], crab())
    assert found.success
    assert found.stat == pytest.approx(expected["total_stat"], abs=1e-3)
    for path, number in expected["free_parameters"].items():
        assert abs(found.models.value(path) - number["best"]) < 0.02 * number["error_hesse"]
        assert found.models.error(path) == pytest.approx(number["error_hesse"], rel=0.01)
    # A&A 625, A10, table 2; the paper's beta belongs to the decadic logarithm
    log10 = np.log(10)
    for path, value, error, factor in (
        ("*.amplitude", 38.49e-12, 1.14e-12, 1.0),
        ("*.alpha", 2.5054, 0.0255, 1.0),
        ("*.beta", 0.2362, 0.0245, log10),
    ):
        assert abs(factor * found.models.value(path) - value) < 0.02 * error
        assert factor * found.models.error(path) == pytest.approx(error, rel=0.01)


@pytest.mark.parametrize("pivot", ["0.05 TeV", "20 TeV"])
def test_pivot_energy(crab_spectra, pivot):
    datasets = crab_spectra["with_paper_fit_range"]
    one, other = gj.fit(datasets, crab()), gj.fit(datasets, crab().set("*.reference", pivot))
    error = one.models.error("*.beta")
    assert abs(other.models.value("*.beta") - one.models.value("*.beta")) < 1e-3 * error
    assert abs(other.models.error("*.beta") - error) < 1e-3 * error


PAPER = {
    "crab.spectral.amplitude": (38.80e-12, 3.54e-12),
    "crab.spectral.alpha": (2.5108, 0.0376),
    "crab.spectral.beta": (0.2423 / np.log(10), 0.0276 / np.log(10)),
    "scale_fermi.delta": (0.004, 0.05),
    "scale_magic.delta": (-0.003, 0.06),
    "scale_veritas.delta": (-0.056, 0.06),
    "scale_fact.delta": (-0.103, 0.07),
    "scale_hess.delta": (0.099, 0.07),
}
"""Fit with a free energy scale per telescope, published value and error (of the scales: our error)."""


def test_energy_scales_as_published(crab_spectra):
    """Section 4.4 of the paper: energy scales with priors of 5 % (Fermi-LAT) and 15 % (the others)."""
    datasets = crab_spectra["with_paper_fit_range"]
    scales = {
        f"scale_{name}": gj.EnergyScale(datasets_names=[d for d in datasets.names if d.startswith(name)])
        for name in FILES
    }
    models = crab().add(scales).prior("scale_*.delta", gj.Normal(0.0, 0.15))
    fit = gj.fit(datasets, models.prior("scale_fermi.delta", gj.Normal(0.0, 0.05)))
    assert fit.success
    for path, (value, error) in PAPER.items():
        assert abs(fit.models.value(path) - value) < 0.03 * error, path
        if not path.startswith("scale"):
            assert fit.models.error(path) == pytest.approx(error, rel=0.01)
    posterior = gj.sample(datasets, fit, key=3)
    assert posterior.trusted
    for path, mean in zip(posterior.paths, posterior.mean, strict=True):
        value, error = PAPER[path]
        assert abs(mean - value) < 0.2 * error, path
