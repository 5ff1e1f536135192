"""Spatial models: the surface brightness of a source in one direction.

A model of one's own is one class with parameters declared by `param()` and a method `brightness(lon, lat)` for ONE
direction; nothing needs to be registered. Built-in models carry Gammapy's tags and parameter names.
"""

from gammajax.models.spatial.base import SpatialModel, evaluate
from gammajax.models.spatial.constant import ConstantFluxSpatial, ConstantSpatial
from gammajax.models.spatial.disk import DiskSpatial
from gammajax.models.spatial.gauss import GaussianSpatial, GeneralizedGaussianSpatial
from gammajax.models.spatial.piecewise import PiecewiseNormSpatial
from gammajax.models.spatial.point import PointSpatial
from gammajax.models.spatial.shell import Shell2Spatial, ShellSpatial
from gammajax.models.spatial.template import TemplateSpatial

__all__ = [
    "ConstantFluxSpatial",
    "ConstantSpatial",
    "DiskSpatial",
    "GaussianSpatial",
    "GeneralizedGaussianSpatial",
    "PiecewiseNormSpatial",
    "PointSpatial",
    "Shell2Spatial",
    "ShellSpatial",
    "SpatialModel",
    "TemplateSpatial",
    "evaluate",
]
