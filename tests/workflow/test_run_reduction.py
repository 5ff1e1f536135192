"""Reductions from a configuration: which runs, which part of them, and how an interrupted one goes on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from dl3_files import events_hdu, gti_hdu, write, write_index, write_run

import gammajax as gj
from gammajax.data import DataStore
from gammajax.datasets.files import read_dataset
from gammajax.errors import ConfigError
from gammajax.geom.regions import Circle
from gammajax.numeric.sphere import offset_by, position_angle, separation
from gammajax.reduce import pipeline
from gammajax.reduce.reflected import ReflectedRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.workflow.config import ReductionConfig
from gammajax.workflow.info import describe
from gammajax.workflow.reduce import reduced, run_reduction, selected

EDGES = np.geomspace(0.1, 100.0, 13)


@pytest.fixture
def config(archive):
    return ReductionConfig(
        datastore=archive.folder / "hess",
        obs_ids=None,
        cone=None,
        time=None,
        required_irf=(),
        on_region=Circle(83.63, 22.01, 0.11),
        energy=EDGES,
        energy_true=EDGES,
        background=ReflectedRegions(),
        exclusion=None,
        safe_mask=SafeMask(),
        containment_correction=True,
        stack=False,
        fit_range=(0.4, 50.0),
        n_jobs=1,
        not_used=(),
    )


@pytest.fixture
def runs(archive):
    return list(DataStore.from_dir(archive.folder / "hess").observations())


def test_time_cuts_the_runs(config, runs):
    first = runs[0]
    half = first.tstart, first.tstart + first.gti.time_sum / 2 * u.s
    found = selected(replace(config, time=half))
    assert found.ids.tolist() == [first.obs_id]
    cut = reduced(replace(config, time=half), progress=False).datasets[0]
    whole = reduced(config, progress=False).datasets[0]
    assert float(cut.livetime) == pytest.approx(float(whole.livetime) / 2, rel=1e-6)
    assert 0 < cut.counts_off.sum() < whole.counts_off.sum()
    np.testing.assert_allclose(cut.exposure, whole.exposure / 2, rtol=1e-6)


def test_ids_cone_and_time_intersect(config, runs):
    ids = tuple(run.obs_id for run in runs)
    always = runs[0].tstart - 1 * u.year, runs[0].tstart + 10 * u.year
    here, far = Circle(83.63, 22.01, 3.0), Circle(0.0, -60.0, 3.0)
    chosen = replace(config, obs_ids=ids[1:], cone=here, time=always)
    assert selected(chosen).ids.tolist() == list(ids[1:])
    assert selected(replace(chosen, obs_ids=None)).ids.tolist() == list(ids)
    assert not len(selected(replace(chosen, cone=far)))
    assert not len(selected(replace(chosen, time=(always[1], always[1] + 1 * u.day))))


def test_runs_that_lack_a_required_response_are_listed(config, runs):
    found = selected(replace(config, required_irf=("rad_max",)))
    assert not len(found)
    assert "lacks the required rad_max" in found.failures[runs[0].obs_id]


def test_an_open_fit_range(config, tmp_path):
    run_reduction(replace(config, fit_range=(0.4, np.inf)), tmp_path, progress=False)
    mask = np.asarray(gj.Datasets.read(tmp_path / "datasets.yaml")[0].mask_fit)
    np.testing.assert_array_equal(mask, EDGES[:-1] >= 0.4)


def test_an_interrupted_reduction_goes_on(config, runs, tmp_path, monkeypatch):
    whole = run_reduction(config, tmp_path / "whole", progress=False)
    done, once = [], pipeline.reduce_observation

    def interrupted(run, *args, **options):
        if done:
            raise KeyboardInterrupt
        done.append(run.obs_id)
        return once(run, *args, **options)

    monkeypatch.setattr(pipeline, "reduce_observation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_reduction(config, tmp_path / "out", progress=False)
    report = json.loads((tmp_path / "out" / "reduction.json").read_text())
    assert (report["complete"], report["datasets"]) == (False, [str(runs[0].obs_id)])

    again = []
    monkeypatch.setattr(
        pipeline, "reduce_observation", lambda run, *a, **k: (again.append(run.obs_id), once(run, *a, **k))[1]
    )
    found = run_reduction(config, tmp_path / "out", progress=False, resume=True)
    assert again == [run.obs_id for run in runs[1:]]
    report = json.loads((tmp_path / "out" / "reduction.json").read_text())
    assert report["complete"]
    assert report["resumed"] == [str(runs[0].obs_id)]
    assert [d.name for d in found] == [d.name for d in whole]
    read = [gj.Datasets.read(tmp_path / folder / "datasets.yaml") for folder in ("whole", "out")]
    for one, other in zip(*read, strict=True):
        for field in ("counts", "counts_off", "acceptance_off", "mask_safe", "mask_fit"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
        np.testing.assert_allclose(one.exposure, other.exposure, rtol=1e-14)
        assert one.provenance == other.provenance

    monkeypatch.setattr(pipeline, "reduce_observation", None)
    assert len(run_reduction(config, tmp_path / "out", progress=False, resume=True)) == len(runs)


@pytest.mark.parametrize("background", [ReflectedRegions(), None])
def test_an_interrupted_stack_goes_on(config, runs, tmp_path, monkeypatch, background):
    stacked = replace(config, stack=True, background=background)
    whole = run_reduction(stacked, tmp_path / "whole", progress=False)
    done, once = [], pipeline.reduce_observation

    def interrupted(run, *args, **options):
        if done:
            raise KeyboardInterrupt
        done.append(run.obs_id)
        return once(run, *args, **options)

    monkeypatch.setattr(pipeline, "reduce_observation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_reduction(stacked, tmp_path / "out", progress=False)
    assert not (tmp_path / "out" / "datasets.yaml").exists()
    monkeypatch.setattr(pipeline, "reduce_observation", once)
    found = run_reduction(stacked, tmp_path / "out", progress=False, resume=True)
    report = json.loads((tmp_path / "out" / "reduction.json").read_text())
    assert report["resumed"] == [str(runs[0].obs_id)]
    assert list(report["runs"]) == [str(run.obs_id) for run in runs]
    assert [d.name for d in found] == [d.name for d in whole] == report["datasets"] == ["stacked"]
    for field in ("counts", "background", "mask_safe"):
        np.testing.assert_allclose(getattr(found.datasets[0], field), getattr(whole.datasets[0], field), rtol=1e-12)
    np.testing.assert_allclose(found.datasets[0].exposure, whole.datasets[0].exposure, rtol=1e-12)
    assert found.datasets[0].provenance.obs_ids == whole.datasets[0].provenance.obs_ids


def test_stacks_by_label_and_exclusion_by_regions(config, runs, tmp_path):
    ids = [run.obs_id for run in runs]
    # a star at the mirror position of the source in the first run
    pointing = runs[0].pointing_radec
    away = position_angle(*pointing, 83.63, 22.01) + 180, separation(*pointing, 83.63, 22.01)
    ra, dec = offset_by(*pointing, *away)
    (tmp_path / "stars.reg").write_text(f"icrs\ncircle({ra}, {dec}, 0.1)\n")
    labels = replace(config, stack={ids[0]: "first", ids[1]: "second"}, exclusion=tmp_path / "stars.reg")
    found = run_reduction(labels, tmp_path / "out", progress=False)
    assert [d.name for d in found] == ["first", "second"]
    free = reduced(config, progress=False)
    for one, other in zip(found, free, strict=True):
        np.testing.assert_array_equal(one.counts, np.where(one.mask_safe, other.counts, 0))
    assert any(float(a.acceptance_off[0]) < float(b.acceptance_off[0]) for a, b in zip(found, free, strict=True))


def test_what_cannot_be_resumed(config, tmp_path):
    run_reduction(config, tmp_path, progress=False)
    with pytest.raises(ConfigError, match="another configuration"):
        run_reduction(replace(config, fit_range=None), tmp_path, progress=False, resume=True)
    with pytest.raises(ConfigError, match="another configuration"):
        run_reduction(replace(config, stack=True), tmp_path, progress=False, resume=True)
    (tmp_path / "reduction.json").write_text("[]")
    with pytest.raises(ConfigError, match="another configuration"):
        run_reduction(config, tmp_path, progress=False, resume=True)


def test_nothing_to_resume_is_a_fresh_start(config, runs, tmp_path):
    assert len(run_reduction(config, tmp_path, progress=False, resume=True)) == len(runs)
    assert read_dataset(tmp_path / f"pha_{runs[0].obs_id}.fits").counts.sum() > 0


def test_info_survives_broken_runs(tmp_path):
    write_run(tmp_path / "1.fits", 1)
    write(tmp_path / "2.fits", events_hdu(2), gti_hdu(MJDREFI=""))
    write_run(tmp_path / "3.fits", 3, OBS_MODE="DRIFT")
    write_index(tmp_path, {1: "1.fits", 2: "2.fits", 3: "3.fits", 4: "absent.fits"})
    lines = describe(tmp_path).splitlines()
    assert sum(line.split()[0] in "123" for line in lines) == 3
    assert any(line.startswith("problem: run 2: ") and "MJDREFI" in line for line in lines)
    assert any(line.startswith("problem: run 3: ") and "no fixed pointing" in line for line in lines)
    assert any(line.startswith("missing: run 4: ") for line in lines)
