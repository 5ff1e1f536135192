"""Pixels of directions: against astropy's WCS, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from jax.test_util import check_grads

from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.numeric.pixel import projection, scales

GRIDS = {
    "galactic plane": SkyGrid.create((0.0, 0.0), "10 deg", "0.1 deg", proj="CAR", frame="galactic"),
    "tangent plane": SkyGrid.create((83.6, 22.0), "6 deg", "0.1 deg", proj="TAN"),
    "oblique": SkyGrid.create((258.4, -39.8), "6 deg", "0.1 deg", proj="CAR"),
    "across longitude 0": SkyGrid.create((0.1, 60.0), "4 deg", "0.1 deg", proj="TAN"),
}


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("name", GRIDS)
def test_pixels_are_those_of_astropy(name, frame):
    grid = GRIDS[name]
    lon, lat = (x.ravel()[::97] for x in grid.lonlat)
    at = SkyCoord(lon, lat, unit="deg", frame=grid.frame).transform_to(frame).spherical
    p = projection(grid.wcs, grid.frame)
    found = jax.vmap(lambda x, y: p.pixel(x, y, frame))(jnp.asarray(at.lon.deg), jnp.asarray(at.lat.deg))
    np.testing.assert_allclose(found, np.stack(grid.pixel(lon, lat), axis=-1), atol=1e-9)


@pytest.mark.parametrize("name", GRIDS)
def test_derivatives(name):
    grid = GRIDS[name]
    p = projection(grid.wcs, grid.frame)
    lon, lat = (float(x[7, 11]) for x in grid.lonlat)
    check_grads(lambda x, y: p.pixel(x, y, grid.frame), (lon, lat), order=2, modes=("fwd", "rev"))


@pytest.mark.parametrize("name", GRIDS)
def test_scales_are_pixels_per_degree_on_the_sky(name):
    grid = GRIDS[name]
    p = projection(grid.wcs, grid.frame)
    found = scales(grid.wcs, np.array([11.0, 30.0]), np.array([7.0, 20.0]))
    step = 1e-4
    for row, y in enumerate((7, 20)):
        for column, x in enumerate((11, 30)):
            lon, lat = (float(v[y, x]) for v in grid.lonlat)
            here = p.pixel(lon, lat, grid.frame)
            east = p.pixel(lon + step / np.cos(np.radians(lat)), lat, grid.frame) - here
            north = p.pixel(lon, lat + step, grid.frame) - here
            np.testing.assert_allclose(found[:, row, column], np.hypot(east, north) / step, rtol=1e-4)


def test_scales_where_there_is_no_sky_are_those_of_the_reference():
    wcs = SkyGrid.create((0.0, 0.0), binsz=2.0, proj="AIT", frame="galactic").wcs
    np.testing.assert_allclose(scales(wcs, np.zeros(1), np.zeros(1)).ravel(), [0.5, 0.5])


def test_behind_the_plane_is_far_outside_and_finite():
    p = projection(GRIDS["tangent plane"].wcs, "icrs")
    pixel, slope = jax.value_and_grad(lambda x: jnp.sum(p.pixel(x, -22.0) ** 2))(263.6)
    assert np.isfinite(pixel)
    assert np.isfinite(slope)
    assert pixel > 1e4


def test_an_unknown_projection_is_named():
    grid = GRIDS["tangent plane"]
    wcs = grid.wcs.deepcopy()
    wcs.wcs.ctype = ["RA---MOL", "DEC--MOL"]
    with pytest.raises(ConfigError, match="'MOL' cannot be fitted: reproject to one of CAR"):
        projection(wcs, "icrs")
