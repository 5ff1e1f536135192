"""Responses against Gammapy 2.1 on real files."""

import warnings

import numpy as np
import pytest
from astropy import units as u

pytest.importorskip("gammapy.irf")
pytestmark = [
    pytest.mark.data,
    # Gammapy and its dependencies warn about deprecations and odd units of these very files
    pytest.mark.filterwarnings("ignore"),
]

from gammapy.maps import MapAxis  # noqa: E402

from gammajax.data import DataStore  # noqa: E402

FOLDERS = {
    "hess": "joint-crab/data/hess",
    "magic": "joint-crab/data/magic",
    "veritas": "joint-crab/data/veritas",
    "fact": "joint-crab/data/fact",
    "rad_max": "magic/rad_max/data",
    "cta": "cta-1dc/index/gps",
    "negative": "hess-dl3-dr1",
}
RUNS = {"negative": 20326}
OFFSETS = {"rad_max": [0.385, 0.395, 0.4]}
TRUE, RECO = np.geomspace(0.01, 300, 97), np.geomspace(0.01, 100, 41)
ENERGY = np.sqrt(TRUE[1:] * TRUE[:-1])


@pytest.fixture(scope="module", params=FOLDERS)
def pair(request, gammajax_data):
    """Our run, Gammapy's run, offsets to look at."""
    from gammapy.data import DataStore as Reference

    folder = gammajax_data / FOLDERS[request.param]
    store = DataStore.from_dir(folder)
    run = store.observation(RUNS.get(request.param, store.obs_ids[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = Reference.from_dir(folder).obs(run.obs_id, required_irf=[])
    return run, reference, OFFSETS.get(request.param, [0.1, 0.4, 0.75, 1.5, 2.6, 7.0])


def test_effective_area(pair):
    run, reference, offsets = pair
    for offset in offsets:
        expected = reference.aeff.evaluate(energy_true=ENERGY * u.TeV, offset=offset * u.deg).to_value("cm2")
        np.testing.assert_allclose(run.aeff.evaluate(ENERGY, offset), expected, rtol=1e-10, atol=1e-3)


def test_energy_dispersion_kernel(pair):
    run, reference, offsets = pair
    true, reco = (MapAxis.from_energy_edges(x * u.TeV, name=n) for x, n in ((TRUE, "energy_true"), (RECO, "energy")))
    for offset in offsets:
        expected = reference.edisp.to_edisp_kernel(offset * u.deg, energy_axis_true=true, energy_axis=reco).pdf_matrix
        # Gammapy takes the offset from a position on the sky: rounding of 1e-14 deg
        np.testing.assert_allclose(run.edisp.kernel(TRUE, RECO, offset), expected, atol=1e-10)


def test_containment(pair):
    run, reference, offsets = pair
    if run.psf is None:
        pytest.skip("point-like responses have no PSF")
    radii = np.array([0.05, 0.1, 0.11, 0.2])[:, None]
    options = {"normalize": False} if hasattr(run.psf, "cumulative") else {}
    edges = np.asarray(run.psf.energy.edges)
    energy = ENERGY[(edges[0] < ENERGY) & (edges[-1] > ENERGY)]
    for offset in [x for x in offsets if x < run.psf.offset.edges[-1]]:
        expected = np.asarray(
            reference.psf.containment(rad=radii * u.deg, energy_true=energy * u.TeV, offset=offset * u.deg)
        )
        if not options:
            # next to grid points without PSF Gammapy takes a width of 1 deg, we the neighbours
            i, j = (
                np.searchsorted(np.asarray(a.points), x)
                for a, x in ((run.psf.energy, energy), (run.psf.offset, offset))
            )
            filled = np.pad(np.asarray(run.psf.filled), 1, mode="edge") > 0
            full = filled[i, j] & filled[i + 1, j] & filled[i, j + 1] & filled[i + 1, j + 1]
            expected = np.where(full, expected, np.asarray(run.psf.containment(radii, energy, offset)))
        # Gammapy interpolates the cumulative of tables linearly in the radius, we in its square
        tolerance = 1e-3 if options else 1e-6
        np.testing.assert_allclose(
            run.psf.containment(radii, energy, offset, **options), np.nan_to_num(expected), atol=tolerance
        )


def test_directional_cut(pair):
    run, reference, offsets = pair
    if run.rad_max is None:
        assert reference.rad_max is None
        return
    energy = np.array([0.08, 0.1, 0.3, 1.0, 5.0, 9.0])
    for offset in offsets:
        expected = reference.rad_max.evaluate(method="nearest", energy=energy * u.TeV, offset=offset * u.deg).to_value(
            "deg"
        )
        np.testing.assert_allclose(run.rad_max.evaluate(energy, offset), expected, rtol=1e-6)


def test_run(pair):
    run, reference, _ = pair
    assert len(run.events) == len(reference.events.table)
    assert run.livetime == pytest.approx(reference.observation_live_time_duration.to_value("s"), rel=1e-12)
    np.testing.assert_allclose(run.events.energy, reference.events.energy.to_value("TeV"), rtol=1e-12)
    assert run.events.radec.separation(reference.events.radec).max().deg < 1e-4  # single precision there
    assert abs((run.events.times[0] - reference.events.time[0]).sec) < 1e-6
    assert abs((run.tstart - reference.gti.time_start[0]).sec) < 1e-6
    assert run.pointing.separation(reference.get_pointing_icrs(reference.tmid)).deg < 1e-9
