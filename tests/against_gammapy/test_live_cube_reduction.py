"""Cubes of single runs and their stack, bin by bin, against Gammapy 2.1 on the same files."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

pytest.importorskip("gammapy.makers")
pytestmark = [
    pytest.mark.data,
    # Gammapy and its dependencies warn about deprecations and odd units of these very files
    pytest.mark.filterwarnings("ignore"),
]

from gammapy.data import DataStore as ReferenceStore  # noqa: E402
from gammapy.datasets import MapDataset as ReferenceDataset  # noqa: E402
from gammapy.makers import (  # noqa: E402
    DatasetsMaker,
    FoVBackgroundMaker,
    MapDatasetMaker,
    RingBackgroundMaker,
    SafeMaskMaker,
)
from gammapy.maps import Map, MapAxis, WcsGeom  # noqa: E402

import gammajax as gj  # noqa: E402


@dataclass(frozen=True)
class Setup:
    """An archive, two of its runs, a grid and the masks."""

    archive: str
    runs: tuple[int, ...]
    center: SkyCoord
    frame: str
    proj: str
    binsz: float
    width: tuple[float, float]
    energy: np.ndarray
    energy_true: np.ndarray
    methods: tuple[str, ...]
    offset_max: float


SETUPS = {
    "hess": Setup("hess-dl3-dr1", (20326, 20327), SkyCoord("258.39d", "-39.76d"), "icrs", "TAN", 0.04, (6.0, 5.0),
                  np.geomspace(0.5, 20.0, 9), np.geomspace(0.3, 40.0, 21), ("offset-max", "aeff-default"), 2.5),
    "hess galactic": Setup("hess-dl3-dr1", (20326, 20327), SkyCoord("347.3d", "-0.5d", frame="galactic"), "galactic",
                           "CAR", 0.05, (5.0, 5.0), np.geomspace(0.3, 30.0, 7), np.geomspace(0.2, 60.0, 13),
                           ("offset-max", "aeff-max", "edisp-bias", "bkg-peak"), 2.0),
    "cta-1dc": Setup("cta-1dc/index/gps", (110380, 111140), SkyCoord("0d", "0d", frame="galactic"), "galactic", "CAR",
                     0.1, (10.0, 8.0), np.geomspace(0.1, 10.0, 11), np.geomspace(0.08, 12.0, 15),
                     ("aeff-default", "offset-max"), 3.5),
}  # fmt: skip


@pytest.fixture(scope="module", params=SETUPS)
def setup(request):
    return SETUPS[request.param]


def grid_of(setup):
    return gj.SkyGrid.create(setup.center, setup.width, setup.binsz, proj=setup.proj, frame=setup.frame)


def ours(folder, setup, **options):
    runs = gj.DataStore.from_dir(folder / setup.archive).observations(setup.runs)
    found = gj.reduce_maps(
        runs, grid_of(setup), energy=setup.energy, energy_true=setup.energy_true, safe_mask=setup.methods,
        offset_max=setup.offset_max, **options,
    )  # fmt: skip
    assert not found.failures
    return found


def theirs(folder, setup, stack=False, extra=()) -> Any:
    geom = WcsGeom.create(
        skydir=setup.center, width=setup.width, binsz=setup.binsz, frame=setup.frame, proj=setup.proj,
        axes=[MapAxis.from_energy_edges(setup.energy * u.TeV)],
    )  # fmt: skip
    true = MapAxis.from_energy_edges(setup.energy_true * u.TeV, name="energy_true")
    empty = ReferenceDataset.create(geom, energy_axis_true=true, name="reference")
    makers = [
        MapDatasetMaker(),
        SafeMaskMaker(methods=list(setup.methods), offset_max=setup.offset_max * u.deg),
        *extra,
    ]
    runs = ReferenceStore.from_dir(folder / setup.archive).get_observations(setup.runs)
    return DatasetsMaker(makers, stack_datasets=stack).run(empty, runs)


@pytest.fixture(scope="module")
def pair(gammajax_data, setup):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = theirs(gammajax_data, setup)
    return list(ours(gammajax_data, setup)), list(expected)


def test_counts_and_masks(pair, setup):
    """Galactic: Gammapy turns float32 columns in single precision, so that events within 0.1 arcsec of an edge move."""
    for found, expected in zip(*pair, strict=True):
        np.testing.assert_array_equal(found.mask_safe, expected.mask_safe.data)
        moved = np.abs(np.asarray(found.counts) - expected.counts.data).sum()
        assert moved <= (0 if setup.frame == "icrs" else 1e-3 * expected.counts.data.sum())
        assert float(found.counts.sum()) == expected.counts.data.sum()


def test_exposure(pair):
    for found, expected in zip(*pair, strict=True):
        values = expected.exposure.quantity.to_value("cm2 s")
        np.testing.assert_allclose(found.exposure, values, rtol=1e-4, atol=1e-6 * values.max())


def test_background(pair):
    """Gammapy fills empty bins of the response from their neighbours in energy: a difference of single bins."""
    for found, expected in zip(*pair, strict=True):
        ok, values = np.asarray(found.mask_safe), expected.background.data
        np.testing.assert_allclose(
            np.asarray(found.background)[ok], values[ok], rtol=1e-3, atol=1e-3 * values[ok].max()
        )
        assert np.asarray(found.background)[ok].sum() == pytest.approx(values[ok].sum(), rel=1e-3)


def test_psf(pair, setup):
    """Next to grid points without PSF, Gammapy blends Gaussians with a placeholder of 1 deg."""
    for found, expected in zip(*pair, strict=True):
        values = expected.psf.psf_map.quantity.to_value("sr-1")
        exposure = expected.psf.exposure_map.quantity.to_value("cm2 s")
        peak = values.max(axis=1)
        apart = np.max(np.abs(found.psf.values - values), axis=1) / np.where(peak > 0, peak, 1.0)
        seen = (exposure[:, 0] > 1e-3 * exposure.max()) & (peak > 0)
        assert np.mean(apart[seen] > 2e-3) < (0.03 if setup.archive.startswith("cta") else 1e-9)
        np.testing.assert_allclose(found.psf.exposure, exposure[:, 0], rtol=1e-4, atol=1e-6 * exposure.max())


def test_edisp(pair):
    for found, expected in zip(*pair, strict=True):
        values, exposure = expected.edisp.edisp_map.data, expected.edisp.exposure_map.data
        seen = np.broadcast_to(exposure > 1e-3 * exposure.max(), values.shape)
        assert np.max(np.abs(found.edisp.values - values), where=seen, initial=0.0) < 2e-4


def test_stack_and_scaled_background(gammajax_data, setup):
    """Where the safe masks of all runs hold, also PSF and dispersion of the stack are Gammapy's."""
    lon, lat = setup.center.icrs.ra.deg, setup.center.icrs.dec.deg
    scale = gj.FoVBackgroundScale(f"icrs;circle({lon}, {lat}, 0.5)")
    (found,) = ours(gammajax_data, setup, stack=True, background=scale)
    grid = grid_of(setup)
    geom = WcsGeom.create(skydir=setup.center, width=setup.width, binsz=setup.binsz, frame=setup.frame, proj=setup.proj)
    excluded = Map.from_geom(geom, data=~grid.mask(f"icrs;circle({lon}, {lat}, 0.5)"))
    maker = FoVBackgroundMaker(method="scale", exclusion_mask=excluded)
    (expected,) = theirs(gammajax_data, setup, stack=True, extra=[maker])
    np.testing.assert_array_equal(found.mask_safe, expected.mask_safe.data)
    assert float(found.counts.sum()) == pytest.approx(expected.counts.data.sum(), abs=3)
    values = expected.exposure.quantity.to_value("cm2 s")
    np.testing.assert_allclose(found.exposure, values, rtol=1e-4, atol=1e-6 * values.max())
    assert float(found.background.sum()) == pytest.approx(expected.npred_background().data.sum(), rel=1e-3)
    ny, nx = found.edisp.values.shape[-2:]
    middle = (slice(ny // 2 - 2, ny // 2 + 2), slice(nx // 2 - 2, nx // 2 + 2))
    safe = np.asarray(found.mask_safe)[:, grid.shape[0] // 2, grid.shape[1] // 2]
    reference = expected.edisp.edisp_map.data[:, safe][..., *middle]
    np.testing.assert_allclose(found.edisp.values[:, safe][..., *middle], reference, atol=5e-4)
    psf = expected.psf.psf_map.quantity.to_value("sr-1")[..., *middle]
    np.testing.assert_allclose(found.psf.values[..., *middle], psf, rtol=1e-3, atol=2e-3 * psf.max())


def test_rings(gammajax_data):
    """Where the whole ring is safe: Gammapy counts unsafe pixels too. Acceptances are as near as backgrounds."""
    setup = SETUPS["hess"]
    r_in, width = 0.39, 0.43
    lon, lat = setup.center.icrs.ra.deg, setup.center.icrs.dec.deg
    hole = f"icrs;circle({lon}, {lat}, 0.6)"
    geom = WcsGeom.create(skydir=setup.center, width=setup.width, binsz=setup.binsz, frame=setup.frame, proj=setup.proj)
    maker = RingBackgroundMaker(r_in * u.deg, width * u.deg, Map.from_geom(geom, data=~grid_of(setup).mask(hole)))
    expected = theirs(gammajax_data, setup, extra=[maker])
    found = ours(gammajax_data, setup, background=gj.RingBackground(r_in, width, hole))
    runs = gj.DataStore.from_dir(gammajax_data / setup.archive).observations(setup.runs)
    for one, other, run in zip(found, expected, runs, strict=True):
        inner = one.grid.separation(*run.pointing_radec) < setup.offset_max - r_in - width - 2 * setup.binsz
        inside = np.asarray(one.mask_safe) & other.mask_safe.data & inner
        assert inside.sum() > 5000
        np.testing.assert_allclose(
            np.asarray(one.counts_off)[inside], other.counts_off.data[inside], rtol=1e-6, atol=1e-4
        )
        filled = inside & (other.acceptance_off.data > 1e-3)
        np.testing.assert_allclose(np.asarray(one.alpha)[filled], other.alpha.data[filled], rtol=2e-3)
