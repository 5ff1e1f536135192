"""Several runs: by number, selected, grouped, as a table; cuts of one run."""

import pickle
from functools import partial

import numpy as np
import pytest
from dl3_files import ENERGY, aeff_hdu, edisp_hdu, events_hdu, gauss_migration, gti_hdu, psf_gauss_hdu, write

from gammajax.data import GTI, DataStore, Ephemeris, Events
from gammajax.data.grouping import group_observations, response_features
from gammajax.errors import ConfigError, FileFormatError, NoSuchObservation


@pytest.fixture
def runs(tmp_path):
    """Four runs: two targets, three zenith angles, two kinds of responses."""
    files = []
    for i, (alt, target, sigma) in enumerate(
        [(80, "Crab", 0.1), (70, "Crab", 0.1), (50, "Mkn 421", 0.2), (45, "Crab", 0.2)]
    ):
        psf = psf_gauss_hdu(SIGMA_1=np.full((3, 6), sigma))
        hdus = events_hdu(101 + i, ALT_PNT=alt, OBJECT=target), gti_hdu(stop=(50.0 + i,)), aeff_hdu(), edisp_hdu(), psf
        files.append(write(tmp_path / f"{i}.fits", *hdus))
    return DataStore.from_files(files).observations()


def test_by_number_and_position(runs):
    assert runs["102"].obs_id == runs[102].obs_id == runs.run(102).obs_id == runs[1].obs_id == 102
    assert runs[-1].obs_id == 104
    assert runs[1:3].ids.tolist() == runs[[1, 2]].ids.tolist() == [102, 103]
    assert runs[np.array([True, False, False, True])].ids.tolist() == [101, 104]
    assert runs[[]].ids.tolist() == []
    assert [run.obs_id for run in runs] == [101, 102, 103, 104]
    with pytest.raises(NoSuchObservation, match="run 109 is not among the 4 runs; nearest: '104'|'101'"):
        _ = runs["109"]
    with pytest.raises(NoSuchObservation, match="run 7 is not among"):
        _ = runs[7]


def test_selections(runs):
    assert runs.select(["104", 101]).ids.tolist() == [104, 101]
    assert runs.select(target="mkn421").ids.tolist() == [103]
    assert runs.select(telescope="test", target="Crab").ids.tolist() == [101, 102, 104]
    assert runs.select(zenith=(15, "42 deg")).ids.tolist() == [102, 103]
    assert runs.select(cone=("83.6 22.5", 0.1)).ids.tolist() == [101, 102, 103, 104]
    assert runs.select(cone=((83.6, 25.5), 1)).ids.tolist() == []
    assert runs.select(offset=((83.6, 22.0), (0.4, 0.6))).ids.tolist() == [101, 102, 103, 104]
    assert runs.select(livetime=("45.5 s", "1 h")).ids.tolist() == [102, 103, 104]
    assert runs.select(where=lambda run: run.obs_id % 2 == 0).ids.tolist() == [102, 104]
    at = runs[0].gti.reference.to_time
    assert runs.select(time=(at(51.5), at(60.0))).ids.tolist() == [103, 104]
    assert runs.select_gti(GTI(np.array([52.5]), np.array([60.0]), runs[0].gti.reference)).ids.tolist() == [104]


def test_a_run_that_cannot_tell_is_named(tmp_path):
    files = [write(tmp_path / f"{i}.fits", events_hdu(i, **k), gti_hdu()) for i, k in ((1, {"ALT_PNT": 50}), (2, {}))]
    found = DataStore.from_files(files).observations().select(zenith=(0, 90))
    assert found.ids.tolist() == [1]
    assert "run 2" in found.failures[2]
    assert "has no site" in found.failures[2]
    with pytest.raises(NoSuchObservation, match="run 2 is not among the 1 runs: run 2 .*has no site"):
        found.run(2)


def test_groups_by_label(runs):
    groups = runs.group_by("target")
    assert {key: group.ids.tolist() for key, group in groups.items()} == {"Crab": [101, 102, 104], "Mkn 421": [103]}
    assert list(runs.group_by(lambda run: run.zenith > 30)) == [False, True]
    assert list(runs.group_by("obs_mode")) == [""]
    assert runs.group_by([1, 2, 1, 2])[2].ids.tolist() == [102, 104]
    with pytest.raises(ConfigError, match="cannot be grouped by 'targt'; nearest: 'target'"):
        runs.group_by("targt")
    with pytest.raises(ConfigError, match="there are 4 runs, got 2 labels"):
        runs.group_by([1, 2])


def ids(groups):
    return {name: group.ids.tolist() for name, group in groups.items()}


def test_groups_by_zenith(runs):
    assert ids(group_observations(runs, by="zenith", edges=[0, 30, 60])) == {
        "zenith_0_30": [101, 102], "zenith_30_60": [103, 104]
    }  # fmt: skip
    assert ids(group_observations(runs, n_groups=2)) == {"zenith_0": [101, 102], "zenith_1": [103, 104]}
    with pytest.raises(ConfigError, match=r"runs \[103, 104\] lie outside"):
        group_observations(runs, edges=[0, 30])
    with pytest.raises(ConfigError, match="either n_groups or edges"):
        group_observations(runs)
    with pytest.raises(ConfigError, match="n_groups must be in 1..4"):
        group_observations(runs, n_groups=5)
    with pytest.raises(ConfigError, match="grouped by zenith, irf, identical, got 'zenit'"):
        group_observations(runs, by="zenit")


def test_groups_by_response(runs):
    assert sorted(ids(group_observations(runs, by="irf", n_groups=2)).values()) == [[101, 102], [103, 104]]
    assert list(ids(group_observations(runs, by="identical")).values()) == [[101, 102], [103, 104]]
    assert len(group_observations(runs, by="irf", distance=100.0)) == 1
    features = response_features(runs, energy_true=["1 TeV", "10 TeV"], position=(83.6, 23.0))
    assert features["psf-radius 1 TeV"][[0, 2]].tolist() == pytest.approx([0.1509592, 0.3019184], rel=1e-5)
    assert "aeff 10 TeV" in features.colnames
    with pytest.raises(ConfigError, match="no feature 'aef'"):
        response_features(runs, names=["aef"])
    with pytest.raises(FileFormatError, match="run 101 has an empty response at 1000 TeV"):
        response_features(runs, energy_true=1000)
    with pytest.raises(ConfigError, match="either n_groups or distance"):
        group_observations(runs, by="irf")
    assert len(group_observations(runs[:0], by="irf", n_groups=1)) == 0


def test_moments_of_the_dispersion(tmp_path):
    hdus = events_hdu(1), gti_hdu(), aeff_hdu(), edisp_hdu(gauss_migration(bias=0.1, sigma=0.2))
    run = DataStore.from_files([write(tmp_path / "1.fits", *hdus)]).observations()
    row = response_features(run)[0]
    assert ENERGY[0] < 1 < ENERGY[-1]
    assert row["edisp-bias"] == pytest.approx(0.1, abs=1e-3)
    assert row["edisp-res"] == pytest.approx(0.2, rel=2e-2)
    assert "psf-radius" not in row.colnames


def test_table(runs):
    table = runs.table(position="83.6 22.0")
    assert table["offset"].tolist() == pytest.approx([0.5] * 4)
    assert table["zenith"].tolist() == [10, 20, 40, 45]
    assert table["livetime"].tolist() == pytest.approx([45.0, 45.9, 46.8, 47.7])
    assert table["dead_time"].tolist() == pytest.approx([0.1] * 4)
    assert table["responses"][0] == "aeff_2d edisp_2d psf_3gauss"
    assert (str(table["zenith"].unit), str(table["ontime"].unit)) == ("deg", "s")
    assert "offset" not in runs.table().colnames
    assert len(runs[:0].table()) == 0


def test_cuts_act_on_events_and_livetime(runs):
    run = runs[0]
    at = run.gti.reference.to_time
    cut = run.select_time((at(15.0), at(35.0)))
    rest = run.select_time((at(15.0), at(35.0)), inverted=True)
    assert len(cut.events) + len(rest.events) == len(run.events) == 5
    assert cut.livetime + rest.livetime == pytest.approx(run.livetime)
    gti = GTI(np.array([5.0, 25.0]), np.array([15.0, 100.0]), run.gti.reference)
    both = run.select_gti(gti)
    assert sorted(both.events.time) == [10.0, 30.0, 40.0]
    assert both.livetime == pytest.approx(0.9 * 35)
    phased = run.select_phase([(0.0, 0.25), (0.5, 0.75)], Ephemeris(at(-5.0), 1 / 40.0))
    assert sorted(phased.events.time) == [0.0, 20.0, 40.0]
    assert phased.livetime == pytest.approx(0.5 * run.livetime)
    assert phased.gti.time_sum == run.gti.time_sum
    hard = run.select_events(partial(Events.select_energy, energy_range=(1, "1 PeV")), livetime_fraction=0.5)
    assert len(hard.events) == 3
    assert pickle.loads(pickle.dumps(hard)).livetime == 0.5 * run.livetime
    with pytest.raises(ConfigError, match="livetime_fraction must be in 0..1"):
        run.select_events(len, livetime_fraction=2)
    with pytest.raises(ConfigError, match="phase intervals overlap"):
        _ = run.select_phase([(0.0, 0.5), (0.4, 0.6)]).livetime
