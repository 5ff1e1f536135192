"""Whole archives reduced to spectra: counts and acceptances against Gammapy, live, for a sample of each."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion

from gammajax.data import DataStore
from gammajax.geom.axes import energy_edges
from gammajax.geom.mask import exclusion_mask
from gammajax.geom.regions import Circle
from gammajax.numeric.sphere import separation
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.reflected import WobbleRegions

pytest.importorskip("gammapy")
pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]

EDGES = energy_edges("0.1 TeV", "100 TeV", per_decade=5)
HESS = {
    # target: centre, radius, number of runs
    "Crab": (SkyCoord("83.633d", "22.014d"), 0.11, 4),
    "PKS 2155-304": (SkyCoord("329.717d", "-30.2256d"), 0.11, 21),
    "RX J1713.7-3946": (SkyCoord("258.3917d", "-39.7667d"), 0.6, 15),
}


def gammapy_counts(run, on, regions=(), **options):
    """On counts, off counts and number of off regions by Gammapy."""
    from gammapy.datasets import SpectrumDataset
    from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker
    from gammapy.maps import MapAxis, RegionGeom, WcsGeom

    reco, true = (MapAxis.from_energy_edges(EDGES * u.TeV, name=name) for name in ("energy", "energy_true"))
    empty = SpectrumDataset.create(RegionGeom.create(on, axes=[reco]), energy_axis_true=true)
    mask = (
        WcsGeom.create(skydir=on.center, width=6, binsz=0.02).region_mask(list(regions), inside=False)
        if regions
        else None
    )
    made = SpectrumDatasetMaker(selection=["counts", "exposure", "edisp"]).run(empty.copy(name=str(run.obs_id)), run)
    return ReflectedRegionsBackgroundMaker(exclusion_mask=mask, **options).run(made, run)


def test_all_runs_of_hess(gammajax_data):
    from gammapy.data import DataStore as GammapyStore

    store, other = (
        DataStore.from_dir(gammajax_data / "hess-dl3-dr1"),
        GammapyStore.from_dir(gammajax_data / "hess-dl3-dr1"),
    )
    total, moved, compared = 0, 0, 0
    left = set(map(int, store.observations().ids))
    for at, radius, number in HESS.values():
        runs = store.observations(store.select(cone=(at, "2.5 deg")))
        on = CircleSkyRegion(at, radius * u.deg)
        found = reduce_spectra(runs, on, energy=EDGES, energy_true=EDGES, safe_mask="aeff-default", progress=False)
        left -= set(map(int, runs.ids))
        assert len(runs) == number
        assert len(found) + len(found.failures) == number
        total += len(found)
        for our in found.datasets[::5]:
            their = gammapy_counts(other.obs(int(our.name)), on)
            # the circle of 0.6 deg is larger on the sphere than in the tangent plane by 7e-5
            assert np.sum(np.abs(our.counts - their.counts.data.ravel())) <= (radius > 0.5)
            np.testing.assert_array_equal(our.acceptance_off, their.acceptance_off.data.ravel())
            moved += np.sum(np.abs(our.counts_off - their.counts_off.data.ravel()))
            compared += float(np.sum(our.counts_off))
        for obs_id in found.failures:
            # no off region fits: Gammapy finds none either
            assert gammapy_counts(other.obs(obs_id), on).counts_off is None
    # runs on empty sky: a test region 0.5 deg from each pointing
    assert len(left) == 10
    for obs_id in sorted(left):
        run = store.observation(obs_id)
        at = run.pointing.directional_offset_by(90 * u.deg, 0.5 * u.deg)
        found = reduce_spectra([run], CircleSkyRegion(at, 0.1 * u.deg), energy=EDGES, energy_true=EDGES)
        total += len(found)
        if obs_id % 3 == 0:
            their = gammapy_counts(other.obs(obs_id), CircleSkyRegion(at, 0.1 * u.deg))
            np.testing.assert_array_equal(found.datasets[0].counts, their.counts.data.ravel())
            np.testing.assert_array_equal(found.datasets[0].acceptance_off, their.acceptance_off.data.ravel())
    print(f"{total} runs reduced; {moved:.0f} of {compared:.0f} off events moved")
    assert total >= 35
    # regions that Gammapy stretches in the tangent plane at the pointing
    assert moved <= max(2, 2e-3 * compared)


def test_cta_1dc(gammajax_data):
    from gammapy.data import DataStore as GammapyStore

    folder = gammajax_data / "cta-1dc/index/gps"
    at = SkyCoord("0d", "0d", frame="galactic").icrs
    on, stars = CircleSkyRegion(at, 0.11 * u.deg), [CircleSkyRegion(at, 0.4 * u.deg)]
    runs = DataStore.from_dir(folder).observations()
    options = {"energy": EDGES, "energy_true": EDGES, "safe_mask": "aeff-max", "containment_correction": True}
    found = reduce_spectra(runs, on, exclusion_mask=exclusion_mask(stars), progress=False, **options)
    assert len(found) == len(runs) == 3
    for our in found:
        # the mask of Gammapy has pixels: the number of regions may differ by those that it touches
        their = gammapy_counts(
            GammapyStore.from_dir(folder).obs(int(our.name), required_irf="full-enclosure"), on, stars
        )
        np.testing.assert_array_equal(our.counts, their.counts.data.ravel())
        assert abs(float(our.acceptance_off[0]) - their.acceptance_off.data.ravel()[0]) <= 1
        assert float(np.sum(our.excess)) > 0


@pytest.mark.parametrize("n_off", [1, 3])
def test_rad_max_of_magic_is_the_same_as_the_sum_of_its_bins(gammajax_data, n_off):
    """Counts within RAD_MAX(E), by hand, bin by bin of the table."""
    runs = DataStore.from_dir(gammajax_data / "magic/rad_max/data").observations()
    at = SkyCoord("83.63d", "22.01d")
    edges = np.geomspace(0.1, 30, 11)
    found = reduce_spectra(runs, at, energy=edges, energy_true=EDGES, background=WobbleRegions(n_off), progress=False)
    assert len(found) == len(runs) == 2
    for our, run in zip(found, runs, strict=True):
        off = WobbleRegions(n_off).find(Circle(83.63, 22.01), run.pointing_radec)
        offset = separation(*run.pointing_radec, 83.63, 22.01)
        radius = np.asarray(run.rad_max.evaluate(run.events.energy, offset))
        near = [
            separation(ra, dec, run.events.ra, run.events.dec) < radius
            for ra, dec in ((83.63, 22.01), *(o.center for o in off))
        ]
        np.testing.assert_array_equal(our.counts, np.histogram(run.events.energy[near[0]], edges)[0])
        np.testing.assert_array_equal(our.counts_off, np.histogram(run.events.energy[np.any(near[1:], 0)], edges)[0])
        assert float(our.acceptance_off[0]) == n_off
