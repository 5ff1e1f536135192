"""The written archive as gammajax reads it."""

import hashlib
from dataclasses import replace

import jax
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from gammajax.data import DataStore
from gammajax.errors import ConfigError, UnitMismatch
from gammajax.models.sky import SkyModel
from gammajax.models.spectral import PowerLaw
from gammajax.numeric.sphere import separation
from gammajax.simulate import HESS, INSTRUMENTS, LST, MAGIC, responses, simulate_dl3, simulate_observation

CRAB = SkyCoord("83.63d", "22.01d")
FAINT = SkyModel(PowerLaw(amplitude=1e-12))
NAMES = pytest.mark.parametrize("name", INSTRUMENTS)


def runs_of(archive, name):
    return DataStore.from_dir(archive.folder / name).observations()


@NAMES
def test_runs_are_read(archive, name):
    instrument, runs = INSTRUMENTS[name], runs_of(archive, name)
    assert len(runs) == 2
    assert not runs.failures
    assert runs.ids.tolist() == [instrument.first_obs_id, instrument.first_obs_id + 1]
    for run in runs:
        assert run.target == "Crab"
        assert run.telescope == f"{name.upper()}-like"
        assert run.livetime == pytest.approx(instrument.duration * instrument.deadc, rel=1e-9)
        assert len(run.gti) == instrument.intervals
        assert run.gti.contains(run.events.time).all()
        assert np.all(np.diff(run.events.time) >= 0)
        assert separation(*run.pointing_radec, 83.63, 22.01) == pytest.approx(instrument.wobble)
        assert run.is_pointlike == instrument.is_pointlike
        assert 30 < run.meta.alt_pnt < 90
        assert run.tstart.isot.startswith(str(instrument.year))


@NAMES
def test_events_are_those_simulated(archive, name):
    """Through the file unchanged: the run simulated in memory has the same events."""
    run = runs_of(archive, name)[0]
    instrument = INSTRUMENTS[name]
    made = simulate_observation(instrument, archive.model, archive.position, key=1, target="Crab", start=run.tstart)
    for column in ("ra", "dec", "energy", "event_id"):
        np.testing.assert_array_equal(getattr(run.events, column), getattr(made.events, column))
    np.testing.assert_allclose(run.events.time, made.events.time, rtol=0, atol=1e-5)
    assert made.columns["MC_ID"].sum() == np.isfinite(made.columns["ENERGY_TRUE"]).sum() > 100


@NAMES
def test_responses_are_those_tabulated(archive, name):
    """At the grid points, to the float32 of the file."""
    instrument, run = INSTRUMENTS[name], runs_of(archive, name)[0]
    tables = {table.kind: table for table in responses(instrument).written}
    np.testing.assert_allclose(run.aeff.values, tables["aeff_2d"].values["EFFAREA"], rtol=1e-6, atol=1e-20)
    np.testing.assert_allclose(run.edisp.values, tables["edisp_2d"].values["MATRIX"], rtol=1e-6, atol=1e-20)
    for ours, axis in ((run.aeff.energy, "energy"), (run.aeff.offset, "offset"), (run.edisp.migra, "migra")):
        np.testing.assert_allclose(ours.points, tables["edisp_2d"].axes[axis].points, rtol=1e-9)
        np.testing.assert_allclose(ours.edges, tables["edisp_2d"].axes[axis].edges, rtol=1e-9, atol=1e-12)
    np.testing.assert_equal(float(run.aeff.lo_thres), instrument.lo_thres)
    np.testing.assert_equal(float(run.aeff.hi_thres), instrument.hi_thres)


def test_full_enclosure_has_a_psf_and_parametric_area(archive):
    run = runs_of(archive, "hess")[0]
    energy, offset = HESS.energy.points[[10, 30]], 0.5
    assert run.rad_max is None
    np.testing.assert_allclose(run.aeff.evaluate(energy, offset), HESS.effective_area(energy, offset), rtol=1e-6)
    np.testing.assert_allclose(
        run.psf.containment(0.11, energy, offset), HESS.containment(0.11, energy, offset), rtol=1e-6
    )


def test_cuts_are_read(archive):
    fixed, table = (runs_of(archive, name)[0].rad_max for name in ("magic", "lst"))
    assert float(fixed.evaluate(1.0, 0.4)) == pytest.approx(MAGIC.rad_max, rel=1e-9)
    energy = table.energy.points
    np.testing.assert_allclose(table.evaluate(energy, 0.4), LST.cut(np.asarray(energy)), rtol=1e-6)


def test_psf_table_is_read(tmp_path):
    instrument = replace(HESS, psf_format="psf_table")
    simulate_dl3(tmp_path, instrument, FAINT, CRAB, key=1, runs=1, duration="5 min")
    psf = DataStore.from_dir(tmp_path / "hess").observations()[0].psf
    energy = HESS.energy.points[20]
    assert float(psf.containment(0.2, energy, 0.5)) == pytest.approx(HESS.containment(0.2, energy, 0.5), abs=2e-3)


def digest(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.fits*")}


def test_same_key_gives_the_same_bytes(tmp_path):
    key = jax.random.key(3)
    first, again, other = (
        simulate_dl3(tmp_path / name, "lst", FAINT, CRAB, key=k, runs=n, duration=100.0)
        for name, k, n in (("a", key, 1), ("b", key, 2), ("c", jax.random.key(4), 1))
    )
    run = "run_20221201001.fits"
    # the number of runs changes when a run is taken, not what is in it
    assert digest(simulate_dl3(tmp_path / "d", "lst", FAINT, CRAB, key=key, runs=1, duration=100.0)) == digest(first)
    assert digest(first)[run] != digest(other)[run]
    events = [DataStore.from_dir(f / "lst").observations()[0].events for f in (first, again)]
    np.testing.assert_array_equal(events[0].energy, events[1].energy)


def test_runs_of_one_archive_differ(archive):
    for name in archive.names:
        first, second = runs_of(archive, name)
        assert len(np.intersect1d(first.events.energy, second.events.energy)) == 0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"instruments": "hes"}, ConfigError, "'hess'"),
        ({"instruments": [HESS, "hess"]}, ConfigError, "same name"),
        ({"runs": 0}, ConfigError, "whole number from 1"),
        ({"wobble": "3 deg"}, ConfigError, "field of view"),
        ({"wobble": "3 TeV"}, UnitMismatch, "wobble"),
        ({"duration": "0 s"}, ConfigError, "positive"),
        ({"key": 1.5}, ConfigError, "key"),
    ],
)
def test_refusals(tmp_path, change, error, message):
    options = {"instruments": "hess", "key": 1, "runs": 1} | change
    with pytest.raises(error, match=message):
        simulate_dl3(tmp_path, model=FAINT, position=CRAB, **options)
