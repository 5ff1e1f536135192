"""Tables of theta squared, livetime and counts, on made runs."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from made_runs import EDGES, SOURCE, flat_aeff, made_run

from gammajax.errors import ConfigError, DatasetError, EmptyRun
from gammajax.geom.regions import Circle
from gammajax.irf import RadMax
from gammajax.numeric.sphere import separation
from gammajax.reduce.info import info_table
from gammajax.reduce.livetime import effective_livetime_map, livetime_map, livetime_table, sky_grid
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.significance import excess_errors, li_ma, significance_of_counts
from gammajax.reduce.stack import stack_by, stack_spectra
from gammajax.reduce.theta_squared import theta_squared_table

AT = SkyCoord(*SOURCE, unit="deg")
RUNS = [made_run(1), made_run(2, livetime=3000.0), made_run(3, pointing_distance=0.7)]
THETA2 = np.linspace(0, 0.04, 5)


def test_theta_squared_on_and_off():
    table = theta_squared_table(RUNS, AT, THETA2)
    expected = sum(np.histogram(separation(*SOURCE, r.events.ra, r.events.dec) ** 2, THETA2)[0] for r in RUNS)
    np.testing.assert_array_equal(table["counts"], expected)
    np.testing.assert_array_equal(table["acceptance"], 3)
    np.testing.assert_array_equal(table["acceptance_off"], 3)
    np.testing.assert_array_equal(table["cumulative_counts"], np.cumsum(expected))
    np.testing.assert_allclose(table["excess"], table["counts"] - table["counts_off"])
    # the source is within 0.08 deg
    assert table["sqrt_ts"][0] > 10
    assert np.abs(table["sqrt_ts"][2:]).max() < 4
    assert table["theta2_min"].unit == u.deg**2
    assert table.meta["OBS_IDS"] == [1, 2, 3]


def test_theta_squared_with_energies_and_more_off_positions():
    table = theta_squared_table(RUNS, AT, THETA2 * u.deg**2, energy=("0.3 TeV", 5), off_regions_number=3)
    np.testing.assert_array_equal(table["acceptance_off"], 9)
    np.testing.assert_allclose(table["alpha"], 1 / 3)
    whole = theta_squared_table(RUNS, AT, THETA2, off_regions_number=3)
    assert 0 < table["counts"].sum() < whole["counts"].sum()
    # nine circles of 0.2 deg at 0.5 deg overlap: the mirror position is left
    np.testing.assert_array_equal(theta_squared_table(RUNS, AT, THETA2, off_regions_number=30)["acceptance_off"], 3)


def test_alpha_is_weighted_by_livetime():
    run = RUNS[0]
    mirror = SkyCoord(83.63, 22.01 + 1.0, unit="deg")
    stars = Circle(mirror.ra.deg, mirror.dec.deg, 0.01)
    # with three off positions the one opposite is excluded in the runs at 0.5 deg only
    table = theta_squared_table(RUNS, AT, THETA2, off_regions_number=3, exclusion_mask=[stars])
    assert table["acceptance_off"][0] == 7
    assert table["alpha"][0] == pytest.approx((1000 / 2 + 3000 / 2 + 1000 / 3) / 5000)
    assert run.livetime == 1000.0


def test_theta_squared_that_cannot_be_made():
    with pytest.raises(ConfigError, match="increasing bin edges"):
        theta_squared_table(RUNS, AT, [0.1, 0.0])
    with pytest.raises(EmptyRun, match="run 1: the circle of 0.6 deg reaches the pointing"):
        theta_squared_table(RUNS, AT, [0, 0.36])
    with pytest.raises(ConfigError, match="off circle overlaps"):
        theta_squared_table(RUNS, AT, THETA2, position_off=AT)
    with pytest.raises(ConfigError, match="off_regions_number=1"):
        theta_squared_table(RUNS, AT, THETA2, position_off=SkyCoord("0d", "0d"), off_regions_number=2)
    with pytest.raises(EmptyRun, match="at least one run"):
        theta_squared_table([], AT, THETA2)
    with pytest.raises(EmptyRun, match="all off positions are excluded"):
        theta_squared_table(RUNS, AT, THETA2, exclusion_mask=[Circle(*SOURCE, 3.0)])


def test_livetime_maps():
    grid = sky_grid(AT, "6 deg", "0.5 deg")
    assert grid.shape == (12, 12)
    assert grid[0, 0].dec < grid[-1, 0].dec
    assert grid[0, 0].ra > grid[0, -1].ra
    seconds = livetime_map(RUNS, grid, "1 deg")
    expected = sum(r.livetime * (separation(*r.pointing_radec, grid.ra.deg, grid.dec.deg) < 1) for r in RUNS)
    np.testing.assert_array_equal(seconds, expected)
    assert livetime_map(RUNS, grid).max() == 5000
    # an area that falls by 10 % a degree
    runs = [made_run(1, aeff=flat_aeff(slope=0.1))]
    offset = separation(*runs[0].pointing_radec, grid.ra.deg, grid.dec.deg)
    found = effective_livetime_map(runs, grid, ["1 TeV", "10 TeV"], 2.0)
    assert found.shape == (2, 12, 12)
    np.testing.assert_allclose(found[0], np.where(offset < 2, 1000 * (1 - 0.1 * offset), 0), rtol=1e-9)
    with pytest.raises(ConfigError, match="point-like"):
        livetime_map([made_run(1, rad_max=RadMax.fixed(0.1))], grid)
    with pytest.raises(ConfigError, match="binsz <= width"):
        sky_grid(AT, "1 deg", "2 deg")


def test_livetime_along_the_distance():
    table = livetime_table(RUNS, AT, [0, 0.4, 0.6, 0.8, 4.0])
    assert table["runs"].tolist() == [0, 2, 1, 0]
    np.testing.assert_allclose(table["livetime_runs"], np.array([0, 4000, 1000, 0]) / 3600)
    np.testing.assert_allclose(table["livetime"][:3], 5000 / 3600)
    np.testing.assert_allclose(table["livetime"], table["effective_livetime"])
    assert table["livetime"].unit == u.h
    with pytest.raises(ConfigError, match="increasing bin edges"):
        livetime_table(RUNS, AT, [1.0])


def test_info_of_single_and_added_runs():
    datasets = reduce_spectra(
        RUNS, Circle(*SOURCE, 0.1), energy=EDGES, energy_true=EDGES, safe_mask="bkg-peak"
    ).datasets
    single, added = info_table(datasets), info_table(datasets, cumulative=True)
    assert list(single["name"]) == ["1", "2", "3"]
    for k in range(3):
        stack = info_table([stack_spectra(datasets[: k + 1])])[0]
        for name in added.colnames:
            if name != "name":
                assert added[name][k] == pytest.approx(stack[name], rel=1e-12), name
    np.testing.assert_allclose(single["excess"], single["counts"] - single["background"])
    np.testing.assert_allclose(single["counts_rate"] * single["livetime"], single["counts"])
    assert single["sqrt_ts"].min() > 5
    assert added["sqrt_ts"][2] > single["sqrt_ts"].max()
    assert len(info_table([])) == 0


def test_info_that_cannot_be_made():
    datasets = reduce_spectra(RUNS[:1], Circle(*SOURCE, 0.1), energy=EDGES, energy_true=EDGES).datasets
    plain = reduce_spectra(RUNS[:1], Circle(*SOURCE, 0.1), energy=EDGES, energy_true=EDGES, background=None).datasets
    with pytest.raises(DatasetError, match="one kind"):
        info_table([*datasets, *plain])
    with pytest.raises(DatasetError, match="none of the observations"):
        info_table(datasets, observations=[])
    assert np.isinf(info_table(plain)["sqrt_ts"][0])


def test_significances():
    # Li & Ma (1983) with alpha = 1 and equal counts; no counts; a deficit
    np.testing.assert_allclose(li_ma([10, 0, 5], [10, 0, 20], [1, 0.5, 0.5]), [0, 0, li_ma(5, 20, 0.5)], atol=1e-12)
    assert li_ma(5, 20, 0.5) < 0
    assert li_ma(100, 0, 0.1) > 10
    low, high = excess_errors([1000.0], [1e6], 1e-3)
    np.testing.assert_allclose([low[0], high[0]], np.sqrt(1001), rtol=0.02)
    assert excess_errors(0, 0, 0.5)[1] == pytest.approx(0.5)
    assert significance_of_counts(0, 0) == 0


def test_stacks_by_label():
    datasets = reduce_spectra(RUNS, Circle(*SOURCE, 0.1), energy=EDGES, energy_true=EDGES).datasets
    groups = stack_by(datasets, {1: "a", 2: "b", 3: "a"}, "crab-")
    assert [(g.name, g.provenance.obs_ids) for g in groups] == [("crab-a", (1, 3)), ("crab-b", (2,))]
    assert [g.name for g in stack_by(datasets, lambda d: float(d.livetime) > 2000)] == ["False", "True"]
    with pytest.raises(DatasetError, match="no label"):
        stack_by(datasets, {1: "a"})
    found = reduce_spectra(
        RUNS, Circle(*SOURCE, 0.1), energy=EDGES, energy_true=EDGES, stack={1: "x", 2: "x", 3: "y"}, name="n"
    )
    assert [d.name for d in found] == ["n-x", "n-y"]
