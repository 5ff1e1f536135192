import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from dl3_files import aeff_hdu, edisp_hdu, events_hdu, gti_hdu, write, write_index, write_run

from gammajax.data import DataStore
from gammajax.errors import ConfigError, FileFormatError, MissingFile, NoSuchObservation


@pytest.fixture
def store(tmp_path):
    write_run(tmp_path / "one.fits", 1)
    write_run(tmp_path / "two.fits", 2, RA_PNT=90.0, OBJECT="Mkn 421")
    return DataStore.from_dir(write_index(tmp_path, {1: "one.fits", 2: "two.fits", 2**40: "absent.fits"}))


def test_listed_runs(store):
    assert store.obs_ids.tolist() == [1, 2, 2**40]
    assert store.obs_ids.dtype == np.int64
    assert store.obs_table["OBS_ID"][2] == 2**40
    assert len(store) == 3
    assert "3 runs listed" in repr(store)


def test_absent_runs_are_reported_and_the_others_go_on(store, caplog):
    with caplog.at_level(logging.WARNING, "gammajax"):
        runs = store.observations()
    assert runs.ids.tolist() == [1, 2]
    assert "absent.fits" in runs.failures[2**40]
    assert "absent.fits" in caplog.text
    assert [run.obs_id for run in runs[:1]] == [1]
    assert runs[-1].target == "Mkn 421"
    assert runs.info()["livetime"].tolist() == pytest.approx([45.0, 45.0])
    with pytest.raises(MissingFile, match="absent.fits"):
        store.observations(skip_missing=False)
    with pytest.raises(MissingFile, match="absent.fits"):
        store.observation(2**40)


def test_unlisted_run(store):
    with pytest.raises(NoSuchObservation, match="run 12 is not listed.*nearest: '2'"):
        store.observation(12)
    with pytest.raises(NoSuchObservation):
        store.observations([1, 12])


@pytest.mark.parametrize("position", ["83.63 22.01", (83.63, "22.01 deg"), SkyCoord(83.63, 22.01, unit="deg").galactic])
def test_select_by_cone_reads_pointings_the_index_lacks(store, position):
    assert store.select(cone=(position, 1.0 * u.deg)).tolist() == [1]
    assert store.select(cone=(position, "30 deg")).tolist() == [1, 2]


def test_a_pointing_that_the_index_leaves_open_is_read_from_the_run(store, tmp_path):
    open_ended = {"OBS_ID": [1, 2], "RA_PNT": [np.nan, 90.0], "DEC_PNT": [np.inf, 22.5]}
    Table(open_ended).write(tmp_path / "obs-index.fits", overwrite=True)
    found = DataStore.from_dir(tmp_path)
    assert found.select(cone=((83.6, 22.5), 1)).tolist() == [1]
    assert found.select(cone=((90.0, 22.5), 1)).tolist() == [2]


def test_select_by_target_ids_and_time(store):
    assert store.select(target="mkn421").tolist() == [2]
    assert store.select(target="nothing").tolist() == []
    assert store.select([2, 1]).tolist() == [2, 1]
    run = store.observation(1)
    assert store.select(time=(run.tstart, run.tstop)).tolist() == [1, 2]
    assert store.select([1], time=("2010-01-01", "2011-01-01")).tolist() == []


def test_files_without_index(tmp_path):
    runs = [write(tmp_path / f"{i}.fits", events_hdu(i), gti_hdu()) for i in (5, 6)]
    responses = write(tmp_path / "irf.fits", aeff_hdu(), edisp_hdu())
    store = DataStore.from_files(runs, responses=responses)
    assert store.select(cone=((83.6, 22.5), 0.1), target="Crab").tolist() == [5, 6]
    one, two = store.observations()
    assert one.aeff is two.aeff
    assert [path.name for path in one.files] == ["5.fits", "irf.fits"]
    with pytest.raises(ConfigError, match="holds run 5"):
        DataStore.from_files([runs[0], runs[0]])
    with pytest.raises(FileFormatError, match="EVENTS"):
        DataStore.from_files([responses])


@pytest.fixture
def odd(tmp_path):
    """A good run, one whose GTI has no epoch, a drift scan, and one that only the HDU index lists."""
    write_run(tmp_path / "1.fits", 1)
    write(tmp_path / "2.fits", events_hdu(2), gti_hdu(MJDREFI=""))
    write_run(tmp_path / "3.fits", 3, OBS_MODE="DRIFT")
    write_run(tmp_path / "4.fits", 4)
    folder = write_index(tmp_path, {i: f"{i}.fits" for i in (1, 2, 3, 4)})
    table = Table(fits.getdata(folder / "obs-index.fits")[:3])
    table.write(folder / "obs-index.fits", overwrite=True)
    return DataStore.from_dir(folder)


def test_one_broken_run_spoils_no_selection(odd, caplog):
    with caplog.at_level(logging.WARNING, "gammajax"):
        assert odd.select(time=("2000-01-01", "2100-01-01")).tolist() == [1, 3]
    assert "run 2 cannot be selected" in caplog.text
    assert "MJDREFI" in caplog.text
    cut = odd.observations().select_time(("2000-01-01", "2100-01-01"))
    assert cut.ids.tolist() == [1, 3]
    assert list(cut.failures) == [2]
    assert not odd.observations().select_time(("2100-01-01", "2101-01-01")).ids.size


def test_one_broken_run_spoils_no_table(odd):
    table = odd.observations().info()
    assert table["obs_id"].tolist() == [1, 2, 3]
    assert table["livetime"].mask.tolist() == [False, True, False]
    assert table["ra_pnt"].mask.tolist() == [False, True, True]
    assert table["events"].tolist() == [5, None, 5]
    assert str(table["livetime"].unit) == "s"
    problems = table["problem"].tolist()
    assert problems[0] == ""
    assert problems[1].count("MJDREFI") == 1
    assert "no fixed pointing" in problems[2]
    assert len(odd.observations([]).info()) == 0


def test_a_run_that_only_the_hdu_index_lists(odd):
    assert odd.obs_ids.tolist() == [1, 2, 3]
    assert odd.select([1, 3, 4], cone=("83.6 22.5", 0.1)).tolist() == [1, 4]
    assert odd.select([4], target="crab").tolist() == [4]


@pytest.mark.parametrize("position", ["foo", 83.6, (1, 2, 3), None])
def test_what_is_no_position(store, position):
    with pytest.raises(ConfigError, match="is no position"):
        store.select(cone=(position, 1.0))


def test_required_hdus(store):
    assert store.observations([1, 2], required=["psf", "aeff"]).ids.tolist() == [1, 2]
    lacking = store.observations([1, 2], required=["bkg"])
    assert len(lacking) == 0
    assert lacking.failures[1].startswith("run 1 lacks the required bkg; ")
    with pytest.raises(MissingFile, match="run 1 lacks the required bkg"):
        store.observation(1, required=["bkg"])
