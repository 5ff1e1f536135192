"""Energy axes, regions and masks on the sky: plain numbers, no disk access."""

from gammajax.geom.axes import energy_edges
from gammajax.geom.mask import ExclusionMask, ImageMask, RegionMask, exclusion_mask, mask_of_regions
from gammajax.geom.parse import region
from gammajax.geom.regions import Circle, circle
from gammajax.geom.shapes import Compound, Region, Shape

__all__ = [
    "Circle",
    "Compound",
    "ExclusionMask",
    "ImageMask",
    "Region",
    "RegionMask",
    "Shape",
    "circle",
    "energy_edges",
    "exclusion_mask",
    "mask_of_regions",
    "region",
]
