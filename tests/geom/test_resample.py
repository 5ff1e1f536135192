import numpy as np
import pytest

from gammajax.errors import ConfigError, UnitMismatch
from gammajax.geom import resample
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import HealpixMap, SkyMap

GRID = SkyGrid.create((10.0, 5.0), npix=(12, 8), binsz=0.5)
AXES = (MapAxis.from_edges("energy_true", [1.0, 10.0, 100.0], "TeV", "log"), MapAxis.from_nodes("rad", [0.1], "deg"))


def smooth(grid, scale=3.0):
    """A function of the place on the sky, in ICRS."""
    ra, dec = (np.radians(v) for v in grid.radec)
    return np.exp(scale * (np.cos(dec) * np.cos(ra - np.radians(10.0)) - 1)) * (1 + 0.1 * np.sin(5 * dec))


def test_blocks():
    values = np.random.default_rng(1).uniform(size=(2, 1, 8, 12))
    total = resample.downsample(values, 4)
    assert total.shape == (2, 1, 2, 3)
    assert total[1, 0, 1, 2] == pytest.approx(values[1, 0, 4:, 8:].sum())
    np.testing.assert_allclose(resample.downsample(values, 4, preserve_counts=False), total / 16)
    np.testing.assert_allclose(resample.downsample(resample.upsample(values, 3), 3), values)
    fine = resample.upsample(values, 3, preserve_counts=False)
    np.testing.assert_allclose(resample.downsample(fine, 3, preserve_counts=False), values)
    weights = np.zeros((8, 12))
    weights[0, 0], weights[0, 1] = 1.0, 3.0
    mean = resample.downsample(values, 4, preserve_counts=False, weights=weights)
    assert mean[0, 0, 0, 0] == pytest.approx((values[0, 0, 0, 0] + 3 * values[0, 0, 0, 1]) / 4)
    assert mean[0, 0, 1, 1] == 0
    values[0, 0, 0, 0] = np.nan
    assert np.all(np.isfinite(resample.downsample(values, 4)))
    with pytest.raises(ConfigError, match="12 x 8 pixels cannot be joined in blocks of 5 x 5"):
        resample.downsample(values, 5)


def test_values_between_pixels():
    lon, lat = GRID.lonlat
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 11, 50), rng.uniform(0, 7, 50)
    there = GRID.wcs.wcs_pix2world(x, y, 0)
    plane = np.stack([np.indices(GRID.shape)[1], np.indices(GRID.shape)[0] * 2.0])
    np.testing.assert_allclose(resample.interpolate(plane, GRID, *there), [x, 2 * y], atol=1e-9)
    np.testing.assert_allclose(resample.interpolate(plane, GRID, lon, lat), plane, atol=1e-9)
    far = resample.interpolate(plane, GRID, [30.0, 10.0], [5.0, 5.0], outside=-1.0)
    assert far[:, 0].tolist() == [-1.0, -1.0]
    behind = resample.interpolate(np.ones(GRID.shape), SkyGrid.create(npix=(12, 8), proj="TAN"), [180.0], [0.0])
    assert behind.tolist() == [0.0]
    with pytest.raises(ConfigError, match="the grid has"):
        resample.interpolate(np.ones((2, 2)), GRID, 0.0, 0.0)


def test_the_last_column_is_next_to_the_first():
    grid = SkyGrid.create(npix=(4, 2), binsz=90.0)
    values = np.array([[1.0, 2.0, 3.0, 5.0]] * 2)
    assert resample.interpolate(values, grid, [180.0], [-45.0]) == pytest.approx([3.0])


@pytest.mark.parametrize("method", ["interp", "exact"])
@pytest.mark.parametrize("proj", ["CAR", "TAN"])
def test_reprojection_of_a_smooth_function(method, proj):
    """From ICRS to Galactic pixels of another size and projection, stacks of planes too."""
    lon, lat = SkyGrid.create(frame="galactic").from_icrs(10.0, 5.0)
    new = SkyGrid.create((float(lon), float(lat)), npix=(9, 7), binsz=0.3, frame="galactic", proj=proj)
    old = np.stack([smooth(GRID), 2 * smooth(GRID)])[:, None]
    found = resample.reproject(old, GRID, new, method=method)
    assert found.shape == (2, 1, 7, 9)
    # an average over pixels misses the curvature of the function over a pixel
    np.testing.assert_allclose(found[0, 0], smooth(new), rtol=2e-4 if method == "interp" else 1e-3)
    np.testing.assert_allclose(found[1], 2 * found[0])


@pytest.mark.parametrize(("proj", "binsz"), [("TAN", 0.37), ("CAR", 0.25), ("CAR", 1.0)])
def test_counts_are_kept(proj, binsz):
    """Edges of old and new pixels coincide in the middle of the grids."""
    counts = np.random.default_rng(3).poisson(5.0, (2, *GRID.shape)).astype(float)
    wide = SkyGrid.create((10.0, 5.0), npix=(40, 30), binsz=binsz, proj=proj)
    found = resample.reproject(counts, GRID, wide, method="exact", preserve_counts=True)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), counts.sum(axis=(1, 2)), rtol=5e-5)
    assert found[0, 0, 0] == 0
    some = resample.reproject(counts, GRID, SkyGrid.create((10.0, 5.0), npix=(2, 2), binsz=binsz), preserve_counts=True)
    assert 0 < some[0].sum() < counts[0].sum()


def test_maps_on_other_pixels():
    values = np.broadcast_to(smooth(GRID), (2, 1, *GRID.shape))
    whole = SkyMap(values, AXES, GRID, "m2 s")
    assert whole.cutout((10.0, 5.0), 2.0).values.shape == (2, 1, 4, 4)
    assert whole.downsample(4).grid == GRID.downsample(4)
    np.testing.assert_allclose(whole.upsample(2).downsample(2).values, values)
    assert whole.reproject(GRID).values == pytest.approx(values)
    assert whole.to("cm2 s").values == pytest.approx(1e4 * values)
    assert whole.axis("rad") is AXES[1]
    with pytest.raises(ConfigError, match="no axis 'energy', it has .*nearest: 'energy_true'"):
        whole.axis("energy")
    with pytest.raises(UnitMismatch, match="the map is of kind time"):
        whole.to("s")
    with pytest.raises(ConfigError, match="no pixels"):
        SkyMap(np.ones((2, 1, 1, 1)), AXES, None).cutout((0.0, 0.0), 1.0)
    with pytest.raises(ConfigError, match=r"the axes \(energy_true, rad, lat, lon\) need \(2, 1, 8, 12\)"):
        SkyMap(values[:1], AXES, GRID)
    with pytest.raises(ConfigError, match="'interp' or 'exact', got 'cubic'"):
        whole.reproject(GRID, method="cubic")
    with pytest.raises(ConfigError, match="the grid has"):
        resample.reproject(values, GRID.upsample(2), GRID)


@pytest.mark.parametrize("nested", [False, True])
def test_healpix_to_a_grid(nested):
    healpix = pytest.importorskip("astropy_healpix")
    pixels = healpix.HEALPix(64, "nested" if nested else "ring")
    lon, lat = (v.to_value("deg") for v in pixels.healpix_to_lonlat(np.arange(12 * 64**2)))
    values = np.stack([np.cos(np.radians(lat)) * np.cos(np.radians(lon)), np.sin(np.radians(lat))])
    axis = MapAxis.from_nodes("energy_true", [1.0, 2.0], "TeV")
    sky = HealpixMap(values, (axis,), 64, nested, "galactic", "cm2 s")
    grid = SkyGrid.create((83.63, 22.01), npix=(6, 4), binsz=1.0)
    found = sky.to_grid(grid)
    l, b = SkyGrid.create(frame="galactic").from_icrs(*grid.lonlat)
    l, b = np.radians(l), np.radians(b)
    np.testing.assert_allclose(found.values, [np.cos(b) * np.cos(l), np.sin(b)], atol=1e-3)
    assert found.unit == "cm2 s"
    whole = sky.to_grid(SkyGrid.create(proj="AIT", binsz=20.0))
    assert np.all(whole.values[:, np.isnan(whole.grid.lonlat[0])] == 0)
    with pytest.raises(ConfigError, match=r"NSIDE 32 and the axes need \(2, 12288\)"):
        HealpixMap(values, (axis,), 32, nested, "icrs")


def test_a_package_that_is_not_there():
    with pytest.raises(ConfigError, match=r"pip install 'gammajax\[maps\]'"):
        resample.optional_package("reproject_of_another_kind")
