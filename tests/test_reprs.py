"""What objects show of themselves: few lines, values with units, also while a function is traced."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_cubes import cube
from made_cubes import on_off as on_off_cube
from made_spectra import counting, on_off

import gammajax as gj
from gammajax.params.field import Model
from gammajax.tables import Shown, numbers_text, on_host, range_text


@pytest.fixture(scope="module")
def run(archive):
    return gj.DataStore.from_dir(archive.folder / "hess").observations()[0]


@pytest.fixture(scope="module")
def shown(run, archive):
    """One object of each kind, and what its text must say."""
    pointlike = gj.DataStore.from_dir(archive.folder / "magic").observations()[0]
    store = gj.DataStore.from_dir(archive.folder / "hess")
    return [
        (store, "2 runs listed"),
        (store.observations(), f"Observations(2 runs: {store.obs_ids[0]}, "),
        (run.events, "TeV"),
        (run.gti, "GTI(1 interval, "),
        (run.aeff, "cm2"),
        (run.edisp, "migra"),
        (run.psf, "sigma" if hasattr(run.psf, "sigma") else "rad"),
        (pointlike.rad_max, "deg"),
        (on_off()[1], "10 in the fit: 0.316 .. 100 TeV"),
        (counting()[0], "background"),
        (on_off_cube(), ", off "),
        (gj.SkyModel(gj.PowerLaw()), "SkyModel(spectral=PowerLaw(index=2, amplitude=1e-12 cm-2 s-1 TeV-1"),
        (gj.ExposureShape(nodes=[0.1, 1.0, 10.0]), "shifts=[0, 0, 0]"),
    ]


def test_reprs_are_few_lines_and_say_what_matters(shown):
    for one, text in shown:
        lines = repr(one).splitlines()
        assert text in repr(one), repr(one)
        assert len(lines) <= 12
        assert max(map(len, lines)) <= 240
        assert "Array" not in repr(one)


def test_notebooks_get_tables(shown):
    for one, _ in shown:
        assert one._repr_html_().startswith("<p><b>"), type(one)
        assert "<td" in one._repr_html_()


def test_looking_at_a_run_reads_nothing(archive):
    run = gj.DataStore.from_dir(archive.folder / "hess").observations()[0]
    assert "not read yet" in repr(run)
    assert "_run" not in vars(run)
    assert "Crab" not in run._repr_html_()
    assert len(run.events) > 0
    assert "Crab" in repr(run)
    assert f"  events     {len(run.events)}" in repr(run).splitlines()


def test_cuts_of_a_run_are_shown(run):
    half = run.select_time((run.tstart, run.tmid))
    assert "TimeCut" in repr(half)
    assert len(half.events) < len(run.events)
    assert f"  events     {len(half.events)}" in repr(half).splitlines()


def traced(tree):
    """What a module shows of itself inside of a compiled function."""
    seen = []

    @jax.jit
    def look(tree):
        seen.append((repr(tree), tree._repr_html_()))
        return 0

    look(tree)
    return seen[0]


def test_tracers_are_shown_by_their_shape(run):
    for one in (run.aeff, run.edisp, run.psf, on_off()[0], counting()[0]):
        text, html = traced(one)
        assert "float64[" in text
        assert "float64[" in html
    assert traced(gj.PowerLaw())[0] == "PowerLaw(index=float64[], amplitude=float64[], reference=float64[])"


def test_placeholders_are_shown(run):
    for one in (run.aeff, run.edisp, run.psf, on_off()[0], cube(), gj.SkyModel(gj.LogParabola()), gj.ExposureTilt()):
        for replaced in (
            jax.eval_shape(lambda x: x, one),
            eqx.filter(one, False),
            jax.tree.map(lambda x: object(), one),
            jax.tree.map(lambda x: True, one),
            jax.tree.map(lambda x: jnp.stack([x] * 3), one),
        ):
            assert repr(replaced)
            assert replaced._repr_html_()


def test_half_made_modules_are_shown():
    assert "PowerLaw()" in repr(object.__new__(gj.PowerLaw))
    assert "not all there yet" in repr(object.__new__(gj.SpectrumDataset))


def test_networks_and_tables_are_shown_by_their_size():
    class Net(gj.SpectralModel):
        net: eqx.nn.MLP = gj.weights()

    net = Net(eqx.nn.MLP(1, "scalar", 4, 1, key=jax.random.key(0)))
    assert repr(net) == "Net(net=weights(13 numbers in 4 arrays))"
    template = gj.TemplateSpectralModel(energy=np.geomspace(0.1, 10.0, 20), values=np.ones(20))
    assert "energy=20 values, 0.1 .. 10" in repr(template)


def test_long_models_take_a_line_for_each_field():
    lines = repr(gj.SkyModel(gj.LogParabola() * gj.PowerLawNorm())).splitlines()
    assert lines[0] == "SkyModel("
    assert lines[2].startswith("    model1=LogParabola(amplitude=1e-12 cm-2 s-1 TeV-1, ")


def test_models_of_ones_own_need_nothing():
    class Line(gj.SpectralModel):
        height: gj.Scalar = gj.param(2.0, unit="cm-2 s-1 TeV-1")

    assert repr(Line()) == "Line(height=2 cm-2 s-1 TeV-1)"
    assert isinstance(Line(), Model)


def test_paths_show_what_may_follow():
    models = gj.Models(crab=gj.SkyModel(gj.PowerLaw()), cal=gj.ExposureNorm())
    assert repr(models.paths).splitlines() == [*models.rows]
    assert repr(models.paths.crab).splitlines() == [p for p in models.rows if p.startswith("crab")]
    assert repr(models.paths.cal.norm) == "'cal.norm'"
    assert repr(gj.Models().paths) == "no parameters"
    many = gj.Models({f"m{i}": gj.ExposureNorm() for i in range(40)})
    assert repr(many.paths).splitlines()[-1] == "... and 10 more"


def test_large_device_arrays_stay_where_they_are():
    large = jnp.zeros((200, 200))
    assert on_host(large) is None
    assert numbers_text(large, "TeV") == range_text(large) == "float64[200, 200]"
    deleted = jnp.zeros(3)
    deleted.delete()
    assert numbers_text(deleted) == "float64[3]"
    assert numbers_text(jax.random.key(0)) == "key<fry>[]"


def test_what_is_told_is_escaped():
    class Odd(Shown):
        def _about(self):
            return {"name": "<b>", "empty": ""}

    assert "<td" in Odd()._repr_html_()
    assert "&lt;b&gt;" in Odd()._repr_html_()
    assert repr(Odd()) == "Odd\n  name  <b>"
