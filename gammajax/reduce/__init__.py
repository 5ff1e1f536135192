"""Observations to datasets: regions, counts, responses at the source, safe masks, stacking, the pipeline."""

from gammajax.reduce.pipeline import Reduction, reduce_spectra
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.safe_mask import SafeMask
from gammajax.reduce.spectrum import spectrum_on_off
from gammajax.reduce.stack import stack_spectra

__all__ = [
    "ReflectedRegions",
    "Reduction",
    "SafeMask",
    "WobbleRegions",
    "reduce_spectra",
    "spectrum_on_off",
    "stack_spectra",
]
