import numpy as np
import pytest
from astropy import units as u

from gammajax.errors import ConfigError, UnitMismatch
from gammajax.geom.axes import bin_of, centers, count, energy_edges, inside, widths


def test_edges_per_decade():
    edges = energy_edges("10 GeV", 100 * u.TeV, per_decade=20)
    np.testing.assert_allclose(edges, np.logspace(-2, 2, 81), rtol=1e-14)
    assert (edges[0], edges[-1]) == (0.01, 100.0)


def test_number_of_bins_is_rounded_up():
    assert len(energy_edges(1.0, 50.0, per_decade=10)) == 18
    assert len(energy_edges(1.0, 50.0, bins=3)) == 4


@pytest.mark.parametrize(
    ("low", "high", "how"),
    [
        (1, 1, {"bins": 2}),
        (0, 1, {"bins": 2}),
        (1, 2, {}),
        (1, 2, {"bins": 0}),
        (1, 2, {"bins": 1, "per_decade": 1}),
    ],
)
def test_impossible_axes(low, high, how):
    with pytest.raises(ConfigError, match="axis needs"):
        energy_edges(low, high, **how)


def test_limits_must_be_energies():
    with pytest.raises(UnitMismatch, match="energy_max"):
        energy_edges("1 TeV", "2 deg", bins=1)


def test_centers_and_widths():
    edges = energy_edges(1, 100, bins=2)
    np.testing.assert_allclose(centers(edges), [10**0.5, 10**1.5])
    np.testing.assert_allclose(widths(edges), [9, 90])
    assert inside(edges, 1, 50).tolist() == [True, False]


def test_every_event_is_in_one_bin_or_none():
    edges, energy = energy_edges(1, 100, bins=5), np.random.default_rng(0).uniform(0.1, 200, 1000)
    index = bin_of(energy, edges)
    held = index >= 0
    assert np.all(edges[index[held]] <= energy[held])
    assert np.all(energy[held] < edges[index[held] + 1])
    assert np.all((energy[~held] < 1) | (energy[~held] >= 100))
    np.testing.assert_array_equal(count(energy, edges), np.histogram(energy, edges)[0])


def test_no_events():
    np.testing.assert_array_equal(count(np.empty(0), np.array([1.0, 2.0, 3.0])), [0, 0])
