import numpy as np
import pytest

import gammajax as gj
from gammajax.errors import ConfigError, NothingToFit, OutOfBounds
from gammajax.infer.crossing import End
from gammajax.infer.stopwatch import Stopwatch
from gammajax.io.json import read_json


@pytest.fixture(scope="module")
def found(asimov_spectra, truth_fit):
    return gj.contour(asimov_spectra, truth_fit, "*.alpha", "*.beta", points=16)


def test_the_profile_on_the_contour(found, asimov_spectra, truth_fit):
    assert found.success
    np.testing.assert_allclose(found.delta, [2.2789, 5.9915, 9.2103], atol=1e-4)
    for level, delta in zip(found.levels, found.delta, strict=True):
        for x, y in found.polygon(level)[::5]:
            surface = gj.surface(asimov_spectra, truth_fit, "*.alpha", "*.beta", values=([x], [y]))
            assert surface.delta[0, 0] == pytest.approx(delta, rel=1e-3)


def test_polygons_are_closed_and_nearly_ellipses(found, truth_fit):
    polygon = found.polygon(0.68)
    assert polygon.shape == (17, 2)
    np.testing.assert_array_equal(polygon[0], polygon[-1])
    paths = list(truth_fit.covariance.paths)
    pair = [paths.index(found.path_x), paths.index(found.path_y)]
    moves = polygon - found.best
    inverse = np.linalg.inv(truth_fit.covariance.matrix[np.ix_(pair, pair)])
    np.testing.assert_allclose(np.einsum("vi,ij,vj->v", moves, inverse, moves), found.delta[0], rtol=0.15)


def test_a_bound_cuts_the_contour(asimov_spectra, source):
    fit = gj.fit(asimov_spectra, source.bound("*.beta", 0.099, 1.0))
    found = gj.contour(asimov_spectra, fit, "*.alpha", "*.beta", points=16)
    assert np.nanmin(found.y) == pytest.approx(0.099)
    assert np.any(found.ends == End.BOUND)
    assert "the bound comes before" in found.message


def test_a_best_fit_on_a_bound(asimov_spectra, source):
    fit = gj.fit(asimov_spectra, source.set("*.beta", 0.25).bound("*.beta", 0.2, 0.5))
    found = gj.contour(asimov_spectra, fit, "*.alpha", "*.beta", points=16)
    assert np.nanmin(found.y) == pytest.approx(0.2)
    assert np.nanmax(found.y) > 0.2
    # One ray of 16 goes straight into the bound: it ends where it began.
    assert list(np.flatnonzero(found.ends[0] == End.BOUND)) == [12]
    assert (found.x[0, 12], found.y[0, 12]) == found.best
    assert np.isfinite(found.x).all()
    assert "1 of 16 points: the bound comes before" in found.message
    assert len(found.polygon(0.68)) == 17


def test_a_best_fit_in_a_corner_of_the_bounds(asimov_spectra, source):
    corner = source.set("*.beta", 0.25).bound("*.beta", 0.2, 0.5).bound("*.alpha", 1.0, 2.4)
    fit = gj.fit(asimov_spectra, corner.set("*.alpha", 2.3))
    assert (fit.models.value("*.alpha"), fit.models.value("*.beta")) == (2.4, 0.2)
    found = gj.contour(asimov_spectra, fit, "*.alpha", "*.beta", points=16)
    stuck = (found.x == 2.4) & (found.y == 0.2)
    np.testing.assert_array_equal(found.ends[stuck], End.BOUND)
    assert stuck.sum(axis=1).tolist() == [5, 5, 5]


def test_surface_of_a_fit_on_a_bound(asimov_spectra, source):
    fit = gj.fit(asimov_spectra, source.set("*.beta", 0.3).bound("*.beta", 0.2, 0.5))
    surface = gj.surface(asimov_spectra, fit, "*.alpha", "*.beta", points=(5, 7))
    assert surface.y[0] == 0.2
    assert 0.2 < surface.y[-1] <= 0.5
    assert surface.delta[2, 0] == pytest.approx(0, abs=1e-4)
    assert surface.delta.min() > -1e-3


def test_surface(asimov_spectra, truth_fit, tmp_path):
    surface = gj.surface(asimov_spectra, truth_fit, "*.amplitude", "*.beta", points=(5, 7))
    assert surface.stat.shape == (5, 7)
    assert surface.converged.all()
    assert surface.delta[2, 3] == pytest.approx(0, abs=1e-4)
    assert np.all(surface.delta[0] > 8)
    assert len(surface.table) == 35
    assert read_json(surface.write(tmp_path / "s.json"))["path_x"] == "crab.spectral.amplitude"
    assert "35 of 35 points converged" in repr(surface)


def test_errors(asimov_spectra, truth_fit, source):
    with pytest.raises(ConfigError, match="two different parameters"):
        gj.contour(asimov_spectra, truth_fit, "*.beta", "crab.spectral.beta")
    with pytest.raises(NothingToFit, match="frozen or linked"):
        gj.contour(asimov_spectra, truth_fit, "*.beta", "*.reference")
    with pytest.raises(ConfigError, match="each of levels must lie between 0 and 1"):
        gj.contour(asimov_spectra, truth_fit, "*.alpha", "*.beta", levels=(68,))
    bare = gj.fit(asimov_spectra, source, covariance=False)
    with pytest.raises(NothingToFit, match="needs the covariance"):
        gj.contour(asimov_spectra, bare, "*.alpha", "*.beta")
    bounded = gj.fit(asimov_spectra, source.bound("*.beta", 0.0, 1.0))
    with pytest.raises(OutOfBounds, match="values must lie inside"):
        gj.surface(asimov_spectra, bounded, "*.alpha", "*.beta", values=([2.4], [-0.1]))
    with pytest.raises(ConfigError, match="no contour at 0.5"):
        gj.contour(asimov_spectra, truth_fit, "*.alpha", "*.beta", points=16).polygon(0.5)


def test_other_parameters_compile_nothing(found, asimov_spectra, truth_fit):
    with Stopwatch() as watch:
        gj.contour(asimov_spectra, truth_fit, "*.amplitude", "*.beta", points=16, levels=(0.5, 0.7, 0.9))
    assert watch.programs == 0


def test_result_reads_well(found, tmp_path):
    assert "at 68, 95, 99 %, 16 points each. All points found." in repr(found)
    assert len(found.table) == 48
    assert read_json(found.write(tmp_path / "c.json"))["ends"][0][0] == "found"


def test_one_level(asimov_spectra, truth_fit):
    one, listed = (
        gj.contour(asimov_spectra, truth_fit, "*.alpha", "*.beta", points=8, levels=x) for x in (0.68, [0.68])
    )
    assert one.levels == listed.levels == (0.68,)
    one = gj.coverage(asimov_spectra, truth_fit, "*.alpha", key=1, n=3, levels=0.68)
    assert one.levels == (0.68,)
