"""Fits, profiles, toys and posteriors in HDF5 files: everything comes back, and what is malformed is named."""

import dataclasses
from pathlib import Path

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gammajax as gj
from gammajax.errors import ConfigError, FileFormatError, GammajaxError, MissingFile
from gammajax.infer.fit import Fit
from gammajax.infer.minimise import Status
from gammajax.infer.posterior import Posterior
from gammajax.infer.profile import Profile
from gammajax.infer.refit import Toys
from gammajax.models.collection import Models
from gammajax.models.covariance import Covariance


class Net(gj.SpectralModel):
    net: eqx.nn.MLP = gj.weights()
    norm: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")

    def dnde(self, energy):
        return self.norm * jnp.exp(self.net(jnp.log(energy)))


def network(seed=0, width=4):
    return gj.SkyModel(Net(eqx.nn.MLP("scalar", "scalar", width, 1, key=jax.random.key(seed))))


def made_models(**more):
    """Models with all that a table may hold, and a covariance."""
    models = (
        gj.Models(
            a=gj.SkyModel(gj.PowerLaw(index=2.2), datasets_names=["d/0", "d 1"]),
            b=gj.SkyModel(gj.PowerLaw() + gj.LogParabola()),
            **more,
        )
        .bound("a.spectral.index", 0, 5)
        .bound("b.spectral.model1.index", 1, 4)
        .link("b.spectral.model1.index", "a.spectral.index")
        .link("b.spectral.model2.amplitude", "a.spectral.amplitude", factor=0.5, offset="1e-14 cm-2 s-1 TeV-1")
        .prior("a.spectral.amplitude", gj.Tempered(gj.GeneralizedGaussian(1e-12, 2e-13, 0.3), 0.5))
        .prior("b.spectral.model2.alpha", gj.LogNormal(2.0, 0.1))
        .freeze("b.spectral.model2.beta")
    )
    paths = models.free_paths
    half = np.random.default_rng(1).normal(size=(len(paths), len(paths)))
    values = {p: models.value(p) for p in paths}
    return models.fitted(values, Covariance(tuple(paths), half @ half.T))


def made_fit(models=None, **changes):
    models = made_models() if models is None else models
    n = len(models.free_paths)
    fields = {
        "models": models, "stat": 123.456789012345678, "stat_per_dataset": {"d/0": 100.0, "d 1": 23.456789012345678},
        "success": True, "status": Status.PLATEAU, "message": "Ended on a plateau: äöü.", "steps": 17, "n_bins": 24,
        "hessian": np.arange(n * n, dtype=float).reshape(n, n), "nodes": 4, "deviance": 20.5,
        "timings": {"compile": 1.5, "run": 0.25, "total": 1.75},
    }  # fmt: skip
    return Fit(**(fields | changes))


def made_posterior(models=None):
    models = made_models() if models is None else models
    rng = np.random.default_rng(2)
    shape = (2, 50, len(models.free_paths))
    stats = {"potential": rng.normal(size=shape[:2]), "diverging": rng.random(shape[:2]) < 0.1}
    stats["num_steps"] = np.ones(shape[:2])
    timings = {"compile": 1.0, "run": 2.0, "total": 3.0}
    return Posterior(models, tuple(models.free_paths), rng.normal(size=shape), stats, timings, "a remark")


def made_toys():
    models, rng = made_models(), np.random.default_rng(3)
    n = len(models.free_paths)
    converged = np.array([True, False, True])
    return Toys(models, tuple(models.free_paths), rng.normal(size=(3, n)), rng.normal(size=3), converged, {"run": 1.0})


def made_profile():
    values = np.linspace(1.0, 2.0, 5)
    return Profile("a.spectral.index", "", values, values**2, 1.0, values > 1.2, 1.0, 0.1)


def equal(one, two):
    """Two results agree to the last bit, in every field."""
    if isinstance(one, Models):
        assert one.rows.keys() == two.rows.keys()
        for path in one.rows:
            # A linked parameter has the value and error of the one that it follows.
            rows = [dataclasses.replace(m.rows[path], value=m.value(path), error=m.error(path)) for m in (one, two)]
            assert str(rows[0]) == str(rows[1])
        assert one.datasets_names == two.datasets_names
        tables = (m.covariance for m in (one, two))
        one, two = tables
    if dataclasses.is_dataclass(one):
        assert type(one) is type(two)
        for field in dataclasses.fields(one):
            equal(getattr(one, field.name), getattr(two, field.name))
    elif isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            equal(one[key], two[key])
    elif isinstance(one, np.ndarray):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)
    else:
        assert type(one) is type(two)
        assert one == two or (one != one and two != two)


ALL = [(Fit, made_fit), (Profile, made_profile), (Toys, made_toys), (Posterior, made_posterior)]


@pytest.mark.parametrize(("cls", "make"), ALL)
@pytest.mark.parametrize("ending", ["h5", "hdf5"])
def test_everything_comes_back(tmp_path, cls, make, ending):
    result = make()
    equal(cls.read(result.write(tmp_path / f"x.{ending}")), result)


@pytest.mark.parametrize("changes", [{"hessian": None}, {"success": False, "stat": float("nan")}])
def test_fits_that_failed(tmp_path, changes):
    fit = made_fit(**changes)
    equal(Fit.read(fit.write(tmp_path / "x.h5")), fit)


def test_a_fit_without_covariance(tmp_path):
    models = made_models().set("a.spectral.index", 3.0)
    assert models.covariance is None
    fit = made_fit(models)
    equal(Fit.read(fit.write(tmp_path / "x.h5")), fit)


@pytest.mark.parametrize(
    ("cls", "make", "option"),
    [(Fit, made_fit, "like"), (Posterior, made_posterior, "models")],
    ids=["fit", "posterior"],
)
def test_networks(tmp_path, cls, make, option):
    """Weights are in the file; the architecture, which is code, is not."""
    models = made_models(n=network())
    result = make(models)
    path = result.write(tmp_path / "x.h5")
    other = made_models(n=network(seed=5))
    if cls is Fit:
        back = cls.read(path, like=other)
        flux = [m["n"].spectral("2 TeV").value for m in (back.models, models, other)]
        assert flux[0] == flux[1] != flux[2]
        with pytest.raises(GammajaxError, match=r"x\.h5.*the weights do not fit the network"):
            cls.read(path, like=made_models(n=network(width=5)))
    else:
        assert cls.read(path, models=models).models is models
    with pytest.raises(GammajaxError, match=r"x\.h5.*n\.spectral holds a network: pass like="):
        cls.read(path)


def test_models_of_ones_own_for_a_posterior(tmp_path):
    posterior = made_posterior()
    path = posterior.write(tmp_path / "p.h5")
    with pytest.raises(FileFormatError, match=r"p\.h5 belongs to other models: no parameter matches 'a\.spectral"):
        Posterior.read(path, gj.Models(z=gj.SkyModel(gj.PowerLaw())))


def test_a_posterior_of_version_one(tmp_path):
    """Files of gammajax 0.1.0 hold no models, and times as attributes."""
    posterior = made_posterior()
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs.update({"creator": "gammajax", "schema": 1, "kind": "posterior", "remark": "a remark"})
        file.attrs.update({"paths": list(posterior.paths), "units": ["" for _ in posterior.paths]})
        file.attrs.update(posterior.timings)
        file["samples"] = posterior.samples
        for key, x in posterior.stats.items():
            file[f"stats/{key}"] = x
    equal(Posterior.read(tmp_path / "old.h5", posterior.models), posterior)
    with pytest.raises(FileFormatError, match="has no 'models'"):
        Posterior.read(tmp_path / "old.h5")


@pytest.mark.parametrize(("cls", "make"), ALL)
def test_doors(tmp_path, cls, make):
    with pytest.raises(MissingFile, match=r"none\.h5 does not exist"):
        cls.read(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(FileFormatError, match=r"text\.h5 cannot be read as HDF5"):
        cls.read(tmp_path / "text.h5")
    path = make().write(tmp_path / "x.h5")
    (tmp_path / "cut.h5").write_bytes(path.read_bytes()[:1500])
    with pytest.raises(FileFormatError, match=r"cut\.h5 cannot be read as HDF5"):
        cls.read(tmp_path / "cut.h5")
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = 99
        file.attrs["creator"] = "gammajax 7.0"
    with pytest.raises(FileFormatError, match=r"has the schema 99, written by gammajax 7\.0; .* update gammajax"):
        cls.read(path)
    made_models().write(tmp_path / "models.h5")
    with pytest.raises(FileFormatError, match=r"expected a gammajax file of kind .*it has kind 'models'"):
        cls.read(tmp_path / "models.h5")


def test_names_of_files(tmp_path):
    with pytest.raises(ConfigError, match=r"fit\.txt: the name must end in \.h5 .* or \.json"):
        made_fit().write(tmp_path / "fit.txt")
    assert made_fit().write(tmp_path / "fit.json").read_text().startswith("{")
    assert not list(tmp_path.glob("*.part"))


def drop(name):
    return lambda file: file.__delitem__(name)


def forget(name, where="/"):
    return lambda file: file[where].attrs.__delitem__(name)


def put(name, value):
    def change(file):
        if name in file:
            del file[name]
        file[name] = value

    return change


def attribute(name, value, where="/"):
    return lambda file: file[where].attrs.__setitem__(name, value)


DAMAGES = [
    (Fit, made_fit, forget("stat"), r"has no 'stat'; it has"),
    (Fit, made_fit, attribute("stat", "low"), "'stat' must be a number, it is the str 'low'"),
    (Fit, made_fit, attribute("steps", 1.5), "'steps' must be a whole number"),
    (Fit, made_fit, attribute("success", 3), "'success' must be true or false"),
    (Fit, made_fit, attribute("status", "FINE"), "status is 'FINE', not one of CONVERGED"),
    (Fit, made_fit, put("hessian", np.eye(2)), r"'hessian' has the shape \(2, 2\), expected \(4, 4\)"),
    (Fit, made_fit, drop("stat_per_dataset/names"), r"\[/stat_per_dataset\] has no 'names'; nearest"),
    (Fit, made_fit, put("stat_per_dataset/values", np.ones(3)), "has 2 names for 3 values"),
    (Fit, made_fit, drop("models"), "has no 'models'"),
    (Fit, made_fit, put("models", np.ones(2)), "'models' must be a group, it is an array"),
    (Fit, made_fit, drop("models/yaml"), r"\[/models\] has no 'yaml'"),
    (Fit, made_fit, put("models/yaml", "a: ["), r"\[/models\]: its YAML is not valid YAML"),
    (Fit, made_fit, put("models/yaml", "!!python/object/apply:os.system ['true']"), "is not valid YAML"),
    (Fit, made_fit, put("models/covariance/matrix", np.eye(2)), r"\[/models/covariance\] has the shape \(2, 2\)"),
    (Toys, made_toys, put("values", np.ones((3, 2))), r"'values' has the shape \(3, 2\), expected \(3, 4\)"),
    (Toys, made_toys, put("stat", np.ones(9)), r"'stat' has the shape \(9,\)"),
    (Toys, made_toys, put("paths", ["q"] * 4), "belongs to other models: no parameter matches 'q'"),
    (Profile, made_profile, put("stat", np.ones(2)), r"'stat' has the shape \(2,\), expected \(5\)"),
    (Profile, made_profile, put("values", "x"), "'values' must be an array of numbers, it is the str 'x'"),
    (Posterior, made_posterior, put("samples", np.ones((2, 50))), r"'samples' has the shape \(2, 50\)"),
    (Posterior, made_posterior, put("stats/potential", np.ones(3)), r"'stats/potential' has the shape \(3,\)"),
    (Posterior, made_posterior, put("paths", np.ones(4)), "'paths' must be a list of texts"),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "make", "damage", "message"), DAMAGES)
def test_damages_are_named(tmp_path, cls, make, damage, message):
    path = make().write(tmp_path / "x.h5")
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(FileFormatError, match=message) as caught:
        cls.read(path)
    assert "x.h5" in str(caught.value)


@pytest.mark.parametrize("cls", [Fit, Profile, Toys, Posterior, gj.SpectrumDataset, gj.SpectrumDatasetOnOff])
def test_the_schema_is_written_down(cls):
    """Every field of a result or dataset stands in docs/file_formats.md."""
    text = (Path(__file__).parents[2] / "docs" / "file_formats.md").read_text()
    for field in dataclasses.fields(cls):
        assert f"`{field.name}`" in text or f"`{field.name}/" in text, field.name
