import numpy as np
import pytest
from astropy.time import Time
from dl3_files import aeff_hdu, events_hdu, gti_hdu, pointing_hdu, write

from gammajax.data import DataStore
from gammajax.data.pointing import equatorial, horizontal
from gammajax.errors import FileFormatError
from gammajax.io.dl3 import Site

SITE = Site(16.5, -23.27, 1835.0)
GEO = {"GEOLON": SITE.lon, "GEOLAT": SITE.lat, "ALTITUDE": SITE.altitude}


@pytest.fixture
def open_run(tmp_path):
    def build(*hdus, **header):
        hdus = hdus or (events_hdu(3, **header), gti_hdu())
        return DataStore.from_files([write(tmp_path / "run.fits", *hdus)]).observation(3)

    return build


def test_without_a_table_the_header_holds(open_run):
    run = open_run()
    times = run.gti.reference.to_time(np.array([0.0, 1e6]))
    assert run.pointing_table is None
    np.testing.assert_array_equal(run.pointing_lonlat(times), [[83.6, 83.6], [22.5, 22.5]])
    assert run.pointing_at(times[0]).ra.deg == pytest.approx(83.6)
    assert run.pointing_lonlat(times[0])[0].shape == ()
    np.testing.assert_allclose(run.offsets, run.pointing.separation(run.events.radec).deg, rtol=1e-9)
    with pytest.raises(FileFormatError, match="run 3 .* has no site"):
        run.pointing_altaz(times)


def test_a_table_is_interpolated_on_the_sphere(open_run):
    # across ra = 0, where a mean of numbers would point the other way
    table = pointing_hdu(np.array([40.0, 0.0, 20.0]), np.array([0.4, 359.6, 0.0]), np.array([10.0, 10.0, 10.0]))
    run = open_run(events_hdu(3, **GEO), gti_hdu(), table)
    at = run.gti.reference.to_time
    ra, dec = run.pointing_lonlat(at(np.array([0.0, 10.0, 20.0, 35.0])))
    np.testing.assert_allclose(ra, [359.6, 359.8, 0.0, 0.3], atol=1e-5)
    np.testing.assert_allclose(dec, 10.0, atol=1e-4)
    # held for one step, since events spill over the ends
    assert run.pointing_lonlat(at(59.0))[0] == pytest.approx(0.4)
    with pytest.raises(FileFormatError, match=r"run 3 .*the pointing table covers .* select_time"):
        run.pointing_lonlat(at(61.0))
    assert run.pointing_radec == (83.6, 22.5)
    alt, az = run.pointing_altaz(at(20.0))
    np.testing.assert_allclose((alt, az), horizontal(0.0, 10.0, at(20.0), SITE), atol=1e-6)


def test_altitudes_of_the_table_come_first(open_run):
    n = np.arange(3.0)
    table = pointing_hdu(n * 25, 83 + n, 22 + n, ALT_PNT=60 + n, AZ_PNT=10 * n)
    run = open_run(events_hdu(3, ALT_PNT=50.0, **GEO), gti_hdu(), table)
    alt, az = run.pointing_altaz(run.gti.reference.to_time(25.0))
    np.testing.assert_allclose((alt, az), (61.0, 10.0), atol=1e-9)
    assert run.zenith == 40.0


def test_selection_by_offset_follows_the_table(open_run):
    table = pointing_hdu(np.array([0.0, 40.0]), np.array([83.5, 83.5]), np.array([22.0, 26.0]))
    run = open_run(events_hdu(3), gti_hdu(), table)
    np.testing.assert_allclose(run.offsets, run.events.time / 10.0, atol=1e-3)
    near = run.select_offset(("0 deg", "1.5 deg"))
    assert (len(near.events), near.livetime) == (2, run.livetime)


def test_drift_scans(open_run):
    run = open_run(OBS_MODE="DRIFT", ALT_PNT=70.0, AZ_PNT=20.0, **GEO)
    times = run.gti.reference.to_time(np.array([0.0, 3600.0]))
    ra, dec = run.pointing_lonlat(times)
    assert (ra[1] - ra[0]) % 360 == pytest.approx(15.04, abs=0.1)
    alt, az = horizontal(ra, dec, times, SITE)
    np.testing.assert_allclose(alt, 70.0, atol=1e-6)
    np.testing.assert_allclose(az, 20.0, atol=1e-6)
    with pytest.raises(FileFormatError, match="has no fixed pointing: OBS_MODE='DRIFT'.*cannot be reduced"):
        _ = run.pointing_radec
    nowhere = open_run(OBS_MODE="DRIFT", ALT_PNT=70.0)
    with pytest.raises(FileFormatError, match="drift scan: its pointing needs ALT_PNT, AZ_PNT, GEOLON and GEOLAT"):
        nowhere.pointing_lonlat(times)


def test_there_and_back_and_zenith(open_run):
    time = Time("2008-05-01T21:00:00")
    alt, az = horizontal(220.0, -30.0, time, SITE)
    np.testing.assert_allclose(equatorial(alt, az, time, SITE), (220.0, -30.0), atol=1e-9)
    run = open_run(**GEO)
    assert run.zenith == pytest.approx(90 - horizontal(83.6, 22.5, run.tmid, SITE)[0], abs=1e-9)


@pytest.mark.parametrize(
    ("header", "site"),
    [
        ({"GEOLON": "-67d30m", "GEOLAT": "-23d", "ALTITUDE": "4779.99 m"}, Site(-67.5, -23.0, 4779.99)),
        ({"GEOLON": "16.5", "GEOLAT": "-23.0", "GEOALT": 1835.0}, Site(16.5, -23.0, 1835.0)),
        ({"GEOLON": 16.5}, None),
        ({"GEOLON": "somewhere", "GEOLAT": 1.0}, None),
        ({"GEOLON": 1.0, "GEOLAT": 2.0}, Site(1.0, 2.0, 0.0)),
    ],
)
def test_sites_as_real_files_write_them(open_run, header, site):
    assert open_run(**header).meta.site == site


def test_broken_tables(open_run):
    empty = pointing_hdu(np.zeros(0), np.zeros(0), np.zeros(0))
    with pytest.raises(FileFormatError, match=r"\[POINTING\] has no rows"):
        _ = open_run(events_hdu(3), gti_hdu(), empty).pointing_table
    odd = pointing_hdu(np.arange(2.0), np.array([np.nan, 1]), np.zeros(2))
    with pytest.raises(FileFormatError, match=r"\[POINTING\] has times or directions"):
        _ = open_run(events_hdu(3), gti_hdu(), odd).pointing_table
    once = pointing_hdu(np.zeros(1), np.array([5.0]), np.zeros(1))
    run = open_run(events_hdu(3), gti_hdu(), aeff_hdu(), once)
    assert run.pointing_lonlat(run.gti.reference.to_time(1e5))[0] == pytest.approx(5.0)
