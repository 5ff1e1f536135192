"""Phase background, groups of runs, selections of events and the algebra of good time, live, on real runs."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from gammajax.data import GTI, DataStore
from gammajax.data.grouping import group_observations, response_features
from gammajax.geom.axes import energy_edges
from gammajax.reduce.phase import PhaseBackground
from gammajax.reduce.pipeline import reduce_spectra

pytest.importorskip("gammapy")
pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]

CRAB = SkyCoord("83.633d", "22.014d")
HESS = "hess-dl3-dr1"
RUNS = [23523, 23526, 23559, 23592]
EDGES = energy_edges("0.3 TeV", "30 TeV", per_decade=5)


def runs_of(folder, ids=RUNS):
    return DataStore.from_dir(folder / HESS).observations(ids)


def gammapy_runs(folder, ids=RUNS):
    from gammapy.data import DataStore as GammapyStore

    return GammapyStore.from_dir(folder / HESS).get_observations(ids)


def phases(time):
    """Turns of 0.0337 s: any phases do, but both must have the same."""
    return np.mod(time / 0.0337, 1.0)


# -- phases


@pytest.mark.parametrize(
    ("on", "off"),
    [
        ((0.2, 0.4), (0.6, 0.9)),
        ([(0.05, 0.1), (0.4, 0.7)], [(0.15, 0.3), (0.75, 1.0)]),
        ([(0.0, 0.1), (0.9, 1.0)], (0.3, 0.6)),
    ],
)
def test_phase_background(gammajax_data, on, off):
    from gammapy.data import EventList
    from gammapy.datasets import SpectrumDataset
    from gammapy.makers import PhaseBackgroundMaker, SpectrumDatasetMaker
    from gammapy.maps import MapAxis, RegionGeom
    from regions import CircleSkyRegion

    region = CircleSkyRegion(CRAB, 0.11 * u.deg)
    reco, true = (MapAxis.from_energy_edges(EDGES * u.TeV, name=name) for name in ("energy", "energy_true"))
    empty = SpectrumDataset.create(RegionGeom.create(region, axes=[reco]), energy_axis_true=true)
    pairs = [[list(p) for p in (x if isinstance(x, list) else [x])] for x in (on, off)]
    background = PhaseBackgroundMaker(on_phase=pairs[0], off_phase=pairs[1], phase_column_name="PHASE")
    for ours, theirs in zip(runs_of(gammajax_data), gammapy_runs(gammajax_data), strict=True):
        timed = ours.select_events(lambda events: events.with_column("PHASE", phases(events.time)))
        one = reduce_spectra(
            timed, region, energy=EDGES, energy_true=EDGES, background=PhaseBackground(on, off), progress=False
        ).datasets[0]
        table = Table(theirs.events.table)
        assert ours.events.event_id.tolist() == table["EVENT_ID"].tolist()
        table["PHASE"] = phases(ours.events.time)
        theirs._events = EventList(table)
        maker = SpectrumDatasetMaker(containment_correction=False, selection=["counts", "exposure", "edisp"])
        other = background.run(maker.run(empty.copy(name=str(theirs.obs_id)), theirs), theirs)
        np.testing.assert_array_equal(one.counts, other.counts.data.ravel())
        np.testing.assert_array_equal(one.counts_off, other.counts_off.data.ravel())
        assert one.counts_off.sum() > 20
        np.testing.assert_allclose(one.acceptance, other.acceptance.data.ravel(), rtol=1e-6)
        # Gammapy's conversion to a spectrum loses the off acceptance of bins without off counts
        seen, accepted = np.asarray(one.counts_off) > 0, other.acceptance_off.data.ravel()
        np.testing.assert_allclose(one.acceptance_off[seen], accepted[seen], rtol=1e-6)
        assert not accepted[~seen].any()
        exposure = other.exposure.quantity.to_value("cm2 s").ravel()
        np.testing.assert_allclose(one.exposure, exposure, rtol=1e-3)


# -- groups


def test_groups_by_label(gammajax_data):
    ours = runs_of(gammajax_data, None)
    theirs = gammapy_runs(gammajax_data, ours.ids)
    for label in (
        [run.target for run in ours],
        [f"z{int(run.zenith // 15)}" for run in ours],
        [str(run.obs_id % 3) for run in ours],
    ):
        mine, other = ours.group_by(label), theirs.group_by_label(label)
        # Gammapy calls them group_<label>
        assert {f"group_{name}": list(map(int, runs.ids)) for name, runs in mine.items()} == {
            name: list(map(int, runs.ids)) for name, runs in other.items()
        }
        assert len(mine) > 2


def test_groups_by_zenith(gammajax_data):
    runs = runs_of(gammajax_data, None)
    pointed = [90.0 - run.get_pointing_altaz(run.tmid).alt.deg for run in gammapy_runs(gammajax_data, runs.ids)]
    zenith = np.array([run.zenith for run in runs])
    # the header has the mean of the run, Gammapy that of its middle
    np.testing.assert_allclose(zenith, pointed, atol=1.0)
    edges = np.array([0.0, 15.0, 30.0, 45.0, 65.0])
    groups = group_observations(runs, by="zenith", edges=edges)
    found = {name: sorted(some.ids.tolist()) for name, some in groups.items()}
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        expected = sorted(runs.ids[(zenith >= low) & (zenith < high)].tolist())
        assert found.get(f"zenith_{low:g}_{high:g}", []) == expected
    thirds = group_observations(runs, by="zenith", n_groups=3)
    assert sorted(len(some) for some in thirds.values()) == sorted(len(x) for x in np.array_split(zenith, 3))
    ordered = [np.sort([run.zenith for run in thirds[f"zenith_{i}"]]) for i in range(3)]
    np.testing.assert_array_equal(np.concatenate(ordered), np.sort(zenith))


def test_groups_by_response(gammajax_data):
    """The features are Gammapy's responses, and the groups those of Ward's criterion on them, merged by hand."""
    ids = [23523, 23526, 23559, 23592, 33787, 33790, 20275, 20517, 47802, 47827]
    runs, theirs = runs_of(gammajax_data, ids), gammapy_runs(gammajax_data, ids)
    at = {"energy_true": 1 * u.TeV, "offset": 0.5 * u.deg}
    features = response_features(runs, names=("aeff", "psf-radius"))
    area = np.log([run.aeff.evaluate(**at).to_value("cm2") for run in theirs]).ravel()
    radius = np.array([run.psf.containment_radius(0.68, **at).to_value("deg") for run in theirs]).ravel()
    np.testing.assert_allclose(features["aeff"], area, rtol=1e-5)
    np.testing.assert_allclose(features["psf-radius"], radius, rtol=0.02)
    data = np.array([features["aeff"], features["psf-radius"]]).T
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    for n_groups in (2, 3, 5):
        groups = group_observations(runs, by="irf", n_groups=n_groups, names=("aeff", "psf-radius"))
        assert {frozenset(some.ids.tolist()) for some in groups.values()} == {
            frozenset(np.array(ids)[rows].tolist()) for rows in ward(data, n_groups)
        }


def ward(data, n_groups):
    """Merge the two groups whose union adds least to the sum of squares within groups, until `n_groups` are left."""
    groups = [[i] for i in range(len(data))]

    def cost(a, b):
        step = data[a].mean(axis=0) - data[b].mean(axis=0)
        return len(a) * len(b) / (len(a) + len(b)) * float(step @ step)

    while len(groups) > n_groups:
        pairs = [(i, j) for i in range(len(groups)) for j in range(i)]
        i, j = min(pairs, key=lambda ij: cost(groups[ij[0]], groups[ij[1]]))
        groups[j] += groups.pop(i)
    return groups


# -- events


def test_events_by_energy_and_column(gammajax_data):
    for ours, theirs in zip(runs_of(gammajax_data), gammapy_runs(gammajax_data), strict=True):
        for low, high in ((0.5, 2.0), (1.0, 100.0), (5.0, 5.0)):
            mine = ours.events.select_energy((low, f"{high} TeV"))
            other = theirs.events.select_energy([low, high] * u.TeV)
            assert mine.event_id.tolist() == other.table["EVENT_ID"].tolist()
        assert 10 < len(ours.events.select_energy((1, 100))) < len(ours.events)
        for column, band in (("MULTIP", (3, 5)), ("HIL_MSW", (-0.5, 0.5)), ("ENERGY", (0.7, 3.0))):
            if column not in theirs.events.table.colnames:
                continue
            mine = ours.events.select_parameter(column, band)
            other = theirs.events.select_parameter(column, band)
            assert mine.event_id.tolist() == other.table["EVENT_ID"].tolist()
        score = np.mod(np.asarray(ours.events.event_id) * 0.6180339887, 1.0)
        table = Table(theirs.events.table)
        table["SCORE"] = score
        mine = ours.events.with_column("SCORE", score)
        other = type(theirs.events)(table)
        for band in ((0.25, 0.5), (0.0, 1.0)):
            chosen = mine.select_parameter("SCORE", band).event_id.tolist()
            assert chosen == other.select_parameter("SCORE", band).table["EVENT_ID"].tolist()
        listed = np.unique(score)[::7]
        chosen = mine.select_parameter("SCORE", listed, is_range=False).event_id.tolist()
        assert chosen == other.select_parameter("SCORE", listed, is_range=False).table["EVENT_ID"].tolist()


def test_events_by_time_and_offset(gammajax_data):
    for ours, theirs in zip(runs_of(gammajax_data), gammapy_runs(gammajax_data), strict=True):
        times = ours.tstart + [100.0, 700.0] * u.s
        mine = ours.events.select_time(times)
        other = theirs.events.select_time(times)
        assert mine.event_id.tolist() == other.table["EVENT_ID"].tolist()
        text = ours.events.select_time([t.utc.isot for t in times])
        assert abs(len(text) - len(mine)) <= 1
        mine = ours.select_offset((0.4, "1.2 deg")).events
        other = theirs.events.select_offset([0.4, 1.2] * u.deg)
        assert mine.event_id.tolist() == other.table["EVENT_ID"].tolist()


# -- good time


def made(rng, reference, n=5):
    start = np.sort(rng.uniform(0, 3000, n))
    return GTI(start, start + rng.uniform(10, 700, n), reference)


def as_gammapy(gti):
    from gammapy.data import GTI as GammapyGTI

    table = Table({"START": gti.start * u.s, "STOP": gti.stop * u.s})
    table.meta.update(MJDREFI=gti.reference.mjdrefi, MJDREFF=gti.reference.mjdreff, TIMESYS=gti.reference.scale.upper())
    return GammapyGTI.create(table["START"].quantity, table["STOP"].quantity, gti.reference.to_time(0.0))


def edges_of(gti, reference):
    return np.array([[(t - reference.to_time(0.0)).sec for t in x] for x in (gti.time_start, gti.time_stop)])


@pytest.mark.parametrize("seed", range(6))
def test_good_time(gammajax_data, seed):
    """Union, intersection, deletion and selection are Gammapy's; the difference is that of a grid of time."""
    reference = runs_of(gammajax_data, RUNS[:1])[0].gti.reference
    rng = np.random.default_rng(seed)
    here, there = made(rng, reference), made(rng, reference)
    one, other = here.union(), there.union()
    theirs, others = as_gammapy(here).union(), as_gammapy(there).union()
    np.testing.assert_allclose([one.start, one.stop], edges_of(theirs, reference), atol=1e-5)
    both = as_gammapy(here).copy()
    both.stack(as_gammapy(there))
    found = here.union(there)
    np.testing.assert_allclose([found.start, found.stop], edges_of(both.union(), reference), atol=1e-5)
    # Gammapy has no intersection of two, but that with each interval
    found, pieces = one.intersection(other), []
    for start, stop in zip(others.time_start, others.time_stop, strict=True):
        pieces.append(edges_of(theirs.select_time(Time([start, stop])), reference))
    np.testing.assert_allclose([found.start, found.stop], np.concatenate(pieces, axis=1), atol=1e-5)
    interval = reference.to_time(800.0), reference.to_time(1900.0)
    found = one.select_time(interval)
    expected = theirs.select_time(interval[0] + [0, 1100.0] * u.s)
    np.testing.assert_allclose([found.start, found.stop], edges_of(expected, reference), atol=1e-5)
    found = one.delete_interval(interval)
    expected = theirs.delete_interval(interval[0] + [0, 1100.0] * u.s).union()
    np.testing.assert_allclose([found.start, found.stop], edges_of(expected, reference), atol=1e-5)
    on_a_grid(here, there)


def on_a_grid(here, there, step=0.25):
    time = np.arange(-10.0, 4000.0, step) + 0.5 * step
    covered = {name: ((gti.start <= time[:, None]) & (time[:, None] < gti.stop)).any(axis=1)
               for name, gti in {"here": here, "there": there}.items()}  # fmt: skip
    a, b = covered["here"], covered["there"]
    for name, expected in (("union", a | b), ("intersection", a & b), ("difference", a & ~b)):
        found = getattr(here, name)(there)
        np.testing.assert_array_equal(found.contains(time), expected)
        assert found.time_sum == pytest.approx(step * expected.sum(), abs=2 * step * (len(found) + 1))
        assert np.all(found.start[1:] > found.stop[:-1])
