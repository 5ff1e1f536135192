"""What compiles nothing: one test per row of the table in docs/architecture.md."""

from functools import partial

import equinox as eqx
import jax
import numpy as np
import pytest
from made_cubes import cube, models, source
from made_cubes import on_off as on_off_cube
from made_spectra import log_parabola, on_off, value_and_slope

import gammajax as gj
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.infer.minimise import minimise
from gammajax.infer.stopwatch import Stopwatch


def programs(call):
    """How many XLA programs a call compiles."""
    with Stopwatch() as watch:
        call()
    return watch.programs


def nll(datasets, models):
    problem = gj.Problem(datasets, models)
    jax.block_until_ready(value_and_slope(problem, problem.start))


def fit(datasets, models):
    return gj.fit(datasets, models)


def profile(datasets, models, path=None):
    found = gj.fit(datasets, models)
    gj.profile(datasets, found, path or found.models.free_paths[0], points=5)


def sample(datasets, models):
    gj.sample(datasets, models, key=jax.random.key(0), draws=40, chains=2, warmup=60)


SOURCE = log_parabola()
DATA = on_off()
RENAMED = gj.Models(pulsar=SOURCE["crab"])
PINNED = SOURCE.freeze("*.beta")
PRIOR = SOURCE.prior("*.alpha", gj.Normal(2.4, 0.3))
OTHER_NAMES = on_off(prefix="other")
OPERATIONS = {"nll": nll, "fit": fit, "profile": profile, "sample": sample}

ROWS = {
    "value": ((DATA, SOURCE), (DATA, SOURCE.set("*.alpha", 2.6))),
    "frozen value": ((DATA, SOURCE), (DATA, SOURCE.set("*.reference", "2 TeV"))),
    "bound added": ((DATA, SOURCE), (DATA, SOURCE.bound("*.beta", -1.0, 1.0))),
    "bound moved": ((DATA, SOURCE.bound("*.beta", -1.0)), (DATA, SOURCE.bound("*.beta", -1.0, 2.0))),
    "prior numbers": ((DATA, PRIOR), (DATA, SOURCE.prior("*.alpha", gj.Normal(2.0, 1.0)))),
    "prior place": ((DATA, PRIOR), (DATA, SOURCE.prior("*.beta", gj.Normal(0.0, 1.0)))),
    "which are free": ((DATA, PINNED), (DATA, SOURCE.freeze("*.alpha"))),
    "data": ((DATA, SOURCE), (on_off(seed=5), SOURCE)),
    "masks": ((DATA, SOURCE), (DATA.select_energy("0.3 TeV", "30 TeV"), SOURCE)),
    "dataset names": ((DATA, SOURCE), (OTHER_NAMES, SOURCE)),
    "model names": ((DATA, SOURCE), (DATA, RENAMED)),
}


# The fit shows "which are free" in a third of the time that another sampler takes to compile.
PAIRS = [(row, name) for row in ROWS for name in OPERATIONS if (row, name) != ("which are free", "sample")]


@pytest.mark.parametrize(("row", "operation"), PAIRS)
def test_compiles_nothing(row, operation):
    before, after = ROWS[row]
    run = OPERATIONS[operation]
    run(*before)
    assert programs(partial(run, *after)) == 0


def _template(data):
    """As many counts as the cube's background, as a model."""
    axis = MapAxis.from_edges("energy", data.energy, "TeV", "log")
    return gj.TemplateNPred(SkyMap(np.asarray(data.background), (axis,), data.grid), datasets_names=data.name)


CUBE, POINT = cube(nested=True), models()
UNDISPERSED = gj.Models(src=gj.SkyModel(source().spectral, source().spatial, apply_irf={"edisp": False}))
TEMPLATE = gj.Models(src=source(), npred=_template(CUBE))
CUBES = {
    "place of a source": ((CUBE, POINT), (CUBE, POINT.set("*.lon_0", "83.6 deg"))),
    "spectrum of a source without dispersion": ((CUBE, UNDISPERSED), (CUBE, UNDISPERSED.set("*.index", 2.4))),
    "norm of a template of counts": ((CUBE, TEMPLATE), (CUBE, TEMPLATE.set("npred.spectral.norm", 1.2))),
    "off counts": ((on_off_cube(), POINT.drop("bkg")), (on_off_cube(seed=6), POINT.drop("bkg"))),
}


@pytest.mark.parametrize("row", CUBES)
def test_cubes_compile_nothing(row):
    before, after = CUBES[row]
    nll(*before)
    assert programs(partial(nll, *after)) == 0


@pytest.mark.parametrize("operation", ["nll", "fit"])
def test_affine_links_compile_nothing(operation):
    two = gj.Models(a=SOURCE["crab"], b=SOURCE["crab"]).freeze("b.*.amplitude", "b.*.alpha")
    run = OPERATIONS[operation]
    run(DATA, two.link("b.*.beta", "a.spectral.beta"))
    assert programs(lambda: run(DATA, two.link("b.*.beta", "a.spectral.beta", factor=0.5, offset=0.01))) == 0
    assert (
        programs(lambda: run(DATA, two.free("b.*.alpha").freeze("b.*.beta").link("b.*.alpha", "a.spectral.alpha"))) == 0
    )


def test_other_profiled_parameter_compiles_nothing():
    profile(DATA, SOURCE, "crab.spectral.alpha")
    assert programs(lambda: profile(DATA, SOURCE, "crab.spectral.beta")) == 0


def test_other_held_parameter_compiles_nothing():
    problem = gj.Problem(DATA, SOURCE)
    run = jax.jit(minimise)
    held = np.array([[True, False, False], [False, False, True]])
    one, two = (problem.with_layout(eqx.tree_at(lambda x: x.held, problem.layout, h)) for h in jax.device_put(held))
    first = run(one, problem.start)
    assert programs(lambda: run(two, problem.start)) == 0
    assert first.z[0] == problem.start[0]


def test_weights_compile_nothing():
    def network(seed):
        net = eqx.nn.MLP("scalar", "scalar", 4, 1, activation=jax.nn.tanh, key=jax.random.key(seed))
        return gj.Models(crab=gj.SkyModel(_Network(gj.PowerLaw(), net)))

    first, second = network(0), network(1)
    nll(DATA, first)
    assert programs(lambda: nll(DATA, second)) == 0


class _Network(gj.SpectralModel):
    base: gj.PowerLaw
    net: eqx.nn.MLP = gj.weights()

    def dnde(self, energy):
        return self.base.dnde(energy) * jax.numpy.exp(self.net(jax.numpy.log(energy)))


def test_a_changed_shape_is_seen_by_the_counter():
    """The counter counts: other bins compile once, and then no more."""
    fewer = on_off(energy=np.geomspace(0.1, 100.0, 8))
    assert programs(lambda: nll(fewer, SOURCE)) > 0
    assert programs(lambda: nll(fewer, SOURCE)) == 0
