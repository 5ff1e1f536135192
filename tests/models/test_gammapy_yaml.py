"""Models YAML as Gammapy writes it, now and of old: what a spectrum has no use for, defaults, priors, backgrounds."""

import logging
import math

import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from made_spectra import counting, on_off

import gammajax as gj
from gammajax.errors import ConfigError, FileFormatError, GammajaxError, ModelError, PriorError

PL = {"type": "PowerLawSpectralModel", "parameters": [{"name": "index", "value": 2.5}]}
POINT = {"type": "PointSpatialModel", "frame": "icrs", "parameters": [{"name": "lon_0", "value": 83.6, "unit": "deg"}]}
NORM = {"type": "PowerLawNormSpectralModel", "parameters": [{"name": "norm", "value": 1.2, "min": 0.0}]}
TEMPLATE = {"type": "TemplateSpatialModel", "filename": "map.fits.gz", "normalize": False}
FLAT = {"type": "Flat", "frame": "icrs"}


class Flat(gj.SpatialModel):
    """A spatial model of one's own, whose integral is not 1."""

    normalized = False

    def brightness(self, lon, lat):
        return jnp.ones_like(lon)


def source(name="src", **more):
    return {"name": name, "type": "SkyModel", "spectral": PL, **more}


def read(tmp_path, *components, **options):
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump({"components": list(components)}))
    return gj.Models.read(path, **options)


def prior(**content):
    parameter = {"name": "index", "value": 2.5, "prior": content}
    return source(spectral={"type": "PowerLawSpectralModel", "parameters": [parameter]})


# -- parts that a spectrum has no use for --------------------------------------------------------------------------


def test_a_spatial_model_is_kept_unless_ignored(tmp_path):
    spectral = ["src.spectral.index", "src.spectral.amplitude", "src.spectral.reference"]
    kept = read(tmp_path, source(spatial=POINT))
    assert list(kept.rows) == [*spectral, "src.spatial.lon_0", "src.spatial.lat_0"]
    assert (kept.value("src.spatial.lon_0"), kept["src"].spatial.frame) == (83.6, "icrs")
    models = read(tmp_path, source(spatial=POINT), spatial="ignore")
    assert list(models.rows) == spectral
    assert models.value("src.spectral.index") == 2.5


@pytest.mark.parametrize(
    "component",
    [
        source("map", spatial=TEMPLATE),
        source("map", spatial={"type": "ConstantSpatialModel"}),
        source("map", spectral=NORM, spatial={"type": "TemplateSpatialModel", "filename": "cube.fits"}),
        {"type": "FoVBackgroundModel", "name": "map", "datasets_names": ["x"], "spectral": NORM},
        {"type": "TemplateNPredModel", "name": "map", "filename": "x.fits", "spectral": NORM},
    ],
    ids=["template", "constant", "cube", "background", "counts"],
)
def test_what_is_nothing_without_its_map_is_left_out(tmp_path, caplog, component):
    with caplog.at_level(logging.WARNING, "gammajax"):
        models = read(tmp_path, source(), component, spatial="ignore")
    assert list(models) == ["src"]
    assert "map is left out" in caplog.text


def test_a_normalised_template_is_a_source(tmp_path):
    shape = {"type": "TemplateSpatialModel", "filename": "map.fits.gz", "normalize": True}
    assert list(read(tmp_path, source(spatial=shape), spatial="ignore")) == ["src"]


def test_temporal_models(tmp_path):
    decay = {"type": "ExpDecayTemporalModel", "parameters": []}
    with pytest.raises(ModelError, match=r'src has a temporal model \(ExpDecayTemporalModel\).*temporal="ignore"'):
        read(tmp_path, source(temporal=decay))
    assert list(read(tmp_path, source(temporal=decay), temporal="ignore")) == ["src"]
    assert list(read(tmp_path, source(temporal={"type": "ConstantTemporalModel"}))) == ["src"]


def test_responses_that_are_switched_off(tmp_path):
    irf = {"exposure": True, "psf": False, "edisp": True}
    models = read(tmp_path, source(apply_irf=irf))
    assert models["src"].apply_irf._asdict() == irf
    assert gj.Models.read(models.write(tmp_path / "b.yaml"))["src"].apply_irf._asdict() == irf
    gj.Problem(counting(n=1), models)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"apply_irf": {"edisp": False}},
            r"src is predicted without edisp \(apply_irf\), which spectra do not support",
        ),
        ({"spatial": FLAT}, r"src has its flux in its map \(Flat\), which spectra do not use: name its cubes"),
    ],
)
def test_sources_that_predict_no_spectrum(tmp_path, change, message):
    data, models = counting(n=1), read(tmp_path, source(**change))
    for call in (gj.Problem, lambda d, m: gj.predict_counts(d[0], m)):
        with pytest.raises(ModelError, match=message):
            call(data, models)


def test_a_spectrum_is_that_of_the_whole_source(tmp_path):
    data = counting(n=1)
    found = [gj.predict_counts(data[0], read(tmp_path, x))[0] for x in (source(), source(spatial=POINT))]
    np.testing.assert_array_equal(*found)


def test_options(tmp_path):
    with pytest.raises(ConfigError, match="spatial must be 'keep' or 'ignore', got True"):
        read(tmp_path, source(), spatial=True)
    with pytest.raises(ConfigError, match="temporal must be"):
        read(tmp_path, source(), temporal="drop")


# -- backgrounds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", [False, True])
def test_the_background_of_a_dataset(tmp_path, old):
    component = {"type": "FoVBackgroundModel", "datasets_names": ["c0"]}
    component |= {"parameters": NORM["parameters"]} if old else {"spectral": NORM}
    models = read(tmp_path, source(), component)
    assert models.datasets_names == {"src": None, "c0-bkg": ("c0",)}
    assert models.value("c0-bkg.spectral.norm") == 1.2
    assert models.rows["c0-bkg.spectral.norm"].lower == 0.0
    assert models.rows["c0-bkg.spectral.tilt"].frozen
    data = counting(n=1, background=3.0)
    _, background = gj.predict_counts(data[0], models)
    np.testing.assert_allclose(background, 1.2 * 3.0)
    back = gj.Models.read(models.write(tmp_path / "again.yaml", gammapy=True))
    assert repr(back) == repr(models)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"datasets_names": None}, FileFormatError, "FoVBackgroundModel must name one dataset .* got none"),
        ({"datasets_names": ["a", "b"]}, FileFormatError, "a-bkg must name one dataset .*, or have a name"),
        ({"spatial": 5}, FileFormatError, "a-bkg.spatial must be keys and values, got 5"),
        ({"spatial": {"type": "FoVGradiant"}}, ModelError, "a-bkg.spatial has the unknown type 'FoVGradiant'; nearest"),
        ({"spectral": PL}, ModelError, "a-bkg: FoVBackground: PowerLaw is a flux; a background is scaled by a model"),
        ({"spectrum": NORM}, FileFormatError, "a-bkg has the unknown key 'spectrum'; nearest: 'spectral'"),
        ({"parameters": [{"name": "nrm"}]}, ModelError, "PowerLawNorm of a-bkg.spectral has no parameter 'nrm'"),
        ({"type": "TemplateNPredModel"}, FileFormatError, r"a-bkg \(TemplateNPredModel\) needs the filename"),
    ],
)  # fmt: skip
def test_malformed_backgrounds(tmp_path, change, error, message):
    with pytest.raises(error, match=rf"m\.yaml: {message}"):
        read(tmp_path, {"type": "FoVBackgroundModel", "datasets_names": ["a"], **change})


# -- parameters ----------------------------------------------------------------------------------------------------


def test_what_is_absent_has_the_default_of_its_class(tmp_path):
    default = gj.Models(src=gj.SkyModel(gj.PowerLaw()))
    for spectral in ({"type": "pl"}, {"type": "pl", "parameters": [{"name": "index"}, {"name": "reference"}]}):
        assert repr(read(tmp_path, source(spectral=spectral))) == repr(default)


def test_scales_of_gammapys_minimiser_are_not_used(tmp_path):
    ways = {
        "interp": "log",
        "scale_method": "scale10",
        "scale_transform": "lin",
        "is_norm": True,
        "factor": 2,
        "scale": 1,
    }
    parameter = {"name": "index", "value": 2.5, "unit": "", "error": 0, **ways}
    models = read(tmp_path, source(spectral={"type": "pl", "parameters": [parameter]}))
    assert models.value("src.spectral.index") == 2.5


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (source(datset_names=["a"]), "src has the unknown key 'datset_names'; nearest: 'datasets_names'"),
        (source(spectral={"type": "pl", "parameters": [{"name": "index", "froze": True}]}),
         "src.spectral.index has the unknown key 'froze'; nearest: 'frozen'"),
        (source(type="SkyDiffuseCube"), "src is a 'SkyDiffuseCube'; components that can be read are SkyModel, FoV"),
        (source(type=None), "the type of src must be a text, got None"),
        (source(spatial=5), "spatial of src must be keys and values, got 5"),
        (source(spatial="point"), "spatial of src must be keys and values, got 'point'"),
        (source(apply_irf={"edisp": 1}), "src: apply_irf.edisp must be True or False, got 1"),
        (source(name=None), "a component has no name"),
        (source(spectral=None), "src has no spectral model"),
    ],
)  # fmt: skip
def test_malformed_components(tmp_path, component, message):
    with pytest.raises(GammajaxError, match=rf"m\.yaml: {message}"):
        read(tmp_path, component)


def test_a_list_of_datasets_is_no_list_of_models(tmp_path):
    (tmp_path / "d.yaml").write_text("datasets: []")
    with pytest.raises(FileFormatError, match=r"d\.yaml.*it lists datasets, which Datasets\.read reads"):
        gj.Models.read(tmp_path / "d.yaml")


# -- priors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "listed", "expected"),
    [
        ("GaussianPrior", {}, "Normal(0, 1)"),
        ("GaussianPrior", {"sigma": 0.2}, "Normal(0, 0.2)"),
        ("UniformPrior", {"max": 5}, "Uniform(0, 5)"),
        ("LogUniformPrior", {"max": 1e2}, "LogUniform(1e-14, 100)"),
        ("GeneralizedGaussianPrior", {"mu": 2, "sigma": 0.1}, "GeneralizedGaussian(2, 0.1, 0.5)"),
    ],
)
def test_numbers_that_a_prior_does_not_list(tmp_path, tag, listed, expected):
    parameters = [{"name": key, "value": x} for key, x in listed.items()]
    models = read(tmp_path, prior(type=tag, parameters=parameters))
    assert str(models.rows["src.spectral.index"].prior) == expected


def test_a_weight(tmp_path):
    numbers = [{"name": "mu", "value": 2.0}, {"name": "sigma", "value": 0.1}]
    models = read(tmp_path, prior(type="GaussianPrior", parameters=numbers, weight=0.25))
    row = models.rows["src.spectral.index"]
    assert str(row.prior) == "Normal(2, 0.1)^0.25"
    # Gammapy's number: the weight times -2 ln of the normalised density.
    expected = 0.25 * ((2.5 - 2.0) ** 2 / 0.1**2 + 2 * math.log(0.1 * math.sqrt(2 * math.pi)))
    data = on_off()
    free = models.prior("src.spectral.index", None)
    with_prior, without = (float(gj.stat(p, p.start)) for p in (gj.Problem(data, m) for m in (models, free)))
    assert with_prior - without == pytest.approx(expected, rel=1e-9)
    for path in (models.write(tmp_path / "b.yaml", gammapy=True), models.write(tmp_path / "b.h5")):
        assert str(gj.Models.read(path).rows["src.spectral.index"].prior) == "Normal(2, 0.1)^0.25"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"type": "GaussianPrior", "weight": 0}, "src.spectral.index: weight of its prior must be above 0"),
        ({"type": "GaussianPrior", "weight": -1}, "weight of its prior must be above 0 and finite, got -1"),
        ({"type": "GaussianPrior", "weight": "x"}, "weight of the prior of src.spectral.index must be a number"),
        ({"type": "GaussianPrior", "wight": 1}, "the prior of src.spectral.index has the unknown key 'wight'; nearest"),
        ({"type": "GaussPrior"}, "src.spectral.index: the prior 'GaussPrior' is not one of .*GaussianPrior"),
        ({"type": "GaussianPrior", "parameters": [{"name": "mean", "value": 1}]}, "has the unknown key 'mean'"),
        ({"type": "GaussianPrior", "parameters": [{"name": "mu", "value": 1, "unit": "TeV"}]},
         "mu of the prior of src.spectral.index is in 'TeV'; write it in the parameter's unit, ''"),
        ({"type": "GaussianPrior", "parameters": [{"name": "sigma", "value": 0}]}, "sigma of its prior must be"),
        ({"type": "GeneralizedGaussianPrior", "parameters": [{"name": "eta", "value": -1}]}, "eta of its prior must"),
        ({"type": "UniformPrior", "parameters": [{"name": "min", "value": 3}]}, "lower limit 3 is not below"),
        ({"type": "LogNormalPrior"}, "its LogNormalPrior lacks median, sigma"),
        ({"type": "UniformPrior"}, "starts at 2.5, where its prior Uniform.* is zero"),
    ],
)  # fmt: skip
def test_malformed_priors(tmp_path, content, message):
    with pytest.raises(GammajaxError, match=rf"m\.yaml: .*{message}"):
        read(tmp_path, prior(**content))


def test_a_prior_on_what_follows_another_parameter(tmp_path):
    """In files of Gammapy both are one parameter with the prior of the first; with a law of our own it is an error."""
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw()), b=gj.SkyModel(gj.PowerLaw()))
    linked = models.link("b.spectral.index", "a.spectral.index", factor=2.0)
    with pytest.raises(PriorError, match=r"b\.spectral\.index is linked to a\.spectral\.index"):
        linked.prior("b.spectral.index", gj.Normal(2, 1))


# -- real files ----------------------------------------------------------------------------------------------------

FILES = {
    "datasets/simulations/simulated_map_dataset_model.yaml": ["source"],
    "datasets/simulations/simulated_spectrum_dataset_ECPL_model.yaml": ["source"],
    "datasets/simulations/simulated_spectrum_dataset_PL_model.yaml": ["source"],
    "estimators/crab_hess_fp/models.yaml": ["Crab"],
    "estimators/pks2155_hess_lc/models.yaml": ["pks2155"],
    "fermi-3fhl-crab/Fermi-LAT-3FHL_models.yaml": ["Crab Nebula"],
    "tests/models/gc_example_models.yaml": ["gc", "g09"],
}


@pytest.mark.parametrize(("file", "names"), FILES.items(), ids=lambda x: str(x).rsplit("/", 1)[-1])
def test_every_models_file_of_the_real_data(gammajax_data, tmp_path, file, names):
    models = gj.Models.read(gammajax_data / file, spatial="ignore")
    assert list(models) == names
    for ending in ("yaml", "h5"):
        assert repr(gj.Models.read(models.write(tmp_path / f"m.{ending}"))) == repr(models)


def test_the_galactic_centre_example(gammajax_data):
    models = gj.Models.read(gammajax_data / "tests/models/gc_example_models.yaml", spatial="ignore")
    assert models.value("gc.spectral.amplitude") == 3e-12
    assert str(models.rows["g09.spectral.reference"].link) == "gc.spectral.reference"
