"""Every spectral model of Gammapy 2.1, number by number, and its files in both directions."""

import numpy as np
import pytest
from astropy import units as u
from spectral_cases import CASES, MODELS, ebl, region_map

import gammajax as gj
from gammajax.io.ebl import BUILTIN, find_ebl, read_ebl
from gammajax.io.maps import write_map
from gammajax.models.tags import spectral_models
from gammajax.params.field import ParamSpec
from gammajax.params.tree import slots

peer = pytest.importorskip("gammapy.modeling.models")
pytestmark = pytest.mark.filterwarnings("ignore")

EXCLUDED = {"NaimaSpectralModel"}
"""It wraps another package, and Gammapy itself cannot read it from a file."""
TAGS = [cls.tag[0] for cls in peer.SPECTRAL_MODEL_REGISTRY if cls.tag[0] not in EXCLUDED]
E = np.geomspace(0.011, 97.0, 23)


def ours(tag, folder):
    cls = spectral_models()[tag]
    if tag == "TemplateNDSpectralModel":
        return gj.TemplateNDSpectralModel.read(write_map(region_map(), folder / "map.fits"))
    return cls(**CASES[cls.__name__][0])


def theirs(tag, folder):
    """Gammapy's model with the arguments of our case."""
    cls = peer.SPECTRAL_MODEL_REGISTRY.get_cls(tag)
    arguments = CASES[spectral_models()[tag].__name__][0]
    pl = peer.PowerLawSpectralModel(amplitude=2e-12 * u.Unit("cm-2 s-1 TeV-1"))
    if tag == "CompoundSpectralModel":
        return pl * peer.PowerLawNormSpectralModel(tilt=-0.5, norm=3.0)
    if tag == "ScaleSpectralModel":
        pl.index.value = 2.3
        return cls(pl, norm=3.0)
    if tag == "TemplateNDSpectralModel":
        from gammapy.maps import RegionNDMap

        path = write_map(region_map(), folder / "map.fits")
        return cls(RegionNDMap.read(path), filename=path)
    if tag == "TemplateSpectralModel":
        return cls(arguments["energy"] * u.TeV, arguments["values"] * u.Unit("cm-2 s-1 TeV-1"))
    if tag == "PiecewiseNormSpectralModel":
        return cls(arguments["energy"] * u.TeV, arguments["norms"])
    if tag == "EBLAbsorptionNormSpectralModel":
        return cls(
            ebl()["energy"] * u.TeV, ebl()["param"], ebl()["data"], arguments["redshift"], arguments["alpha_norm"]
        )
    model = cls()
    for name, value in arguments.items():
        model.parameters[name].value = value
    return model


def test_the_registry_is_covered():
    """No model of Gammapy's registry is missing; whatever carries a tag of ours is in it."""
    assert set(TAGS) <= set(spectral_models())
    assert {tag for cls in MODELS for tag in cls.tag} <= {t for cls in peer.SPECTRAL_MODEL_REGISTRY for t in cls.tag}
    for cls in peer.SPECTRAL_MODEL_REGISTRY:
        if cls.tag[0] not in EXCLUDED:
            assert spectral_models()[cls.tag[0]].tag == tuple(cls.tag)


@pytest.mark.parametrize("tag", TAGS)
def test_parameters(tag, tmp_path):
    """Names, order, defaults, units and frozen flags."""
    mine, other = ours(tag, tmp_path), theirs(tag, tmp_path)
    if tag not in ("CompoundSpectralModel", "ScaleSpectralModel"):
        declared = {name: spec for name, spec, _ in slots(mine)}
        assert list(declared) == other.parameters.names
        for name, spec in declared.items():
            assert u.Unit(spec.unit) == other.parameters[name].unit
            assert spec.frozen == other.parameters[name].frozen
    try:
        default, other = type(mine)(), type(other)()
    except TypeError:
        return
    for name, spec, value in slots(default):
        assert isinstance(spec, ParamSpec)
        np.testing.assert_allclose(value, other.parameters[name].quantity.to_value(spec.unit or 1), rtol=1e-6)


@pytest.mark.parametrize("tag", TAGS)
def test_values(tag, tmp_path):
    mine, other = ours(tag, tmp_path), theirs(tag, tmp_path)
    np.testing.assert_allclose(mine(E).to_value(mine.unit), other(E * u.TeV).to_value(mine.unit), rtol=1e-10)


@pytest.mark.parametrize("tag", [t for t in TAGS if t != "ScaleSpectralModel"])
def test_integrals(tag, tmp_path):
    mine, other = ours(tag, tmp_path), theirs(tag, tmp_path)
    exact = hasattr(other, "evaluate_integral") or tag == "GaussianSpectralModel"
    options = {} if exact else {"ndecade": 30000}
    a, b = mine.integral(0.3, 30.0), other.integral(0.3 * u.TeV, 30 * u.TeV, **options)
    np.testing.assert_allclose(a.value, b.to_value(a.unit), rtol=1e-6)
    if tag != "ConstantSpectralModel" or not exact:
        options = {} if hasattr(other, "evaluate_energy_flux") or tag == "GaussianSpectralModel" else {"ndecade": 30000}
        a, b = mine.energy_flux(0.3, 30.0), other.energy_flux(0.3 * u.TeV, 30 * u.TeV, **options)
        np.testing.assert_allclose(a.value, b.to_value(a.unit), rtol=1e-6)


def in_source(model, factor):
    return model if not factor else (gj.PowerLaw() if isinstance(model, gj.SpectralModel) else peer_pl()) * model


def peer_pl():
    return peer.PowerLawSpectralModel()


@pytest.mark.parametrize("tag", TAGS)
def test_gammapy_reads_ours(tag, tmp_path):
    mine = ours(tag, tmp_path)
    models = gj.Models(a=gj.SkyModel(in_source(mine, mine.unit == "")))
    if tag not in ("CompoundSpectralModel", "ScaleSpectralModel", "TemplateSpectralModel"):
        models = models.freeze(models.free_paths[0])
    read = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    spectrum = read["a"].spectral_model
    assert not isinstance(spectrum, peer.TemplateSpectralModel) or tag == "TemplateSpectralModel"
    expected = models["a"].spectral(E).to_value("cm-2 s-1 TeV-1")
    np.testing.assert_allclose(spectrum(E * u.TeV).to_value("cm-2 s-1 TeV-1"), expected, rtol=1e-10)
    if tag != "ScaleSpectralModel":
        assert [p.frozen for p in read.parameters] == [row.frozen for row in models.rows.values()]


@pytest.mark.parametrize("tag", [t for t in TAGS if t != "ScaleSpectralModel"])
@pytest.mark.parametrize("full", [True, False])
def test_we_read_gammapys(tag, full, tmp_path):
    """Gammapy cannot write its ScaleSpectralModel: the model inside is left out."""
    other = theirs(tag, tmp_path)
    other = in_source(other, tag in spectral_models() and ours(tag, tmp_path).unit == "")
    peer.Models([peer.SkyModel(other, name="a")]).write(tmp_path / "m.yaml", full_output=full)
    back = gj.Models.read(tmp_path / "m.yaml")
    expected = other(E * u.TeV).to_value("cm-2 s-1 TeV-1")
    np.testing.assert_allclose(back["a"].spectral(E).to_value("cm-2 s-1 TeV-1"), expected, rtol=1e-10)
    for row, p in zip(back.rows.values(), other.parameters, strict=True):
        assert row.frozen == p.frozen
        np.testing.assert_allclose(row.value, p.quantity.to_value(row.unit or 1), rtol=1e-6)


def test_quotients_and_differences(tmp_path):
    """Gammapy has no sign for quotients but reads them."""
    a, b, n = gj.PowerLaw(index=2.5), gj.LogParabola(), gj.PowerLawNorm(tilt=0.2, norm=1.3)
    models = gj.Models(a=gj.SkyModel((a - b * n) / n + a * (b / a)))
    read = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    expected = models["a"].spectral(E).value
    np.testing.assert_allclose(read["a"].spectral_model(E * u.TeV).to_value("cm-2 s-1 TeV-1"), expected, rtol=1e-10)


def test_what_gammapy_does_not_know_becomes_a_table(tmp_path):
    models = gj.Models(
        a=gj.SkyModel(gj.PowerLaw() * gj.TemplateSpectralModel([0.01, 100.0], [1, 2] * u.one, interp="lin"))
    )
    read = peer.Models.read(models.write(tmp_path / "m.yaml", gammapy=True))
    expected = models["a"].spectral(E).value
    np.testing.assert_allclose(read["a"].spectral_model(E * u.TeV).to_value("cm-2 s-1 TeV-1"), expected, rtol=1e-4)


@pytest.mark.parametrize("reference", ["meyer", "hegra", "hess_pl", "hess_ecpl", "magic_lp", "magic_ecpl"])
def test_crab(reference):
    mine, other = gj.create_crab_spectral_model(reference), peer.create_crab_spectral_model(reference)
    np.testing.assert_allclose(mine(E).value, other(E * u.TeV).to_value("cm-2 s-1 TeV-1"), rtol=1e-10)


@pytest.mark.parametrize("particle", ["proton", "N", "Si", "Fe", "electron"])
def test_cosmic_rays(particle):
    mine = gj.create_cosmic_ray_spectral_model(particle)
    other = peer.create_cosmic_ray_spectral_model(particle)
    np.testing.assert_allclose(mine(E).value, other(E * u.TeV).to_value("cm-2 s-1 TeV-1"), rtol=1e-10)


@pytest.mark.parametrize("kind", ["log", "lin", "sqrt"])
def test_interpolations_of_tables(kind):
    energy, values = np.geomspace(0.1, 10.0, 7), np.array([3.0, 2.0, 2.5, 1.0, 0.4, 0.5, 0.1])
    mine = gj.TemplateSpectralModel(energy, values * u.one, interp=kind)
    other = peer.TemplateSpectralModel(energy * u.TeV, values * u.one, interp_kwargs={"values_scale": kind})
    inside = E[(E > 0.1) & (E < 10)]
    np.testing.assert_allclose(mine(inside).value, other(inside * u.TeV).value, rtol=1e-10)
    mine = gj.PiecewiseNormSpectralModel(energy, values, interp=kind)
    other = peer.PiecewiseNormSpectralModel(energy * u.TeV, values, interp=kind)
    np.testing.assert_allclose(mine(E).value, other(E * u.TeV).value, rtol=1e-10)


@pytest.mark.parametrize("name", BUILTIN)
def test_ebl(name, gammajax_data, monkeypatch):
    """At the nodes of the tables. Gammapy has their energies in single precision, which moves steep ones by 1e-6."""
    monkeypatch.setenv("GAMMAPY_DATA", str(gammajax_data))
    monkeypatch.setenv("GAMMAJAX_DATA", str(gammajax_data))
    other = peer.EBLAbsorptionNormSpectralModel.read_builtin(name, alpha_norm=0.8)
    content = read_ebl(find_ebl(name))
    mine = gj.EBLAbsorptionNorm.read_builtin(name, alpha_norm=0.8)
    steps = np.random.default_rng(0).integers(1, content.redshift.size, 4)
    for i in (0, *steps):
        z = float(content.redshift[i])
        model = gj.Models(a=gj.SkyModel(gj.PowerLaw() * mine)).set("*.redshift", z)["a"].spectral.model2
        found = model(content.energy).value
        np.testing.assert_allclose(found, content.transmission[i] ** 0.8, atol=1e-12)
        other.redshift.value = z
        np.testing.assert_allclose(found, other(content.energy * u.TeV).value, atol=3e-6)


def test_ebl_files_in_both_directions(gammajax_data, monkeypatch, tmp_path):
    monkeypatch.setenv("GAMMAPY_DATA", str(gammajax_data))
    monkeypatch.setenv("GAMMAJAX_DATA", str(gammajax_data))
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * gj.EBLAbsorptionNorm.read_builtin("dominguez", redshift=0.3)))
    read = peer.Models.read(models.write(tmp_path / "ours.yaml", gammapy=True))
    knots = read_ebl(find_ebl("dominguez")).energy[::50]
    expected = read["a"].spectral_model(knots * u.TeV).to_value("cm-2 s-1 TeV-1")
    np.testing.assert_allclose(models["a"].spectral(knots).value, expected, rtol=1e-4, atol=1e-20)
    read.write(tmp_path / "theirs.yaml")
    # Gammapy writes where the file was; the base name finds it elsewhere.
    text = (tmp_path / "theirs.yaml").read_text().replace(str(gammajax_data), "/nowhere")
    (tmp_path / "theirs.yaml").write_text(text)
    back = gj.Models.read(tmp_path / "theirs.yaml")
    assert {p: back.value(p) for p in back.rows} == {p: models.value(p) for p in models.rows}
