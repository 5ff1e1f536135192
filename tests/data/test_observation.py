import pickle

import jax
import numpy as np
import pytest
from dl3_files import aeff_hdu, edisp_hdu, events_hdu, gti_hdu, psf_gauss_hdu, rad_max_hdu, write, write_run

from gammajax.data import DataStore
from gammajax.errors import ConfigError, EmptyRun, FileFormatError
from gammajax.irf import PSF3Gauss, PSFTable


def open_run(*files):
    store = DataStore.from_files(files)
    return store.observation(store.obs_ids[0])


@pytest.fixture
def run(tmp_path):
    return open_run(write_run(tmp_path / "run.fits", 7))


def test_a_complete_run(run):
    assert (run.obs_id, run.telescope, run.target, run.is_pointlike) == (7, "TEST", "Crab", False)
    assert run.pointing_radec == (83.6, 22.5)
    assert run.pointing.separation(run.events.radec[0]).deg == pytest.approx(0.508, abs=1e-3)
    assert run.livetime == pytest.approx(0.9 * 50)
    assert len(run.events) == 5
    assert (run.tstop - run.tstart).sec == pytest.approx(50)
    assert isinstance(run.psf, PSFTable)
    assert run.rad_max is None
    assert run.aeff.lo_thres == 0.5
    assert run.edisp.kernel(np.array([1.0, 2.0]), np.array([0.1, 10.0]), 0.5)[0, 0] == pytest.approx(1, rel=1e-5)
    assert [path.name for path in run.files] == ["run.fits"]
    assert "livetime     45.0 s" in run.info()
    assert repr(run).splitlines()[:3] == ["Observation 7", "  telescope  TEST", "  target     Crab"]


def test_responses_hold_arrays_only(run):
    one = jax.tree.structure((run.aeff, run.edisp, run.psf))
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves((run.aeff, run.edisp, run.psf)))
    assert one == jax.tree.structure((run.aeff, run.edisp, run.psf))


def test_pickles_without_its_data(run):
    size = len(pickle.dumps(run))
    assert len(run.events) == 5
    assert run.aeff is not None
    assert len(pickle.dumps(run)) == size < 3000
    assert pickle.loads(pickle.dumps(run)).livetime == run.livetime


def test_select_time_cuts_events_and_livetime(run):
    reference = run.gti.reference
    first = run.select_time((reference.to_time(-1.0).utc.isot, reference.to_time(25.0).utc.isot))
    assert (len(first.events), first.livetime) == (3, pytest.approx(0.9 * 25, rel=1e-3))
    assert len(run.events) == 5
    assert len(pickle.loads(pickle.dumps(first)).events) == 3
    both = first.select_time((reference.to_time(15.0), reference.to_time(40.0)))
    assert (len(both.events), both.livetime) == (1, pytest.approx(0.9 * 10, rel=1e-3))


def test_rad_max_from_keyword_hdu_or_an_error(tmp_path):
    fixed = open_run(write(tmp_path / "a.fits", events_hdu(), gti_hdu(), aeff_hdu(True, RAD_MAX=0.1)))
    assert fixed.rad_max.is_fixed
    assert float(fixed.rad_max.evaluate(1.0, 0.5)) == 0.1
    assert fixed.psf is None
    table = open_run(write(tmp_path / "b.fits", events_hdu(), gti_hdu(), aeff_hdu(True), rad_max_hdu()))
    assert not table.rad_max.is_fixed
    neither = open_run(write(tmp_path / "c.fits", events_hdu(), gti_hdu(), aeff_hdu(True)))
    with pytest.raises(FileFormatError, match=r"run 1: .*c\.fits is POINT-LIKE.*RAD_MAX_2D"):
        _ = neither.rad_max


def test_one_broken_response_leaves_the_others(tmp_path):
    broken = edisp_hdu()
    broken.columns["MATRIX"].name = "MATRICES"
    run = open_run(write(tmp_path / "run.fits", events_hdu(), gti_hdu(), aeff_hdu(), broken, psf_gauss_hdu()))
    assert isinstance(run.psf, PSF3Gauss)
    assert run.aeff is not None
    with pytest.raises(FileFormatError, match=r"run\.fits\[ENERGY DISPERSION\] has no column MATRIX"):
        _ = run.edisp


@pytest.mark.parametrize(
    ("header", "attribute", "message"),
    [
        ({"OBS_MODE": "DRIFT"}, "pointing", "no fixed pointing"),
        ({"RA_PNT": ""}, "pointing", "RA_PNT=nan"),
        ({"DEADC": 1.5}, "livetime", "DEADC must be in 0..1"),
        ({"DEADC": ""}, "livetime", "DEADC must be in 0..1"),
        ({"MJDREFI": ""}, "events", "time reference"),
    ],
)
def test_impossible_headers(tmp_path, header, attribute, message):
    path = write_run(tmp_path / "run.fits")
    good = open_run(path)
    write_run(path, **header)
    with pytest.raises(FileFormatError, match=message) as caught:
        getattr(good, attribute)
    assert "run.fits" in str(caught.value)


def test_missing_parts_are_named(tmp_path):
    run = open_run(write(tmp_path / "run.fits", events_hdu(3), gti_hdu()))
    with pytest.raises(FileFormatError, match="run 3 has no 'aeff'; it has events, gti"):
        _ = run.aeff
    without = open_run(write(tmp_path / "x.fits", events_hdu(4)))
    with pytest.raises(FileFormatError, match="GTI"):
        _ = without.livetime


def test_an_edited_file_is_read_anew(tmp_path):
    path = write(tmp_path / "run.fits", events_hdu(), gti_hdu(), aeff_hdu())
    before = float(open_run(path).aeff.evaluate(1.0, 0.5))
    write(path, events_hdu(), gti_hdu(), aeff_hdu(data=np.full((3, 6), 7.0), LO_THRES=1.0), psf_gauss_hdu())
    assert before == pytest.approx(1e9)
    assert float(open_run(path).aeff.evaluate(1.0, 0.5)) == pytest.approx(7e4)


def test_no_good_time(tmp_path):
    run = open_run(write(tmp_path / "run.fits", events_hdu(7), gti_hdu((), ())))
    assert run.livetime == 0
    with pytest.raises(EmptyRun, match="run 7 has no good time"):
        _ = run.tstart
    with pytest.raises(EmptyRun, match="run 7 has no good time"):
        _ = run.tstop


@pytest.mark.parametrize("interval", [("2010-01-01", "noon"), ("2010-01-01",), 5])
def test_what_is_no_time(run, interval):
    with pytest.raises(ConfigError, match="is no time|is a pair such as"):
        _ = run.select_time(interval).events
