"""Spectral models: the differential flux of a source at one energy, and factors on it.

A model of one's own is one class with parameters declared by `param()` and a method `dnde(energy)` for ONE energy;
nothing needs to be registered. Built-in models carry Gammapy's tags and parameter names.
"""

from gammajax.models.spectral.absorption import EBLAbsorptionNorm
from gammajax.models.spectral.base import NormSpectralModel, SpectralModel, evaluate
from gammajax.models.spectral.compound import CompoundSpectralModel, ScaleSpectralModel
from gammajax.models.spectral.cutoff import (
    ExpCutoffPowerLaw,
    ExpCutoffPowerLaw3FGL,
    ExpCutoffPowerLawNorm,
    SuperExpCutoffPowerLaw3FGL,
    SuperExpCutoffPowerLaw4FGL,
    SuperExpCutoffPowerLaw4FGLDR3,
)
from gammajax.models.spectral.line import GaussianSpectralModel, LogGaussianSpectralModel
from gammajax.models.spectral.parabola import LogParabola, LogParabola2, LogParabolaNorm
from gammajax.models.spectral.piecewise import PiecewiseNormSpectralModel
from gammajax.models.spectral.powerlaw import (
    BrokenPowerLaw,
    ConstantSpectralModel,
    PowerLaw,
    PowerLaw2,
    PowerLawNorm,
    SmoothBrokenPowerLaw,
)
from gammajax.models.spectral.reference import (
    MeyerCrabSpectralModel,
    create_cosmic_ray_spectral_model,
    create_crab_spectral_model,
)
from gammajax.models.spectral.template import TemplateSpectralModel
from gammajax.models.spectral.template_nd import TemplateNDSpectralModel

__all__ = [
    "BrokenPowerLaw",
    "CompoundSpectralModel",
    "ConstantSpectralModel",
    "EBLAbsorptionNorm",
    "ExpCutoffPowerLaw",
    "ExpCutoffPowerLaw3FGL",
    "ExpCutoffPowerLawNorm",
    "GaussianSpectralModel",
    "LogGaussianSpectralModel",
    "LogParabola",
    "LogParabola2",
    "LogParabolaNorm",
    "MeyerCrabSpectralModel",
    "NormSpectralModel",
    "PiecewiseNormSpectralModel",
    "PowerLaw",
    "PowerLaw2",
    "PowerLawNorm",
    "ScaleSpectralModel",
    "SmoothBrokenPowerLaw",
    "SpectralModel",
    "SuperExpCutoffPowerLaw3FGL",
    "SuperExpCutoffPowerLaw4FGL",
    "SuperExpCutoffPowerLaw4FGLDR3",
    "TemplateNDSpectralModel",
    "TemplateSpectralModel",
    "create_cosmic_ray_spectral_model",
    "create_crab_spectral_model",
    "evaluate",
]
