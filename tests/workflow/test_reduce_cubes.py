"""Cubes from a configuration: reduce -> stat -> fit -> sample on the command line, failing runs, resuming."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml

import gammajax as gj
from gammajax.errors import ConfigError, EmptyRun
from gammajax.reduce import cube_pipeline
from gammajax.workflow import runs as shared
from gammajax.workflow.config import read_config
from gammajax.workflow.reduce import run_reduction

SOURCE = (83.63, 22.01)
AROUND = "icrs;circle(83.63, 22.01, 0.3)"
FIELDS = ("counts", "background", "exposure", "mask_safe")


def skydir(lon, lat):
    return {"frame": "icrs", "lon": f"{lon} deg", "lat": f"{lat} deg"}


def written(store, **datasets):
    """A small configuration with other entries in `datasets`."""
    wcs = {"skydir": skydir(*SOURCE), "binsize": "0.1 deg", "binsize_irf": "0.5 deg", "proj": "TAN"}
    return {
        "observations": {"datastore": str(store)},
        "datasets": {
            "type": "3d",
            "geom": {
                "wcs": {**wcs, "width": {"width": "2 deg", "height": "1.8 deg"}},
                "selection": {"offset_max": "1.5 deg"},
                "axes": {
                    "energy": {"min": "0.8 TeV", "max": "20 TeV", "nbins": 4},
                    "energy_true": {"min": "0.5 TeV", "max": "40 TeV", "nbins": 8},
                },
            },
            "background": {"method": "fov_background", "exclusion": AROUND},
            "safe_mask": {"methods": ["offset-max", "aeff-default"], "parameters": {"offset_max": "1.4 deg"}},
            **datasets,
        },
        "fit": {"fit_range": {"min": "1 TeV"}},
    }


def models(lon, lat, amplitude, spatial="PointSpatialModel", **more):
    """A power law and the background of the field of view, in Gammapy's YAML."""
    place = {"lon_0": lon, "lat_0": lat, **more}
    spectral = [
        {"name": "index", "value": 2.4},
        {"name": "amplitude", "value": amplitude, "unit": "cm-2 s-1 TeV-1"},
        {"name": "reference", "value": 1.0, "unit": "TeV"},
    ]
    spatial = {
        "type": spatial,
        "frame": "icrs",
        "parameters": [{"name": key, "value": x, "unit": "deg"} for key, x in place.items()],
    }
    source = {"name": "src", "type": "SkyModel", "spatial": spatial}
    norm = {"type": "PowerLawNormSpectralModel", "parameters": [{"name": "norm", "value": 1.0}]}
    background = {"name": "bkg", "type": "FoVBackgroundModel", "datasets_names": ["stacked"], "spectral": norm}
    return {
        "components": [{**source, "spectral": {"type": "PowerLawSpectralModel", "parameters": spectral}}, background]
    }


def save(path, content):
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def store(archive):
    return archive.folder / "hess"


@pytest.fixture
def config(store, tmp_path):
    """Of the runs one by one, as cubes in memory."""
    return read_config(save(tmp_path / "config.yaml", written(store, stack=False)))


@pytest.fixture(scope="module")
def direct(store):
    """The same runs, reduced without a configuration."""
    return gj.reduce_maps(
        gj.DataStore.from_dir(store).observations(),
        gj.SkyGrid.create(SOURCE, (2.0, 1.8), 0.1, proj="TAN"),
        energy=gj.energy_edges("0.8 TeV", "20 TeV", bins=4),
        energy_true=gj.energy_edges("0.5 TeV", "40 TeV", bins=8),
        background=gj.FoVBackgroundScale(AROUND),
        safe_mask=gj.SafeMask("offset-max", "aeff-default", offset_max="1.4 deg"),
        offset_max="1.5 deg",
        binsz_irf="0.5 deg",
    )


@pytest.fixture(scope="module")
def stacked(run, store, tmp_path_factory):
    """Folder with the stacked cube, and models.yaml."""
    folder = tmp_path_factory.mktemp("stacked")
    content = {**written(store, containment_correction=True), "excess_map": {"correlation_radius": "0.1 deg"}}
    result = run("reduce", save(folder / "config.yaml", content), "--out", folder / "out")
    assert "'excess_map' is not used" in result.stderr
    assert "'datasets.containment_correction' is not used" in result.stderr
    assert "1 datasets, 0 failed runs" in result.stdout
    save(folder / "models.yaml", models(83.65, 22.0, 3e-11))
    return folder


def inputs(folder):
    return "--datasets", folder / "out" / "datasets.yaml", "--models", folder / "models.yaml"


def report(folder):
    return json.loads((folder / "reduction.json").read_text())


def test_the_runs_are_those_of_reduce_maps(config, direct, tmp_path):
    found = run_reduction(config, tmp_path / "out", progress=False)
    read = gj.Datasets.read(tmp_path / "out" / "datasets.yaml")
    assert [d.name for d in direct] == [d.name for d in found] == read.names
    for expected, made, again in zip(direct, found, read, strict=True):
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(made, field), getattr(expected, field))
            np.testing.assert_allclose(getattr(again, field), getattr(expected, field), rtol=1e-6)
        assert expected.counts.sum() > 100
        # the fit range begins at the first whole bin
        np.testing.assert_array_equal(np.all(again.mask_fit, axis=(1, 2)), [False, True, True, True])
    about = report(tmp_path / "out")
    assert (about["complete"], about["datasets"], about["failures"]) == (True, read.names, {})
    norms = [scale["norm"] for scale in about["scales"].values()]
    np.testing.assert_allclose(norms, [scale.norm for scale in direct.scales.values()])


def test_the_stack_is_that_of_reduce_maps(stacked, direct):
    (read,) = gj.Datasets.read(stacked / "out" / "datasets.yaml")
    grid = gj.SkyGrid.create(SOURCE, (2.0, 1.8), 0.1, proj="TAN")
    expected = gj.stack_maps(direct, grid)
    assert read.name == "stacked"
    for field in FIELDS:
        np.testing.assert_allclose(getattr(read, field), getattr(expected, field), rtol=1e-6)
    assert read.provenance.obs_ids == expected.provenance.obs_ids
    assert report(stacked / "out")["not_used"] == ["excess_map", "datasets.containment_correction"]


def test_rings(store, archive, tmp_path):
    """On-off cubes from a configuration: the stack of `reduce_maps`, read again, resumed, and fitted."""
    background = {"method": "ring", "exclusion": AROUND, "parameters": {"r_in": "0.4 deg", "width": "0.3 deg"}}
    config = read_config(save(tmp_path / "config.yaml", written(store, background=background)))
    (found,) = run_reduction(config, tmp_path / "out", progress=False)
    (expected,) = gj.reduce_maps(
        gj.DataStore.from_dir(store).observations(),
        gj.SkyGrid.create(SOURCE, (2.0, 1.8), 0.1, proj="TAN"),
        energy=gj.energy_edges("0.8 TeV", "20 TeV", bins=4),
        energy_true=gj.energy_edges("0.5 TeV", "40 TeV", bins=8),
        background=gj.RingBackground("0.4 deg", "0.3 deg", AROUND),
        safe_mask=gj.SafeMask("offset-max", "aeff-default", offset_max="1.4 deg"),
        offset_max="1.5 deg",
        binsz_irf="0.5 deg",
        stack=True,
    )
    (read,) = gj.Datasets.read(tmp_path / "out" / "datasets.yaml")
    assert isinstance(read, gj.MapDatasetOnOff)
    for field in ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "mask_safe"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))
        np.testing.assert_allclose(getattr(read, field), getattr(expected, field), rtol=1e-6)
    (again,) = run_reduction(config, tmp_path / "out", progress=False, resume=True)
    assert len(report(tmp_path / "out")["resumed"]) == 2
    np.testing.assert_allclose(again.counts_off, found.counts_off, rtol=1e-12)
    place = gj.PointSpatial(lon_0=SOURCE[0], lat_0=SOURCE[1])
    fit = gj.fit([read], gj.Models(src=gj.SkyModel(gj.PowerLaw(index=2.5, amplitude=3e-11), place)))
    assert fit.success
    amplitude = fit.models.rows["src.spectral.amplitude"]
    assert abs(amplitude.value - archive.truth["amplitude"]) < 4 * amplitude.error


def test_workers(config, direct, tmp_path, monkeypatch):
    started = []

    def pool(n_jobs, context):
        started.append((n_jobs, context.get_start_method()))
        return ThreadPoolExecutor(n_jobs)

    monkeypatch.setattr(shared, "ProcessPoolExecutor", pool)
    content = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config = read_config(save(tmp_path / "config.yaml", {**content, "general": {"n_jobs": 2}}))
    found = run_reduction(config, tmp_path / "out", progress=False)
    assert started == [(2, "spawn")]
    for expected, made in zip(direct, found, strict=True):
        np.testing.assert_array_equal(made.counts, expected.counts)


def test_stat(run, stacked):
    result = json.loads(run("stat", *inputs(stacked), "--json").stdout)
    (row,) = result["datasets"]
    (dataset,) = gj.Datasets.read(stacked / "out" / "datasets.yaml")
    problem = gj.Problem([dataset], gj.Models.read(stacked / "models.yaml"))
    assert result["stat"] == pytest.approx(float(gj.stat(problem, problem.start)), rel=1e-12)
    assert (row["type"], row["n_bins"]) == ("MapDataset", int(dataset.mask.sum()))
    assert row["counts"] == float(np.asarray(dataset.counts)[np.asarray(dataset.mask)].sum())
    assert row["npred"] == pytest.approx(row["counts"], rel=0.3)
    assert "MapDataset" in run("info", stacked / "out" / "datasets.yaml").stdout


def test_fit(run, stacked):
    run("fit", *inputs(stacked), "--out", stacked / "fit")
    result = json.loads((stacked / "fit" / "result.json").read_text())
    assert result["success"] is True
    found = {p["path"]: p for p in result["parameters"] if not p["frozen"]}
    truth = {"src.spatial.lon_0": SOURCE[0], "src.spatial.lat_0": SOURCE[1], "bkg.spectral.norm": 1.0}
    assert set(found) == {"src.spectral.index", "src.spectral.amplitude", *truth}
    for path, value in truth.items():
        assert abs(found[path]["value"] - value) < 4 * found[path]["error"], path
    for plot in ("residuals_stacked.png", "sed_src.png"):
        assert (stacked / "fit" / plot).read_bytes().startswith(b"\x89PNG")
    assert not (stacked / "fit" / "counts.png").exists()


def test_sample(run, stacked, monkeypatch):
    # so few draws are never trusted: the command ends with 3
    numbers = "--draws", 10, "--chains", 2, "--warmup", 20, "--no-plots"
    run("sample", *inputs(stacked), "--out", stacked / "sample", *numbers, code=3)
    fitted = gj.Models.read(stacked / "sample" / "models.yaml")
    posterior = gj.Posterior.read(stacked / "sample" / "posterior.h5", fitted)
    assert posterior.samples.shape == (2, 10, 5)
    assert "src.spatial.lon_0" in posterior.paths
    assert np.all(np.isfinite(posterior.samples))


def test_runs_that_fail_are_named(run, store, tmp_path):
    first, second = gj.DataStore.from_dir(store).observations()
    content = written(store, stack=True, background={"method": "irf"})
    content["datasets"]["geom"]["wcs"] |= {"skydir": skydir(*first.pointing_radec)}
    content["datasets"]["geom"]["wcs"]["width"] = {"width": "0.4 deg", "height": "0.4 deg"}
    content["datasets"]["geom"]["selection"]["offset_max"] = "0.3 deg"
    result = run("reduce", save(tmp_path / "config.yaml", content), "--out", tmp_path / "out")
    assert f"failed: run {second.obs_id}: the field of view" in result.stdout
    about = report(tmp_path / "out")
    assert list(about["failures"]) == [str(second.obs_id)]
    assert about["runs"] == {str(first.obs_id): f"{first.obs_id}.fits"}
    assert about["scales"] == {}
    (cube,) = gj.Datasets.read(tmp_path / "out" / "datasets.yaml")
    assert cube.provenance.obs_ids == (first.obs_id,)


def test_no_run_is_left(run, store, tmp_path):
    content = written(store)
    content["observations"]["obs_cone"] = {**skydir(0, -60), "radius": "2 deg"}
    result = run("reduce", save(tmp_path / "config.yaml", content), "--out", tmp_path / "out", code=1)
    assert result.stderr.startswith("EmptyRun: no run could be reduced: none of ")
    far = written(store, stack=False, background={"method": "irf"})
    far["datasets"]["geom"]["wcs"]["skydir"] = skydir(200, -40)
    with pytest.raises(EmptyRun, match="no run could be reduced: run .* the field of view"):
        run_reduction(read_config(save(tmp_path / "config.yaml", far)), tmp_path / "out", progress=False)


def test_labels_of_a_stack(store, tmp_path):
    ids = [run.obs_id for run in gj.DataStore.from_dir(store).observations()]
    content = written(store, stack={"one": [ids[0]], "two": [ids[1]]}, background={"method": "none"})
    found = run_reduction(read_config(save(tmp_path / "config.yaml", content)), tmp_path / "out", progress=False)
    assert [d.name for d in found] == ["one", "two"]
    assert not any(d.background.any() for d in found)
    content["datasets"]["stack"] = {"one": [ids[0]]}
    with pytest.raises(ConfigError, match=rf"no label for the runs \[{ids[1]}\]"):
        run_reduction(read_config(save(tmp_path / "config.yaml", content)), tmp_path / "out", progress=False)


def test_an_interrupted_reduction_goes_on(run, store, stacked, tmp_path, monkeypatch):
    config = save(tmp_path / "config.yaml", written(store))
    done, once = [], cube_pipeline.reduce_map

    def interrupted(observation, *args):
        if done:
            raise KeyboardInterrupt
        done.append(observation.obs_id)
        return once(observation, *args)

    monkeypatch.setattr(cube_pipeline, "reduce_map", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_reduction(read_config(config), tmp_path / "out", progress=False)
    assert not report(tmp_path / "out")["complete"]
    assert not (tmp_path / "out" / "datasets.yaml").exists()

    again = []
    monkeypatch.setattr(
        cube_pipeline,
        "reduce_map",
        lambda observation, *a: (again.append(observation.obs_id), once(observation, *a))[1],
    )
    run("reduce", config, "--out", tmp_path / "out", "--resume")
    about, whole = report(tmp_path / "out"), report(stacked / "out")
    assert (about["complete"], about["resumed"]) == (True, [str(done[0])])
    assert again == [int(i) for i in whole["runs"] if int(i) not in done]
    assert about["scales"] == whole["scales"]
    one, other = (gj.Datasets.read(folder / "out" / "datasets.yaml")[0] for folder in (tmp_path, stacked))
    for field in FIELDS:
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=1e-6)

    again.clear()
    run("reduce", config, "--out", tmp_path / "out", "--resume")
    assert again == []
    assert report(tmp_path / "out")["resumed"] == list(whole["runs"])
    # without --resume nothing of it counts
    run("reduce", config, "--out", tmp_path / "out")
    assert [str(i) for i in again] == list(whole["runs"])
    assert report(tmp_path / "out")["resumed"] == []

    save(config, written(store, stack=False))
    result = run("reduce", config, "--out", tmp_path / "out", "--resume", code=1)
    assert "was made with another configuration" in result.stderr


def test_rx_j1713(run, gammajax_data, tmp_path):
    """Two H.E.S.S. runs of an extended source: its flux and size, and the background of the field."""
    place = (258.39, -39.76)
    background = {"method": "fov_background", "exclusion": "icrs;circle(258.39, -39.76, 0.9)"}
    content = written(gammajax_data / "hess-dl3-dr1", background=background)
    content["observations"]["obs_ids"] = [20326, 20327]
    content["datasets"]["geom"]["wcs"] |= {"skydir": skydir(*place), "width": {"width": "4 deg", "height": "4 deg"}}
    content["datasets"]["geom"]["selection"]["offset_max"] = "2.5 deg"
    content["datasets"]["geom"]["axes"]["energy"] = {"min": "0.5 TeV", "max": "20 TeV", "nbins": 6}
    content["datasets"]["safe_mask"]["parameters"]["offset_max"] = "2 deg"
    content["fit"] = {"fit_range": {"min": "0.5 TeV"}}
    result = run("reduce", save(tmp_path / "config.yaml", content), "--out", tmp_path / "out")
    assert "1 datasets, 0 failed runs" in result.stdout
    save(tmp_path / "models.yaml", models(*place, 2e-11, "GaussianSpatialModel", sigma=0.4))
    before = json.loads(run("stat", *inputs(tmp_path), "--json").stdout)
    run("fit", *inputs(tmp_path), "--out", tmp_path / "fit", "--no-plots")
    fit = json.loads((tmp_path / "fit" / "result.json").read_text())
    assert fit["success"]
    assert fit["stat"] < before["stat"]
    found = {p["path"]: (p["value"], p["error"]) for p in fit["parameters"]}
    assert found["bkg.spectral.norm"][0] == pytest.approx(1.0, abs=4 * found["bkg.spectral.norm"][1])
    amplitude, error = found["src.spectral.amplitude"]
    # 1e-12 cm-2 s-1 TeV-1 at 1 TeV: 23 in H.E.S.S. (2018), A&A 612, A6
    assert amplitude > 4 * error
    assert amplitude == pytest.approx(2.3e-11, abs=3 * error)
    assert found["src.spatial.sigma"][0] == pytest.approx(0.4, abs=0.2)
