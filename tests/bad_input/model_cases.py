"""Rows on models: YAML files, edits, links, priors, models of one's own."""

import jax.numpy as jnp
import numpy as np
from good_inputs import Case

import gammajax as gj
from gammajax.errors import (
    FileFormatError,
    LinkError,
    MissingFile,
    ModelError,
    NoSuchParameter,
    OutOfBounds,
    PriorError,
    UndeclaredArray,
    UnitMismatch,
)
from gammajax.io.matrix import write_matrix
from gammajax.params.joint import MultiNormal


def text(content):
    return lambda g: g.yaml("models.yaml", content)


def spectral(**changes):
    """The models file with other entries of the spectral model."""
    return lambda g: g.yaml("models.yaml", lambda c: c["components"][0]["spectral"].update(changes))


def product_with_a_base(g):
    def change(content):
        parts = {"model1": content["components"][0]["spectral"], "model2": {"type": "NormSpectralModel"}}
        content["components"][0]["spectral"] = {"type": "CompoundSpectralModel", **parts, "operator": "mul"}

    return g.yaml("models.yaml", change)


def source(**changes):
    return lambda g: g.yaml("models.yaml", lambda c: c["components"][0].update(changes))


def index(**changes):
    """The models file with other entries of the index of its power law."""
    return lambda g: g.yaml("models.yaml", lambda c: c["components"][0]["spectral"]["parameters"][0].update(changes))


def prior(kind, **numbers):
    listed = [{"name": name, "value": x} for name, x in numbers.items()]
    return index(prior={"type": kind, "parameters": listed})


NARROW, WIDE = (
    {"type": "GaussianPrior", "parameters": [{"name": "mu", "value": 2.2}, {"name": "sigma", "value": sigma}]}
    for sigma in (0.1, 1.0)
)


def shared(of_first, of_second):
    """The models file with a second source whose index is that of the first, and what is said about both."""

    def change(content):
        first = content["components"][0]
        first["spectral"]["parameters"][0].update(link="x", **of_first)
        second = {"type": "PowerLawSpectralModel", "parameters": [{"name": "index", "link": "x", **of_second}]}
        content["components"].append({"name": "other", "type": "SkyModel", "spectral": second})

    return lambda g: g.yaml("models.yaml", change)


def covariance(content):
    def make(g):
        (g.folder / "cov.dat").write_text(content)
        return g.yaml("models.yaml", lambda c: c.update(covariance="cov.dat"))

    return make


def oblong(g):
    write_matrix(g.folder / "cov.dat", ["crab.spectral.index", "crab.spectral.amplitude"], np.ones((2, 1)))
    return g.yaml("models.yaml", lambda c: c.update(covariance="cov.dat"))


read = gj.Models.read

FILES = [
    Case("no models file", lambda g: g.folder / "models.yaml", read, MissingFile, "models.yaml does not exist"),
    Case("not YAML", text("components: [1, 2"), read, FileFormatError, "models.yaml is not valid YAML", "line 1"),
    Case("an empty file", text(""), read, FileFormatError, "models.yaml", "the file is empty"),
    Case("a list where a mapping is needed", text("- name: crab"), read, FileFormatError, "models.yaml must hold keys and values at top level, got list"),
    Case("bytes that are no text", lambda g: (lambda p: (p.write_bytes(b"\xff\xfe\x00"), p)[1])(g.folder / "models.yaml"), read, FileFormatError, "models.yaml is not valid YAML"),
    Case("a python object", text("components: !!python/object/apply:os.system ['true']"), read, FileFormatError, "models.yaml is not valid YAML", "python/object/apply:os.system"),
    Case("a python name", text("components: !!python/name:os.system"), read, FileFormatError, "models.yaml is not valid YAML", "python/name"),
    Case("no components", text("models: []"), read, FileFormatError, "models.yaml: there is no list 'components'", "keys are 'models'"),
    Case("datasets instead of models", text("datasets: []"), read, FileFormatError, "models.yaml: there is no list 'components' (it lists datasets, which Datasets.read reads)"),
    Case("a component that is a number", lambda g: g.yaml("models.yaml", lambda c: c.update(components=[3])), read, FileFormatError, "models.yaml: each of the components must be keys and values, got 3"),
    Case("no name", source(name=None), read, FileFormatError, "models.yaml: a component has no name"),
    Case("two of one name", lambda g: g.yaml("models.yaml", lambda c: c["components"].append(c["components"][0])), read, ModelError, "models.yaml: model names must be unique", "crab"),
    Case("an unknown component", source(type="SkyModell"), read, ModelError, "models.yaml: crab is a 'SkyModell'", "SkyModel"),
    Case("an unknown key", source(spectrl={}), read, FileFormatError, "models.yaml: crab has the unknown key 'spectrl'; nearest: 'spectral'"),
    Case("no spectral model", source(spectral=None), read, FileFormatError, "models.yaml: crab has no spectral model"),
    Case("an unknown spectral model", spectral(type="PowerLawSpectralModle"), read, ModelError, "crab.spectral has the unknown type 'PowerLawSpectralModle'; nearest: 'PowerLawSpectralModel'"),
    Case("an unknown parameter", index(name="indx"), read, ModelError, "PowerLaw of crab.spectral has no parameter 'indx'; nearest: 'index'"),
    Case("parameters that are no list", spectral(parameters={"index": 2}), read, FileFormatError, "parameters of crab.spectral must be a list"),
    Case("a misspelt key of a parameter", index(vlaue=2.0), read, FileFormatError, "crab.spectral.index has the unknown key 'vlaue'; nearest: 'value'"),
    Case("a value that is text", index(value="two"), read, FileFormatError, "value of crab.spectral.index must be a number, got 'two'"),
    Case("a value that is NaN", index(value=float("nan")), read, OutOfBounds, "models.yaml: crab.spectral.index starts at nan", "finite value"),
    Case("a value that is a flag", index(value=True), read, FileFormatError, "value of crab.spectral.index must be a number, got True"),
    Case("a base of models", spectral(type="NormSpectralModel"), read, ModelError, "crab.spectral has the unknown type 'NormSpectralModel'", "'PowerLawNormSpectralModel'"),
    Case("a base inside of a product", product_with_a_base, read, ModelError, "crab.spectral.model2 has the unknown type 'NormSpectralModel'"),
    Case("a unit of another kind", index(unit="TeV"), read, UnitMismatch, "crab.spectral.index is of kind dimensionless, got the unit 'TeV'"),
    Case("a unit that is none", index(unit="Tev"), read, UnitMismatch, "models.yaml: crab.spectral.index: 'Tev' is not a unit", "TeV"),
    Case("contradictory bounds in a file", index(min=3.0, max=1.0), read, OutOfBounds, "crab.spectral.index: the lower bound must be below the upper one, got [3, 1]"),
    Case("a start outside the bounds of a file", index(min=3.0, max=4.0), read, OutOfBounds, "crab.spectral.index starts at 2.2, outside [3, 4]"),
    Case("an unknown prior", prior("GaussPrior", mu=2.0), read, ModelError, "crab.spectral.index: the prior 'GaussPrior' is not one of", "GaussianPrior"),
    Case("a number that the prior does not have", prior("GaussianPrior", mean=2.0), read, FileFormatError, "the prior of crab.spectral.index has the unknown key 'mean'", "'mu'"),
    Case("a width of 0", prior("GaussianPrior", mu=2.0, sigma=0.0), read, PriorError, "crab.spectral.index: sigma of its prior must be positive, got 0"),
    Case("a start where the prior is zero", prior("UniformPrior", min=3.0, max=4.0), read, OutOfBounds, "crab.spectral.index starts at 2.2", "Uniform(3, 4)"),
    Case("an own link to nothing", index(link="crab.spectral.indx", link_factor=1.0), read, LinkError, "cannot link crab.spectral.index to crab.spectral.indx, which does not exist; nearest: 'crab.spectral.index'"),
    Case("a link to itself", index(link="crab.spectral.index", link_factor=1.0), read, LinkError, "crab.spectral.index cannot be linked to itself"),
    Case("two priors of one parameter", shared({"prior": NARROW}, {"prior": WIDE}), read, PriorError, "models.yaml: crab.spectral.index and other.spectral.index are one parameter (link: x)", "Normal(2.2, 0.1) and Normal(2.2, 1)"),
    Case("a width below 0 at a linked parameter", shared({}, {"prior": {"type": "GaussianPrior", "parameters": [{"name": "sigma", "value": -1.0}]}}), read, PriorError, "other.spectral.index: sigma of its prior must be positive, got -1"),
    Case("a prior beside a link with a factor", index(link="crab.spectral.amplitude", link_factor=2.0, prior=NARROW), read, PriorError, "crab.spectral.index has a prior: remove it before linking, or place it on crab.spectral.amplitude"),
    Case("a covariance that is absent", lambda g: g.yaml("models.yaml", lambda c: c.update(covariance="cov.dat")), read, MissingFile, "cov.dat does not exist"),
    Case("a covariance that is no table", covariance("hello\nworld\n"), read, FileFormatError, "cov.dat is no table of parameters and a matrix"),
    Case("a covariance that is not square", oblong, read, FileFormatError, "cov.dat must hold a square matrix, it has 2 names and shape (2, 1)"),
]  # fmt: skip


class Wide(gj.SpectralModel):
    """Returns two numbers."""

    norm: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")

    def dnde(self, energy):
        return self.norm * jnp.stack([energy, energy])


class Mute(gj.SpectralModel):
    """Returns nothing."""

    norm: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")

    def dnde(self, energy):
        return None


class Silent(gj.SpectralModel):
    """Defines no flux."""

    norm: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")


class Bare(gj.SpectralModel):
    """Holds an array that nobody declared."""

    norm: gj.Scalar = gj.param(1e-12, unit="cm-2 s-1 TeV-1")
    knots: object = None

    def dnde(self, energy):
        return self.norm * energy


def models(_=None):
    """Two power laws."""
    return gj.Models(a=gj.SkyModel(gj.PowerLaw(index=2.2)), b=gj.SkyModel(gj.PowerLaw(index=2.4)))


def linked(_=None):
    return models().link("a.spectral.index", "b.spectral.index")


def joint(_=None):
    return models().prior(["a.spectral.index", "b.spectral.index"], MultiNormal([2.0, 2.0], 0.2, [[1, 0.5], [0.5, 1]]))


A, B = "a.spectral.index", "b.spectral.index"
EDITS = [
    Case("an unknown path", models, lambda m: m.set("a.spectral.indx", 2), NoSuchParameter, "no parameter matches 'a.spectral.indx'; nearest: 'a.spectral.index'"),
    Case("a pattern without match", models, lambda m: m.freeze("c.*"), NoSuchParameter, "no parameter matches 'c.*'"),
    Case("several where one is needed", models, lambda m: m.value("*.index"), ModelError, "'*.index' matches 2 parameters, one is needed", A, B),
    Case("a value in another unit", models, lambda m: m.set("a.spectral.amplitude", "1 TeV"), UnitMismatch, "a.spectral.amplitude is of kind differential flux", "'TeV'"),
    Case("a value without unit in text", models, lambda m: m.set("a.spectral.reference", "1"), UnitMismatch, "a.spectral.reference: '1' has no unit; write for example '1 TeV'"),
    Case("a value that is a word", models, lambda m: m.set(A, "steep"), UnitMismatch, "a.spectral.index: 'steep' is not a number"),
    Case("no value", models, lambda m: m.set(A), UnitMismatch, "a.spectral.index: set() needs a value"),
    Case("several values for one", models, lambda m: m.set(A, [1.0, 2.0]), UnitMismatch, "a.spectral.index must be one number, got 2"),
    Case("an infinite value", models, lambda m: m.set(A, np.inf), OutOfBounds, "a.spectral.index starts at inf"),
    Case("contradictory bounds", models, lambda m: m.bound(A, 3, 1), OutOfBounds, "a.spectral.index: the lower bound must be below the upper one, got [3, 1]"),
    Case("a start outside its bounds", models, lambda m: m.bound(A, 3, 4), OutOfBounds, "a.spectral.index starts at 2.2, outside [3, 4]", "set()"),
    Case("a bound that is NaN", models, lambda m: m.bound(A, np.nan, 4), OutOfBounds, "a.spectral.index: the lower bound must be below", "nan"),
    Case("a bound in another unit", models, lambda m: m.bound("a.spectral.reference", "1 deg"), UnitMismatch, "a.spectral.reference: lower bound is of kind energy"),
    Case("a value of a linked parameter", linked, lambda m: m.set(A, 2.0), OutOfBounds, "a.spectral.index is linked to b.spectral.index: set that, or unlink it first"),
    Case("a prior on a linked parameter", linked, lambda m: m.prior(A, gj.Normal(2, 1)), PriorError, "a.spectral.index is linked to b.spectral.index: place the prior on that"),
    Case("a link of a parameter with a prior", lambda g: models().prior(A, gj.Normal(2, 1)), lambda m: m.link(A, B), PriorError, "a.spectral.index has a prior: remove it before linking, or place it on b.spectral.index"),
    Case("a link to itself in Python", models, lambda m: m.link(A, A), LinkError, "a.spectral.index cannot be linked to itself"),
    Case("a link loop", linked, lambda m: m.link(B, A), LinkError, "cannot link b.spectral.index", "linked to"),
    Case("a chain of links", lambda g: linked().add(c=gj.SkyModel(gj.PowerLaw())), lambda m: m.link("c.spectral.index", A), LinkError, "a.spectral.index, which is itself linked to b.spectral.index: link to that"),
    Case("a link across units", models, lambda m: m.link(A, "b.spectral.reference"), LinkError, "cannot link a.spectral.index (1) to b.spectral.reference (TeV): units differ"),
    Case("a link of factor 0", models, lambda m: m.link(A, B, factor=0), LinkError, "cannot link a.spectral.index to b.spectral.index: factor 0"),
    Case("a link out of bounds", lambda g: models().bound(A, 0, 3), lambda m: m.link(A, B, factor=2), OutOfBounds, "a.spectral.index would be 4.8 by its link, outside [0, 3]"),
    Case("dropping what others follow", linked, lambda m: m.drop("b"), ModelError, "a.spectral.index is linked to b.spectral.index: unlink it before"),
    Case("a joint prior that loses a member", joint, lambda m: m.drop("a"), PriorError, "a.spectral.index, b.spectral.index share one prior", "remove it from all of them first"),
    Case("a joint prior that is overwritten", joint, lambda m: m.prior(A, gj.Normal(2, 1)), PriorError, "share one prior", "prior([...], None)"),
    Case("a correlation of another size", models, lambda m: m.prior([A, B], MultiNormal(2.0, 0.1, np.eye(3))), PriorError, "needs a correlation matrix of shape (2, 2), got (3, 3)"),
    Case("a correlation that is none", models, lambda m: m.prior([A, B], MultiNormal(2.0, 0.1, [[1, 2], [2, 1]])), PriorError, "is not positive definite", A),
    Case("a prior that is a number", models, lambda m: m.prior(A, 2.0), PriorError, "a.spectral.index: a prior is one of the classes Normal, Uniform", "2.0"),
    Case("a prior upside down", models, lambda m: m.prior(A, gj.Uniform(3, 1)), PriorError, "a.spectral.index: the prior's lower limit 3 is not below its upper limit 1"),
    Case("a prior in another unit", models, lambda m: m.prior(A, gj.Normal("2 TeV", 1)), UnitMismatch, "a.spectral.index: mu of its prior", "'TeV'"),
    Case("a prior that is infinite", models, lambda m: m.prior(A, gj.Normal(2, np.inf)), PriorError, "a.spectral.index: sigma of the Normal prior must be finite"),
    Case("a name that is taken", models, lambda m: m.add(a=gj.SkyModel(gj.PowerLaw())), ModelError, "a model named 'a' is there already: drop() it first"),
    Case("an unknown model", models, lambda m: m["crab"], ModelError, "no model 'crab'; models are 'a', 'b'"),
    Case("a spectrum instead of a source", lambda g: gj.PowerLaw(), lambda x: gj.Models(crab=x), ModelError, "'crab' must be a SkyModel or a nuisance, got PowerLaw: write crab=SkyModel(spectral=...)"),
    Case("a source of text", lambda g: "PowerLaw", lambda x: gj.SkyModel(x), ModelError, "spectral must be a spectral model, got str"),
    Case("a norm as a source", lambda g: gj.PowerLawNorm(), lambda x: gj.SkyModel(x), ModelError, "PowerLawNorm has no unit: multiply it"),
    Case("an amplitude in TeV", lambda g: "1 TeV", lambda x: gj.PowerLaw(amplitude=x), UnitMismatch, "PowerLaw.amplitude is of kind differential flux"),
    Case("two numbers from dnde", lambda g: Wide(), lambda x: x("1 TeV"), ModelError, "Wide.dnde must return one number for one energy, but its result has shape (2,)"),
    Case("nothing from dnde", lambda g: Mute(), lambda x: x("1 TeV"), ModelError, "Mute.dnde must return one number for one energy, but its result is a NoneType"),
    Case("no dnde at all", lambda g: Silent(), lambda x: x("1 TeV"), ModelError, "Silent does not define dnde(energy)"),
    Case("an undeclared array", lambda g: Bare(knots=jnp.ones(3)), lambda x: gj.Models(b=gj.SkyModel(x)), UndeclaredArray, "Bare.knots holds 1 arrays; mark the field param(), weights() or table()"),
    Case("energies in seconds", lambda g: gj.PowerLaw(), lambda x: x("1 s"), UnitMismatch, "energy is of kind energy (TeV)"),
    Case("an integral from 0", lambda g: gj.PowerLaw(), lambda x: x.integral(0, "1 TeV"), ModelError, "the limits of an integral must be positive, finite energies"),
    Case("a template of one point", lambda g: ([1.0], [1e-12]), lambda x: gj.TemplateSpectralModel(energy=x[0], values=x[1]), ModelError, "1 points; at least 2"),
]  # fmt: skip

CASES = [*FILES, *EDITS]
