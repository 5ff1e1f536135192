"""Rows on calls: fits, profiles, samples, toys, reductions and plots with arguments that make no sense."""

import functools

import jax
import numpy as np
from astropy import units as u
from good_inputs import ON, Case
from made_spectra import log_parabola, on_off
from model_cases import Bare, Silent, Wide

import gammajax as gj
from gammajax.data import GTI
from gammajax.errors import (
    ConfigError,
    DatasetError,
    EmptyRun,
    MissingFile,
    ModelError,
    NoSuchParameter,
    NothingToFit,
    OutOfBounds,
    PriorError,
    UndeclaredArray,
    UnitMismatch,
    UnknownDataset,
)
from gammajax.geom.regions import Circle
from gammajax.io.dl3 import TimeReference
from gammajax.reduce.pipeline import reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.stack import stack_spectra


@functools.cache
def spectra():
    """Three spectra."""
    return on_off()


@functools.cache
def models():
    """A log parabola."""
    return log_parabola()


@functools.cache
def fitted():
    """The fit of all."""
    return gj.fit(spectra(), models())


REFERENCE = TimeReference(51544, 0.5, "tt")


def nothing(_):
    return None


def row(id, call, error, *parts):
    """A row whose input is the call itself."""
    return Case(id, nothing, lambda _: call(), error, *parts)


PATH = next(iter(log_parabola().free_paths))
NAME = PATH.split(".")[0]
ALPHA = f"{NAME}.spectral.alpha"


def with_model(spectral, **options):
    return gj.fit(spectra(), gj.Models(own=gj.SkyModel(spectral, **options)))


def frozen():
    return models().freeze("*")


def reduction(**options):
    edges = np.geomspace(1, 10, 3)
    return reduce_spectra([], **{"on_region": ON, "energy": edges, "energy_true": edges, **options})


FITS = [
    row("an unknown method", lambda: gj.fit(spectra(), models(), method="newton"), ConfigError, "method 'newton' is not one of 'fisher', 'lbfgs', 'adam'"),
    row("a tolerance of 0", lambda: gj.fit(spectra(), models(), tolerance=0.0), ConfigError, "tolerance must be a number above 0, got 0"),
    row("a tolerance of text", lambda: gj.fit(spectra(), models(), tolerance="small"), ConfigError, "tolerance must be a number above 0, got 'small'"),
    row("no step", lambda: gj.fit(spectra(), models(), max_steps=0), ConfigError, "max_steps must be a whole number from 1, got 0"),
    row("no node", lambda: gj.fit(spectra(), models(), nodes=0), ConfigError, "nodes must be a whole number from 1", "0"),
    row("a learning rate below 0", lambda: gj.fit(spectra(), models(), method="adam", learning_rate=-1.0), ConfigError, "learning_rate must be a number above 0, got -1"),
    row("no datasets", lambda: gj.fit([], models()), NothingToFit, "there are no datasets"),
    row("datasets that are a file name", lambda: gj.fit("datasets.yaml", models()), DatasetError, "datasets must be SpectrumDataset", "Datasets.read"),
    row("models before datasets", lambda: gj.fit(models(), spectra()), DatasetError, "got Models", "datasets come first, then the models"),
    row("a flux between reversed energies", lambda: gj.flux(fitted(), "crab", "10 TeV", "1 TeV"), ModelError, "crab: energy_min must be below energy_max, got 10 TeV and 1 TeV"),
    row("a spectrum between reversed energies", lambda: gj.plot.plot_sed(fitted(), "crab", ("10 TeV", "1 TeV")), ConfigError, "energy_bounds must be two increasing energies"),
    row("true energies that do not enclose", lambda: reduction(energy=[1.0, 10.0], energy_true=[3.0, 5.0]), ConfigError, "energy_true (3 to 5 TeV) must enclose energy (1 to 10 TeV)"),
    row("models that are a file name", lambda: gj.fit(spectra(), "models.yaml"), ModelError, "models must be Models(name=SkyModel(...)) or a fit, got str", "Models.read"),
    row("a list of models", lambda: gj.Models([gj.SkyModel(gj.PowerLaw())]), ModelError, "models have names: Models(crab=SkyModel(...))", "got list"),
    row("a statistic of datasets", lambda: gj.stat(spectra(), models()), ModelError, "stat(problem, problem.start) with problem = Problem(datasets, models); got Datasets"),
    row("a likelihood of datasets", lambda: gj.nll(spectra(), models()), ModelError, "a function of a problem and of its free parameters z", "got Datasets"),
    row("datasets of no file", lambda: gj.Datasets.read(None), ConfigError, "paths must be the name of a file or several, got None"),
    row("datasets of a folder", lambda: gj.Datasets.read("/tmp"), MissingFile, "/tmp is a folder, not a file"),
    row("models of a folder", lambda: gj.Models.read("/tmp"), MissingFile, "/tmp is a folder, not a file"),
    row("a data store at an address", lambda: gj.DataStore.from_dir("https://x.org/y"), MissingFile, "https://x.org/y is an address: download the data"),
    row("no models", lambda: gj.fit(spectra(), gj.Models()), NothingToFit, "there are no models"),
    row("nothing free", lambda: gj.fit(spectra(), frozen()), NothingToFit, "no parameter is free: free() at least one"),
    row("no bin", lambda: gj.fit(spectra().select_energy("500 TeV", "600 TeV"), models()), NothingToFit, "no bin is left in any dataset", "mask_fit"),
    row("an unknown dataset in a model", lambda: with_model(gj.PowerLaw(), datasets_names=["d9"]), UnknownDataset, "own acts on 'd9'; datasets are 'd0', 'd1', 'd2'"),
    row("a model that sees nothing", lambda: with_model(gj.PowerLaw(), datasets_names=[]), UnknownDataset, "own act on no dataset: datasets_names is empty"),
    row("a model of the wrong shape", lambda: with_model(Wide()), ModelError, "Wide.dnde must return one number", "(2,)"),
    row("a model without flux", lambda: with_model(Silent()), ModelError, "Silent does not define dnde"),
    row("a model with a bare array", lambda: with_model(Bare(knots=np.ones(2))), UndeclaredArray, "Bare.knots holds 1 arrays"),
    row("a covariance of no fit", lambda: gj.fit(spectra(), models(), covariance=False).covariance, NothingToFit, "this fit has no covariance"),
    row("a fit that is written as text", lambda: fitted().write("/tmp/fit.txt"), ConfigError, "fit.txt: the name must end in .h5", ".json"),
]  # fmt: skip

PROFILES = [
    row("a profile of a frozen parameter", lambda: gj.profile(spectra(), fitted(), f"{NAME}.spectral.reference"), NothingToFit, f"{NAME}.spectral.reference is frozen or linked"),
    row("a profile of nothing", lambda: gj.profile(spectra(), fitted(), "*.gamma"), NoSuchParameter, "no parameter matches '*.gamma'"),
    row("a profile of many", lambda: gj.profile(spectra(), fitted(), "*"), ModelError, "matches 4 parameters, one is needed"),
    row("a profile of other datasets", lambda: gj.profile(spectra()[:1], fitted(), ALPHA), UnknownDataset, "the fit was made to d0, d1, d2, not d0"),
    row("values out of bounds", lambda: gj.profile(spectra(), gj.fit(spectra(), models().bound(ALPHA, 1, 4)), ALPHA, values=[5.0]), OutOfBounds, f"{ALPHA}: profile values must lie inside [1, 4]"),
    row("values in TeV", lambda: gj.profile(spectra(), fitted(), ALPHA, values="1 TeV"), UnitMismatch, f"{ALPHA} is of kind dimensionless"),
    row("no points", lambda: gj.profile(spectra(), fitted(), ALPHA, points=0), ConfigError, "points must be a whole number from 1, got 0"),
    row("sigma below 0", lambda: gj.profile(spectra(), fitted(), ALPHA, sigma=-1.0), ConfigError, "sigma must be a number above 0, got -1"),
    row("values that are NaN", lambda: gj.profile(spectra(), fitted(), ALPHA, values=[np.nan]), OutOfBounds, f"{ALPHA}: profile values must lie inside"),
    row("a limit of 100 %", lambda: gj.upper_limit(spectra(), fitted(), ALPHA, confidence_level=1.0), ConfigError, "confidence_level must lie between 0 and 1, such as 0.95, got 1.0"),
    row("a limit in per cent", lambda: gj.upper_limit(spectra(), fitted(), ALPHA, confidence_level=95), ConfigError, "confidence_level must lie between 0 and 1, such as 0.95, got 95"),
    row("errors of no sigma", lambda: gj.asymmetric_errors(spectra(), fitted(), sigma=0), ConfigError, "sigma must be a number above 0, got 0"),
    row("errors of no parameter", lambda: gj.asymmetric_errors(spectra(), fitted(), paths=[]), ConfigError, "paths is empty"),
    row("a contour of one parameter", lambda: gj.contour(spectra(), fitted(), ALPHA, ALPHA), ConfigError, "two different parameters are needed", ALPHA),
    row("a contour of two points", lambda: gj.contour(spectra(), fitted(), ALPHA, f"{NAME}.spectral.beta", points=2), ConfigError, "points must be a whole number from 4, got 2"),
    row("a comparison of strangers", lambda: gj.likelihood_ratio(spectra(), fitted(), gj.fit(spectra(), gj.Models(x=gj.SkyModel(gj.PowerLaw())))), ModelError, "the alternative has 2 free parameters, the null 3: it needs more"),
    row("a flux of an unknown source", lambda: gj.flux(fitted(), "pks", "1 TeV", "10 TeV"), ModelError, "'pks'", f"'{NAME}'"),
    row("a flux in seconds", lambda: gj.flux(fitted(), NAME, "1 s", "10 TeV"), UnitMismatch, "energy_min"),
    row("a flux without covariance", lambda: gj.flux(models(), NAME, "1 TeV", "10 TeV"), NothingToFit, "carry no covariance: take those of a fit"),
    row("a band in deg", lambda: gj.flux_band(fitted(), NAME, "1 deg"), UnitMismatch, "energy"),
]  # fmt: skip

DRAWS = [
    row("negative draws", lambda: gj.sample(spectra(), fitted(), key=1, draws=-1), ConfigError, "draws must be a whole number from 4, got -1"),
    row("no chains", lambda: gj.sample(spectra(), fitted(), key=1, chains=0), ConfigError, "chains must be a whole number from 1, got 0"),
    row("draws that are no whole number", lambda: gj.sample(spectra(), fitted(), key=1, draws=10.5), ConfigError, "draws must be a whole number", "10.5"),
    row("an impossible acceptance", lambda: gj.sample(spectra(), fitted(), key=1, target_accept=1.5), ConfigError, "target_accept must lie between 0 and 1, such as 0.8, got 1.5"),
    row("a key that is text", lambda: gj.sample(spectra(), fitted(), key="seed"), ConfigError, "key must be jax.random.key(seed) or an integer, got str"),
    row("a key that is a float", lambda: gj.fake(spectra(), models(), key=1.5), ConfigError, "key must be jax.random.key(seed) or an integer, got float"),
    row("an old key", lambda: gj.fake(spectra(), models(), key=jax.random.PRNGKey(1)), ConfigError, "key must be jax.random.key(seed) or an integer"),
    row("a sample of nothing free", lambda: gj.sample(spectra(), frozen(), key=1), NothingToFit, "no parameter is free"),
    row("toys below 1", lambda: gj.refit_toys(spectra(), models(), key=1, n=0), ConfigError, "n must be a whole number from 1, got 0"),
    row("toys of nothing free", lambda: gj.refit_toys(spectra(), frozen(), key=1, n=3), NothingToFit, "no parameter is free"),
    row("goodness of no toys", lambda: gj.goodness(spectra(), fitted(), key=1, n=0), ConfigError, "n must be a whole number from 1, got 0"),
    row("an evidence without priors", lambda: gj.evidence(spectra(), models(), key=1), PriorError, ALPHA, "prior"),
    row("a preview of no steps", lambda: gj.variational(spectra(), fitted(), key=1, steps=0), ConfigError, "steps must be a whole number from 1, got 0"),
    row("Asimov data of an unknown dataset", lambda: gj.asimov(spectra(), gj.Models(a=gj.SkyModel(gj.PowerLaw(), datasets_names="d9"))), UnknownDataset, "a acts on 'd9'"),
]  # fmt: skip

REDUCTIONS = [
    row("edges of one number", lambda: reduction(energy=[1.0]), ConfigError, "energy needs at least two increasing positive bin edges [TeV]"),
    row("edges in deg for a reduction", lambda: reduction(energy_true="1 deg"), UnitMismatch, "energy_true is of kind energy"),
    row("a region that is none", lambda: reduction(on_region="crab"), ConfigError, "'crab' cannot be read as"),
    row("a region of a number", lambda: reduction(on_region=3.0), ConfigError, "region", "float"),
    row("a radius below 0", lambda: reduction(on_region=Circle(83, 22, -1.0)), ConfigError, "radius", "-1"),
    row("a background of text", lambda: reduction(background="ring"), ConfigError, "background is 'irf', None, or an object such as ReflectedRegions(), got 'ring'"),
    row("a background of a number", lambda: reduction(background=5), ConfigError, "background is ReflectedRegions(...)", "got int"),
    row("a safe mask that nobody knows", lambda: reduction(safe_mask="aeff-mx"), ConfigError, "there is no safe mask 'aeff-mx'; nearest: 'aeff-max'"),
    row("more than all of the area", lambda: SafeMask("aeff-max", aeff_percent=200), ConfigError, "aeff_percent must lie between 0 and 100, such as 10, got 200"),
    row("less than no area", lambda: SafeMask("aeff-max", aeff_percent=-1), ConfigError, "aeff_percent must lie between 0 and 100", "got -1"),
    row("no bias at all", lambda: SafeMask("edisp-bias", bias_percent=0), ConfigError, "bias_percent must lie between 0 and 100", "got 0"),
    row("energies of a safe mask", lambda: SafeMask(energy_min="5 TeV", energy_max="1 TeV"), ConfigError, "energy_min = 5 TeV is not below energy_max = 1 TeV"),
    row("no off regions asked for", lambda: WobbleRegions(0).find(ON, (83.6, 22.5)), ConfigError, "n_off_regions must be a whole number from 1, got 0"),
    row("an angle that stands still", lambda: ReflectedRegions(angle_increment=0).find(ON, (83.63, 22.51)), ConfigError, "angle_increment must be above 0"),
    row("a stack of no run", lambda: reduction(stack=True), EmptyRun, "no run is left to stack: there were no runs"),
    row("a stack of different axes", lambda: stack_spectra([*on_off(n=1), *on_off(n=1, energy=np.geomspace(1, 10, 4), prefix="e")]), DatasetError, "d0 and e0 differ in their energy axis"),
    row("a stack of nothing", lambda: stack_spectra([]), DatasetError, "there is no dataset to stack"),
    row("good time without a stop", lambda: GTI([0.0, 10.0], [5.0], REFERENCE), ConfigError, "good time has a stop for each start, got 2 starts and 1 stops"),
    row("seconds since nothing", lambda: GTI.from_intervals([(1e5, 2e5) * u.s]), ConfigError, "is no time: give an astropy Time"),
    row("good time that stops before it starts", lambda: GTI.from_intervals([("2006-01-02", "2006-01-01")]), ConfigError, "interval stops before it starts: 2006-01-02"),
    row("good time that is no time", lambda: GTI.from_intervals([("yesterday", "today")]), ConfigError, "'yesterday' is no time"),
    row("an instrument that does not exist", lambda: simulated("hesss"), ConfigError, "there is no instrument 'hesss'; nearest: 'hess'"),
    row("a simulation of no run", lambda: simulated("hess", runs=0), ConfigError, "runs must be a whole number from 1, got 0"),
]  # fmt: skip


def simulated(name, **options):
    from astropy.coordinates import SkyCoord

    from gammajax.simulate import simulate_dl3

    return simulate_dl3("unused", name, gj.SkyModel(gj.PowerLaw()), SkyCoord("83.63d", "22.01d"), key=1, **options)


CASES = [*FITS, *PROFILES, *DRAWS, *REDUCTIONS]
