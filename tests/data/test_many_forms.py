"""One or many, paths or text: what the doors of runs, events and files take, and what they say to nonsense."""

import numpy as np
import pytest
from astropy import units as u
from dl3_files import aeff_hdu, edisp_hdu, events_hdu, gti_hdu, psf_gauss_hdu, write
from made_spectra import on_off

import gammajax as gj
from gammajax.data import GTI, DataStore, Events, Observations
from gammajax.data.events import stack_events
from gammajax.data.grouping import response_features
from gammajax.data.gti import stack_gti
from gammajax.errors import ConfigError, DatasetError, MissingFile, UnitMismatch
from gammajax.geom.mask import mask_of_regions

REGION = "icrs;circle(83.6, 22.0, 0.2)"
EDGES = np.geomspace(0.2, 50, 5)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    hdus = gti_hdu(), aeff_hdu(), edisp_hdu(), psf_gauss_hdu()
    return [write(folder / f"{i}.fits", events_hdu(i), *hdus) for i in (1, 2)]


@pytest.fixture(scope="module")
def store(files):
    return DataStore.from_files(files)


@pytest.fixture
def run(store):
    return store.observation(1)


# -- one or many ------------------------------------------------------------------------------------------------------


def test_one_file_or_many(files, tmp_path):
    assert (
        DataStore.from_files(files[0]).obs_ids.tolist() == DataStore.from_files(str(files[0])).obs_ids.tolist() == [1]
    )
    with pytest.raises(ConfigError, match="files must be the name of a file or several, got 5"):
        DataStore.from_files([5])
    on_off(n=2).write(tmp_path)
    paths = sorted(path for path in tmp_path.glob("pha_d?.fits"))
    assert gj.Datasets.read_ogip(paths[0]).names == gj.Datasets.read_ogip(str(paths[0])).names == ["d0"]
    assert gj.Datasets.read_ogip(iter(paths)).names == ["d0", "d1"]
    with pytest.raises(ConfigError, match="paths must be the name of a file or several, got None"):
        gj.Datasets.read_ogip(None)


def test_one_dataset_or_many():
    one = on_off(n=1)[0]
    assert gj.Datasets(one).names == ["d0"]
    assert (gj.Datasets([]) + one).names == ["d0"]
    with pytest.raises(DatasetError, match="datasets must be SpectrumDataset.*Datasets.read"):
        gj.Datasets("datasets.yaml")
    assert float(gj.stack_spectra(one).counts.sum()) == float(one.counts.sum())
    assert len(gj.info_table(one)) == len(gj.stack_by(one, lambda _: "all")) == 1


def test_one_run_or_many(store, run):
    assert store.observations(1).ids.tolist() == store.observations("1").ids.tolist() == [1]
    runs = store.observations()
    assert runs.select(2).ids.tolist() == runs.select("2").ids.tolist() == [2]
    assert Observations(run).ids.tolist() == [1]
    assert len(gj.reduce_spectra(run, REGION, energy=EDGES, energy_true=EDGES, background=None, progress=False)) == 1
    assert gj.livetime_map(run, "83.6 22.0") == pytest.approx(run.livetime)
    assert gj.livetime_table(run, "83.6 22.0", [0, 1])["runs"].tolist() == [1]
    assert gj.theta_squared_table(run, "83.6 22.0", [0, 0.01])["acceptance"].tolist() == [1]
    for call in (
        lambda: Observations("dl3"),
        lambda: gj.livetime_map("dl3", "83.6 22.0"),
        lambda: gj.reduce_spectra(5, REGION, energy=EDGES, energy_true=EDGES),
    ):
        with pytest.raises(ConfigError, match=r"observations are runs, got .*DataStore.from_dir"):
            call()


def test_one_name_or_many(store):
    with pytest.raises(MissingFile, match="run 1 lacks the required bkg;"):
        store.observation(1, required="bkg")
    assert list(store.observations(required="bkg").failures) == [1, 2]
    assert store.observations(required="psf").ids.tolist() == [1, 2]
    with pytest.raises(ConfigError, match="required must be a name or several, got 3"):
        store.observation(1, required=[3])
    assert response_features(store.observations(), names="aeff").colnames == ["obs_id", "aeff"]


def test_one_piece_or_many(run):
    assert len(stack_events(run.events)) == len(run.events)
    assert stack_gti(run.gti).time_sum == run.gti.time_sum
    assert mask_of_regions(REGION).excluded(np.array([83.6]), np.array([22.1])).all()
    with pytest.raises(ConfigError, match="intervals are pairs of times"):
        GTI.from_intervals("2006-07-29")


# -- DS9 files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_file(tmp_path):
    path = tmp_path / "on.reg"
    path.write_text("# Region file format: DS9\nicrs\ncircle(83.6, 22.0, 0.2)\n")
    return path


def test_a_file_wherever_a_region_is_taken(on_file, run, tmp_path, monkeypatch):
    options = {"energy": EDGES, "energy_true": EDGES, "progress": False}
    expected = gj.reduce_spectra(run, REGION, **options).datasets[0]
    monkeypatch.chdir(tmp_path)
    plain = on_file.rename(tmp_path / "region")
    for given in (plain, "region", str(plain)):
        found = gj.reduce_spectra(run, given, **options).datasets[0]
        np.testing.assert_array_equal(found.counts, expected.counts)
        assert gj.region(given) == gj.region(REGION)
    plain.rename(tmp_path / "on.reg")
    assert gj.region("on.reg") == gj.region(["on.reg"]) == gj.read_region("on.reg") == gj.region(REGION)
    assert len(run.events.select_region("on.reg")) == len(run.events.select_region(REGION))
    at = np.array([83.6, 85.0]), np.array([22.0, 22.0])
    both = gj.region(["on.reg", "icrs;circle(85, 22, 0.1)"])
    assert both.contains(*at).tolist() == [True, True]
    off = gj.reduce_spectra(run, REGION, exclusion_mask="on.reg", **options).datasets[0]
    assert float(off.acceptance_off[0]) <= float(expected.acceptance_off[0])


def test_a_file_that_is_not_there(run):
    for call in (
        lambda: gj.region("x.reg"),
        lambda: gj.reduce_spectra(run, "x.reg", energy=EDGES, energy_true=EDGES),
        lambda: gj.reduce_spectra(run, REGION, exclusion_mask="x.reg", energy=EDGES, energy_true=EDGES),
        lambda: gj.reduce_spectra(run, REGION, exclusion_mask="x.fits.gz", energy=EDGES, energy_true=EDGES),
        lambda: run.events.select_region("x.reg"),
    ):
        with pytest.raises(MissingFile, match=r"x\.(reg|fits\.gz)"):
            call()


# -- selections -------------------------------------------------------------------------------------------------------

WRONG = {
    "offset": lambda run: run.select_offset(0.5),
    "offset of text": lambda run: run.select_offset("0.5 deg"),
    "offset upside down": lambda run: run.select_offset((2, 1)),
    "offset of three": lambda run: run.select_offset((1, 2, 3)),
    "offset of events": lambda run: run.events.select_offset(0.5, "83 22"),
    "pointing": lambda run: run.events.select_offset((0, 1), 83.6),
    "pointing of none": lambda run: run.events.select_offset((0, 1), None),
    "pointing of few": lambda run: run.events.select_offset((0, 1), ([1, 2], [1, 2])),
    "time": lambda run: run.select_time("2006-07-29"),
    "time of number": lambda run: run.events.select_time(5),
    "time of one": lambda run: run.events.select_time(("2006-07-29",)),
    "gti": lambda run: run.select_gti(("2006-07-29", "2006-07-30")),
    "gti of events": lambda run: run.events.select_gti(None),
    "gti of gti": lambda run: run.gti.intersection((0, 1)),
    "phase": lambda run: run.select_phase(0.5),
    "phase of text": lambda run: run.select_phase("on"),
    "phase of no ephemeris": lambda run: run.select_phase((0, 0.5), ephemeris=0.1),
    "with phase": lambda run: run.events.with_phase(0.1),
    "events": lambda run: run.select_events((1, 2)),
    "column": lambda run: run.events.select_parameter("ENERGY", 5),
    "column of text": lambda run: run.events.select_parameter("ENERGY", (2, 1)),
    "region": lambda run: run.events.select_region(None),
    "mask of few": lambda run: run.events.select([True, False]),
    "mask of floats": lambda run: run.events.select([0.5]),
    "mask of none": lambda run: run.events.select(None),
    "index": lambda run: run.events.select([100]),
    "cone": lambda run: Observations(run).select(cone="83.6 22.0"),
    "offset of runs": lambda run: Observations(run).select(offset=(83.6, 22.0, 1)),
    "offset of runs, no band": lambda run: Observations(run).select(offset=("83.6 22.0", 1)),
    "zenith": lambda run: Observations(run).select(zenith=30),
    "livetime": lambda run: Observations(run).select(livetime="1 h"),
    "times of runs": lambda run: Observations(run).select(time="2006"),
    "where": lambda run: Observations(run).select(where="zenith"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_selections_are_named(name, run):
    with pytest.raises(ConfigError) as caught:
        WRONG[name](run)
    words = ("pair", "position", "GTI", "phase", "phemeris", "function", "region", "mask", "index", "high", "time")
    assert any(word in str(caught.value) for word in words)


def test_wrong_units_and_text_columns_are_named(run):
    with pytest.raises(ConfigError, match="energy range goes from low to high"):
        run.events.select_energy((None, 1))
    with pytest.raises(UnitMismatch, match="energy range: .* is not a number"):
        run.events.select_energy((1, [1, 2]))
    with pytest.raises(ConfigError, match="energy range is a pair"):
        run.events.select_energy("1 TeV")
    with pytest.raises(UnitMismatch, match="offset band"):
        run.select_offset((1 * u.TeV, 2 * u.TeV))
    named = run.events.with_column("NAME", np.full(len(run.events), "a"))
    with pytest.raises(ConfigError, match="column NAME holds text: list the values"):
        named.select_parameter("NAME", ("a", "b"))


def test_selections_of_nothing_stay(run):
    none = run.events.select(np.zeros(len(run.events), bool))
    assert len(none.select([])) == len(none.select(np.array([], bool))) == len(run.events.select([])) == 0
    assert isinstance(none.select_offset((0, 1), "83 22"), Events)
