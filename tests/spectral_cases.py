"""One instance of every spectral model of the package, with dnde by an independent formula."""

import numpy as np
from astropy import units as u

import gammajax as gj
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap

ENERGY = np.geomspace(0.01, 100.0, 9)


def cut_by_line(e):
    """A table that its interpolation reproduces: tau linear in redshift and ln E."""
    return 2.0 + np.log(e / 1e-3)


def ebl():
    energy, redshift = np.geomspace(1e-3, 1e3, 25), np.linspace(0.1, 1.0, 10)
    return {"energy": energy, "param": redshift, "data": np.exp(-redshift[:, None] * cut_by_line(energy))}


def region_map():
    """E^-2 times the square of a coordinate, with the energy as bins and the coordinate as nodes."""
    energy = MapAxis.from_edges("energy_true", np.geomspace(1e-3, 1e3, 13), "TeV", "log")
    factor = MapAxis.from_nodes("factor", [1.0, 2.0, 5.0], "", "log")
    values = 1e-12 * energy.centers**-2 * factor.points[:, None] ** 2
    return SkyMap(values[..., None, None], (factor, energy), None, "cm-2 s-1 TeV-1")


def meyer(e):
    x = np.log10(e)
    y = -10.2708 - 0.53616 * x - 0.179475 * x**2 + 0.0473174 * x**3 - 0.00449161 * x**5
    return 10**y * u.erg.to(u.TeV) / e**2


A = 2e-12
CASES = {
    "ConstantSpectralModel": ({"const": A}, lambda e: A + 0 * e),
    "PowerLaw": ({"index": 2.3, "amplitude": A, "reference": 3.0}, lambda e: A * (e / 3.0) ** -2.3),
    "PowerLaw2": (
        {"index": 2.3, "amplitude": A, "emin": 0.5, "emax": 50.0},
        lambda e: A * e**-2.3 * -1.3 / (50.0**-1.3 - 0.5**-1.3),
    ),
    "PowerLawNorm": ({"tilt": 0.3, "norm": 1.2, "reference": 3.0}, lambda e: 1.2 * (e / 3.0) ** -0.3),
    "BrokenPowerLaw": (
        {"index1": 1.7, "index2": 2.9, "amplitude": A, "ebreak": 3.3},
        lambda e: A * np.where(e < 3.3, (e / 3.3) ** -1.7, (e / 3.3) ** -2.9),
    ),
    "SmoothBrokenPowerLaw": (
        {"index1": 2.9, "index2": 1.7, "amplitude": A, "ebreak": 3.3, "reference": 2.0, "beta": 0.4},
        lambda e: A * (e / 2.0) ** -2.9 * (1 + (e / 3.3) ** (1.2 / 0.4)) ** 0.4,
    ),
    "ExpCutoffPowerLaw": (
        {"index": 1.7, "amplitude": A, "reference": 3.0, "lambda_": 0.2, "alpha": 1.3},
        lambda e: A * (e / 3.0) ** -1.7 * np.exp(-((0.2 * e) ** 1.3)),
    ),
    "ExpCutoffPowerLawNorm": (
        {"index": 0.3, "norm": 1.2, "reference": 3.0, "lambda_": 0.2, "alpha": 1.3},
        lambda e: 1.2 * (e / 3.0) ** -0.3 * np.exp(-((0.2 * e) ** 1.3)),
    ),
    "ExpCutoffPowerLaw3FGL": (
        {"index": 1.7, "amplitude": A, "reference": 3.0, "ecut": 7.0},
        lambda e: A * (e / 3.0) ** -1.7 * np.exp((3.0 - e) / 7.0),
    ),
    "SuperExpCutoffPowerLaw3FGL": (
        {"amplitude": A, "reference": 3.0, "ecut": 7.0, "index_1": 1.7, "index_2": 0.7},
        lambda e: A * (e / 3.0) ** -1.7 * np.exp((3.0 / 7.0) ** 0.7 - (e / 7.0) ** 0.7),
    ),
    "SuperExpCutoffPowerLaw4FGL": (
        {"amplitude": A, "reference": 3.0, "expfactor": 1e-5, "index_1": 1.7, "index_2": 0.7},
        lambda e: A * (e / 3.0) ** -1.7 * np.exp(1e-5 * ((3e6) ** 0.7 - (1e6 * e) ** 0.7)),
    ),
    "SuperExpCutoffPowerLaw4FGLDR3": (
        {"amplitude": A, "reference": 3.0, "expfactor": 0.4, "index_1": 1.7, "index_2": 0.7},
        lambda e: A * (e / 3.0) ** (-1.7 + 0.4 / 0.7) * np.exp(0.4 / 0.49 * (1 - (e / 3.0) ** 0.7)),
    ),
    "LogParabola": (
        {"amplitude": A, "reference": 3.0, "alpha": 2.3, "beta": 0.15},
        lambda e: A * (e / 3.0) ** (-2.3 - 0.15 * np.log(e / 3.0)),
    ),
    "LogParabola2": (
        {"amplitude": A, "reference": 3.0, "alpha": 2.3, "beta": 0.15, "escale": 0.7},
        lambda e: A * (e / 3.0) ** (-2.3 - 0.15 * np.log(e / 0.7)),
    ),
    "LogParabolaNorm": (
        {"norm": 1.2, "reference": 3.0, "alpha": 0.3, "beta": 0.15},
        lambda e: 1.2 * (e / 3.0) ** (-0.3 - 0.15 * np.log(e / 3.0)),
    ),
    "GaussianSpectralModel": (
        {"amplitude": A, "mean": 3.0, "sigma": 20.0},
        lambda e: A / (20.0 * np.sqrt(2 * np.pi)) * np.exp(-((e - 3.0) ** 2) / 800.0),
    ),
    "LogGaussianSpectralModel": (
        {"L": A, "Ep": 0.2, "w": 0.8},
        lambda e: A / (e * 0.8 * np.sqrt(2 * np.pi)) * np.exp(-(np.log(e / 0.2) ** 2) / 1.28),
    ),
    "TemplateSpectralModel": (
        {"energy": [0.001, 1.0, 1000.0], "values": [1e-6, 1e-12, 1e-21]},
        lambda e: np.where(e < 1, 1e-12 * e**-2.0, 1e-12 * e**-3.0),
    ),
    "TemplateNDSpectralModel": ({"content": region_map(), "coordinates": [3.0]}, lambda e: 9e-12 * e**-2.0),
    "PiecewiseNormSpectralModel": (
        {"energy": [0.01, 1.0, 100.0], "norms": [0.5, 2.0, 1.0]},
        lambda e: np.where(e < 1, 2.0 * e ** (np.log(4.0) / np.log(100.0)), 2.0 * e ** (-np.log(2.0) / np.log(100.0))),
    ),
    "ScaleSpectralModel": (
        {"model": gj.PowerLaw(amplitude=A, index=2.3), "norm": 3.0},
        lambda e: 3.0 * A * e**-2.3,
    ),
    "CompoundSpectralModel": (
        {"model1": gj.PowerLaw(amplitude=A), "model2": gj.PowerLawNorm(tilt=-0.5, norm=3.0), "operator": "mul"},
        lambda e: 3 * A * e**-1.5,
    ),
    "MeyerCrabSpectralModel": ({}, meyer),
    "EBLAbsorptionNorm": (
        {**ebl(), "redshift": 0.33, "alpha_norm": 1.2},
        lambda e: np.exp(-1.2 * 0.33 * cut_by_line(e)),
    ),
}
"""Class name -> arguments, formula."""
ABSTRACT = {"NormSpectralModel"}


def concrete(cls):
    """All spectral models of the package."""
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("gammajax."):
            yield sub
            yield from concrete(sub)


MODELS = sorted({c for c in concrete(gj.SpectralModel) if c.__name__ not in ABSTRACT}, key=lambda cls: cls.__name__)


def source(model):
    """The model as the spectrum of a source; a factor multiplies a power law."""
    return model if model.unit else gj.PowerLaw() * model
