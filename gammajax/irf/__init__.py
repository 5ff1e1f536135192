"""Instrument responses as pytrees of arrays: effective area, energy dispersion, PSF, background, directional cut."""

from gammajax.irf.aeff import EffectiveArea
from gammajax.irf.axis import Axis
from gammajax.irf.background import Background2D, Background3D
from gammajax.irf.edisp import EnergyDispersion
from gammajax.irf.psf import PSF3Gauss, PSFTable
from gammajax.irf.psf_king import PSFKing
from gammajax.irf.rad_max import RadMax

__all__ = [
    "Axis",
    "Background2D",
    "Background3D",
    "EffectiveArea",
    "EnergyDispersion",
    "PSF3Gauss",
    "PSFKing",
    "PSFTable",
    "RadMax",
]
