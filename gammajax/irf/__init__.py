"""Instrument responses as pytrees of arrays: effective area, energy dispersion, PSF, directional cut."""

from gammajax.irf.aeff import EffectiveArea
from gammajax.irf.axis import Axis
from gammajax.irf.edisp import EnergyDispersion
from gammajax.irf.psf import PSF3Gauss, PSFTable
from gammajax.irf.rad_max import RadMax

__all__ = ["Axis", "EffectiveArea", "EnergyDispersion", "PSF3Gauss", "PSFTable", "RadMax"]
