"""Gammapy reads the models that gammajax writes, with their correlations, and the other way round."""

import logging

import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u

import gammajax as gj
from gammajax.models.covariance import Covariance

peer = pytest.importorskip("gammapy.modeling.models")
pytestmark = pytest.mark.filterwarnings("ignore")


class Own(gj.SpectralModel):
    """A spectrum that Gammapy does not know."""

    norm: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")

    def dnde(self, energy):
        return self.norm * jnp.exp(-energy)


def fitted(models):
    """The models with a covariance as after a fit."""
    paths = models.free_paths
    values = np.array([models.value(p) for p in paths])
    half = np.random.default_rng(1).normal(size=(len(paths), len(paths))) * 0.1
    found = Covariance(tuple(paths), half @ half.T * np.outer(values, values))
    return models.fitted(dict(zip(paths, values, strict=True)), found)


def three():
    return gj.Models(
        a=gj.SkyModel(gj.PowerLaw(index=2.2)),
        own=gj.SkyModel(Own()),
        b=gj.SkyModel(gj.PowerLaw() + gj.ExpCutoffPowerLaw()),
        c=gj.SkyModel(gj.LogParabola()),
    )


def variance(theirs):
    """Gammapy's covariance between named parameters."""
    names = theirs.parameters_unique_names
    matrix = theirs.covariance.data
    return lambda p, q: matrix[names.index(p), names.index(q)]


@pytest.mark.parametrize("linked", [False, True])
def test_gammapy_reads_our_covariance(tmp_path, caplog, linked):
    models = three()
    if linked:
        models = models.link("b.spectral.model1.index", "a.spectral.index")
    models = fitted(models)
    path = models.write(tmp_path / "m.yaml", gammapy=True)
    with caplog.at_level(logging.WARNING):
        theirs = peer.Models.read(path)
    assert "covariance" not in caplog.text
    ours = models.covariance
    place = {p: i for i, p in enumerate(ours.paths)}
    found = variance(theirs)
    # With links Gammapy 2.1 itself keeps the correlations inside each model only.
    for p in place:
        for q in place:
            alike = p.split(".")[0] == q.split(".")[0] and not (linked and p.startswith("b."))
            if not p.startswith("own") and not q.startswith("own") and (alike or not linked):
                np.testing.assert_allclose(found(p, q), ours.matrix[place[p], place[q]], rtol=1e-12)
    parameter = theirs["b"].spectral_model.model1.index
    assert (parameter is theirs["a"].spectral_model.index) == linked
    np.testing.assert_allclose(theirs["c"].spectral_model.alpha.error, models.error("c.spectral.alpha"), rtol=1e-6)


@pytest.mark.parametrize("linked", [False, True])
def test_we_read_gammapys_covariance(tmp_path, linked):
    models = three().drop("own")
    if linked:
        models = models.link("b.spectral.model1.index", "a.spectral.index")
    models = fitted(models)
    theirs = peer.Models.read(models.write(tmp_path / "ours.yaml", gammapy=True))
    theirs.write(tmp_path / "theirs.yaml", overwrite=True)
    back = gj.Models.read(tmp_path / "theirs.yaml")
    assert back.covariance.paths == models.covariance.paths
    found = variance(theirs)
    expected = [[found(p, q) for q in back.covariance.paths] for p in back.covariance.paths]
    np.testing.assert_allclose(back.covariance.matrix, expected, rtol=1e-12)
    for path in models.rows:
        np.testing.assert_allclose(back.value(path), models.value(path), rtol=1e-12)
        assert back.error(path) == pytest.approx(models.error(path), rel=1e-9, nan_ok=True)


def test_models_that_gammapy_never_fitted(tmp_path):
    theirs = peer.Models([peer.SkyModel(peer.PowerLawSpectralModel(), name="a")])
    theirs.write(tmp_path / "m.yaml")
    back = gj.Models.read(tmp_path / "m.yaml")
    assert back.covariance is None
    assert back.free_paths == ["a.spectral.index", "a.spectral.amplitude"]


def test_unknown_parts_of_products_become_tables(tmp_path):
    """A product of known models stays a product; with a model of one's own it is tabulated."""
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * gj.PowerLawNorm(tilt=1)), b=gj.SkyModel(Own() * gj.PowerLawNorm()))
    theirs = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    assert isinstance(theirs["a"].spectral_model, peer.CompoundSpectralModel)
    assert isinstance(theirs["b"].spectral_model, peer.TemplateSpectralModel)
    for name in models:
        expected = models[name].spectral("2 TeV").value
        np.testing.assert_allclose(
            theirs[name].spectral_model(2 * u.TeV).to_value("cm-2 s-1 TeV-1"), expected, rtol=1e-3
        )


def test_frozen_links(tmp_path):
    models = three().link("b.spectral.model1.index", "a.spectral.index", factor=0.5)
    theirs = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True, freeze_links=True))
    assert theirs["b"].spectral_model.model1.index.value == 1.1
    assert theirs["b"].spectral_model.model1.index.frozen
