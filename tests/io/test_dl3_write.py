"""Runs written and read back, and what cannot be written."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from gammajax.errors import FileFormatError
from gammajax.io.dl3 import (
    EventTable,
    GTITable,
    PointingTable,
    RunInfo,
    TimeReference,
    event_table,
    find_events,
    find_gti,
    find_pointing,
    gti_table,
    pointing_table,
    read_hdu_index,
    read_obs_index,
    run_info,
    scan_run,
)
from gammajax.io.dl3_write import Run, Site, response_hdu, write_index, write_run
from gammajax.io.fits import open_fits
from gammajax.io.irf import GridAxis, Response, read_response

SITE = Site(-17.9, 28.8, 2200.0)
UTC = TimeReference(52706.0, 0.0, "utc")
ENERGY = GridAxis.from_edges(np.geomspace(0.1, 100.0, 4), log=True)
OFFSET = GridAxis.from_points(np.array([0.0, 0.5, 1.0, 2.5]))
MIGRA = GridAxis.from_edges(np.linspace(0.2, 5.0, 6))
FOV = GridAxis.from_edges(np.linspace(-2.0, 2.0, 5))
RAD = GridAxis.from_edges(np.array([0.0, 0.1, 0.3]))


def numbered(kind, names, **axes):
    """A response whose values tell their place."""
    shape = tuple(axis.points.size for axis in axes.values())
    values = {name: 1.0 + i + np.arange(np.prod(shape)).reshape(shape) for i, name in enumerate(names)}
    return Response(kind, axes, values)


GRID = {"energy": ENERGY, "offset": OFFSET}
RESPONSES = {
    "aeff_2d": replace(
        numbered("aeff_2d", ["EFFAREA"], **GRID), is_pointlike=True, rad_max=0.1, lo_thres=0.2, hi_thres=50.0
    ),
    "edisp_2d": numbered("edisp_2d", ["MATRIX"], **GRID, migra=MIGRA),
    "psf_table": numbered("psf_table", ["RPSF"], **GRID, rad=RAD),
    "psf_3gauss": numbered("psf_3gauss", ["SIGMA_1", "SIGMA_2", "SIGMA_3", "AMPL_2", "AMPL_3", "SCALE"], **GRID),
    "psf_king": numbered("psf_king", ["GAMMA", "SIGMA"], **GRID),
    "bkg_2d": numbered("bkg_2d", ["BKG"], **GRID),
    "bkg_3d": replace(numbered("bkg_3d", ["BKG"], energy=ENERGY, fov_lon=FOV, fov_lat=FOV), alignment="ALTAZ"),
    "rad_max_2d": numbered("rad_max_2d", ["RAD_MAX"], **GRID),
}


def info(obs_id=2**40, reference=UTC):
    place = (359.9, -22.5, 60.0, np.nan, 0.1, -22.0)
    return RunInfo(obs_id, "T", "I", "Crab", "POINTING", *place, 0.9, 1e8, 1e8 + 60, reference, "gammajax", "0.3", SITE)


def run(*responses):
    n = 4
    time = 1e8 + np.arange(n) / 3
    return Run(
        info=info(),
        events=EventTable(time, np.full(n, 359.9), np.full(n, -22.5), np.geomspace(0.1, 1, n), np.arange(n), UTC),
        gti=GTITable(np.array([1e8, 1e8 + 40]), np.array([1e8 + 30, 1e8 + 60]), UTC),
        responses=responses,
        site=SITE,
        columns={"MC_ID": np.arange(n, dtype=np.int32), "ENERGY_TRUE": np.full(n, np.nan)},
        nodes=("offset",),
    )


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz"])
def test_events_gti_and_header_come_back(tmp_path, suffix):
    made, path = run(), tmp_path / f"run{suffix}"
    places = write_run(path, made)
    assert [(p.type, p.kind, p.hdu) for p in places] == [
        ("events", "events", "EVENTS"),
        ("gti", "gti", "GTI"),
    ]
    with open_fits(path) as hdus:
        events, gti = find_events(hdus, path), find_gti(hdus, path)
        read = event_table(events, path)
        for name in ("time", "ra", "dec", "energy", "event_id"):
            np.testing.assert_array_equal(getattr(read, name), getattr(made.events, name))
        assert list(read.columns) == list(made.columns)
        for name, column in made.columns.items():
            np.testing.assert_array_equal(read.columns[name], column)
        np.testing.assert_array_equal(gti_table(gti, path).stop, made.gti.stop)
        np.testing.assert_equal(vars(run_info(events, path)), vars(made.info))
        header = events.header
        assert (header["ONTIME"], header["LIVETIME"]) == (50.0, 45.0)
        assert header["DATE-OBS"] == UTC.to_time(1e8).isot
        assert (header["HDUCLASS"], header["HDUVERS"], header["HDUCLAS1"]) == ("GADF", "0.3", "EVENTS")
        assert events.columns["MC_ID"].format == "J"
        # what is unknown is not written as a number
        assert "AZ_PNT" not in header


def test_further_columns_of_all_types_come_back(tmp_path):
    made = run()
    columns = {
        "PHASE": np.linspace(0, 0.9, 4),
        "MULTIP": np.arange(4, dtype=np.int64),
        "IS_GAMMA": np.array([True, False, True, True]),
        "NAME": np.array(["a", "bb", "", "d"]),
        "PAIR": np.arange(8.0).reshape(4, 2),
    }
    events = replace(made.events, columns=columns, units={"PHASE": "deg"})
    write_run(tmp_path / "run.fits", replace(made, events=events, columns=None))
    with open_fits(tmp_path / "run.fits") as hdus:
        read = event_table(find_events(hdus, tmp_path), tmp_path)
    assert list(read.columns) == list(columns)
    assert dict(read.units) == {"PHASE": "deg"}
    for name, column in columns.items():
        np.testing.assert_array_equal(read.columns[name], column)
        assert read.columns[name].dtype.kind == column.dtype.kind
    odd = replace(made, columns={"ODD": np.array([None, 1, 2, 3], dtype=object)})
    with pytest.raises(FileFormatError, match="column ODD of the type object"):
        write_run(tmp_path / "odd.fits", odd)


@pytest.mark.parametrize("with_altaz", [True, False])
def test_pointing_table_comes_back(tmp_path, with_altaz):
    n = np.arange(3.0)
    alt_az = {"alt": 60 + n, "az": 10 * n} if with_altaz else {}
    table = PointingTable(1e8 + n, 83.0 + n, 22.0 - n, UTC, **alt_az)
    places = write_run(tmp_path / "run.fits", replace(run(), pointing=table))
    assert [(p.type, p.kind, p.hdu) for p in places][2] == ("pointing", "pointing", "POINTING")
    assert {p.type for p in scan_run(tmp_path / "run.fits")[1]} == {"events", "gti", "pointing"}
    with open_fits(tmp_path / "run.fits") as hdus:
        read = pointing_table(find_pointing(hdus, tmp_path), tmp_path)
    for name, values in vars(table).items():
        np.testing.assert_array_equal(getattr(read, name), values)


@pytest.mark.parametrize("kind", RESPONSES)
def test_responses_come_back(tmp_path, kind):
    made = RESPONSES[kind]
    write_run(tmp_path / "run.fits", run(made))
    read = read_response(tmp_path / "run.fits", kind)
    for name, values in read.values.items():
        np.testing.assert_allclose(values, made.values[name], rtol=1e-6)
    for name, axis in made.axes.items():
        np.testing.assert_allclose(read.axes[name].points, axis.points, rtol=1e-12)
        np.testing.assert_allclose(read.axes[name].edges, axis.edges, rtol=1e-12, atol=1e-12)
    assert read.alignment == made.alignment
    assert read.is_pointlike == (kind in ("aeff_2d", "rad_max_2d"))
    np.testing.assert_equal((read.lo_thres, read.hi_thres, read.rad_max), (made.lo_thres, made.hi_thres, made.rad_max))


def test_background_is_stored_in_the_units_of_the_format():
    bkg = numbered("bkg_2d", ["BKG"], **GRID)
    hdu = response_hdu(bkg, nodes=["offset"])
    assert hdu.columns["BKG"].unit == "s-1 MeV-1 sr-1"
    assert hdu.header["TDIM5"].replace(" ", "") == "(3,4)"
    assert hdu.header["CREF5"] == "(ENERG_LO:ENERG_HI,THETA_LO:THETA_HI)"
    np.testing.assert_allclose(hdu.data["BKG"][0].T, bkg.values["BKG"] * 1e-6, rtol=1e-6)
    np.testing.assert_array_equal(hdu.data["THETA_LO"], hdu.data["THETA_HI"])


def test_index(tmp_path):
    second = replace(run(RESPONSES["psf_table"]), info=info(7))
    places = write_run(tmp_path / "a" / "one.fits", run()) + write_run(tmp_path / "two.fits", second)
    observations, hdus = write_index(tmp_path, [info(), info(7)], places)
    index = read_obs_index(observations)
    assert index["OBS_ID"].tolist() == [2**40, 7]
    assert index["OBJECT"].tolist() == ["Crab", "Crab"]
    assert index["RA_PNT"].tolist() == [359.9, 359.9]
    assert read_hdu_index(hdus) == places
    with fits.open(observations) as opened:
        assert opened[1].header["TIMESYS"] == "UTC"


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(FileFormatError, match="psf_gtpsf"):
        response_hdu(replace(RESPONSES["aeff_2d"], kind="psf_gtpsf"))
    with pytest.raises(FileFormatError, match="psf_king needs the values GAMMA; it has EFFAREA"):
        response_hdu(replace(RESPONSES["aeff_2d"], kind="psf_king"))
    with pytest.raises(FileFormatError, match="EFFAREA"):
        response_hdu(numbered("aeff_2d", ["EFFAREA"], **GRID, rad=RAD))
    with pytest.raises(FileFormatError, match="time reference"):
        write_index(tmp_path, [info(), info(8, TimeReference(51544.0, 0.0, "tt"))], [])
