"""The simulated archive as Gammapy reads and reduces it, without a warning."""

import numpy as np
import pytest
from astropy import units as u

from gammajax.data import DataStore
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import circle
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.simulate import INSTRUMENTS

pytest.importorskip("gammapy")

EDGES = energy_edges("20 GeV", "100 TeV", per_decade=10)
RADIUS = {"hess": 0.11, "magic": INSTRUMENTS["magic"].rad_max, "lst": None}
IRFS = {"hess": "full-enclosure", "magic": "point-like", "lst": "point-like"}


def gammapy_runs(archive, name):
    from gammapy.data import DataStore as GammapyStore

    store = GammapyStore.from_dir(archive.folder / name)
    return store.get_observations(required_irf=IRFS[name])


def gammapy_datasets(archive, name):
    from gammapy.datasets import SpectrumDataset
    from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker, WobbleRegionsFinder
    from gammapy.maps import MapAxis, RegionGeom
    from regions import CircleSkyRegion, PointSkyRegion

    radius = RADIUS[name]
    region = PointSkyRegion(archive.position) if radius is None else CircleSkyRegion(archive.position, radius * u.deg)
    reco = MapAxis.from_energy_edges(EDGES * u.TeV)
    true = MapAxis.from_energy_edges(EDGES * u.TeV, name="energy_true")
    empty = SpectrumDataset.create(RegionGeom.create(region, axes=[reco]), energy_axis_true=true)
    maker = SpectrumDatasetMaker(
        selection=["counts", "exposure", "edisp"],
        containment_correction=name == "hess",
        use_region_center=True,
    )
    finder = WobbleRegionsFinder(n_off_regions=3) if radius is None else None
    background = ReflectedRegionsBackgroundMaker(region_finder=finder)
    for run in gammapy_runs(archive, name):
        yield background.run(maker.run(empty.copy(name=str(run.obs_id)), run), run)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_gammapy_reduces_the_archive_to_the_same_spectra(archive, name):
    finder = WobbleRegions(3) if RADIUS[name] is None else ReflectedRegions()
    ours = reduce_spectra(
        DataStore.from_dir(archive.folder / name).observations(),
        circle(archive.position, RADIUS[name]),
        energy=EDGES,
        energy_true=EDGES,
        background=finder,
        containment_correction=name == "hess",
        progress=False,
    )
    assert not ours.failures
    for mine, theirs in zip(ours, gammapy_datasets(archive, name), strict=True):
        assert mine.counts.sum() > 100
        np.testing.assert_array_equal(mine.counts, theirs.counts.data.squeeze())
        np.testing.assert_array_equal(mine.counts_off, theirs.counts_off.data.squeeze())
        exposure = theirs.exposure.quantity.to_value("cm2 s").squeeze()
        np.testing.assert_allclose(mine.exposure, exposure, rtol=1e-6, atol=1e-6 * exposure.max())
        kernel = theirs.edisp.get_edisp_kernel().pdf_matrix
        np.testing.assert_allclose(mine.edisp, kernel, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_gammapy_reads_times_and_headers(archive, name):
    ours = DataStore.from_dir(archive.folder / name).observations()
    for mine, theirs in zip(ours, gammapy_runs(archive, name), strict=True):
        assert theirs.obs_id == mine.obs_id
        assert theirs.observation_live_time_duration.to_value("s") == pytest.approx(mine.livetime)
        assert abs((theirs.tstart - mine.tstart).to_value("s")) < 1e-4
        assert theirs.gti.time_sum.to_value("s") == pytest.approx(mine.gti.time_sum)
        assert abs(theirs.get_pointing_icrs(theirs.tmid).separation(mine.pointing)) < 1e-9 * u.deg
        assert len(theirs.events.table) == len(mine.events)


def test_gammapy_reads_the_background_rate(archive):
    instrument, run = INSTRUMENTS["hess"], gammapy_runs(archive, "hess")[0]
    energy, offset = instrument.energy.points[[10, 30]], np.array([0.5, 1.5])
    rate = run.bkg.evaluate(energy=energy * u.TeV, offset=offset * u.deg).to_value("s-1 TeV-1 sr-1")
    np.testing.assert_allclose(rate, instrument.background_rate(energy, offset), rtol=1e-5)
