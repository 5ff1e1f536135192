"""Axes, grids, maps, regions and masks on the sky: plain numbers, no disk access."""

from gammajax.geom.axes import energy_edges
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import HealpixMap, SkyMap
from gammajax.geom.mask import ExclusionMask, ImageMask, RegionMask, exclusion_mask, mask_of_regions
from gammajax.geom.parse import region
from gammajax.geom.regions import Circle, circle
from gammajax.geom.shapes import Compound, Region, Shape

__all__ = [
    "Circle",
    "Compound",
    "ExclusionMask",
    "HealpixMap",
    "ImageMask",
    "MapAxis",
    "Region",
    "RegionMask",
    "Shape",
    "SkyGrid",
    "SkyMap",
    "circle",
    "energy_edges",
    "exclusion_mask",
    "mask_of_regions",
    "region",
]
