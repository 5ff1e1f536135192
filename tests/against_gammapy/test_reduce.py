"""The reduction against Gammapy's makers, live, on real runs."""

import numpy as np
import pytest
import yaml
from astropy import units as u
from astropy.coordinates import SkyCoord

from gammajax.data import DataStore
from gammajax.geom.axes import energy_edges
from gammajax.geom.regions import circle
from gammajax.io.skymap import read_exclusion_mask
from gammajax.numeric.sphere import separation
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.stack import stack_spectra
from gammajax.workflow.config import ReductionConfig
from gammajax.workflow.reduce import reduced

pytest.importorskip("gammapy")
# Gammapy and the headers of the files give warnings that are no concern of gammajax.
pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]

CRAB = SkyCoord("83d37m59.0988s", "22d00m52.2s")
EDGES = energy_edges("10 GeV", "100 TeV", per_decade=20)
MASK = "joint-crab/exclusion/exclusion_mask_crab.fits.gz"
CASES = {
    "hess": ("joint-crab/data/hess", 0.11),
    "magic": ("joint-crab/data/magic", 0.1414213),
    "veritas": ("joint-crab/data/veritas", 0.1),
    "fact": ("joint-crab/data/fact", 0.1732050807568877),
}
RUNS = 4


def gammapy_makers(edges, radius, correction, finder=None, mask=None):
    from gammapy.datasets import SpectrumDataset
    from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker
    from gammapy.maps import MapAxis, RegionGeom
    from regions import CircleSkyRegion, PointSkyRegion

    region = PointSkyRegion(CRAB) if radius is None else CircleSkyRegion(CRAB, radius * u.deg)
    reco = MapAxis.from_energy_edges(edges * u.TeV)
    true = MapAxis.from_energy_edges(EDGES * u.TeV, name="energy_true")
    empty = SpectrumDataset.create(RegionGeom.create(region, axes=[reco]), energy_axis_true=true)
    maker = SpectrumDatasetMaker(
        selection=["counts", "exposure", "edisp"], containment_correction=correction, use_region_center=True
    )
    background = ReflectedRegionsBackgroundMaker(region_finder=finder, exclusion_mask=mask)
    return lambda run: background.run(maker.run(empty.copy(name=str(run.obs_id)), run), run)


def gammapy_mask(folder):
    from gammapy.maps import WcsNDMap

    mask = WcsNDMap.read(folder / MASK)
    mask.data = mask.data.astype(bool)
    return mask


@pytest.fixture(scope="module", params=CASES)
def both(request, gammajax_data):
    """Our datasets, Gammapy's, our observations and Gammapy's, for a few runs of one instrument."""
    from gammapy.data import DataStore as GammapyStore

    folder, radius = CASES[request.param]
    correction = request.param == "hess"
    observations = DataStore.from_dir(gammajax_data / folder).observations()[:RUNS]
    ours = reduce_spectra(
        observations,
        circle(CRAB, radius),
        energy=EDGES,
        energy_true=EDGES,
        exclusion_mask=read_exclusion_mask(gammajax_data / MASK),
        containment_correction=correction,
    )
    assert not ours.failures
    irfs = ["aeff", "edisp", "psf"] if correction else "point-like"
    runs = GammapyStore.from_dir(gammajax_data / folder).get_observations(observations.ids, required_irf=irfs)
    make = gammapy_makers(EDGES, radius, correction, mask=gammapy_mask(gammajax_data))
    return ours.datasets, [make(run) for run in runs], list(observations), list(runs)


def test_counts_and_acceptances_are_equal(both):
    for our, their in zip(both[0], both[1], strict=True):
        np.testing.assert_array_equal(our.counts, their.counts.data.ravel())
        np.testing.assert_array_equal(our.counts_off, their.counts_off.data.ravel())
        np.testing.assert_array_equal(our.acceptance, their.acceptance.data.ravel())
        np.testing.assert_array_equal(our.acceptance_off, their.acceptance_off.data.ravel())


def test_responses_agree(both):
    for our, their in zip(both[0], both[1], strict=True):
        exposure = their.exposure.quantity.to_value("cm2 s").ravel()
        np.testing.assert_allclose(our.exposure, exposure, rtol=1e-4, atol=1e-4 * exposure.max())
        np.testing.assert_allclose(our.exposure, exposure, rtol=1e-3)
        kernel = their.edisp.get_edisp_kernel(energy_axis=their.counts.geom.axes["energy"]).pdf_matrix
        np.testing.assert_allclose(our.edisp, kernel, atol=1e-12)
        assert float(our.livetime) == pytest.approx(their.exposure.meta["livetime"].to_value("s"), rel=1e-12)


def test_off_regions_lie_at_the_same_places(both, gammajax_data):
    from gammapy.makers import ReflectedRegionsFinder

    mask, theirs = read_exclusion_mask(gammajax_data / MASK), gammapy_mask(gammajax_data)
    radius = both[1][0].counts.geom.region.radius.to_value("deg")
    for our, their in zip(both[2], both[3], strict=True):
        off = ReflectedRegions().find(circle(CRAB, radius), our.pointing_radec, mask)
        regions, _ = ReflectedRegionsFinder().run(
            both[1][0].counts.geom.region, their.get_pointing_icrs(their.tmid), theirs
        )
        assert len(off) == len(regions)
        for one, other in zip(off, regions, strict=True):
            assert separation(one.ra, one.dec, other.center.ra.deg, other.center.dec.deg) < 1e-9


@pytest.mark.parametrize("method", ["aeff-max", "edisp-bias", "offset-max"])
def test_safe_masks_are_equal(both, method):
    from gammapy.makers import SafeMaskMaker

    for our, their, run, their_run in zip(*both, strict=True):
        mine = SafeMask(method).apply(our, run, 0.5)
        copy = SafeMaskMaker(methods=[method]).run(their.copy(name=their.name), their_run)
        np.testing.assert_array_equal(mine.mask_safe, copy.mask_safe.data.ravel())


def test_header_thresholds(both):
    from gammapy.makers import SafeMaskMaker

    for our, their, run, their_run in zip(*both, strict=True):
        mine = np.asarray(SafeMask("aeff-default").apply(our, run, 0.5).mask_safe)
        theirs = SafeMaskMaker(methods=["aeff-default"]).run(their.copy(name=their.name), their_run)
        # Gammapy loses the last bin where its edge, 100.00000000000004 TeV, exceeds HI_THRES = 100 TeV
        np.testing.assert_array_equal(mine[:-1], theirs.mask_safe.data.ravel()[:-1])


@pytest.mark.parametrize("percent", [None, 20])
def test_stacks_agree(both, percent):
    from gammapy.datasets import Datasets
    from gammapy.makers import SafeMaskMaker

    ours, theirs, runs, their_runs = both
    theirs = [their.copy(name=their.name) for their in theirs]
    if percent:
        ours = [SafeMask("aeff-max", aeff_percent=percent).apply(d, r, 0.5) for d, r in zip(ours, runs, strict=True)]
        cut = SafeMaskMaker(methods=["aeff-max"], aeff_percent=percent)
        theirs = [cut.run(d, r) for d, r in zip(theirs, their_runs, strict=True)]
    our, their = stack_spectra(ours), Datasets(theirs).stack_reduce()
    np.testing.assert_array_equal(our.counts, their.counts.data.ravel())
    np.testing.assert_array_equal(our.counts_off, their.counts_off.data.ravel())
    np.testing.assert_array_equal(our.mask_safe, their.mask_safe.data.ravel())
    # Gammapy adds up in single precision
    np.testing.assert_allclose(our.acceptance, their.acceptance.data.ravel(), rtol=1e-6)
    np.testing.assert_allclose(our.acceptance_off, their.acceptance_off.data.ravel(), rtol=1e-6)
    exposure = their.exposure.quantity.to_value("cm2 s").ravel()
    np.testing.assert_allclose(our.exposure, exposure, rtol=1e-3, atol=1e-4 * exposure.max())
    kernel = their.edisp.get_edisp_kernel(energy_axis=their.counts.geom.axes["energy"]).pdf_matrix
    # Gammapy weights the dispersion by the exposure without containment (only HESS has one here)
    np.testing.assert_allclose(our.edisp, kernel, atol=1e-2 if runs[0].rad_max is None else 1e-6)


@pytest.mark.parametrize("n_off", [1, 3])
def test_cuts_that_depend_on_energy(gammajax_data, n_off):
    from gammapy.data import DataStore as GammapyStore
    from gammapy.makers import WobbleRegionsFinder

    folder, edges = gammajax_data / "magic/rad_max/data", np.logspace(-1, 1.5, 26)
    observations = DataStore.from_dir(folder).observations()
    ours = reduce_spectra(
        observations,
        CRAB,
        energy=edges,
        energy_true=EDGES,
        exclusion_mask=read_exclusion_mask(gammajax_data / MASK),
        background=WobbleRegions(n_off),
    )
    make = gammapy_makers(edges, None, False, WobbleRegionsFinder(n_off), gammapy_mask(gammajax_data))
    runs = GammapyStore.from_dir(folder).get_observations(observations.ids, required_irf="point-like")
    for our, run in zip(ours, runs, strict=True):
        their = make(run)
        np.testing.assert_array_equal(our.counts, their.counts.data.ravel())
        np.testing.assert_array_equal(our.counts_off, their.counts_off.data.ravel())
        np.testing.assert_array_equal(our.acceptance_off, their.acceptance_off.data.ravel())
        exposure = their.exposure.quantity.to_value("cm2 s").ravel()
        np.testing.assert_allclose(our.exposure, exposure, rtol=1e-10)


def test_a_configuration_selects_and_cuts_as_gammapys_analysis(gammajax_data, tmp_path):
    """The same YAML to both: cone, a time interval that cuts a run in two, required responses."""
    from gammapy.analysis import Analysis, AnalysisConfig

    position = {"frame": "icrs", "lon": "83.633 deg", "lat": "22.014 deg"}
    content = {
        "observations": {
            "datastore": str(gammajax_data / "hess-dl3-dr1"),
            "obs_cone": {**position, "radius": "2 deg"},
            "required_irf": ["aeff", "edisp", "psf", "bkg"],
        },
        "datasets": {
            "type": "1d",
            "stack": False,
            "on_region": {**position, "radius": "0.11 deg"},
            "background": {"method": "reflected"},
            "containment_correction": True,
        },
    }
    crab = DataStore.from_dir(gammajax_data / "hess-dl3-dr1").observation(23526)
    middle = crab.tstart + crab.gti.time_sum / 2 * u.s
    content["observations"]["obs_time"] = {"start": middle.utc.isot, "stop": (middle + 30 * u.d).utc.isot}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    ours = reduced(ReductionConfig.read(tmp_path / "config.yaml"), progress=False)
    analysis = Analysis(AnalysisConfig.read(tmp_path / "config.yaml"))
    analysis.get_observations()
    analysis.get_datasets()
    assert [d.name for d in ours] == list(map(str, analysis.observations.ids))
    assert "23526" in [d.name for d in ours]
    for one, other in zip(ours, analysis.datasets, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts.data.ravel())
        np.testing.assert_array_equal(one.counts_off, other.counts_off.data.ravel())
        livetime = float(other.exposure.meta["livetime"].to_value("s"))
        assert float(one.livetime) == pytest.approx(livetime, rel=1e-6)
        np.testing.assert_array_equal(one.mask_safe, other.mask_safe.data.ravel())
