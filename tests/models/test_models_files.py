"""Models in files: what is written comes back, and what is malformed is named."""

import copy

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

import gammajax as gj
from gammajax.errors import FileFormatError, GammajaxError, LinkError, ModelError, PriorError
from gammajax.io.matrix import read_matrix, write_matrix
from gammajax.models.covariance import Covariance
from gammajax.params.priors import Prior


class GeV(gj.SpectralModel):
    """A model in other units than the built-in ones."""

    amplitude: gj.Scalar = gj.param(1e-15, unit="cm-2 s-1 GeV-1")
    pivot: gj.Scalar = gj.param(1000.0, unit="GeV", frozen=True)

    def dnde(self, energy):
        return 1e3 * self.amplitude * (1e3 * energy / self.pivot) ** -2


class Steps(gj.SpectralModel):
    """A model with arrays of parameters, a table, and parts in a list."""

    parts: tuple[gj.SpectralModel, ...]
    t: gj.Scalar = gj.table(unit="TeV")
    c: gj.Scalar = gj.param(0.0)
    d: gj.Scalar = gj.param(0.0, unit="TeV")
    label: str = eqx.field(static=True, default="x")

    def dnde(self, energy):
        return self.parts[0].dnde(energy) * jnp.sum(self.c) + self.parts[1].dnde(energy) * jnp.sum(self.d)


class Cauchy(Prior):
    """A prior as a person writes it."""

    centre: float
    width: float

    def log_prob(self, x):
        return -jnp.log1p(((x - self.centre) / self.width) ** 2)


class Net(gj.SpectralModel):
    net: eqx.nn.MLP = gj.weights()
    norm: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")

    def dnde(self, energy):
        return self.norm * jnp.exp(self.net(jnp.log(energy)))


def network(width=4, depth=1, seed=0):
    return gj.SkyModel(Net(eqx.nn.MLP("scalar", "scalar", width, depth, key=jax.random.key(seed))))


def same(one, two):
    """Two tables agree, up to what a file does not say."""
    assert repr(one.table) == repr(two.table)
    assert one.datasets_names == two.datasets_names


@pytest.fixture
def three():
    return gj.Models(
        a=gj.SkyModel(gj.PowerLaw(index=2.2), datasets_names=["x", "y"]),
        b=gj.SkyModel(gj.PowerLaw()),
        c=gj.SkyModel(GeV()),
    )


def fitted(models):
    """The models with a covariance as after a fit."""
    paths = models.free_paths
    half = np.random.default_rng(1).normal(size=(len(paths), len(paths))) * 0.1
    scale = np.array([abs(models.value(p)) or 1.0 for p in paths])
    values = {p: models.value(p) for p in paths}
    return models.fitted(values, Covariance(tuple(paths), half @ half.T * np.outer(scale, scale)))


# -- there and back ------------------------------------------------------------------------------------------------


def test_links_and_priors_of_every_kind(three, tmp_path):
    models = (
        three.link("b.spectral.index", "a.spectral.index")
        .link("a.spectral.amplitude", "b.spectral.amplitude")
        .link("c.spectral.amplitude", "b.spectral.amplitude", factor=3.0, offset="1e-16 cm-2 s-1 GeV-1")
        .prior("a.spectral.index", gj.LogNormal(2.0, 0.3))
        .prior("b.spectral.amplitude", Cauchy("1e-8 m-2 s-1 TeV-1", 2e-12))
        .prior("c.spectral.pivot", gj.Normal("1 TeV", 5.0))
        .bound("a.spectral.index", 0, 5)
    )
    back = gj.Models.read(models.write(tmp_path / "m.yaml"))
    for path in models.rows:
        assert back.value(path) == pytest.approx(models.value(path), rel=1e-14)
    # Of two parameters that are one, the first in the file is the one that the others follow.
    assert {p: str(r.link) for p, r in back.rows.items() if r.link} == {
        "b.spectral.index": "a.spectral.index",
        "b.spectral.amplitude": "a.spectral.amplitude",
        "c.spectral.amplitude": "0.003 * a.spectral.amplitude + 1e-16",
    }
    assert [str(r.prior) for r in back.rows.values() if r.prior] == [
        "LogNormal(2, 0.3)", "Cauchy(1e-12, 2e-12)", "Normal(1000, 5)",
    ]  # fmt: skip
    same(gj.Models.read(back.write(tmp_path / "again.yaml")), back)


def test_arrays_tables_and_parts(tmp_path):
    spectral = Steps(
        (gj.PowerLaw(index=1.0), gj.LogParabola()), c=[1.0, 2.0, 3.0], d=np.ones((2, 2)), t=[[1, 2], [3, 4]], label="y"
    )
    models = gj.Models(s=gj.SkyModel(spectral)).freeze("*.c.1").bound("*.c.2", 0, 9)
    back = gj.Models.read(models.write(tmp_path / "m.yaml"))
    same(back, models)
    one, two = (jax.tree_util.tree_structure(m["s"]) for m in (back, models))
    assert one == two
    np.testing.assert_array_equal(back["s"].spectral.t, [[1, 2], [3, 4]])
    assert back["s"].spectral.d.shape == (2, 2)


@pytest.mark.parametrize("linked", [False, True])
def test_covariance(three, tmp_path, linked):
    models = three.link("b.spectral.index", "a.spectral.index") if linked else three
    models = fitted(models.link("c.spectral.amplitude", "b.spectral.amplitude", factor=2.0))
    back = gj.Models.read(models.write(tmp_path / "m.yaml"))
    assert back.covariance.paths == models.covariance.paths
    np.testing.assert_array_equal(back.covariance.matrix, models.covariance.matrix)
    same(back, models)
    names, matrix = read_matrix(tmp_path / "m_covariance.dat")
    assert names == list(models.rows)
    if linked:
        np.testing.assert_array_equal(matrix[names.index("a.spectral.index")], matrix[names.index("b.spectral.index")])


def test_covariance_of_a_network(tmp_path):
    models = fitted(gj.Models(n=network(), b=gj.SkyModel(gj.PowerLaw())))
    models.write(tmp_path / "m.yaml")
    back = gj.Models.read(tmp_path / "m.yaml", like=gj.Models(n=network(seed=3)))
    np.testing.assert_array_equal(back.covariance.matrix, models.covariance.matrix)
    assert float(back["n"].spectral("2 TeV").value) == float(models["n"].spectral("2 TeV").value)


@pytest.mark.parametrize("other", [{"width": 5}, {"depth": 2}, {"depth": 0}])
def test_weights_of_another_network(tmp_path, other):
    gj.Models(n=network()).write(tmp_path / "m.yaml")
    with pytest.raises(ModelError, match=r"m\.h5: n: the weights do not fit the network: it has .* given are"):
        gj.Models.read(tmp_path / "m.yaml", like=gj.Models(n=network(**other)))


def shared_index(**of_b):
    """Two power laws with one index, as text; `of_b` is said at the second, which comes second in the file."""
    entries = {"a": {"value": 2.0}, "b": of_b}
    return {
        "components": [
            {
                "name": name,
                "type": "SkyModel",
                "spectral": {
                    "type": "PowerLawSpectralModel",
                    "parameters": [{"name": "index", "link": "index@a", **entry}],
                },
            }
            for name, entry in entries.items()
        ]
    }


def normal(mu, sigma):
    return {"type": "GaussianPrior", "parameters": [{"name": "mu", "value": mu}, {"name": "sigma", "value": sigma}]}


def read_content(tmp_path, content):
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(content))
    return gj.Models.read(tmp_path / "m.yaml")


def test_a_prior_of_any_parameter_with_a_label_is_that_of_all(tmp_path, caplog):
    models = read_content(tmp_path, shared_index(prior=normal(2.1, 0.1)))
    assert str(models.rows["a.spectral.index"].prior) == "Normal(2.1, 0.1)"
    assert str(models.rows["b.spectral.index"].link) == "a.spectral.index"
    content = shared_index(prior=normal(2.1, 0.1))
    content["components"][0]["spectral"]["parameters"][0]["prior"] = normal(2.1, 0.1)
    same(read_content(tmp_path, content), models)
    assert not caplog.records


def test_what_a_later_parameter_with_a_label_says_otherwise_is_named(tmp_path, caplog):
    models = read_content(tmp_path, shared_index(value=3.0, max=5.0, frozen=True))
    assert models.value("b.spectral.index") == 2.0
    assert "a.spectral.index" in models.free_paths
    said = "b.spectral.index (value, max, frozen) is one parameter with a.spectral.index, which counts"
    assert said in caplog.text


def test_a_correlated_prior_and_a_link(three, tmp_path):
    pair = ["a.spectral.index", "b.spectral.index"]
    models = three.add(d=gj.SkyModel(gj.PowerLaw())).link("d.spectral.index", pair[0])
    models = models.prior(pair, gj.MultiNormal([2.0, 2.1], [0.1, 0.2], [[1, 0.5], [0.5, 1]]))
    same(gj.Models.read(models.write(tmp_path / "m.yaml")), models)
    same(gj.Models.read(models.write(tmp_path / "m.h5")), models)


def test_weights_kept_in_another_file(tmp_path):
    gj.Models(n=network()).write(tmp_path / "m.yaml")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        shape = file["0000"].shape
        del file["0000"]
        file.create_dataset("0000", shape, "f8", external=[("/etc/hostname", 0, 8 * int(np.prod(shape)))])
    with pytest.raises(FileFormatError, match=r"m\.h5: '0000' keeps its numbers in another file"):
        gj.Models.read(tmp_path / "m.yaml", like=gj.Models(n=network()))


def test_files_of_weights_name_their_creator_and_leave_nothing_beside_them(tmp_path):
    gj.Models(n=network()).write(tmp_path / "m.yaml")
    with h5py.File(tmp_path / "m.h5") as file:
        assert str(file.attrs["creator"]).startswith("gammajax ")
        assert file.attrs["kind"] == "weights"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.h5", "m.yaml"]


def test_an_incomplete_covariance_leaves_the_errors(three, tmp_path):
    models = fitted(three)
    path = models.write(tmp_path / "m.yaml")
    file = tmp_path / "m_covariance.dat"
    names, matrix = read_matrix(file)
    write_matrix(file, names[1:], matrix[1:, 1:])
    back = gj.Models.read(path)
    assert back.covariance is None
    assert back.error("a.spectral.index") == pytest.approx(models.error("a.spectral.index"))
    write_matrix(file, names, 0 * matrix)
    assert gj.Models.read(path).covariance is None
    # A name that comes twice: the first row counts.
    twice = np.block([[matrix, matrix], [matrix, 9 * matrix]])
    write_matrix(file, names * 2, twice)
    np.testing.assert_allclose(gj.Models.read(path).covariance.matrix, models.covariance.matrix)


def test_a_parameter_on_a_bound_has_no_error(three, tmp_path):
    models = three.bound("a.spectral.index", 2.2, 5)
    paths = tuple(models.free_paths)
    matrix = np.diag([0.0, *np.ones(len(paths) - 1)])
    models = models.fitted({p: models.value(p) for p in paths}, Covariance(paths, matrix))
    assert np.isnan(models.error("a.spectral.index"))
    assert models.error("b.spectral.index") == 1.0
    correlation = models.covariance.correlation
    assert np.all(np.isnan(correlation[0]))
    assert np.all(np.isnan(correlation[:, 0]))
    np.testing.assert_array_equal(correlation[1:, 1:], np.eye(len(paths) - 1))
    back = gj.Models.read(models.write(tmp_path / "m.yaml"))
    np.testing.assert_array_equal(back.covariance.matrix, matrix)


def test_gammapy_files_refuse_what_gammapy_does_not_know(three, tmp_path):
    models = three.link("b.spectral.index", "a.spectral.index", factor=2.0)
    with pytest.raises(LinkError, match=r"b.spectral.index = 2 \* a.spectral.index.*freeze_links=True"):
        models.write(tmp_path / "m.yaml", gammapy=True)
    back = gj.Models.read(models.write(tmp_path / "m.yaml", gammapy=True, freeze_links=True))
    assert back.value("b.spectral.index") == 4.4
    assert back.rows["b.spectral.index"].frozen
    assert back.rows["b.spectral.index"].link is None
    assert models.rows["b.spectral.index"].link is not None
    with pytest.raises(PriorError, match=r"b.spectral.index: the prior LogNormal\(2, 0.1\) has no form in Gammapy"):
        three.prior("b.spectral.index", gj.LogNormal(2, 0.1)).write(tmp_path / "m.yaml", gammapy=True)


def test_a_plain_field_without_a_form(tmp_path):
    spectral = Steps((gj.PowerLaw(), gj.PowerLaw()), t=[1.0], label=frozenset())
    with pytest.raises(GammajaxError, match=r"m\.yaml cannot be written, YAML has no form for frozenset"):
        gj.Models(s=gj.SkyModel(spectral)).write(tmp_path / "m.yaml")


# -- malformed -----------------------------------------------------------------------------------------------------

TEMPLATE = {"data": [1.0, 10.0], "unit": "TeV"}
GOOD = {
    "components": [
        {
            "name": "src",
            "type": "SkyModel",
            "datasets_names": ["d"],
            "spectral": {
                "type": "CompoundSpectralModel",
                "operator": "mul",
                "model1": {
                    "type": "PowerLawSpectralModel",
                    "parameters": [
                        {
                            "name": "index", "value": 2.0, "unit": "", "error": 0.1, "min": 0.0, "max": 5.0,
                            "frozen": False, "link": "index@1",
                            "prior": {
                                "type": "GaussianPrior", "weight": 1.0,
                                "parameters": [{"name": "mu", "value": 2.0}, {"name": "sigma", "value": 1.0}],
                            },
                        },
                        {"name": "reference", "value": 1.0, "unit": "TeV"},
                    ],
                },
                "model2": {
                    "type": "TemplateSpectralModel", "energy": TEMPLATE, "parameters": [],
                    "values": {"data": [1.0, 0.1], "unit": ""},
                },
            },
        }
    ]
}  # fmt: skip
JUNK = [
    None,
    5,
    1.5,
    "x",
    True,
    [],
    [1],
    {},
    {"a": 1},
    [[1]],
    -1.0,
    float("inf"),
    float("nan"),
    10**400,
    "1e-12",
    [None],
]


def places(node, at=()):
    """Where every value of a tree of dictionaries and lists is."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def spoiled(place, junk):
    content = copy.deepcopy(GOOD)
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = junk
    return content


def read(content, tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return gj.Models.read(path)


def test_the_good_file(tmp_path):
    assert read(GOOD, tmp_path).value("src.spectral.model1.index") == 2.0


@pytest.mark.parametrize("place", list(places(GOOD)), ids=lambda place: ".".join(map(str, place)))
def test_whatever_stands_there(tmp_path, place):
    """Any value at any place of the file is read, or refused with an error that names the file."""
    said = []
    for junk in JUNK:
        try:
            read(spoiled(place, junk), tmp_path)
        except GammajaxError as error:
            said.append(str(error))
    assert all("m.yaml: " in message for message in said)


SPECTRAL = ("components", 0, "spectral")
INDEX = (*SPECTRAL, "model1", "parameters", 0)
ENERGY = (*SPECTRAL, "model2", "energy")
MESSAGES = [
    (("components",), 5, "the list 'components' must be a list, got 5"),
    (("components",), [1], "each of the components must be keys and values, got 1"),
    (("components", 0, "datasets_names"), 5, "datasets_names of src must be a list, got 5"),
    (("covariance",), 5, "covariance must be a text, got 5"),
    ((*SPECTRAL, "type"), [1], r"the type of src.spectral must be a text, got \[1\]"),
    ((*SPECTRAL, "model1"), "x", "a spectral model combines with another spectral model, got str"),
    ((*SPECTRAL, "model1", "parameters"), None, "parameters of src.spectral.model1 must be a list, got None"),
    ((*SPECTRAL, "model1", "parameters"), [1], "each of the parameters of src.spectral.model1 must be keys and values"),
    ((*SPECTRAL, "model1", "parameters"), {"a": 1}, "parameters of src.spectral.model1 must be a list"),
    ((*SPECTRAL, "model1", "parameters", 1, "name"), "index", "src.spectral.model1 lists its parameter 'index' twice"),
    ((*INDEX, "unit"), 5, "unit of src.spectral.model1.index must be a text"),
    ((*INDEX, "frozen"), "false", "frozen of src.spectral.model1.index must be true or false, got 'false'"),
    ((*INDEX, "link"), [1], "link of src.spectral.model1.index must be a text"),
    ((*INDEX, "prior"), "x", "prior of src.spectral.model1.index must be keys and values, got 'x'"),
    ((*INDEX, "prior", "weight"), "x", "weight of the prior of src.spectral.model1.index must be a number"),
    ((*INDEX, "prior", "parameters", 0, "value"), "x", "mu of the prior of src.spectral.model1.index must be a number"),
    ((*INDEX, "value"), 9.0, r"src.spectral.model1.index starts at 9, outside \[0, 5\]"),
    (ENERGY, 5, "src.spectral.model2.energy must be keys and values, got 5"),
    (ENERGY, None, "src.spectral.model2.energy must be keys and values, got None"),
    (ENERGY, {"unit": "TeV"}, "src.spectral.model2.energy has no data"),
    ((*ENERGY, "data"), ["a", "b"], "data of src.spectral.model2.energy must be a list of numbers"),
    ((*ENERGY, "data"), [[1.0, 2.0]], r"src.spectral.model2: TemplateSpectralModel has energies of shape \(1, 2\)"),
    ((*ENERGY, "data"), [10.0, 1.0], "energies that are not positive, finite and increasing"),
    ((*ENERGY, "unit"), "deg", "src.spectral.model2.energy is of kind energy"),
    ((*SPECTRAL, "model2", "values", "data"), [1e-12, -1e-13], "negative values; leave those points out"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "junk", "message"), MESSAGES)
def test_messages(tmp_path, place, junk, message):
    with pytest.raises(GammajaxError, match=rf"m\.yaml: .*{message}"):
        read(spoiled(place, junk), tmp_path)


@pytest.mark.parametrize("size", [0, 1])
def test_a_template_needs_two_points(size):
    with pytest.raises(ModelError, match=f"{size} points; at least 2"):
        gj.TemplateSpectralModel(energy=np.ones(size), values=np.ones(size))


def test_a_compound_of_something_else():
    with pytest.raises(ModelError, match="combines with another spectral model, got str"):
        gj.CompoundSpectralModel("x", gj.PowerLaw())


DEEP = "{type: compound, model1: " * 60 + "{}" + "}" * 60


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 5000, "nested too deeply|not valid YAML"),
        (f"components: [{{name: a, type: SkyModel, spectral: {DEEP}}}]", "is nested more than 50 models deep"),
        ("components: [{name: a, type: SkyModel, spectral: &x {type: compound, model1: *x}}]", "models deep"),
        ("x: 2001-99-99", "not valid YAML"),
        ("x: !!bool maybe", "not valid YAML"),
        ("x: !!timestamp maybe", "not valid YAML"),
    ],
)
def test_hostile_files(tmp_path, content, message):
    with pytest.raises(GammajaxError, match=rf"m\.yaml.*({message})"):
        read(content, tmp_path)


@pytest.mark.parametrize(
    ("listed", "message"),
    [(["c.0", "c.2"], r"s.spectral.c lists c.0, c.2; expected c.0, c.1"), (["c", "c.0"], "lists c, c.0")],
)
def test_elements_that_make_no_array(tmp_path, listed, message):
    parts = [{"type": "PowerLawSpectralModel"}] * 2
    spectral = {"type": "Steps", "parts": parts, "parameters": [{"name": n, "value": 1.0} for n in listed]}
    with pytest.raises(GammajaxError, match=message):
        read({"components": [{"name": "s", "type": "SkyModel", "spectral": spectral}]}, tmp_path)


def test_the_latest_of_two_classes_with_one_name(tmp_path):
    """A notebook cell that is run again defines its model anew."""

    def cell(factor):
        class Again(gj.SpectralModel):
            amplitude: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")

            def dnde(self, energy):
                return factor * self.amplitude / energy

        return Again

    first, second = cell(1.0), cell(2.0)
    path = gj.Models(a=gj.SkyModel(first())).write(tmp_path / "m.yaml")
    assert type(gj.Models.read(path)["a"].spectral) is second
    assert type(gj.Models.read(path, like=gj.Models(a=gj.SkyModel(first())))["a"].spectral) is first
