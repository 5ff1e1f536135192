"""One instance of every spatial model of the package, with its brightness by an independent formula."""

import numpy as np
from astropy.coordinates import angular_separation, position_angle
from scipy.integrate import quad
from scipy.special import erf, gamma

import gammajax as gj
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap

LON_0, LAT_0 = 83.6, 22.0
CENTRE = {"lon_0": LON_0, "lat_0": LAT_0}
RNG = np.random.default_rng(7)
LON, LAT = LON_0 + RNG.uniform(-1.2, 1.2, 40), LAT_0 + RNG.uniform(-1.2, 1.2, 40)
"""Directions inside all cases."""


def separation(lon, lat):
    return angular_separation(*np.deg2rad([LON_0, LAT_0]), np.deg2rad(lon), np.deg2rad(lat))


def radius(lon, lat, size, e, phi):
    """The radius [rad] of an ellipse in the direction, by its position angle."""
    angle = position_angle(*np.deg2rad([LON_0, LAT_0]), np.deg2rad(lon), np.deg2rad(lat)).rad - np.deg2rad(phi)
    a = np.deg2rad(size)
    b = a * np.sqrt(1 - e**2)
    return a * b / np.sqrt((a * np.sin(angle)) ** 2 + (b * np.cos(angle)) ** 2)


def gauss(lon, lat, size=1.8, e=0.8, phi=35.0):
    a, b = np.deg2rad(size), np.deg2rad(size) * np.sqrt(1 - e**2)

    def ring(t):
        """What the direction under the angle t from the major axis adds to the integral."""
        width = 1 - np.cos(a * b / np.hypot(a * np.sin(t), b * np.cos(t)))
        return 2 * width * (1 - np.exp(-1 / width))

    norm = 2 * quad(ring, 0, np.pi, epsrel=1e-13)[0] / 2
    shape = np.exp(-0.5 * (1 - np.cos(separation(lon, lat))) / (1 - np.cos(radius(lon, lat, size, e, phi))))
    return shape / (2 * norm)


def general(lon, lat, size=1.8, eta=0.7, e=0.6, phi=-50.0):
    z = separation(lon, lat) / radius(lon, lat, size, e, phi)
    area = 2 * np.pi * np.deg2rad(size) ** 2 * np.sqrt(1 - e**2)
    return np.exp(-(z ** (1 / eta))) / (area * eta * gamma(2 * eta))


def disk(lon, lat, size=2.0, e=0.7, phi=20.0, width=0.6):
    a, b = np.sin(np.deg2rad(size)), np.sin(np.deg2rad(size) * np.sqrt(1 - e**2))
    solid = quad(lambda t: 1 - np.sqrt(1 - 1 / ((np.cos(t) / a) ** 2 + (np.sin(t) / b) ** 2)), 0, 2 * np.pi)[0]
    z = separation(lon, lat) / radius(lon, lat, size, e, phi)
    return 0.5 * (1 - erf(2.326174307353347 * (z - 1) / width)) / solid


def shell(lon, lat, inner=1.1, outer=1.9):
    s, r, out = separation(lon, lat), np.deg2rad(inner), np.deg2rad(outer)
    depth = np.sqrt(np.maximum(out**2 - s**2, 0)) - np.sqrt(np.maximum(r**2 - s**2, 0))
    return 3 / (2 * np.pi * (out**3 - r**3)) * depth


GRID = SkyGrid.create((LON_0, LAT_0), width=(6.0, 5.0), binsz=0.5)


def slope(lon, lat, energy=1.0):
    """A map that its interpolation reproduces: the logarithm is linear in pixels and in ln E."""
    x, y = GRID.pixel(lon, lat)
    return np.exp(0.3 * x - 0.2 * y) * energy**-0.5


def template(energies=None):
    image = slope(*GRID.lonlat)
    if energies is None:
        return SkyMap(image, (), GRID, "sr-1")
    axis = MapAxis.from_nodes("energy_true", energies, "TeV", "log")
    return SkyMap(np.asarray(energies)[:, None, None] ** -0.5 * image, (axis,), GRID, "sr-1")


NODES = LON_0 + np.array([-3.0, 3.0, -3.0, 3.0, 0.4]), LAT_0 + np.array([-3.0, -3.0, 3.0, 3.0, 0.3])


def plane(lon, lat):
    """Norms that their interpolation reproduces: linear in the coordinates."""
    return 1.0 + 0.2 * (lon - LON_0) - 0.1 * (lat - LAT_0)


CASES = {
    "PointSpatial": (CENTRE, None),
    "GaussianSpatial": ({**CENTRE, "sigma": 1.8, "e": 0.8, "phi": 35.0}, gauss),
    "GeneralizedGaussianSpatial": ({**CENTRE, "r_0": 1.8, "eta": 0.7, "e": 0.6, "phi": -50.0}, general),
    "DiskSpatial": ({**CENTRE, "r_0": 2.0, "e": 0.7, "phi": 20.0, "edge_width": 0.6}, disk),
    "ShellSpatial": ({**CENTRE, "radius": 1.1, "width": 0.8}, shell),
    "Shell2Spatial": ({**CENTRE, "r_0": 1.9, "eta": 0.8 / 1.9}, shell),
    "ConstantSpatial": ({"value": 0.3}, lambda lon, lat: 0.3 + 0 * lon),
    "ConstantFluxSpatial": ({}, lambda lon, lat: 1.0 + 0 * lon),
    "TemplateSpatial": ({"content": template(), "normalize": False}, slope),
    "PiecewiseNormSpatial": ({"lon": NODES[0], "lat": NODES[1], "norms": plane(*NODES)}, plane),
}
"""Class name -> arguments, formula; a point has no brightness."""

NORMALIZED = {
    "GaussianSpatial": 1e-12,
    "GeneralizedGaussianSpatial": 1e-3,  # the norm of the plane
    "DiskSpatial": 0.0,
    "ShellSpatial": 1e-3,
    "Shell2Spatial": 1e-3,
}
"""How far from 1 the integral over the sphere may be."""


def concrete(cls):
    """All spatial models of the package."""
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("gammajax."):
            yield sub
            yield from concrete(sub)


MODELS = sorted(concrete(gj.SpatialModel), key=lambda cls: cls.__name__)


def make(cls, **more):
    return cls(**CASES[cls.__name__][0] | more)
