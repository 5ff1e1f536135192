import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
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
