"""Observations to datasets: regions, counts, responses at the source, safe masks, stacking, the pipeline."""

from gammajax.reduce.background import IRFBackground
from gammajax.reduce.phase import PhaseBackground
from gammajax.reduce.pipeline import Reduction, reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.spectrum import reduce_observation
from gammajax.reduce.stack import stack_spectra

__all__ = [
    "IRFBackground",
    "PhaseBackground",
    "ReflectedRegions",
    "Reduction",
    "SafeMask",
    "WobbleRegions",
    "reduce_observation",
    "reduce_spectra",
    "stack_spectra",
]
