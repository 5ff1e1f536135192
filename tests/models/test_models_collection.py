# ruff: noqa: E501 - the table of messages reads best in lines
"""Models: every edit, every message, and that nothing is changed in place."""

import jax
import numpy as np
import pytest
from astropy import units as u

import gammajax as gj
from gammajax.errors import LinkError, ModelError, NoSuchParameter, OutOfBounds, PriorError, UnitMismatch
from gammajax.infer.stopwatch import Stopwatch


@pytest.fixture
def models():
    return gj.Models(
        crab=gj.SkyModel(gj.LogParabola(amplitude="3.8e-11 cm-2 s-1 TeV-1", reference="1 TeV", alpha=2.5, beta=0.24)),
        pks=gj.SkyModel(gj.PowerLaw(index=3.4)),
    )


def test_paths_and_values(models):
    assert list(models) == ["crab", "pks"]
    assert list(models.rows) == [
        "crab.spectral.amplitude", "crab.spectral.reference", "crab.spectral.alpha", "crab.spectral.beta",
        "pks.spectral.index", "pks.spectral.amplitude", "pks.spectral.reference",
    ]  # fmt: skip
    assert models.free_paths == [p for p in models.rows if not p.endswith("reference")]
    assert models.value("crab.*.alpha") == 2.5
    assert np.isnan(models.error("crab.*.alpha"))


def test_set(models):
    new = models.set("pks.spectral.amplitude", "2e-8 m-2 s-1 TeV-1").set({"crab.*.alpha": 2.6, "crab.*.beta": 0.1})
    assert new.value("pks.spectral.amplitude") == pytest.approx(2e-12)
    assert new.set("*.reference", 300 * u.GeV).value("crab.spectral.reference") == pytest.approx(0.3)
    assert float(new["crab"].spectral.alpha) == 2.6
    assert models.value("crab.*.alpha") == 2.5


def test_edits_leave_the_original_alone(models):
    before = repr(models)
    models.set("*.alpha", 3.0).freeze("*").free("*.beta").bound("*.alpha", 0, 9).prior("*.alpha", gj.Normal(2, 1))
    models.link("pks.*.index", "crab.spectral.alpha").unlink("pks.*.index")
    models.add(new=gj.SkyModel(gj.PowerLaw())).drop("crab")
    assert repr(models) == before
    models.rows.clear()
    assert len(models.rows) == 7


def test_freeze_and_free(models):
    assert models.freeze("crab.*", "*.index").free_paths == ["pks.spectral.amplitude"]
    assert "pks.spectral.reference" in models.free("*.reference").free_paths


def test_bounds(models):
    row = models.bound("pks.*.index", 0, 5).rows["pks.spectral.index"]
    assert (row.lower, row.upper) == (0, 5)
    row = models.bound("pks.*.index", 0, 5).bound("pks.*.index", lower=1).rows["pks.spectral.index"]
    assert (row.lower, row.upper) == (1, np.inf)
    row = models.bound("crab.*.reference", "100 GeV", 2 * u.TeV).rows["crab.spectral.reference"]
    assert (row.lower, row.upper) == (0.1, 2)


def test_links(models):
    new = models.link("pks.*.index", "crab.spectral.alpha", factor=2, offset=-1)
    assert new.value("pks.*.index") == 4.0
    assert "pks.spectral.index" not in new.free_paths
    assert str(new.rows["pks.spectral.index"].link) == "2 * crab.spectral.alpha - 1"
    assert float(new["pks"].spectral.index) == 4.0
    assert new.set("crab.*.alpha", 3.0).value("pks.*.index") == 5.0
    loose = new.unlink("pks.*.index")
    assert loose.value("pks.*.index") == 4.0
    assert "pks.spectral.index" in loose.free_paths
    many = models.link("*.amplitude", "crab.spectral.amplitude")
    assert many.value("pks.*.amplitude") == 3.8e-11


def test_add_and_drop(models):
    new = models.add(bkg=gj.SkyModel(gj.PowerLaw(index=1.0))).freeze("crab.*.alpha").drop("pks")
    assert list(new) == ["crab", "bkg"]
    assert new.rows["crab.spectral.alpha"].frozen
    assert new.value("bkg.*.index") == 1.0
    assert len(new.tree) == 2
    assert len(models.drop("crab", "pks")) == 0


def decided(models):
    """Everything that can be decided about a parameter, on the models of the fixture."""
    told = models.set("pks.*.index", 2.7).bound("pks.*.index", 1, 4).freeze("crab.*.beta")
    return told.prior("crab.*.alpha", gj.Normal(2.5, 0.1)).link("pks.*.reference", "crab.spectral.reference")


def test_models_of_models_keep_what_was_decided(models, truth_fit):
    told = decided(models)
    more = gj.SkyModel(gj.PowerLaw())
    for merged in (gj.Models(told, new=more), told.add(new=more), gj.Models(new=more).add(told)):
        assert {p: row for p, row in merged.rows.items() if not p.startswith("new")} == told.rows
        assert merged.value("pks.*.index") == float(merged["pks"].spectral.index) == 2.7
        assert "new.spectral.index" in merged.free_paths
    again = gj.Models(truth_fit.models)
    assert again.rows == truth_fit.models.rows
    assert again.covariance is truth_fit.models.covariance
    assert gj.Models(truth_fit.models, new=more).covariance is None
    with pytest.raises(ModelError, match="models are named twice: pks"):
        gj.Models(told, pks=more)


def test_order_of_models_is_kept():
    models = gj.Models(z=gj.SkyModel(gj.PowerLaw()), a=gj.SkyModel(gj.PowerLaw()))
    assert list(models.filled) == list(models) == ["z", "a"]


def test_a_hundred_models_are_filled_at_once():
    models = gj.Models({f"m{i}": gj.SkyModel(gj.LogParabola()) for i in range(100)}).set("*.beta", 0.5)
    with Stopwatch() as watch:
        values = [float(models[name].spectral.beta) for name in models]
        assert models.prior("*.beta", gj.Normal(0, 1)).priors[0].slots.size == 100
        assert models.layout.free.size == 300
    assert values == [0.5] * 100
    assert watch.programs == 0
    assert all(isinstance(x, jax.Array) and not x.weak_type for x in jax.tree_util.tree_leaves(models["m7"]))


def test_linked_parameters_in_edits(models):
    """A path raises, a pattern passes over linked parameters if it matches others."""
    tied = models.link("pks.*.amplitude", "crab.spectral.amplitude")
    path = "pks.spectral.amplitude"
    edits = {
        LinkError: [lambda p: tied.freeze(p), lambda p: tied.free(p)],
        OutOfBounds: [lambda p: tied.set(p, 1e-12), lambda p: tied.bound(p, 0, 1)],
        PriorError: [lambda p: tied.prior(p, gj.Normal(1e-12, 1e-12))],
    }
    for error, calls in edits.items():
        for call in calls:
            for pattern in (path, "pks.*.amplitude"):
                with pytest.raises(error, match=f"{path} is linked to crab.spectral.amplitude: .* or unlink it first"):
                    call(pattern)
            assert call("*.amplitude").rows[path] == tied.rows[path]
    assert tied.set("*.amplitude", 5e-12).value(path) == 5e-12
    assert tied.freeze("*").rows["crab.spectral.amplitude"].frozen


def test_links_hold_for_physical_values():
    class InGeV(gj.SpectralModel):
        cut: gj.Scalar = gj.param(1000.0, unit="GeV")

        def dnde(self, energy):
            return energy * self.cut

    models = gj.Models(g=gj.SkyModel(InGeV()), t=gj.SkyModel(gj.PowerLaw()))
    same = models.link("g.spectral.cut", "t.spectral.reference").set("t.*.reference", "3 TeV")
    assert same.value("g.spectral.cut") == pytest.approx(3000.0)
    assert same.layout.values(same.layout.z)[0] == pytest.approx(3000.0)
    half = models.link("t.spectral.reference", "g.spectral.cut", factor=0.5, offset="100 GeV")
    assert half.value("t.spectral.reference") == pytest.approx(0.6)


def test_names_may_hold_any_text():
    models = gj.Models(
        {"HESS J1745-290 [core]": gj.SkyModel(gj.PowerLaw(index=2.2)), "a.b": gj.SkyModel(gj.PowerLaw())}
    )
    assert models.value("HESS J1745-290 [core].spectral.index") == 2.2
    assert models.set("a.b.spectral.index", 3.0).value("a.b.spectral.index") == 3.0


MESSAGES = [
    (lambda m: m.value("crab.spectral.bta"), NoSuchParameter, "no parameter matches 'crab.spectral.bta'; nearest: 'crab.spectral.beta'"),
    (lambda m: m.freeze("hess.*"), NoSuchParameter, r"no parameter matches 'hess\.\*'"),
    (lambda m: m.freeze("crab.*", "oops.*"), NoSuchParameter, "oops"),
    (lambda m: gj.Models().value("a"), NoSuchParameter, "there are no parameters at all"),
    (lambda m: m.value("*.amplitude"), ModelError, "matches 2 parameters, one is needed: crab.spectral.amplitude, pks"),
    (lambda m: m.link("pks.*.index", "crab.*"), ModelError, "one is needed"),
    (lambda m: m.set("*.reference", "1 deg"), UnitMismatch, "crab.spectral.reference is of kind energy"),
    (lambda m: m.set("*.reference", "1"), UnitMismatch, "write for example '1 TeV'"),
    (lambda m: m.set("*.alpha", "2 TeV"), UnitMismatch, "crab.spectral.alpha is of kind dimensionless, got the unit 'TeV'"),
    (lambda m: m.bound("*.alpha", 3, 2), OutOfBounds, r"crab.spectral.alpha: the lower bound must be below the upper one, got \[3, 2\]"),
    (lambda m: m.bound("*.alpha", 3, 4), OutOfBounds, r"crab.spectral.alpha starts at 2.5, outside \[3, 4\]"),
    (lambda m: m.bound("*.alpha", 0, 3).set("*.alpha", 3.1), OutOfBounds, r"starts at 3.1, outside \[0, 3\]"),
    (lambda m: m.bound("*.reference", "1 deg"), UnitMismatch, "crab.spectral.reference: lower bound is of kind energy"),
    (lambda m: m.set("*.alpha", [1, 2]), UnitMismatch, "crab.spectral.alpha must be one number, got 2"),
    (lambda m: m.set("*.alpha", object()), UnitMismatch, "crab.spectral.alpha: <object .* is not a number$"),
    (lambda m: m.bound("*.alpha", [1, 2]), UnitMismatch, "crab.spectral.alpha: lower bound must be one number"),
    (lambda m: m.link("*.index", "crab.spectral.alpha", factor="x"), UnitMismatch, "pks.spectral.index: factor of its link: 'x' is not a number$"),
    (lambda m: m.set("crab.*.amplitude", "1 TeV"), UnitMismatch, "crab.spectral.amplitude is of kind differential flux .*got the unit 'TeV'"),
    (lambda m: m.set("*.alpha", np.nan), OutOfBounds, "crab.spectral.alpha starts at nan"),
    (lambda m: m.link("crab.spectral.alpha", "crab.spectral.alpha"), LinkError, "cannot be linked to itself"),
    (lambda m: m.link("*.beta", "crab.spectral.amplitude"), LinkError, r"crab.spectral.beta \(1\) to crab.spectral.amplitude \(cm-2 s-1 TeV-1\): units differ"),
    (lambda m: m.link("*.index", "crab.spectral.alpha").link("*.beta", "pks.spectral.index"), LinkError, "itself linked to crab.spectral.alpha: link to that"),
    (lambda m: m.link("*.index", "crab.spectral.alpha").link("*.alpha", "crab.spectral.beta"), LinkError, "pks.spectral.index is linked to it"),
    (lambda m: m.link("*.index", "crab.spectral.alpha", factor=0), LinkError, "factor 0 and offset 0 make no law"),
    (lambda m: m.link("*.index", "crab.spectral.alpha", factor=np.nan), LinkError, "factor nan"),
    (lambda m: m.link("*.index", "crab.spectral.alpha").set("*.index", 2), OutOfBounds, "is linked to crab.spectral.alpha: set that, or unlink"),
    (lambda m: m.link("*.index", "crab.spectral.alpha").prior("*.index", gj.Normal(2, 1)), PriorError, "place the prior on that"),
    (lambda m: m.prior("*.index", gj.Normal(2, 1)).link("*.index", "crab.spectral.alpha"), PriorError, "has a prior: remove it before linking"),
    (lambda m: m.link("*.index", "crab.spectral.alpha").drop("crab"), ModelError, "unlink it before dropping that model"),
    (lambda m: m.add(crab=gj.SkyModel(gj.PowerLaw())), ModelError, r"a model named 'crab' is there already: drop\(\) it first"),
    (lambda m: m.drop("hess"), ModelError, "no model 'hess'; models are 'crab', 'pks'"),
    (lambda m: m["hess"], ModelError, "no model 'hess'"),
    (lambda m: gj.Models(crab=gj.PowerLaw()), ModelError, r"'crab' must be a SkyModel or a nuisance, got PowerLaw: write crab=SkyModel\(spectral=...\)"),
    (lambda m: gj.Models(a=gj.SkyModel(gj.PowerLaw(index=np.inf))), OutOfBounds, "a.spectral.index starts at inf"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "error", "message"), MESSAGES)
def test_messages(models, edit, error, message):
    with pytest.raises(error, match=message):
        edit(models)


def test_values_outside_the_natural_bounds_of_a_class():
    class Positive(gj.SpectralModel):
        norm: gj.Scalar = gj.param(1.0, lower=0.0, scale="log")

        def dnde(self, energy):
            return self.norm * energy**-2.0

    with pytest.raises(OutOfBounds, match=r"a.spectral.norm starts at -1, outside \[0, inf\]"):
        gj.Models(a=gj.SkyModel(Positive(norm=-1.0)))
    with pytest.raises(OutOfBounds, match="fitted in its logarithm: start above 0 or freeze it"):
        gj.Models(a=gj.SkyModel(Positive(norm=0.0)))


def test_tables(models):
    table = models.link("*.index", "crab.spectral.alpha").prior("*.beta", gj.Normal(0.2, 0.1)).table
    assert table.colnames == ["path", "value", "error", "unit", "min", "max", "frozen", "link", "prior"]
    assert len(table) == 7
    assert table["link"][4] == "crab.spectral.alpha"
    assert table["prior"][3] == "Normal(0.2, 0.1)"
    assert table["value"][4] == 2.5
    entries = models.to_list()
    assert entries[0] == {
        "path": "crab.spectral.amplitude", "value": 3.8e-11, "error": pytest.approx(np.nan, nan_ok=True),
        "unit": "cm-2 s-1 TeV-1", "min": -np.inf, "max": np.inf, "frozen": False, "link": None,
    }  # fmt: skip
    assert "crab.spectral.alpha" in repr(models)
    assert repr(gj.Models()) == "Models: none"


def test_html_is_escaped():
    page = gj.Models({"<b>x</b>": gj.SkyModel(gj.PowerLaw())})._repr_html_()
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x" in page


def test_covariance_is_lost_with_an_edit(truth_fit):
    assert truth_fit.models.covariance is not None
    assert truth_fit.models.set("*.alpha", 2.0).covariance is None
    assert np.isnan(truth_fit.models.set("*.alpha", 2.0).error("*.alpha"))
