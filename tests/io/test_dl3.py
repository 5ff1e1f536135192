import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from dl3_files import aeff_hdu, events_hdu, gti_hdu, table, write, write_index, write_run

from gammajax.errors import FileFormatError, MissingFile
from gammajax.io import dl3
from gammajax.io.fits import open_fits


def test_events(tmp_path):
    path = write(tmp_path / "run.fits", events_hdu())
    with open_fits(path) as hdus:
        events = dl3.event_table(dl3.find_events(hdus, path), path)
    np.testing.assert_allclose(events.energy, np.geomspace(0.1, 10, 5), rtol=1e-6)
    np.testing.assert_allclose(events.ra, 83.5)
    assert events.time.dtype == np.float64
    assert events.time[0] > events.time[-1]


def test_header(tmp_path):
    path = write(
        tmp_path / "run.fits",
        events_hdu(7, OBS_MODE="wobble"),
        events_hdu(8, DEADC="", LIVETIME=9, ONTIME=10),
    )
    with open_fits(path) as hdus:
        first, second = (dl3.run_info(hdus[i], path) for i in (1, 2))
    assert (first.obs_id, first.obs_mode, first.deadc, first.telescope) == (7, "WOBBLE", 0.9, "TEST")
    assert second.deadc == 0.9
    assert np.isnan(first.alt_pnt)


@pytest.mark.parametrize(
    ("header", "deadc"),
    [
        ({"DEADC": 0.8, "LIVETIME": 0.0, "ONTIME": 0.0}, 0.8),
        ({"DEADC": "", "LIVETIME": 9.0, "ONTIME": 10.0}, 0.9),
        ({"DEADC": "", "LIVETIME": 9.0, "ONTIME": 0.0}, np.nan),
        ({"DEADC": ""}, np.nan),
    ],
)
def test_dead_time(tmp_path, header, deadc):
    path = write(tmp_path / "run.fits", events_hdu(7, **header))
    with open_fits(path) as hdus:
        np.testing.assert_equal(dl3.run_info(hdus[1], path).deadc, deadc)


def test_obs_ids_of_a_text_file(tmp_path):
    path = tmp_path / "runs.txt"
    path.write_text("# Crab\n23523 23526  # two\n\n20131103103\n")
    assert dl3.read_obs_ids(path) == (23523, 23526, 20131103103)
    path.write_text("1\n2 x\n")
    with pytest.raises(FileFormatError, match=r"runs\.txt line 2: '2 x' is not"):
        dl3.read_obs_ids(path)
    with pytest.raises(MissingFile, match=r"absent\.txt"):
        dl3.read_obs_ids(tmp_path / "absent.txt")


def test_gti_without_unit_and_with_timezero(tmp_path):
    path = write(tmp_path / "run.fits", gti_hdu((100.0,), (150.0,), TIMEZERO=100.0))
    with open_fits(path) as hdus:
        gti = dl3.gti_table(dl3.find_gti(hdus, path), path)
    np.testing.assert_array_equal([gti.start, gti.stop], [[100.0], [150.0]])


def test_impossible_gti(tmp_path):
    path = write(tmp_path / "run.fits", gti_hdu((10.0,), (5.0,)))
    with open_fits(path) as hdus, pytest.raises(FileFormatError, match="stops before it starts"):
        dl3.gti_table(hdus[1], path)


@pytest.mark.parametrize(("key", "value"), [("MJDREFI", None), ("TIMESYS", "GPS"), ("TIMESYS", None)])
def test_time_reference_is_required(key, value):
    header = fits.Header({"MJDREFI": 51544, "MJDREFF": 0.5, "TIMESYS": "TT"})
    header[key] = value
    with pytest.raises(FileFormatError, match=r"run\.fits"):
        dl3.time_reference(header, "run.fits")


def test_utc_seconds_count_leap_seconds():
    # three leap seconds lie between 2003 and 2013; DATE-OBS of the file is the wall clock
    reference = dl3.TimeReference(52706, 0.0, "utc")
    seconds = (Time("2013-10-04T04:20:46", scale="utc").mjd - 52706) * 86400 + 3
    assert reference.to_time(seconds).isot == "2013-10-04T04:20:46.000"
    assert reference.to_seconds(reference.to_time(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_indices(tmp_path):
    write_index(tmp_path, {2**40: " run.fits "})
    obs_index, hdu_index = dl3.index_paths(tmp_path)
    assert dl3.read_obs_index(obs_index)["OBS_ID"].tolist() == [2**40]
    places = dl3.read_hdu_index(hdu_index)
    assert {p.type for p in places} == {"events", "gti", "aeff", "edisp", "psf"}
    assert all(p.path == tmp_path / "run.fits" for p in places)


def test_index_problems(tmp_path):
    with pytest.raises(MissingFile, match="from_files"):
        dl3.index_paths(tmp_path)
    bad = write(tmp_path / "hdu-index.fits", table("X", [fits.Column("OBS_ID", "K", array=np.ones(1))]))
    with pytest.raises(FileFormatError, match="HDU_TYPE"):
        dl3.read_hdu_index(bad)
    text = write(tmp_path / "obs-index.fits", table("X", [fits.Column("OBS_ID", "9A", array=np.array(["chunk 1"]))]))
    with pytest.raises(FileFormatError, match="holds text"):
        dl3.read_obs_index(text)


def test_scan_a_file_without_index(tmp_path):
    info, places = dl3.scan_run(write_run(tmp_path / "run.fits", 42))
    assert info.obs_id == 42
    assert {p.type: p.kind for p in places} == {
        "events": "events", "gti": "gti", "aeff": "aeff_2d", "edisp": "edisp_2d", "psf": "psf_table"
    }  # fmt: skip
    with pytest.raises(FileFormatError, match="EVENTS"):
        dl3.scan_run(write(tmp_path / "irf.fits", aeff_hdu()))
