import io
import os
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from dl3_files import aeff_hdu, edisp_hdu, events_hdu, gti_hdu, write, write_run
from made_runs import EDGES, SOURCE, made_run
from rich.console import Console

from gammajax.data import DataStore
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.mask import RegionMask
from gammajax.geom.regions import Circle
from gammajax.reduce.pipeline import reduce_spectra

ON = Circle(*SOURCE, 0.1)
RUNS = [made_run(obs_id) for obs_id in (30, 10, 20)]
EMPTY = made_run(99, n=0)


def reduced(runs, on=ON, **options):
    return reduce_spectra(runs, on, energy=EDGES, energy_true=EDGES, **options)


def same(found, expected):
    assert [d.name for d in found.datasets] == [d.name for d in expected.datasets]
    for one, other in zip(found.datasets, expected.datasets, strict=True):
        for field in ("counts", "counts_off", "acceptance_off", "mask_safe"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
        np.testing.assert_allclose(one.exposure, other.exposure, rtol=1e-14)
        assert one.exposure.dtype == np.float64


def test_order_and_names():
    found = reduced(RUNS, name="made")
    assert [d.name for d in found] == ["made-30", "made-10", "made-20"]
    assert len(found) == 3
    assert not found.failures


def test_failures_are_named_and_the_others_go_on():
    found = reduced([RUNS[0], EMPTY, RUNS[1]])
    assert [d.name for d in found.datasets] == ["30", "10"]
    assert found.failures == {99: "run 99: the run has no events"}
    assert "2 datasets, 1 failed runs" in repr(found)
    assert "run 99: the run has no events" in repr(found)


def test_broken_and_lost_files_are_named(tmp_path):
    paths = [write_run(tmp_path / f"run{i}.fits", obs_id=i) for i in (5, 6)]
    observations = DataStore.from_files(paths).observations()
    paths[0].write_bytes(paths[0].read_bytes()[:4000])
    paths[1].unlink()
    found = reduced([*observations, *RUNS])
    assert len(found) == 3
    assert found.failures[5].startswith("run 5: ")
    assert "run5.fits" in found.failures[5]
    assert "run6.fits" in found.failures[6]


def test_failures_of_the_observations_are_passed_on():
    class Read(list):
        failures = {7: "run 7: seven.fits is absent"}

    assert reduced(Read(RUNS)).failures == Read.failures


@pytest.mark.parametrize("header", [{"DEADC": 0.0}, {"gti": ((), ())}, {"gti": ((0.0,), (0.0,))}])
def test_runs_without_livetime_are_listed_and_not_stacked(tmp_path, header):
    gti = header.pop("gti", ((0.0,), (50.0,)))
    write(tmp_path / "run.fits", events_hdu(5, **header), gti_hdu(*gti), aeff_hdu(), edisp_hdu())
    observations = DataStore.from_files([tmp_path / "run.fits"]).observations()
    found = reduced([*observations, *RUNS], stack=True)
    assert "run 5: the run has no livetime" in found.failures[5]
    assert found.datasets[0].provenance.obs_ids == (30, 10, 20)


def test_an_unforeseen_exception_costs_one_run():
    odd = made_run(7, livetime="long")
    found = reduced([RUNS[0], odd, RUNS[1]])
    assert [d.name for d in found] == ["30", "10"]
    assert found.failures[7].startswith("run 7: unexpected TypeError: ")


class Deadly:
    """Takes down the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_worker_that_dies_takes_no_finished_run_with_it():
    deadly = made_run(66, psf=Deadly())
    seen = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = reduced([RUNS[0], deadly, RUNS[1]], executor=pool, each=lambda d: seen.append(d.name))
    assert [d.name for d in found] == seen == ["30"]
    assert list(found.failures) == [66, 10]
    assert all("lost, since a worker process ended" in message for message in found.failures.values())


def test_a_pool_that_is_broken_from_the_start():
    class Broken(ThreadPoolExecutor):
        def submit(self, *_):
            raise BrokenExecutor("no worker")

    with Broken(1) as pool:
        found = reduced(RUNS, executor=pool)
    assert not found.datasets
    assert list(found.failures) == [30, 10, 20]


def test_one_safe_mask_by_name():
    for one, other in zip(reduced(RUNS, safe_mask="aeff-max"), reduced(RUNS, safe_mask=["aeff-max"]), strict=True):
        np.testing.assert_array_equal(one.mask_safe, other.mask_safe)


@pytest.mark.parametrize("workers", [1, 3])
def test_threads(workers):
    with ThreadPoolExecutor(workers) as pool:
        same(reduced(RUNS, executor=pool), reduced(RUNS))


def test_processes():
    mask = RegionMask((Circle(83.0, 22.5, 0.2),))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = reduced([*RUNS, EMPTY], exclusion_mask=mask, safe_mask=["aeff-max"], executor=pool)
    same(found, reduced([*RUNS, EMPTY], exclusion_mask=mask, safe_mask=["aeff-max"]))
    assert list(found.failures) == [99]


def test_stack():
    found = reduced([*RUNS, EMPTY], stack=True, name="made")
    assert [d.name for d in found.datasets] == ["made"]
    np.testing.assert_array_equal(found.datasets[0].counts, sum(d.counts for d in reduced(RUNS)))
    assert found.datasets[0].provenance.obs_ids == (30, 10, 20)
    with pytest.raises(EmptyRun, match="run 99"):
        reduced([EMPTY], stack=True)


def test_wrong_axes_and_masks_fail_at_once():
    with pytest.raises(ConfigError, match="energy_true needs"):
        reduce_spectra(RUNS, ON, energy=EDGES, energy_true=EDGES[::-1])
    with pytest.raises(ConfigError, match="nearest"):
        reduced(RUNS, safe_mask=["aeff-mx"])


def test_long_tables_are_cut():
    found = reduced([made_run(i, n=50) for i in range(1, 24)])
    assert "... and 3 more" in repr(found)


@pytest.mark.parametrize(
    ("terminal", "wanted", "shown"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_progress_is_for_terminals(monkeypatch, terminal, wanted, shown):
    text = io.StringIO()
    made = Console(file=text, force_terminal=terminal, width=100)
    monkeypatch.setattr("gammajax.reduce.pipeline.Console", lambda stderr: made)
    assert len(reduced(RUNS, progress=wanted)) == 3
    assert ("Reducing runs" in text.getvalue()) == shown
