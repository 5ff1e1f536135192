"""Runs written and read back, and what cannot be written."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from gammajax.errors import FileFormatError
from gammajax.io.dl3 import (
    EventTable,
    GTITable,
    RunInfo,
    TimeReference,
    event_table,
    find_events,
    find_gti,
    gti_table,
    read_hdu_index,
    read_obs_index,
    run_info,
)
from gammajax.io.dl3_write import Run, Site, response_hdu, write_index, write_run
from gammajax.io.fits import open_fits
from gammajax.io.irf import GridAxis, Response, read_response

UTC = TimeReference(52706.0, 0.0, "utc")
ENERGY = GridAxis.from_edges(np.geomspace(0.1, 100.0, 4), log=True)
OFFSET = GridAxis.from_points(np.array([0.0, 0.5, 1.0, 2.5]))
MIGRA = GridAxis.from_edges(np.linspace(0.2, 5.0, 6))
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
    "rad_max_2d": numbered("rad_max_2d", ["RAD_MAX"], **GRID),
}


def info(obs_id=2**40, reference=UTC):
    place = (359.9, -22.5, 60.0, np.nan, 0.1, -22.0)
    return RunInfo(obs_id, "T", "I", "Crab", "POINTING", *place, 0.9, 1e8, 1e8 + 60, reference)


def run(*responses):
    n = 4
    time = 1e8 + np.arange(n) / 3
    return Run(
        info=info(),
        events=EventTable(time, np.full(n, 359.9), np.full(n, -22.5), np.geomspace(0.1, 1, n), np.arange(n), UTC),
        gti=GTITable(np.array([1e8, 1e8 + 40]), np.array([1e8 + 30, 1e8 + 60]), UTC),
        responses=responses,
        site=Site(-17.9, 28.8, 2200.0),
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
        for name, column in vars(event_table(events, path)).items():
            np.testing.assert_array_equal(column, getattr(made.events, name))
        np.testing.assert_array_equal(gti_table(gti, path).stop, made.gti.stop)
        np.testing.assert_equal(vars(run_info(events, path)), vars(made.info))
        header = events.header
        assert (header["ONTIME"], header["LIVETIME"]) == (50.0, 45.0)
        assert header["DATE-OBS"] == UTC.to_time(1e8).isot
        assert (header["HDUCLASS"], header["HDUVERS"], header["HDUCLAS1"]) == ("GADF", "0.3", "EVENTS")
        assert events.columns["MC_ID"].format == "J"
        # what is unknown is not written as a number
        assert "AZ_PNT" not in header


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
    with pytest.raises(FileFormatError, match="psf_king"):
        response_hdu(replace(RESPONSES["aeff_2d"], kind="psf_king"))
    with pytest.raises(FileFormatError, match="EFFAREA"):
        response_hdu(numbered("aeff_2d", ["EFFAREA"], **GRID, rad=RAD))
    with pytest.raises(FileFormatError, match="time reference"):
        write_index(tmp_path, [info(), info(8, TimeReference(51544.0, 0.0, "tt"))], [])
