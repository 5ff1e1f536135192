"""Background from other phases of a pulsar."""

from dataclasses import replace

import numpy as np
import pytest
from made_runs import EDGES, SOURCE, made_run

from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.regions import Circle
from gammajax.reduce.phase import PhaseBackground
from gammajax.reduce.pipeline import reduce_spectra

ON = Circle(*SOURCE, 0.1)


def pulsed(obs_id=1, n=4000, column="PHASE", **changes):
    """A run whose source shines at phases 0.95..1.05 only; its background does not pulse."""
    run = made_run(obs_id, n=n, **changes)
    rng = np.random.default_rng(1000 + obs_id)
    phase = rng.uniform(0, 1, len(run.events))
    phase[n:] = rng.uniform(0.95, 1.05, len(run.events) - n) % 1
    return replace(run, events=run.events.with_column(column, phase))


def reduced(run, **options):
    found = reduce_spectra([run], ON, energy=EDGES, energy_true=EDGES, **options)
    assert not found.failures, found.failures
    return found.datasets[0]


def test_counts_of_the_phases():
    run = pulsed()
    found = reduced(run, background=PhaseBackground((0.9, 1.1), [(0.2, 0.45), (0.6, 0.85)]))
    inside, phase = ON.contains(run.events.ra, run.events.dec), run.events["PHASE"]
    on = inside & ((phase >= 0.9) | (phase < 0.1))
    off = inside & (((phase >= 0.2) & (phase < 0.45)) | ((phase >= 0.6) & (phase < 0.85)))
    np.testing.assert_array_equal(found.counts, np.histogram(run.events.energy[on], EDGES)[0])
    np.testing.assert_array_equal(found.counts_off, np.histogram(run.events.energy[off], EDGES)[0])
    np.testing.assert_array_equal(found.acceptance, 0.2)
    np.testing.assert_array_equal(found.acceptance_off, 0.5)


def test_the_excess_is_the_pulse():
    found = reduced(pulsed(n=40_000), background=PhaseBackground((-0.1, 0.1), (0.2, 0.8)))
    total = float(np.sum(found.counts))
    assert float(np.sum(found.excess)) == pytest.approx(2000, abs=5 * total**0.5)
    quiet = reduced(pulsed(n=40_000), background=PhaseBackground((0.2, 0.4), (0.5, 0.8)))
    assert abs(float(np.sum(quiet.excess))) < 5 * float(np.sum(quiet.counts)) ** 0.5


def test_only_the_fraction_of_a_phase_counts():
    run, background = pulsed(), PhaseBackground((0.9, 1.1), (0.3, 0.6))
    later = replace(run, events=run.events.with_column("PHASE", run.events["PHASE"] + 7.0))
    np.testing.assert_array_equal(
        reduced(run, background=background).counts, reduced(later, background=background).counts
    )


def test_another_column():
    run = pulsed(column="ORBIT")
    assert reduced(run, background=PhaseBackground((0.9, 1.1), (0.3, 0.6), "ORBIT")).counts.sum() > 100
    found = reduce_spectra([run], ON, energy=EDGES, energy_true=EDGES, background=PhaseBackground((0, 0.1), (0.3, 0.6)))
    assert "no column 'PHASE'" in found.failures[1]


def test_stacked_runs_keep_the_ratio_of_the_phases():
    background = PhaseBackground((0.9, 1.1), (0.3, 0.6))
    found = reduce_spectra(
        [pulsed(1), pulsed(2)], ON, energy=EDGES, energy_true=EDGES, background=background, stack=True
    )
    has_off = np.asarray(found.datasets[0].counts_off) > 0
    np.testing.assert_allclose(np.asarray(found.datasets[0].alpha)[has_off], 0.2 / 0.3, rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "intervals", "width"),
    [
        ((0.2, 0.4), ((0.2, 0.4),), 0.2),
        ((0.9, 1.1), ((0.9, 1.0), (0.0, 0.1)), 0.2),
        ((-0.1, 0.1), ((0.9, 1.0), (0.0, 0.1)), 0.2),
        ((0.9, 0.1), ((0.9, 1.0), (0.0, 0.1)), 0.2),
        ((0.5, 1.0), ((0.5, 1.0),), 0.5),
        ([(0.1, 0.2), (1.3, 1.5)], ((0.1, 0.2), (0.3, 0.5)), 0.3),
    ],
)
def test_intervals(given, intervals, width):
    made = PhaseBackground(given, (0.6, 0.7) if given != (0.5, 1.0) else (0.1, 0.2))
    assert made.on_phase == intervals
    assert made.acceptance == width


@pytest.mark.parametrize(
    ("on", "off", "message"),
    [
        ((0.1, 0.3), (0.2, 0.4), "overlap"),
        ([(0.1, 0.3), (0.2, 0.4)], (0.5, 0.6), "overlap"),
        ((0.1, 0.1), (0.2, 0.4), "0 < stop - start <= 1"),
        ((0.1, 1.2), (0.2, 0.4), "0 < stop - start <= 1"),
        ([], (0.2, 0.4), "no interval"),
        ((0.1, 0.2), "off", "off_phase is a pair"),
        ((0.1, 0.2, 0.3), (0.5, 0.6), "on_phase is a pair"),
        (0.3, (0.5, 0.6), "on_phase is a pair"),
    ],
)
def test_what_is_no_phase_background(on, off, message):
    with pytest.raises(ConfigError, match=message):
        PhaseBackground(on, off)


def test_no_events():
    run = pulsed()
    empty = replace(run, events=run.events.select(np.zeros(len(run.events), bool)))
    with pytest.raises(EmptyRun, match="no events"):
        PhaseBackground((0, 0.1), (0.3, 0.6)).counts(empty, ON, EDGES)
