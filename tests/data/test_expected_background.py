"""Counts that background responses predict, in the frames of the field of view."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from dl3_files import aeff_hdu, bkg_2d_hdu, bkg_3d_hdu, events_hdu, gti_hdu, pointing_hdu, write
from regions import CircleSkyRegion

from gammajax.data import DataStore
from gammajax.data.background import background_counts, background_in_circle, circle_points
from gammajax.errors import ConfigError, FileFormatError, MissingFile
from gammajax.irf import Background3D

EDGES = np.array([0.2, 2.0, 30.0])
SPECTRUM = (EDGES[1:] ** -1.7 - EDGES[:-1] ** -1.7) / -1.7
GEO = {"GEOLON": 16.5, "GEOLAT": -23.27, "ALTITUDE": 1835.0}


@pytest.fixture
def open_run(tmp_path):
    def build(*hdus, **header):
        path = write(tmp_path / "run.fits", events_hdu(3, **header), gti_hdu(), *hdus)
        return DataStore.from_files([path]).observation(3)

    return build


def test_per_on_time_and_solid_angle(open_run):
    run = open_run(bkg_2d_hdu())
    found = background_counts(run, [83.6, 84.6], [22.5, 22.5], 1e-4, EDGES)
    # the dead time (DEADC = 0.9) plays no part
    np.testing.assert_allclose(found, np.tile(50.0 * 1e-4 * SPECTRUM, (2, 1)), rtol=1e-5)
    cut = run.select_time((run.gti.reference.to_time(0.0), run.gti.reference.to_time(20.0)))
    np.testing.assert_allclose(background_counts(cut, [83.6], [22.5], 1e-4, EDGES), found[:1] * 0.4, rtol=1e-6)
    half = run.select_phase((0.0, 0.5))
    np.testing.assert_allclose(background_counts(half, [83.6], [22.5], 1e-4, EDGES * u.TeV), found[:1] * 0.5, rtol=1e-9)
    none = run.select_time(("1990-01-01", "1991-01-01"))
    assert background_counts(none, [83.6], [22.5], 1e-4, EDGES).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("header", "sign"), [({}, -1), ({"CREATOR": "SASH FITS::EventListWriter", "HDUVERS": "0.2"}, +1)]
)
def test_orientation(open_run, header, sign):
    """The rate grows e-fold per deg of DETX: towards smaller ra in GADF, towards larger in old H.E.S.S. files."""
    run = open_run(bkg_3d_hdu(), **header)
    assert run.bkg.alignment == ("REVERSE_LON_RADEC" if sign > 0 else "RADEC")
    lon = np.array([-1.0, 0.0, 1.0])
    found = background_counts(run, 83.6 + lon / np.cos(np.radians(22.5)), np.full(3, 22.5), 1e-4, EDGES)[:, 0]
    np.testing.assert_allclose(found / found[1], np.exp(sign * lon), rtol=1e-2)
    north = background_counts(run, [83.6, 83.6], [22.5, 23.5], 1e-4, EDGES)[:, 0]
    assert north[1] / north[0] == pytest.approx(0.5, rel=1e-6)


def test_horizontal_alignment(open_run):
    """The rate halves per deg towards the zenith, whatever the position angle of the zenith is."""
    run = open_run(bkg_3d_hdu(FOVALIGN="ALTAZ"), **GEO)
    alt_0, az_0 = run.pointing_altaz(run.tmid)
    ra, dec = 83.6 + np.array([0.0, 0.5, -0.5]), 22.5 + np.array([0.0, 0.3, 0.7])
    alt, az = run.altaz(ra, dec, run.tmid)
    found = background_counts(run, ra, dec, 1e-4, EDGES)[:, 0]
    lon = -(az - az_0) * np.cos(np.radians(alt))
    np.testing.assert_allclose(found / found[0], np.exp(lon) * 0.5 ** (alt - alt_0), rtol=1e-2)
    with pytest.raises(FileFormatError, match="run 3 .* has no site"):
        background_counts(open_run(bkg_3d_hdu(FOVALIGN="ALTAZ")), ra, dec, 1e-4, EDGES)


def test_a_moving_pointing_is_averaged(open_run):
    table = pointing_hdu(np.array([0.0, 50.0]), np.array([83.6, 83.6]), np.array([21.5, 23.5]))
    still = background_counts(open_run(bkg_3d_hdu()), [83.6], [22.5], 1e-4, EDGES)
    run = open_run(bkg_3d_hdu(), table)
    found = background_counts(run, [83.6], [22.5], 1e-4, EDGES, time_step="2 s")
    x = np.linspace(-1, 1, 2001)
    np.testing.assert_allclose(found, still * np.mean(0.5**x), rtol=1e-3)
    with pytest.raises(ConfigError, match="time_step must be positive"):
        background_counts(run, [83.6], [22.5], 1e-4, EDGES, time_step=0)


def test_circles(open_run):
    run = open_run(bkg_2d_hdu())
    region = CircleSkyRegion(SkyCoord(83.63, 22.01, unit="deg"), 0.5 * u.deg)
    found = background_in_circle(run, region, EDGES)
    np.testing.assert_allclose(found, 50.0 * 2 * np.pi * (1 - np.cos(np.radians(0.5))) * SPECTRUM, rtol=1e-5)
    gradient = background_in_circle(open_run(bkg_3d_hdu()), region, EDGES)
    fine = background_in_circle(open_run(bkg_3d_hdu()), region, EDGES, rings=12, spokes=96)
    np.testing.assert_allclose(gradient, fine, rtol=1e-4)
    ra, dec, _ = circle_points(83.63, 22.01, 0.5)
    assert SkyCoord(ra, dec, unit="deg").separation(region.center).max().deg < 0.5
    with pytest.raises(ConfigError, match="a circle with a radius"):
        background_in_circle(run, region.center, EDGES)


def test_what_is_missing(open_run, tmp_path):
    run = open_run(aeff_hdu())
    assert run.bkg is None
    with pytest.raises(FileFormatError, match="run 3 has no background response .*; it has events, gti, aeff_2d"):
        background_counts(run, [83.6], [22.5], 1e-4, EDGES)
    with pytest.raises(ConfigError, match="increasing positive bin edges"):
        background_counts(open_run(bkg_2d_hdu()), [83.6], [22.5], 1e-4, [1.0])
    there = open_run(bkg_3d_hdu())
    assert isinstance(there.bkg, Background3D)
    gone = open_run(bkg_3d_hdu())
    (tmp_path / "run.fits").unlink()
    with pytest.raises(MissingFile, match=r"run 3: .*run\.fits \(bkg_3d\) is listed but absent"):
        _ = gone.bkg
