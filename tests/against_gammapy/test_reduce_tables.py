"""Theta-squared, livetime and info tables against Gammapy's, live, on real runs."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from gammajax.data import DataStore
from gammajax.geom.axes import energy_edges
from gammajax.io.skymap import read_exclusion_mask
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.info import info_table
from gammajax.reduce.livetime import effective_livetime_map, livetime_map
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.significance import excess_errors, li_ma, significance_of_counts
from gammajax.reduce.theta_squared import theta_squared_table

pytest.importorskip("gammapy")
pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]

CRAB = SkyCoord("83.633d", "22.014d")
HESS = "hess-dl3-dr1"
RUNS = [23523, 23526, 23559, 23592]


def runs_of(folder, ids=RUNS):
    return DataStore.from_dir(folder).observations(ids)


def gammapy_runs(folder, ids=RUNS, **options):
    from gammapy.data import DataStore as GammapyStore

    return GammapyStore.from_dir(folder).get_observations(ids, **options)


def test_significances_and_errors():
    from gammapy.stats import CashCountsStatistic, WStatCountsStatistic

    n, m, a = (x.ravel() for x in np.meshgrid([0, 1, 3, 25, 400], [0, 1, 7, 90], [0.05, 0.3, 1.0]))
    theirs = WStatCountsStatistic(n, m, a)
    np.testing.assert_allclose(li_ma(n, m, a), theirs.sqrt_ts, rtol=1e-9, atol=1e-7)
    low, high = excess_errors(n, m, a)
    np.testing.assert_allclose(high, theirs.compute_errp(), rtol=1e-6)
    # without off counts Gammapy's search does not always find the lower root
    off = m > 0
    np.testing.assert_allclose(low[off], theirs.compute_errn()[off], rtol=1e-6)
    cash = CashCountsStatistic(n, m + 0.5)
    np.testing.assert_allclose(significance_of_counts(n, m + 0.5), cash.sqrt_ts, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize(
    ("ids", "number", "energy"), [(RUNS, 1, None), (RUNS, 2, (0.5, 5.0)), (RUNS[:2], 4, None), (RUNS[2:], 40, None)]
)
def test_theta_squared(gammajax_data, ids, number, energy):
    from gammapy.makers.utils import ThetaSquaredTable
    from gammapy.maps import MapAxis

    edges = np.linspace(0.0, 0.1, 21)
    ours = theta_squared_table(
        runs_of(gammajax_data / HESS, ids), CRAB, edges, energy=energy, off_regions_number=number
    )
    theirs = ThetaSquaredTable(
        gammapy_runs(gammajax_data / HESS, ids),
        MapAxis.from_edges(edges, unit="deg2"),
        CRAB,
        energy_edges=None if energy is None else list(energy) * u.TeV,
        off_regions_number=number,
    ).run()
    for name in ("counts", "counts_off", "acceptance", "acceptance_off"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    for name in ("alpha", "excess", "sqrt_ts", "excess_errn", "excess_errp"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-9)
    assert ours["cumulative_sqrt_ts"][2] > 15


def test_theta_squared_from_one_off_position(gammajax_data):
    from gammapy.makers.utils import ThetaSquaredTable
    from gammapy.maps import MapAxis

    edges, off = np.linspace(0.0, 0.04, 9), SkyCoord("83.633d", "23.0d")
    ours = theta_squared_table(runs_of(gammajax_data / HESS), CRAB, edges * u.deg**2, position_off=off)
    axis = MapAxis.from_edges(edges, unit="deg2")
    theirs = ThetaSquaredTable(gammapy_runs(gammajax_data / HESS), axis, CRAB, position_off=off).run()
    for name in ("counts", "counts_off"):
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_livetime_maps(gammajax_data):
    from gammapy.makers.utils import make_effective_livetime_map, make_observation_time_map
    from gammapy.maps import MapAxis, WcsGeom

    axis = MapAxis.from_energy_edges([0.5, 2, 10, 50] * u.TeV, name="energy_true")
    geom = WcsGeom.create(skydir=CRAB, width=5, binsz=0.25, proj="TAN", axes=[axis])
    positions, theirs = geom.to_image().get_coord().skycoord, gammapy_runs(gammajax_data / HESS)
    runs = runs_of(gammajax_data / HESS)
    expected = make_observation_time_map(theirs, geom).quantity.to_value("s")
    np.testing.assert_allclose(livetime_map(runs, positions), expected.squeeze(), rtol=1e-6)
    np.testing.assert_allclose(
        livetime_map(runs, positions, "1.5 deg"),
        make_observation_time_map(theirs, geom, 1.5 * u.deg).quantity.to_value("s").squeeze(),
        rtol=1e-6,
    )
    expected = make_effective_livetime_map(theirs, geom, 2 * u.deg).quantity.to_value("s")
    found = effective_livetime_map(runs, positions, axis.center, 2.0)
    assert found.max() > 3000
    # Gammapy's exposure is that for the pointing at the centre of the map, not at that of the run
    centred = [run for run in runs if run.obs_id == 23523]
    pointed = WcsGeom.create(skydir=centred[0].pointing, width=5, binsz=0.25, proj="TAN", axes=[axis])
    one = make_effective_livetime_map(gammapy_runs(gammajax_data / HESS, [23523]), pointed, 2 * u.deg)
    np.testing.assert_allclose(
        effective_livetime_map(centred, pointed.to_image().get_coord().skycoord, axis.center, 2.0),
        one.quantity.to_value("s"),
        rtol=1e-5,
    )


@pytest.mark.parametrize("background", ["off", "irf"])
def test_info_tables(gammajax_data, background):
    from gammapy.datasets import Datasets, SpectrumDataset
    from gammapy.makers import ReflectedRegionsBackgroundMaker, SafeMaskMaker, SpectrumDatasetMaker
    from gammapy.maps import MapAxis, RegionGeom
    from regions import CircleSkyRegion

    edges = energy_edges("0.2 TeV", "50 TeV", per_decade=5)
    region = CircleSkyRegion(CRAB, 0.11 * u.deg)
    options = {} if background == "off" else {"background": IRFBackground(exact=False)}
    runs = runs_of(gammajax_data / HESS)
    ours = reduce_spectra(
        runs, region, energy=edges, energy_true=edges, safe_mask="aeff-max", progress=False, **options
    ).datasets
    reco, true = (MapAxis.from_energy_edges(edges * u.TeV, name=name) for name in ("energy", "energy_true"))
    empty = SpectrumDataset.create(RegionGeom.create(region, axes=[reco]), energy_axis_true=true)
    theirs = Datasets()
    for run in gammapy_runs(gammajax_data / HESS):
        made = SpectrumDatasetMaker().run(empty.copy(name=str(run.obs_id)), run)
        if background == "off":
            made = ReflectedRegionsBackgroundMaker().run(made, run)
        theirs.append(SafeMaskMaker(methods=["aeff-max"]).run(made, run))
    for cumulative in (False, True):
        mine, other = info_table(ours, cumulative), theirs.info_table(cumulative)
        shared = [n for n in mine.colnames if n not in ("name", "exposure_min", "exposure_max")]
        assert {"counts", "excess", "sqrt_ts", "livetime", "n_fit_bins"} <= set(shared)
        for name in shared:
            unit = mine[name].unit or u.dimensionless_unscaled
            expected = u.Quantity(other[name]).to_value(unit)
            np.testing.assert_allclose(mine[name], expected, rtol=1e-5, err_msg=name)
    timed = info_table(ours[::-1], observations=runs)
    assert list(timed["name"]) == [str(i) for i in RUNS]
    assert timed["tstart"][0].startswith("2004-12-04")


def test_exclusion_mask_in_theta_squared(gammajax_data):
    mask = read_exclusion_mask(gammajax_data / "joint-crab/exclusion/exclusion_mask_crab.fits.gz")
    edges = np.linspace(0, 0.03, 4)
    table = theta_squared_table(runs_of(gammajax_data / HESS), CRAB, edges, off_regions_number=3, exclusion_mask=mask)
    assert 4 < table["acceptance_off"][0] <= 12
