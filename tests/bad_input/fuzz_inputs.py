"""Sound inputs for random damage: they say more than a person writes, so that there is more to break."""

from functools import cache
from pathlib import Path
from typing import Any

import damaged_tables
import dl3_files
import numpy as np
from damaged_fits import Sound
from good_inputs import POINTING, POWER_LAW, TEXTS, events, rad_max
from made_spectra import on_off

import gammajax as gj
from gammajax.io.matrix import write_matrix

# -- DL3

RUN_HEADER = {
    "INSTRUME": "T", "OBS_MODE": "POINTING", "ALT_PNT": 60.0, "AZ_PNT": 180.0, "RA_OBJ": 83.63, "DEC_OBJ": 22.01,
    "TSTART": 0.0, "TSTOP": 2000.0, "ONTIME": 2000.0, "LIVETIME": 1800.0, "GEOLON": 16.5, "GEOLAT": -23.3,
    "ALTITUDE": 1800.0, "CREATOR": "x", "HDUVERS": "0.2", "TIMEZERO": 0.0,
}  # fmt: skip
"""Keywords of EVENTS that may stand there, besides those that must."""

THRESHOLDS = {"LO_THRES": 0.2, "HI_THRES": 50.0}


@cache
def runs() -> dict[str, Sound]:
    """Files of one run: full-enclosure, with other kinds of responses, and point-like with and without a table."""
    aeff, edisp, gti = dl3_files.aeff_hdu(**THRESHOLDS), dl3_files.edisp_hdu(), dl3_files.gti_hdu(stop=(2000.0,))
    times = np.array([0.0, 1000.0, 2000.0])
    pointing = dl3_files.pointing_hdu(times, *(np.full(3, x) for x in POINTING))
    shown = events(1)
    shown.header.update(RUN_HEADER)
    common = [shown, gti, edisp]
    return {
        "full": Sound.of(*common, aeff, dl3_files.psf_table_hdu(), dl3_files.bkg_2d_hdu()),
        "gauss": Sound.of(*common, aeff, dl3_files.psf_gauss_hdu(), dl3_files.bkg_3d_hdu(), pointing),
        "king": Sound.of(*common, aeff, dl3_files.psf_king_hdu(), dl3_files.bkg_3d_hdu(FOVALIGN="ALTAZ")),
        "pointlike": Sound.of(*common, dl3_files.aeff_hdu(pointlike=True), rad_max()),
        "fixed": Sound.of(*common, dl3_files.aeff_hdu(pointlike=True, RAD_MAX=0.2)),
    }


OBS_IDS = (11, 12, 13)
KINDS = ("events", "gti", "aeff_2d", "edisp_2d", "psf_table")

OBS_INDEX: dict[str, Any] = {
    "OBS_ID": np.array(OBS_IDS),
    "RA_PNT": np.full(3, POINTING[0]),
    "DEC_PNT": np.full(3, POINTING[1]),
    "OBJECT": np.array(["Crab", "Crab", "off"]),
    "TSTART": np.array([0.0, 3000.0, 6000.0]),
}
HDU_INDEX: dict[str, Any] = {
    "OBS_ID": np.repeat(OBS_IDS, len(KINDS)),
    "HDU_TYPE": np.array([k if k in ("events", "gti") else k.rsplit("_", 1)[0] for k in KINDS] * 3),
    "HDU_CLASS": np.array(KINDS * 3),
    "FILE_DIR": np.array([""] * 15),
    "FILE_NAME": np.repeat([f"run{i}.fits" for i in OBS_IDS], len(KINDS)),
    "HDU_NAME": np.array([dl3_files.HDU_NAMES[k] for k in KINDS] * 3),
}


@cache
def indices() -> dict[str, Sound]:
    """The same as files."""
    named = {"obs": OBS_INDEX, "hdu": HDU_INDEX}
    tables = {name: damaged_tables.damaged(columns, [], f"{name.upper()}_INDEX") for name, columns in named.items()}
    return {name: Sound.of(table) for name, table in tables.items()}


# -- YAML


def a(name: str, value: Any, **more: Any) -> dict[str, Any]:
    """A parameter of a file."""
    return {"name": name, "value": value, **more}


PRIOR = {"type": "GaussianPrior", "weight": 2.0, "parameters": [a("mu", 2.0), a("sigma", 0.3, unit="")]}
BOTH = ["src.spectral.model1.index", "src.spectral.model1.amplitude"]
TOGETHER = {
    "type": "MultiNormalPrior", "paths": BOTH, "mu": [2.0, 1e-12], "sigma": [0.1, 1e-13],
    "correlation": [[1.0, 0.5], [0.5, 1.0]],
}  # fmt: skip
FLUX = "cm-2 s-1 TeV-1"

COMPOUND = {
    "type": "CompoundSpectralModel", "operator": "mul",
    "model1": {
        "type": "PowerLawSpectralModel",
        "parameters": [
            a("index", 2.0, unit="", error=0.1, min=0.0, max=5.0, frozen=False, prior=TOGETHER),
            a("amplitude", 1e-12, unit=FLUX, error=1e-13, min=0.0, max=float("nan"), prior=TOGETHER),
            a("reference", 1000.0, unit="GeV", frozen=True, scale=1.0, interp="log"),
        ],
    },
    "model2": {
        "type": "EBLAbsorptionNormSpectralModel",
        "parameters": [
            a("alpha_norm", 1.0, link="third.spectral.model1.beta", link_factor=2.0, link_offset=0.1),
            a("redshift", 0.1),
        ],
        "energy": {"data": [0.1, 1.0, 10.0], "unit": "TeV"}, "param": {"data": [0.05, 0.1, 0.2]},
        "values": {"data": [[0.9, 0.8, 0.5], [0.8, 0.6, 0.3], [0.7, 0.4, 0.1]], "unit": ""},
    },
}  # fmt: skip
TEMPLATE = {
    "type": "TemplateSpectralModel", "parameters": [],
    "energy": {"data": [0.1, 1.0, 10.0], "unit": "TeV"}, "values": {"data": [1e-11, 1e-12, 1e-13], "unit": FLUX},
    "interp_kwargs": {"method": "linear"},
}  # fmt: skip
PIECEWISE = {
    "type": "CompoundSpectralModel", "operator": "mul",
    "model1": {"type": "LogParabolaSpectralModel", "parameters": [a("alpha", 2.0, link="shared"), a("beta", 0.1)]},
    "model2": {
        "type": "PiecewiseNormSpectralModel", "energy": {"data": [0.3, 1.0, 3.0], "unit": "TeV"}, "interp": "log",
        "parameters": [a("norm_0", 1.0), a("norm_1", 1.1), a("norm_2", 0.9)],
    },
}  # fmt: skip
MODELS: dict[str, Any] = {
    "plain": TEXTS["models.yaml"],
    "parts": {
        "components": [
            {"name": "src", "type": "SkyModel", "datasets_names": ["d0"], "spectral": COMPOUND},
            {"name": "other", "type": "SkyModel", "spectral": TEMPLATE, "apply_irf": {"edisp": True}},
            {"name": "third", "type": "SkyModel", "spectral": PIECEWISE, "temporal": {"type": "const"}},
        ],
        "metadata": {"creator": "x"},
    },
    "nuisances": {
        "components": [
            {"name": "crab", "type": "SkyModel", "spectral": POWER_LAW},
            {"name": "tilt", "type": "ExposureTilt", "parameters": [a("tilt", 0.0, prior=PRIOR)]},
            {"name": "scale", "type": "EnergyScale", "parameters": [a("delta", 0.0, frozen=True)]},
            {
                "name": "shape", "type": "ExposureShape", "nodes": {"data": [0.3, 1.0, 3.0], "unit": "TeV"},
                "parameters": [a("shifts.0", 0.1), a("shifts.1", 0.0, max=1.0), a("shifts.2", 0.0)],
            },
            {
                "name": "d0-bkg", "type": "FoVBackgroundModel", "datasets_names": ["d0"],
                "spectral": {"type": "PowerLawNormSpectralModel", "parameters": [a("norm", 1.0, link="shared")]},
            },
        ],
        "covariance": "covariance.dat",
    },
}  # fmt: skip
"""The second holds compounds, tables, links and a correlated prior, the third nuisances and a covariance file."""

WORDS_OF_MODELS = (
    "PowerLawSpectralModel", "EBLAbsorptionNormSpectralModel", "TemplateNDSpectralModel", "ConstantSpectralModel",
    "ExposureShape", "BackgroundNorm", "UniformPrior", "LogUniformPrior", "LogNormalPrior", "GeneralizedGaussianPrior",
    "MultiNormalPrior", "src", "src.spectral.model1.index", "TeV", "GeV-1", "c.fits", "sed.fits", "dominguez", "div",
    {"type": "PointSpatialModel"}, {"type": "ConstantSpatialModel"}, {"type": "template", "normalize": False},
    {"data": [1, 2]}, {"data": [[1.0], [2.0, 3.0]]}, {"index": [2, 2]}, {"exposure": False},
)  # fmt: skip
"""Values that stand somewhere in models, and may be written elsewhere."""

DATASETS = {
    "datasets": [
        {"name": "d0", "type": "SpectrumDatasetOnOff", "filename": "pha_d0.fits",
         "fit_range": {"min": "1 TeV", "max": "10 TeV"}},
        {"name": "c", "type": "SpectrumDataset", "filename": "c.fits"},
        {"name": "sed", "type": "FluxPointsDataset", "filename": "sed.fits", "stat_type": "chi2"},
    ]
}  # fmt: skip

CIRCLE = {"frame": "icrs", "lon": "83.63 deg", "lat": "22.01 deg", "radius": "0.2 deg"}
REFLECTED = {
    "method": "reflected", "exclusion": "mask.fits",
    "parameters": {"region_finder": "ReflectedRegionsFinder", "angle_increment": "0.1 deg", "min_distance": 0.1,
                   "min_distance_input": "0.1 rad", "max_region_number": 5, "binsz": "0.01 deg"},
}  # fmt: skip
PHASE = {"method": "phase", "parameters": {"on_phase": [0.9, 1.1], "off_phase": [[0.2, 0.4]], "phase_column_name": "P"}}
SAFE = {
    "methods": ["aeff-max", "edisp-bias", "offset-max"],
    "parameters": {"aeff_percent": 10, "bias_percent": 10, "offset_max": "2 deg", "irfs": "DL3",
                   "position": {"frame": "galactic", "lon": "0 deg", "lat": "1 deg"},
                   "energy_min": "0.1 TeV", "energy_max": "100 TeV"},
}  # fmt: skip
WCS = {
    "skydir": {"frame": "galactic", "lon": "184.56 deg", "lat": "-5.78 deg"}, "binsize": "0.05 deg", "proj": "TAN",
    "width": {"width": "3 deg", "height": "2 deg"}, "binsize_irf": "0.5 deg",
}  # fmt: skip
CONFIGS: dict[str, Any] = {
    "plain": TEXTS["config.yaml"],
    "much": {
        "general": {"n_jobs": 2, "outdir": "."},
        "observations": {
            "datastore": "dl3", "obs_file": "runs.txt", "obs_cone": CIRCLE, "required_irf": ["aeff", "edisp"],
            "obs_time": {"start": "2006-01-01", "stop": "2007-01-01T12:00"},
        },
        "datasets": {**TEXTS["config.yaml"]["datasets"], "stack": {"a": [11, 12], "b": [13]}, "background": REFLECTED,
                     "safe_mask": SAFE},
        "fit": {"fit_range": {"min": "1 TeV", "max": None}},
        "flux_points": {"energy": {"min": "1 TeV"}},
    },
    "phase": {
        "observations": {"datastore": "dl3"},
        "datasets": {"on_region": "icrs;circle(83.63, 22.01, 0.11)", "background": PHASE, "safe_mask": {"methods": []}},
    },
    "cubes": {
        "observations": {"datastore": "dl3"},
        "datasets": {
            "type": "3d", "map_selection": ["counts", "exposure", "background", "psf", "edisp"],
            "geom": {**TEXTS["config.yaml"]["datasets"]["geom"], "wcs": WCS, "selection": {"offset_max": "2 deg"}},
            "background": {"method": "fov_background", "exclusion": "icrs;circle(83.63, 22.01, 0.3)",
                           "parameters": {"method": "fit", "spectral_model": "pl-norm", "min_counts": 3}},
        },
    },
}  # fmt: skip


WORDS_OF_CONFIGS = (
    "fov_background", "ring",
    "phase", "irf", "none", "reflected", "WobbleRegionsFinder", "3d", "DL4", "galactic", "fk5", "altaz", "itrs",
    "bkg-peak", "icrs;box(1,2,3,4)", "icrs;polygon(1,2,3)", "image;circle(1,2,3)", "circle(83, 22, 1)", "a.reg",
    "runs.txt", "c.fits", "sed.fits", [0.1, 0.2], [["a", "b"]], {"a": [11], "b": [11]}, "12:00:00 deg", "5h34m",
)  # fmt: skip


def make_texts(folder: Path) -> None:
    """The files that the texts name."""
    spectra = on_off(n=1)
    spectra.write(folder)
    d = spectra[0]
    assert isinstance(d, gj.SpectrumDatasetOnOff)
    arrays = {key: getattr(d, key) for key in ("energy", "energy_true", "counts", "exposure", "edisp", "livetime")}
    counting = gj.SpectrumDataset(name="c", background=0.1 * np.asarray(d.counts_off), **arrays)
    energy = np.geomspace(0.5, 20.0, 5)
    points = gj.FluxPointsDataset(name="sed", energy_ref=energy, dnde=1e-12 * energy**-2, dnde_err=1e-13 * energy**-2)
    gj.Datasets([counting, points]).write(folder)
    (folder / "runs.txt").write_text("11\n12\n")
    paths = ["crab.spectral.index", "crab.spectral.amplitude", "tilt.tilt"]
    write_matrix(folder / "covariance.dat", paths, np.diag([0.01, 1e-26, 0.01]))
