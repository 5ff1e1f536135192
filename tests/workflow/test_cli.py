"""The command line's contract, on the simulated archive: reduce -> stat -> fit -> sample -> info."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import gammajax as gj
from gammajax.errors import ConfigError
from gammajax.workflow import analyse

MODELS = {
    "components": [
        {
            "name": "crab",
            "type": "SkyModel",
            "spectral": {
                "type": "LogParabolaSpectralModel",
                "parameters": [
                    {"name": "amplitude", "value": 3e-11, "unit": "cm-2 s-1 TeV-1"},
                    {"name": "reference", "value": 1.0, "unit": "TeV"},
                    {"name": "alpha", "value": 2.3},
                    {
                        "name": "beta",
                        "value": 0.1,
                        "prior": {
                            "type": "GaussianPrior",
                            "parameters": [{"name": "mu", "value": 0.1}, {"name": "sigma", "value": 0.5}],
                            "weight": 1.0,
                        },
                    },
                ],
            },
        }
    ]
}


@pytest.fixture(scope="module")
def reduced(run, archive, tmp_path_factory):
    """Folder with the reduced spectra of the H.E.S.S.-like telescope, and models.yaml."""
    folder = tmp_path_factory.mktemp("reduced")
    config = {
        "observations": {"datastore": str(archive.folder / "hess")},
        "datasets": {
            "stack": False,
            "on_region": {"frame": "icrs", "lon": "83.63 deg", "lat": "22.01 deg", "radius": "0.11 deg"},
            "geom": {
                "axes": {
                    "energy": {"min": "0.1 TeV", "max": "100 TeV", "nbins": 24},
                    "energy_true": {"min": "0.1 TeV", "max": "100 TeV", "nbins": 24},
                }
            },
            "background": {"method": "reflected"},
        },
        "fit": {"fit_range": {"min": "0.4 TeV", "max": "50 TeV"}},
        "light_curve": {"energy_edges": {"min": "1 TeV"}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "models.yaml").write_text(yaml.safe_dump(MODELS))
    result = run("reduce", folder / "config.yaml", "--out", folder / "out")
    assert "'light_curve' is not used" in result.stderr
    return folder


def inputs(folder):
    return "--datasets", folder / "out" / "datasets.yaml", "--models", folder / "models.yaml"


def test_reduce_writes_what_can_be_read_back(reduced):
    report = json.loads((reduced / "out" / "reduction.json").read_text())
    datasets = gj.Datasets.read(reduced / "out" / "datasets.yaml")
    assert report["datasets"] == datasets.names
    assert report["failures"] == {}
    assert report["not_used"] == ["light_curve"]
    edges = np.asarray(datasets[0].energy)[:-1][np.asarray(datasets[0].mask_fit)]
    assert edges.min() >= 0.4 * (1 - 1e-6)
    assert all(float(d.excess.sum()) > 50 for d in datasets)


def test_stat_json_and_table(run, reduced):
    result = json.loads(run("stat", *inputs(reduced), "--json").stdout)
    assert set(result) == {"stat", "datasets", "prior_stat"}
    assert set(result["datasets"][0]) == {"name", "type", "stat", "n_bins", "counts", "npred"}
    total = sum(d["stat"] for d in result["datasets"]) + result["prior_stat"]
    assert result["stat"] == pytest.approx(total, rel=1e-12)
    assert result["prior_stat"] == pytest.approx(2 * np.log(0.5 * np.sqrt(2 * np.pi)), rel=1e-6)
    datasets = gj.Datasets.read(reduced / "out" / "datasets.yaml")
    problem = gj.Problem(datasets, gj.Models.read(reduced / "models.yaml"))
    assert result["stat"] == pytest.approx(float(gj.stat(problem, problem.start)), rel=1e-12)
    counts = [float(np.asarray(d.counts)[np.asarray(d.mask)].sum()) for d in datasets]
    assert [d["counts"] for d in result["datasets"]] == counts
    assert f"{result['stat']:.6f}" in run("stat", *inputs(reduced)).stdout


def test_stat_of_flux_points(run, tmp_path):
    energy = np.array([0.5, 1.0, 2.0])
    points = gj.FluxPointsDataset(
        name="sed", energy_ref=energy, dnde=1e-11 * energy**-2.0, dnde_err=1e-12 * energy**-2.0
    )
    datasets = gj.Datasets([points]).write(tmp_path / "points")
    models = gj.Models(crab=gj.SkyModel(gj.PowerLaw(amplitude=1.1e-11, index=2.0))).write(tmp_path / "models.yaml")
    shown = run("stat", "--datasets", datasets, "--models", models).stdout
    assert "statistic 3.000000" in shown
    assert "sed" in shown


def test_fit_writes_the_contract(run, reduced):
    run("fit", *inputs(reduced), "--out", reduced / "fit")
    result = json.loads((reduced / "fit" / "result.json").read_text())
    assert result["success"] is True
    expected = {"path", "value", "error", "unit", "min", "max", "frozen", "link"}
    assert all(set(p) == expected for p in result["parameters"])
    assert [p["path"] for p in result["parameters"]] == [
        f"crab.spectral.{name}" for name in ("amplitude", "reference", "alpha", "beta")
    ]
    free = [p for p in result["parameters"] if not p["frozen"]]
    assert result["covariance"]["paths"] == [p["path"] for p in free]
    matrix = np.array(result["covariance"]["matrix"])
    np.testing.assert_allclose(np.sqrt(np.diag(matrix)), [p["error"] for p in free], rtol=1e-12)
    assert {"read", "compile", "run", "total"} <= set(result["timings"])
    assert {"gammajax", "jax", "numpy"} <= set(result["versions"])
    alpha = next(p for p in free if p["path"].endswith("alpha"))
    assert abs(alpha["value"] - 2.5) < 4 * alpha["error"]
    fitted = gj.Models.read(reduced / "fit" / "models.yaml")
    assert fitted.value("crab.spectral.alpha") == alpha["value"]
    np.testing.assert_allclose(fitted.covariance.matrix, matrix, rtol=1e-12)
    for plot in ("counts.png", "sed_crab.png"):
        assert (reduced / "fit" / plot).read_bytes().startswith(b"\x89PNG")


def test_sample_adds_the_posterior(run, reduced):
    numbers = "--draws", 100, "--chains", 2, "--warmup", 100, "--no-plots"
    run("sample", *inputs(reduced), "--out", reduced / "sample", *numbers)
    summary = json.loads((reduced / "sample" / "posterior.json").read_text())
    models = gj.Models.read(reduced / "sample" / "models.yaml")
    posterior = gj.Posterior.read(reduced / "sample" / "posterior.h5", models)
    assert posterior.samples.shape == (2, 100, 3)
    assert [p["path"] for p in summary["parameters"]] == models.free_paths
    np.testing.assert_allclose([p["mean"] for p in summary["parameters"]], posterior.mean)
    assert json.loads((reduced / "sample" / "result.json").read_text())["success"]


def test_info(run, reduced, archive):
    assert "hess" in run("info", reduced / "out" / "datasets.yaml").stdout.lower()
    assert "crab.spectral.alpha" in run("info", reduced / "models.yaml").stdout
    assert "livetime" in run("info", archive.folder / "magic").stdout
    pha = next((reduced / "out").glob("pha_*[0-9].fits"))
    assert "SpectrumDatasetOnOff" in run("info", pha).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "absent.yaml"), "MissingFile: absent.yaml does not exist"),
        (("stat", "--datasets", "absent.yaml", "--models", "absent.yaml"), "MissingFile"),
        (("reduce", "absent.yaml", "--out", "out"), "MissingFile"),
    ],
)
def test_errors_are_one_line_and_end_with_1(run, arguments, message):
    result = run(*arguments, code=1)
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.output


def test_a_wrong_model_name_in_yaml(run, reduced):
    bad = yaml.safe_load((reduced / "models.yaml").read_text())
    bad["components"][0]["spectral"]["type"] = "LogParabolaSpectralMode"
    (reduced / "bad.yaml").write_text(yaml.safe_dump(bad))
    datasets = reduced / "out" / "datasets.yaml"
    result = run("stat", "--datasets", datasets, "--models", reduced / "bad.yaml", code=1)
    assert "unknown type 'LogParabolaSpectralMode'; nearest: 'LogParabolaSpectralModel'" in result.stderr


def test_a_fit_without_success_ends_with_3(run, reduced, monkeypatch):
    monkeypatch.setattr(analyse, "run_fit", lambda *_, **__: SimpleNamespace(success=False))
    run("fit", *inputs(reduced), "--out", reduced / "failed", code=3)


@pytest.mark.parametrize(("success", "trusted"), [(False, True), (True, False)])
def test_a_posterior_that_is_not_trusted_ends_with_3(run, reduced, monkeypatch, success, trusted):
    made = SimpleNamespace(success=success), SimpleNamespace(trusted=trusted)
    monkeypatch.setattr(analyse, "run_sample", lambda *_, **__: made)
    run("sample", *inputs(reduced), "--out", reduced / "failed", code=3)


def test_wrong_usage_ends_with_2(run):
    run("fit", "--nonsense", code=2)


@pytest.mark.parametrize("command", ["fit", "sample", "reduce"])
def test_out_that_is_a_file(run, reduced, command):
    (reduced / "file").write_text("")
    what = [reduced / "config.yaml"] if command == "reduce" else inputs(reduced)
    result = run(command, *what, "--out", reduced / "file", code=1)
    assert result.stderr.splitlines()[-1].startswith("FileExistsError: ")
    assert "Traceback" not in result.output


def test_a_cache_that_cannot_be_made_costs_a_note(run, reduced, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("info", reduced / "models.yaml", cache=tmp_path / "file" / "cache")
    assert result.stderr.startswith("note: the cache folder ")
    assert "crab.spectral.alpha" in result.stdout


def test_a_cache_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ConfigError, match="cannot be written to; set GAMMAJAX_CACHE"):
        gj.enable_compilation_cache(tmp_path)


def test_resume(run, reduced):
    result = run("reduce", reduced / "config.yaml", "--out", reduced / "out", "--resume")
    assert "datasets, 0 failed runs" in result.stdout
    report = json.loads((reduced / "out" / "reduction.json").read_text())
    assert report["resumed"] == report["datasets"]


def test_version(run):
    assert run("--version").stdout.strip() == gj.__version__
