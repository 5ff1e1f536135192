"""Spectra of regions from real cubes, and of a made on-off cube, against Gammapy's `to_spectrum_dataset`."""

from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion

pytest.importorskip("gammapy.datasets")
pytestmark = [
    pytest.mark.data,
    # Gammapy and its dependencies warn about deprecations and odd units of these very files
    pytest.mark.filterwarnings("ignore"),
]

from gammapy.datasets import MapDataset as ReferenceDataset  # noqa: E402
from gammapy.datasets import MapDatasetOnOff as ReferenceOnOff  # noqa: E402

import gammajax as gj  # noqa: E402
from gammajax.datasets.cube_files import read_cube, write_cube  # noqa: E402

CRAB = CircleSkyRegion(SkyCoord("83.633d", "22.014d"), 0.13 * u.deg)
RUNS = (23523, 23526)


def hess(folder, **options):
    """Two runs on the Crab, stacked."""
    (cube,) = gj.reduce_maps(
        gj.DataStore.from_dir(folder / "hess-dl3-dr1").observations(RUNS),
        gj.SkyGrid.create((83.63, 22.01), "4 deg", "0.02 deg", proj="TAN"),
        energy=gj.energy_edges("0.8 TeV", "20 TeV", bins=6),
        energy_true=gj.energy_edges("0.5 TeV", "40 TeV", bins=16),
        safe_mask=gj.SafeMask("offset-max", "aeff-default", offset_max="2.2 deg"),
        stack=True,
        **options,
    )
    return cube


@pytest.fixture(scope="module", params=["fermi", "hess"])
def pair(request, gammajax_data, tmp_path_factory) -> Any:
    """The spectra of both, without containment correction and with it."""
    path = gammajax_data / "fermi-3fhl-gc/fermi-3fhl-gc.fits.gz"
    on = CircleSkyRegion(SkyCoord("0.31d", "-0.17d", frame="galactic"), 0.52 * u.deg)
    if request.param == "hess":
        path = write_cube(hess(gammajax_data), tmp_path_factory.mktemp("cube") / "hess.fits")
        on = CRAB
    cube, reference = read_cube(path), ReferenceDataset.read(path)
    found = [cube.to_spectrum_dataset(on, containment_correction=yes) for yes in (False, True)]
    expected = [reference.to_spectrum_dataset(on, containment_correction=yes) for yes in (False, True)]
    return found, expected


def test_counts_and_background(pair):
    (found, _), (expected, _) = pair
    assert expected.counts.data.sum() > 100
    np.testing.assert_array_equal(found.counts, expected.counts.data.ravel())
    np.testing.assert_allclose(found.background, expected.npred_background().data.ravel(), rtol=1e-6)
    np.testing.assert_array_equal(found.mask_safe, expected.mask_safe.data.ravel())


def test_exposure(pair):
    (found, _), (expected, _) = pair
    np.testing.assert_allclose(found.exposure, expected.exposure.quantity.to_value("cm2 s").ravel(), rtol=1e-6)


def test_containment(pair):
    """Gammapy's cumulative is linear in the radius between the edges of the table; here it is in its square."""
    for one, other in zip(*pair, strict=True):
        np.testing.assert_allclose(one.exposure, other.exposure.quantity.to_value("cm2 s").ravel(), rtol=5e-3)


def test_dispersion(pair):
    """Gammapy takes the nearest pixel of the coarse grid; here it is interpolated between them."""
    (found, _), (expected, _) = pair
    kernel = expected.edisp.get_edisp_kernel(energy_axis=expected.counts.geom.axes[0]).pdf_matrix
    np.testing.assert_allclose(found.edisp, kernel, atol=5e-3)


def test_on_off(gammajax_data, tmp_path):
    ring = gj.RingBackground("0.3 deg", "0.3 deg", "icrs;circle(83.633, 22.014, 0.25)")
    path = write_cube(hess(gammajax_data, background=ring), tmp_path / "ring.fits")
    found = read_cube(path).to_spectrum_dataset(CRAB)
    expected = ReferenceOnOff.read(path).to_spectrum_dataset(CRAB)
    assert isinstance(found, gj.SpectrumDatasetOnOff)
    np.testing.assert_array_equal(found.counts, expected.counts.data.ravel())
    np.testing.assert_array_equal(found.counts_off, expected.counts_off.data.ravel())
    filled = expected.counts_off.data.ravel() > 0
    assert filled.sum() > 4
    for field in ("acceptance", "acceptance_off", "alpha", "background"):
        values = getattr(expected, field).data.ravel()
        np.testing.assert_allclose(np.asarray(getattr(found, field))[filled], values[filled], rtol=1e-6)
