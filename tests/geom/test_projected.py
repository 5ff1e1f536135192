"""Pixels inside kernels, against wcslib and astropy, for every projection that kernels know."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from derivatives import check_derivatives

from gammajax.errors import ConfigError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.projected import projection_of, scales
from gammajax.numeric.projection import PROJECTIONS

GRIDS = {
    "galactic plane": SkyGrid.create((0.0, 0.0), "10 deg", "0.1 deg", proj="CAR", frame="galactic"),
    "tangent plane": SkyGrid.create((83.6, 22.0), "6 deg", "0.1 deg", proj="TAN"),
    "oblique": SkyGrid.create((258.4, -39.8), "6 deg", "0.1 deg", proj="CAR"),
    "across longitude 0": SkyGrid.create((0.1, 60.0), "4 deg", "0.1 deg", proj="TAN"),
}
CENTRES = [(83.0, 22.0), (0.0, 0.0), (10.0, -89.0), (359.9, 60.0)]


def pixels(grid, lon, lat):
    found = projection_of(grid)
    return jax.jit(jax.vmap(lambda a, b: found.pixel(a, b, grid.frame)))(jnp.asarray(lon), jnp.asarray(lat)).T


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("proj", PROJECTIONS)
def test_pixels_are_those_of_wcslib(proj, frame):
    for centre in CENTRES:
        grid = SkyGrid.create(centre, width=(30.0, 20.0), binsz=1.0, proj=proj, frame=frame)
        lon, lat = (x.ravel() for x in grid.lonlat)
        known = np.isfinite(lon)
        y, x = (v.ravel()[known] for v in np.indices(grid.shape))
        found = pixels(grid, lon[known], lat[known])
        np.testing.assert_allclose(found, (x, y), atol=1e-9)


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("name", GRIDS)
def test_directions_of_another_frame(name, frame):
    grid = GRIDS[name]
    lon, lat = (x.ravel()[::97] for x in grid.lonlat)
    at = SkyCoord(lon, lat, unit="deg", frame=grid.frame).transform_to(frame).spherical
    p = projection_of(grid)
    found = jax.vmap(lambda x, y: p.pixel(x, y, frame))(jnp.asarray(at.lon.deg), jnp.asarray(at.lat.deg))
    np.testing.assert_allclose(found, np.stack(grid.pixel(lon, lat), axis=-1), atol=1e-9)


@pytest.mark.parametrize("proj", PROJECTIONS)
def test_derivatives(proj):
    grid = SkyGrid.create((83.0, 22.0), npix=9, binsz=0.5, proj=proj)
    found = projection_of(grid)
    places = [(83.4, 21.3), (83.0, 22.0)]
    check_derivatives(lambda p: found.pixel(p[0], p[1]), places, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("proj", PROJECTIONS)
def test_finite_over_the_whole_sky(proj):
    """Also at the poles, opposite to the centre, and where the projection has no image."""
    found = projection_of(SkyGrid.create((83.0, 22.0), npix=9, binsz=0.5, proj=proj))
    lon, lat = np.meshgrid([83.0, 263.0, 173.0, -7.0, 0.0], [22.0, -22.0, 90.0, -90.0, 68.0, -68.0])

    @jax.jit
    @jax.vmap
    def all_of_it(place):
        def both(p):
            return found.pixel(p[0], p[1])

        return both(place), jax.jacfwd(both)(place), jax.jacfwd(jax.jacfwd(both))(place)

    for values in all_of_it(jnp.stack([lon.ravel(), lat.ravel()], axis=-1)):
        assert np.all(np.isfinite(values))


def test_the_seam_of_the_whole_sky():
    grid = SkyGrid.create(binsz=1.0)
    lon, lat = np.random.default_rng(1).uniform([-360, -90], [360, 90], (200, 2)).T
    np.testing.assert_allclose(pixels(grid, lon, lat), grid.pixel(lon, lat), atol=1e-9)


def test_behind_a_plane():
    """TAN shows half the sky: the other half is outside of every map."""
    x, _ = pixels(SkyGrid.create((0.0, 0.0), npix=9, binsz=0.5, proj="TAN"), [180.0], [0.0])
    assert abs(float(x[0])) > 1e5


def test_rotated_pixels():
    grid = SkyGrid.create((83.0, 22.0), npix=9, binsz=0.5)
    turned = grid.wcs.deepcopy()
    cos, sin = np.cos(0.4), np.sin(0.4)
    turned.wcs.pc = [[cos, -sin], [sin, cos]]
    turned.wcs.set()
    grid = SkyGrid(turned, grid.shape, grid.frame)
    lon, lat = grid.lonlat
    y, x = np.indices(grid.shape)
    np.testing.assert_allclose(pixels(grid, lon.ravel(), lat.ravel()), (x.ravel(), y.ravel()), atol=1e-9)


def test_projections_that_are_not_known():
    with pytest.raises(ConfigError, match="has the projection MOL; models are evaluated in CAR, .*: reproject it"):
        projection_of(SkyGrid.create((83.0, 22.0), npix=9, binsz=0.5, proj="MOL"))
    grid = SkyGrid.create((83.0, 22.0), npix=9, binsz=0.5, proj="CEA")
    strange = grid.wcs.deepcopy()
    strange.wcs.set_pv([(2, 1, 0.5)])
    strange.wcs.set()
    with pytest.raises(ConfigError, match=r"is not a plain CEA \(off by .* pixels\): reproject"):
        projection_of(SkyGrid(strange, grid.shape, grid.frame))


@pytest.mark.parametrize("name", GRIDS)
def test_scales_are_pixels_per_degree_on_the_sky(name):
    grid = GRIDS[name]
    p = projection_of(grid)
    found = scales(grid, np.array([11.0, 30.0]), np.array([7.0, 20.0]))
    step = 1e-4
    for row, y in enumerate((7, 20)):
        for column, x in enumerate((11, 30)):
            lon, lat = (float(v[y, x]) for v in grid.lonlat)
            here = p.pixel(lon, lat, grid.frame)
            east = p.pixel(lon + step / np.cos(np.radians(lat)), lat, grid.frame) - here
            north = p.pixel(lon, lat + step, grid.frame) - here
            np.testing.assert_allclose(found[:, row, column], np.hypot(east, north) / step, rtol=1e-4)


def test_scales_where_there_is_no_sky_are_those_of_the_reference():
    grid = SkyGrid.create((0.0, 0.0), binsz=2.0, proj="AIT", frame="galactic")
    np.testing.assert_allclose(scales(grid, np.zeros(1), np.zeros(1)).ravel(), [0.5, 0.5])


def test_behind_the_plane_is_far_outside_and_finite():
    p = projection_of(GRIDS["tangent plane"])
    pixel, slope = jax.value_and_grad(lambda x: jnp.sum(p.pixel(x, -22.0) ** 2))(263.6)
    assert np.isfinite(pixel)
    assert np.isfinite(slope)
    assert pixel > 1e4
