"""What was put in comes out: excess and fitted spectrum of simulated archives."""

import numpy as np
import pytest

from gammajax.data import DataStore
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import circle
from gammajax.infer.fit import fit
from gammajax.likelihood.problem import Problem, predictions
from gammajax.models.collection import Models
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.simulate import INSTRUMENTS, simulate_dl3

ENERGY = energy_edges("20 GeV", "100 TeV", per_decade=10)
ENERGY_TRUE = energy_edges("10 GeV", "150 TeV", per_decade=20)
FREE = ("amplitude", "alpha", "beta")


def reduced(folder, name, position):
    """On-off spectra above the threshold of the instrument."""
    return reduce_spectra(
        DataStore.from_dir(folder / name).observations(),
        circle(position, "0.11 deg" if name == "hess" else None),
        energy=ENERGY,
        energy_true=ENERGY_TRUE,
        background=WobbleRegions(3) if name == "lst" else ReflectedRegions(),
        containment_correction=name == "hess",
        safe_mask=["aeff-default"],
        name=name,
        progress=False,
    )


def pulls(datasets, archive):
    """(fitted - true) / error of the free parameters."""
    models = fit(datasets, Models(crab=archive.model)).models
    paths = [f"crab.spectral.{name}" for name in FREE]
    return [
        (models.value(path) - archive.truth[name]) / models.error(path) for path, name in zip(paths, FREE, strict=True)
    ]


def test_archive_closes(archive):
    """The excess of each instrument is what the source emits, and the joint fit finds the source."""
    datasets = []
    for name in archive.names:
        reduction = reduced(archive.folder, name, archive.position)
        assert not reduction.failures
        problem = Problem(list(reduction), Models(crab=archive.model))
        expected = np.asarray(predictions(problem, problem.layout.values(problem.start))[0].signal)
        safe = np.array([d.mask_safe for d in reduction])
        on, off = (np.array([getattr(d, key) for d in reduction]) for key in ("counts", "counts_off"))
        alpha = np.array([[d.acceptance[0] / d.acceptance_off[0]] for d in reduction])
        excess = np.sum(((on - alpha * off) * safe), dtype=float)
        error = np.sqrt(np.sum((on + alpha**2 * off) * safe))
        assert excess > 10 * error
        assert abs(excess - np.sum(expected * safe)) < 3 * error
        datasets += list(reduction)
    assert np.max(np.abs(pulls(datasets, archive))) < 3


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTRUMENTS)
def test_pulls_over_many_archives(archive, name, tmp_path):
    """Mean 0 and width 1 of the pulls over 30 seeds.

    The runs are ten times longer than usual: with the few photons of short ones the estimator itself is
    biased by 0.2 standard errors, in Poisson toys just as here.
    """
    found = []
    for seed in range(30):
        simulate_dl3(tmp_path, name, archive.model, archive.position, key=seed, runs=2, duration="4 h")
        found.append(pulls(list(reduced(tmp_path, name, archive.position)), archive))
    mean, width = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    np.testing.assert_allclose(mean, 0.0, atol=3.5 / np.sqrt(30))
    np.testing.assert_allclose(width, 1.0, atol=0.4)
