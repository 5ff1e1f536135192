"""Flux points of real files in both codes: statistics, fits, files."""

import astropy.units as u
import numpy as np
import pytest

pytest.importorskip("gammapy")

from gammapy.datasets import Datasets as TheirDatasets  # noqa: E402
from gammapy.datasets import FluxPointsDataset  # noqa: E402
from gammapy.modeling import Fit  # noqa: E402
from gammapy.modeling.models import LogParabolaSpectralModel, SkyModel  # noqa: E402

import gammajax as gj  # noqa: E402

# Gammapy reads tables without naming their HDU, and writes checksums of its own kind.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.gammapy]

FILES = {
    "hawc": "hawc/crab_flux/HAWC19_flux_points.fits",
    "hess": "estimators/crab_hess_fp/crab_hess_fp.fits",
    "dnde": "tests/spectrum/flux_points/diff_flux_points.fits",
    "flux": "tests/spectrum/flux_points/flux_points.fits",
}
VALUES = {"amplitude": 3.6e-11, "reference": 1.0, "alpha": 2.5, "beta": 0.12}


def theirs(path, name, stat_type="chi2"):
    dataset = FluxPointsDataset.read(path, name=name)
    dataset.stat_type = stat_type
    units = {"amplitude": u.Unit("cm-2 s-1 TeV-1"), "reference": u.TeV}
    spectrum = LogParabolaSpectralModel(**{k: v * units.get(k, 1) for k, v in VALUES.items()})
    dataset.models = [SkyModel(spectrum, name="crab")]
    return dataset


def models():
    return gj.Models(crab=gj.SkyModel(gj.LogParabola(**VALUES)))


def ours(dataset):
    problem = gj.Problem(dataset, models())
    return float(gj.stat(problem, problem.start))


@pytest.mark.parametrize("name", FILES)
def test_chi2(gammajax_data, name):
    path = gammajax_data / FILES[name]
    dataset = gj.FluxPointsDataset.read(path)
    other = theirs(path, name)
    np.testing.assert_array_equal(dataset.mask, np.ravel(np.asarray(other.mask)))
    assert ours(dataset) == pytest.approx(other.stat_sum(), rel=1e-6)


def test_profiles_at_their_knots(gammajax_data):
    """At the norms of the scan both codes must give the numbers of the file."""
    path = gammajax_data / FILES["hess"]
    dataset = gj.FluxPointsDataset.read(path, stat_type="profile")
    other = theirs(path, "hess", "profile")
    from gammajax.datasets.grouping import group
    from gammajax.likelihood.points import points_stat

    (g,) = group([dataset])
    used = np.flatnonzero(dataset.mask)
    for k in range(dataset.norm_scan.shape[1]):
        found = np.asarray(points_stat(g, np.asarray(dataset.norm_scan)[None, :, k]))[0]
        for i in used:
            wanted = float(np.ravel(other._profile_interpolators)[i](np.asarray(dataset.norm_scan)[i, k]))
            assert found[i] == pytest.approx(wanted, abs=2e-3 * (1 + wanted))


@pytest.mark.parametrize("name", ["hawc", "hess"])
def test_fits(gammajax_data, name):
    path = gammajax_data / FILES[name]
    result = gj.fit(gj.FluxPointsDataset.read(path), models())
    other = theirs(path, name)
    Fit(optimize_opts={"tol": 1e-4, "strategy": 2}).run([other])
    assert result.success
    assert result.stat <= other.stat_sum() + 1e-4
    for parameter in other.models.parameters.free_parameters:
        path = f"crab.spectral.{parameter.name}"
        error = result.models.error(path)
        assert abs(result.models.value(path) - parameter.value) < 0.02 * error, path
        assert parameter.error == pytest.approx(error, rel=0.03), path


def test_files_written_here_are_read_there(gammajax_data, tmp_path):
    dataset = gj.FluxPointsDataset.read(gammajax_data / FILES["hess"], name="hess")
    datasets = gj.Datasets([dataset.select_energy("0.5 TeV", "8 TeV")])
    (back,) = TheirDatasets.read(datasets.write(tmp_path))
    assert back.name == "hess"
    spectrum = theirs(gammajax_data / FILES["hess"], "hess").models
    back.models = spectrum
    assert back.stat_sum() == pytest.approx(ours(datasets), rel=1e-6)


def test_files_written_there_are_read_here(gammajax_data, tmp_path):
    other = theirs(gammajax_data / FILES["hawc"], "hawc")
    TheirDatasets([other]).write(tmp_path / "datasets.yaml")
    assert ours(gj.Datasets.read(tmp_path / "datasets.yaml")) == pytest.approx(other.stat_sum(), rel=1e-6)
