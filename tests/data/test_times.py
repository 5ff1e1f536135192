"""Times: text and numbers without a scale are UTC, whatever the scale of a run."""

import datetime

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

import gammajax as gj
from gammajax.data import DataStore
from gammajax.data.times import as_interval, as_time, as_times, iso
from gammajax.errors import ConfigError
from gammajax.simulate import INSTRUMENTS
from gammajax.workflow import typed

BERLIN = datetime.timezone(datetime.timedelta(hours=2))
UTC = Time("2006-07-29T22:00:00", scale="utc")


@pytest.mark.parametrize(
    "given",
    [UTC, UTC.tt, "2006-07-29T22:00", "2006-07-29 22:00:00", "2006-07-29T22:00:00Z", "2006-07-29T22:01:05.184 TT",
     "2006-07-29 22:01:05.184 (tt)", "2006:210:22:00:00", 53945 + 22 / 24, np.float64(53945 + 22 / 24),
     (53945 + 22 / 24) * u.day, datetime.datetime(2006, 7, 29, 22), datetime.datetime(2006, 7, 30, tzinfo=BERLIN),
     np.datetime64("2006-07-29T22:00")],
    ids=str,
)  # fmt: skip
def test_one_moment(given):
    assert abs((as_time(given) - UTC).sec) < 1e-5
    assert typed.a_time(given, "key") == as_time(given)
    assert gj.Ephemeris(given, 1.0).reference == as_time(given)


def test_dates_and_many():
    assert iso(as_time(datetime.date(2006, 7, 29))) == iso(as_time(53945)) == "2006-07-29T00:00:00.000"
    assert iso(as_times(["2006-07-29", UTC])).tolist() == ["2006-07-29T00:00:00.000", "2006-07-29T22:00:00.000"]
    assert as_time(UTC.tt).scale == "tt"


@pytest.mark.parametrize(
    "given",
    [
        "2006",
        "53945.9",
        "noon",
        "J2000.0",
        "",
        2006,
        2453945.5,
        4.6e9 * u.s,
        53945.9 * u.hour,
        True,
        None,
        [],
        [UTC, UTC],
    ],
    ids=str,
)
def test_what_is_no_time(given):
    with pytest.raises(ConfigError, match="moment: .*give an astropy Time, text such as"):
        as_time(given, "moment")


def test_intervals():
    assert as_interval((UTC, "2006-07-30"))[1] == Time("2006-07-30", scale="utc")
    assert as_interval([53945, 53946] * u.day) == as_interval((53945, 53946))
    for given in ("2006-07-29", 53945.0, (UTC,), (UTC, UTC, UTC)):
        with pytest.raises(ConfigError, match="interval is a pair such as"):
            as_interval(given)
    with pytest.raises(ConfigError, match="interval stops before it starts"):
        as_interval(("2006-07-30", UTC))


@pytest.mark.parametrize("name", ["hess", "magic"])
def test_text_and_times_cut_alike(archive, name):
    """H.E.S.S.-like runs count in TT, MAGIC-like ones in UTC."""
    assert [INSTRUMENTS[n].reference.scale for n in ("hess", "magic")] == ["tt", "utc"]
    runs = DataStore.from_dir(archive.folder / name).observations()
    run = runs[0]
    times = run.tstart, run.tmid
    expected = run.select_time(times)
    for given in (
        [t.utc.isot for t in times],
        [f"{t.tt.isot} TT" for t in times],
        [t.utc.mjd for t in times],
        [t.utc for t in times],
    ):
        cut = run.select_time(given)
        assert cut.livetime == pytest.approx(expected.livetime, abs=5e-3)
        assert len(cut.events) == pytest.approx(len(expected.events), abs=1)
        assert runs.select_time(given).ids.tolist() == [run.obs_id]
        assert runs.select(time=given).ids.tolist() == [run.obs_id]
        assert run.gti.select_time(given).time_sum == pytest.approx(expected.gti.time_sum, abs=5e-3)
        assert gj.GTI.from_intervals([given]).time_sum == pytest.approx((times[1] - times[0]).sec, abs=5e-3)
    # what the tables say can be given back
    start = runs.table()["start"][0]
    assert run.select_time((start, run.tstop)).livetime == pytest.approx(run.livetime, abs=5e-3)
    assert f"{start} UTC" in run.info()


def test_a_real_run(gammajax_data):
    run = DataStore.from_dir(gammajax_data / "hess-dl3-dr1").observation(23523)
    livetimes = [run.select_time(pair).livetime for pair in (
        (run.tstart, run.tmid), (run.tstart.utc, run.tmid.utc), (run.tstart.utc.isot, run.tmid.utc.isot),
        (run.tstart.utc.mjd, run.tmid.utc.mjd), (f"{run.tstart.isot} TT", f"{run.tmid.isot} TT"),
    )]  # fmt: skip
    np.testing.assert_allclose(livetimes, 790.87, atol=0.01)
