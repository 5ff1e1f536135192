"""Energy axes, circles and masks on the sky: plain numbers, no disk access."""

from gammajax.geom.axes import energy_edges
from gammajax.geom.mask import CircleMask, ExclusionMask, ImageMask, mask_of_regions
from gammajax.geom.regions import Circle, circle

__all__ = ["Circle", "CircleMask", "ExclusionMask", "ImageMask", "circle", "energy_edges", "mask_of_regions"]
