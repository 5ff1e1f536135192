"""Rows on the texts that steer an analysis: lists of datasets, configurations, the command line."""

from good_inputs import Case
from typer.testing import CliRunner

import gammajax as gj
from gammajax.cli import app
from gammajax.errors import (
    ConfigError,
    DatasetError,
    EmptyRun,
    FileFormatError,
    MissingFile,
    NoSuchObservation,
    UnitMismatch,
)
from gammajax.workflow.config import ReductionConfig, read_config
from gammajax.workflow.reduce import run_reduction


def entry(**changes):
    """The list of datasets with other entries for its only one."""

    def make(g):
        g.ogip()
        return g.yaml("datasets.yaml", lambda c: c["datasets"][0].update(changes))

    return make


def listed(change):
    return lambda g: g.yaml("datasets.yaml", change)


def twice(g):
    g.ogip()
    return g.yaml("datasets.yaml", lambda c: c["datasets"].append(c["datasets"][0]))


read = gj.Datasets.read

DATASETS = [
    Case("no list of datasets", listed(lambda c: c.pop("datasets") and None), read, FileFormatError, "datasets.yaml has no list 'datasets'"),
    Case("models instead of datasets", listed(lambda c: {"components": []}), read, FileFormatError, "datasets.yaml has no list 'datasets'", "Models.read"),
    Case("datasets that are no YAML", lambda g: g.yaml("datasets.yaml", "datasets: {"), read, FileFormatError, "datasets.yaml is not valid YAML"),
    Case("a dataset that is a number", listed(lambda c: {"datasets": [3]}), read, FileFormatError, "datasets entry 0 lacks name, type, filename"),
    Case("no filename", entry(filename=None), read, FileFormatError, "filename of d0 must be a text, got None"),
    Case("an absent spectrum", entry(filename="ogip/pha_d9.fits"), read, MissingFile, "pha_d9.fits does not exist"),
    Case("an unset variable", entry(filename="$NO_SUCH_FOLDER/pha.fits"), read, MissingFile, "needs the environment variable NO_SUCH_FOLDER, not set"),
    Case("an unknown type of dataset", entry(type="MapDatasets"), read, DatasetError, "d0 is of type 'MapDatasets', which cannot be read; types are SpectrumDataset"),
    Case("a dataset of the other type", entry(type="SpectrumDataset"), read, DatasetError, "has off counts: list d0 as SpectrumDatasetOnOff"),
    Case("half a fit range", entry(fit_range={"min": "1 TeV"}), read, FileFormatError, "fit_range of d0 must have the keys min and max"),
    Case("a fit range in deg", entry(fit_range={"min": "1 deg", "max": "2 deg"}), read, UnitMismatch, "d0: energy_min is of kind energy"),
    Case("a fit range of words", entry(fit_range={"min": "low", "max": "high"}), read, UnitMismatch, "d0: energy_min: 'low' is not a number"),
    Case("a fit range of lists", entry(fit_range={"min": [1, 2], "max": 3}), read, UnitMismatch, "d0: energy_min must be one number, got 2"),
    Case("a name longer than files have", entry(filename="x" * 300), read, MissingFile, "xxx cannot be looked at: File name too long"),
    Case("two datasets of one name in a file", twice, read, DatasetError, "dataset names must be unique", "d0"),
    Case("a misspelt key of a dataset", entry(fit_rnge={"min": 1, "max": 2}), read, FileFormatError, "d0 has the unknown key 'fit_rnge'; nearest: 'fit_range'"),
]  # fmt: skip


def config(section, **changes):
    """The configuration with other entries in a section ("a.b" for one inside another)."""

    def make(g):
        g.store()

        def change(content):
            node = content
            for key in section.split(".") if section else ():
                node = node.setdefault(key, {})
            node.update(changes)

        return g.yaml("config.yaml", change)

    return make


def cubes(**changes):
    """The configuration for cubes of scaled backgrounds, with other entries in its WCS."""
    skydir = {"frame": "icrs", "lon": "83.63 deg", "lat": "22.01 deg"}
    geom = {"wcs": {"skydir": skydir, **changes}}
    return config("datasets", type="3d", stack=True, geom=geom, background={"method": "fov_background"})


def run(path):
    return run_reduction(read_config(path), path.parent / "out", progress=False)


CONE = {"frame": "icrs", "lon": "83 deg", "lat": "22 deg", "radius": "1 deg"}
parse = ReductionConfig.read

CONFIG = [
    Case("no configuration", lambda g: g.folder / "config.yaml", parse, MissingFile, "config.yaml does not exist"),
    Case("a configuration that is a list", lambda g: g.yaml("config.yaml", "- 1"), parse, FileFormatError, "config.yaml must hold keys and values"),
    Case("an unknown section", config("", dataset={}), parse, ConfigError, "config.yaml: there is no key 'dataset'; nearest: 'datasets'"),
    Case("an unknown key of a section", config("datasets.safe_mask", method=[]), parse, ConfigError, "config.yaml: there is no key 'datasets.safe_mask.method'; nearest: 'methods'"),
    Case("a section that is a text", config("", observations="dl3"), parse, ConfigError, "config.yaml: observations must hold keys and values, got str"),
    Case("no data store", config("observations", datastore=None), parse, ConfigError, "config.yaml: observations.datastore is missing"),
    Case("a data store that is absent", config("observations", datastore="dl4"), run, MissingFile, "dl4 is no folder"),
    Case("a run that is not listed", config("observations", obs_ids=[11, 99]), run, NoSuchObservation, "run 99 is not listed in", "dl3"),
    Case("runs that are text", config("observations", obs_ids=["11"]), parse, ConfigError, "observations.obs_ids must be a whole number, got '11'"),
    Case("runs of a file that is absent", config("observations", obs_ids=[], obs_file="runs.txt"), parse, MissingFile, "runs.txt does not exist"),
    Case("a cone far away", config("observations", obs_cone={**CONE, "lat": "-60 deg"}), run, EmptyRun, "no run", "obs_cone"),
    Case("a time before all runs", config("observations", obs_time={"start": "1990-01-01", "stop": "1991-01-01"}), run, EmptyRun, "no run", "obs_time"),
    Case("a time that is no time in a configuration", config("observations", obs_time={"start": "noon", "stop": "2000-01-01"}), parse, ConfigError, "observations.obs_time.start: 'noon' is no time: give"),
    Case("a response nobody knows", config("observations", required_irf=["aefff"]), parse, ConfigError, "observations.required_irf has 'aefff'; nearest: 'aeff'"),
    Case("a response nobody has", config("observations", required_irf=["bkg"]), run, EmptyRun, "run 11 lacks the required bkg"),
    Case("3d", config("datasets", type="3d"), parse, ConfigError, "datasets.type is '3d': only '1d' can be reduced"),
    Case("2d", config("datasets", type="2d"), read_config, ConfigError, "datasets.type is '2d': '1d' (spectra) or '3d' (cubes) can be reduced"),
    Case("cubes of reflected regions", config("datasets", type="3d"), read_config, ConfigError, "datasets.background.method is 'reflected', which is for spectra"),
    Case("cubes nowhere", cubes(skydir=None), read_config, ConfigError, "datasets.geom.wcs.skydir.lon is missing"),
    Case("cubes without a background response", cubes(binsize="0.2 deg"), run, EmptyRun, "run 11", "background"),
    Case("cubes of more pixels than there are", cubes(binsize="1e-9 deg"), read_config, ConfigError, "datasets.geom.wcs.binsize: 1e-09 deg makes 5e+09 pixels a side", "check the units"),
    Case("cubes in a projection nobody knows", cubes(proj="XYZ"), read_config, ConfigError, "datasets.geom.wcs: 'XYZ' is no projection"),
    Case("no axis maximum", config("datasets.geom.axes.energy", max=None), parse, ConfigError, "datasets.geom.axes.energy.max is missing"),
    Case("an axis in deg", config("datasets.geom.axes.energy", max="5 deg"), parse, ConfigError, "datasets.geom.axes.energy.max is of kind energy"),
    Case("an axis upside down", config("datasets.geom.axes.energy", max="0.1 TeV"), parse, ConfigError, "datasets.geom.axes.energy", "0 < energy_min < energy_max"),
    Case("half a bin", config("datasets.geom.axes.energy", nbins=2.5), parse, ConfigError, "datasets.geom.axes.energy.nbins must be a whole number from 1 to 10000, got 2.5"),
    Case("a region without position", config("datasets.on_region", lon=None), parse, ConfigError, "datasets.on_region.lon is missing"),
    Case("more bins than there are", config("datasets.geom.axes.energy", nbins=10**12), parse, ConfigError, "datasets.geom.axes.energy.nbins must be a whole number from 1 to 10000, got 1000000000000"),
    Case("a number beyond all numbers", config("datasets.safe_mask.parameters", aeff_percent=10**400), parse, ConfigError, "datasets.safe_mask.parameters.aeff_percent must be a number, got 1000"),
    Case("a region at a text without unit", config("datasets.on_region", lon="0"), parse, ConfigError, "datasets.on_region: lon '0', lat '22.01 deg' are no position", "write for example '83.63 deg'"),
    Case("a region without unit", config("datasets.on_region", lon=83.63), parse, ConfigError, "datasets.on_region: lon 83.63", "'83.63 deg'"),
    Case("a negative radius", config("datasets.on_region", radius="-1 deg"), parse, ConfigError, "datasets.on_region: the radius"),
    Case("a frame that is none", config("datasets.on_region", frame="moon"), parse, ConfigError, "datasets.on_region", "moon"),
    Case("an unknown background", config("datasets.background", method="ring"), parse, ConfigError, "datasets.background.method is 'ring': spectra take 'reflected'"),
    Case("two methods", config("datasets.background", method=["phase", "irf"]), parse, ConfigError, "datasets.background.method must be text, got ['phase', 'irf']"),
    Case("an exclusion mask that is absent", config("datasets.background", exclusion="mask.fits"), run, MissingFile, "mask.fits does not exist"),
    Case("an unknown safe mask", config("datasets.safe_mask", methods=["aeff-min"]), parse, ConfigError, "datasets.safe_mask: there is no safe mask 'aeff-min'; nearest: 'aeff-max'"),
    Case("a percentage of text", config("datasets.safe_mask.parameters", aeff_percent="ten"), parse, ConfigError, "datasets.safe_mask.parameters.aeff_percent must be a number, got 'ten'"),
    Case("a fit range that is empty", config("fit.fit_range", min="40 TeV"), parse, ConfigError, "fit.fit_range: min 40 TeV is not below max 30 TeV"),
    Case("jobs that are none", config("general", n_jobs=0), parse, ConfigError, "general.n_jobs must be a whole number from 1, got 0"),
    Case("a folder for results that is a file", lambda g: (g.bytes(lambda b: b, "datasets.h5").rename(g.folder / "out"), config("")(g))[1], run, FileExistsError, "out"),
]  # fmt: skip


class Usage(Exception):
    """The command line ended with another code than 0: its code, and what it wrote to the error stream."""


def command(*arguments):
    """Call the command line in the folder of a file, as a person would."""
    result = CliRunner().invoke(
        app, [str(a) for a in arguments], env={"COLUMNS": "200", "GAMMAJAX_CACHE": "/dev/null/no"}
    )
    if result.exit_code:
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        words = " ".join(result.stderr.replace("│", " ").split())
        raise Usage(f"{result.exit_code}: {words}")


def told(*arguments):
    """The command line with a models file and a list of datasets."""

    def call(g):
        g.ogip()
        files = g.yaml("datasets.yaml", lambda c: None), g.yaml("models.yaml", lambda c: None)
        return [{"DATASETS": files[0], "MODELS": files[1], "OUT": g.folder / "out"}.get(a, a) for a in arguments]

    return call


def call(arguments):
    command(*arguments)


FILES = ("--datasets", "DATASETS", "--models", "MODELS")

COMMANDS = [
    Case("an unknown command", told("fitt"), call, Usage, "2: ", "No such command 'fitt'", "fit"),
    Case("an unknown option", told("fit", *FILES, "--out", "OUT", "--drawss", "5"), call, Usage, "2: ", "No such option: --drawss"),
    Case("no models", told("fit", "--datasets", "DATASETS", "--out", "OUT"), call, Usage, "2: ", "Missing option '--models'"),
    Case("no folder", told("fit", *FILES), call, Usage, "2: ", "Missing option '--out'"),
    Case("draws that are text", told("sample", *FILES, "--out", "OUT", "--draws", "many"), call, Usage, "2: ", "Invalid value for '--draws'"),
    Case("draws below 0", told("sample", *FILES, "--out", "OUT", "--draws", "-5"), call, Usage, "2: ", "Invalid value for '--draws'"),
    Case("no chain", told("sample", *FILES, "--out", "OUT", "--chains", "0"), call, Usage, "2: ", "Invalid value for '--chains'"),
    Case("too many arguments", told("info", "MODELS", "DATASETS"), call, Usage, "2: ", "unexpected extra argument"),
    Case("models for datasets", told("stat", "--datasets", "MODELS", "--models", "MODELS"), call, Usage, "1: ", "FileFormatError: ", "models.yaml has no list 'datasets'", "Models.read"),
    Case("datasets for models", told("stat", "--datasets", "DATASETS", "--models", "DATASETS"), call, Usage, "1: ", "FileFormatError: ", "Datasets.read reads"),
    Case("an absent file on the command line", told("info", "absent.yaml"), call, Usage, "1: ", "MissingFile: absent.yaml does not exist"),
    Case("a file of no known kind", told("info", __file__), call, Usage, "1: ", "config_cases.py"),
    Case("models for a configuration", told("reduce", "MODELS", "--out", "OUT"), call, Usage, "1: ", "ConfigError: ", "models.yaml: there is no key 'components'"),
]  # fmt: skip

CASES = [*DATASETS, *CONFIG, *COMMANDS]
