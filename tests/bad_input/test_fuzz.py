"""Random damage: whatever is wrong with a file, reading it and using what was read works or raises an error of ours.

No other exception may come out, and no warning (warnings are errors in tests). The examples are the same in each run;
the environment variable GAMMAJAX_FUZZ asks for as many random ones instead, where new damage is looked for.
"""

import contextlib
import os
import shutil
from functools import partial

import damaged_fits
import damaged_tables
import damaged_yaml
import dl3_files
import fuzz_inputs
import pytest
from good_inputs import EDGES, ON, make_good, observation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gammajax as gj
from gammajax.data import DataStore, Observations
from gammajax.errors import GammajaxError
from gammajax.geom.regions import Circle
from gammajax.numeric.sphere import separation
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.spectrum import reduce_observation
from gammajax.workflow.config import read_config

MANY = int(os.environ.get("GAMMAJAX_FUZZ", "0"))

tried = contextlib.suppress(GammajaxError)
"""Around something that a damaged input may refuse."""


def examples(number):
    """As many examples, or random ones where they are asked for."""
    return settings(
        max_examples=MANY or number,
        derandomize=not MANY,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for damaged files, with the sound ones that they name."""
    shared, folder = (tmp_path_factory.mktemp(name) for name in ("sound", "damaged"))
    make_good(shared)
    shutil.copytree(shared / "dl3", folder / "dl3")
    fuzz_inputs.make_texts(folder)
    return folder


# -- DL3


POSITION = (ON.ra, ON.dec)
REFLECTED = (ON, ReflectedRegions(), False, SafeMask("aeff-default", "aeff-max", "edisp-bias", "offset-max"))
MODELLED = (ON, IRFBackground(), True, SafeMask("aeff-max", "bkg-peak", irfs="DL3"))
WOBBLE = (Circle(*POSITION), WobbleRegions(1), False, SafeMask("edisp-bias", irfs="DL3", fixed_offset="0.5 deg"))
"""Region, background, correction for containment and safe mask of a reduction."""

WAYS = {
    "full": (REFLECTED, MODELLED),
    "gauss": (MODELLED,),
    "king": (MODELLED,),
    "pointlike": (WOBBLE,),
    "fixed": (REFLECTED, WOBBLE),
}
"""What each kind of run is reduced with: together all of its responses."""


def use_run(path, *ways):
    """What a person asks of a run in a file."""
    run = observation(path)
    assert repr(run)
    runs = Observations([run])
    assert len(runs.table(POSITION)) == 1
    for ask in (run.info, lambda: run.pointing_altaz(run.tmid), lambda: runs.select(zenith=(0, 60)), lambda: run.psf):
        with tried:
            ask()
    for way in ways:
        with tried:
            use_responses(run, *way)


def use_responses(run, on, background, contained, safe_mask):
    """The spectrum of a run."""
    dataset = reduce_observation(
        run, on, energy=EDGES, energy_true=EDGES, background=background, containment_correction=contained
    )
    offset = float(separation(*run.pointing_radec, *on.center))
    assert repr(safe_mask.apply(dataset, run, offset))


RUN = st.deferred(
    lambda: st.one_of(*(st.tuples(st.just(k), damaged_fits.damages(x)) for k, x in fuzz_inputs.runs().items()))
)
"""The name of a run, and its damage."""


@examples(80)
@given(run=RUN)
def test_damaged_runs(folder, run):
    name, steps = run
    path = folder / "run.fits"
    path.write_bytes(damaged_fits.damaged(fuzz_inputs.runs()[name], steps))
    with tried:
        use_run(path, *WAYS[name])


def use_store(folder):
    """What a person asks of a folder with index tables; in the end, the spectrum of one run."""
    store = DataStore.from_dir(folder)
    assert repr(store)
    assert len(store) == len(store.obs_ids)
    for ask in (
        lambda: store.select(cone=(POSITION, 1)),
        lambda: store.select(target="crab"),
        lambda: store.select(time=("2001-01-01", "2001-01-02")),
        lambda: store.observations(required=["bkg"]),
    ):
        with tried:
            ask()
    runs = store.observations()
    assert len(runs) + len(runs.failures) == len(store)
    assert len(runs.info()) == len(runs)
    for run in runs[:1]:
        use_responses(run, *REFLECTED)


NONE = st.just([])


@examples(80)
@given(
    obs=NONE | damaged_tables.damages(fuzz_inputs.OBS_INDEX), hdu=NONE | damaged_tables.damages(fuzz_inputs.HDU_INDEX)
)
def test_damaged_index_tables(folder, obs, hdu):
    for name, columns, steps in (("obs", fuzz_inputs.OBS_INDEX, obs), ("hdu", fuzz_inputs.HDU_INDEX, hdu)):
        table = damaged_tables.damaged(columns, steps, f"{name.upper()}_INDEX")
        dl3_files.write(folder / "dl3" / f"{name}-index.fits", table)
    with tried:
        use_store(folder / "dl3")


BYTES = {
    name: NONE | st.deferred(lambda name=name: damaged_fits.damages(fuzz_inputs.indices()[name]))
    for name in ("obs", "hdu")
}


@examples(60)
@given(**BYTES)
def test_damaged_bytes_of_index_tables(folder, **steps):
    for name, index in fuzz_inputs.indices().items():
        (folder / "dl3" / f"{name}-index.fits").write_bytes(damaged_fits.damaged(index, steps[name]))
    with tried:
        use_store(folder / "dl3")


# -- YAML


def texts(contents, *words):
    """A strategy of damaged YAML texts; `words` are values that belong elsewhere."""
    sound_ones = [damaged_yaml.written(content) for content in contents.values()]
    steps = [damaged_yaml.damages(x, *words).map(partial(damaged_yaml.damaged, x)) for x in contents.values()]
    return st.one_of(*(s.map(damaged_yaml.written) for s in steps), *map(damaged_yaml.garbled, sound_ones))


def use_models(path, option):
    """Read models and look at them; what was read can be written, and what was written can be read."""
    models = gj.Models.read(path, spatial=option, temporal=option)
    assert repr(models)
    assert len(models.table) >= 0
    with tried:
        models.write(path.with_name("gammapy.yaml"), gammapy=True)
    try:
        assert gj.Models.read(models.write(path.with_name("again.yaml"))).table.colnames
    except GammajaxError as error:
        raise AssertionError("models that were read cannot be written and read again") from error


@examples(150)
@given(text=texts(fuzz_inputs.MODELS, *fuzz_inputs.WORDS_OF_MODELS))
def test_damaged_models(folder, text):
    path = folder / "models.yaml"
    path.write_text(text)
    for option in ("ignore", "refuse"):
        with tried:
            use_models(path, option)


@examples(120)
@given(text=texts({"": fuzz_inputs.DATASETS}, "pha_d0.fits", "c.fits", "sed.fits", "runs.txt", "profile"))
def test_damaged_datasets(folder, text):
    path = folder / "datasets.yaml"
    path.write_text(text)
    with tried:
        datasets = gj.Datasets.read(path)
        assert repr(datasets)
        assert len(datasets.names) == len(datasets)


@examples(200)
@given(text=texts(fuzz_inputs.CONFIGS, *fuzz_inputs.WORDS_OF_CONFIGS))
def test_damaged_configurations(folder, text):
    path = folder / "config.yaml"
    path.write_text(text)
    with tried:
        config = read_config(path)
        assert repr(config)
        assert config.fingerprint


# -- the inputs before they are damaged


def test_runs_are_sound(folder):
    for name, ways in WAYS.items():
        path = folder / "run.fits"
        path.write_bytes(damaged_fits.damaged(fuzz_inputs.runs()[name], []))
        for way in ways:
            use_responses(observation(path), *way)


def test_index_tables_are_sound(folder):
    for name, index in fuzz_inputs.indices().items():
        (folder / "dl3" / f"{name}-index.fits").write_bytes(index.content)
    use_store(folder / "dl3")


def test_texts_are_sound(folder):
    path = folder / "sound.yaml"
    for content in fuzz_inputs.MODELS.values():
        path.write_text(damaged_yaml.written(content))
        assert gj.Models.read(path).table
    path.write_text(damaged_yaml.written(fuzz_inputs.DATASETS))
    assert len(gj.Datasets.read(path)) == 3
    for content in fuzz_inputs.CONFIGS.values():
        path.write_text(damaged_yaml.written(content))
        assert read_config(path).fingerprint
