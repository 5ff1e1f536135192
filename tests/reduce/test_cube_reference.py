"""Cubes of real runs against frozen reference numbers (made with Gammapy 2.1)."""

import numpy as np
import pytest
from real_cubes import galactic_centre, reference, rxj

pytestmark = pytest.mark.data


def test_runs_of_rx_j1713(gammajax_data):
    """The reference runs lie on the whole grid: no pixel is cut off."""
    expected = reference(gammajax_data, "rxj_3d")

    def check(cube):
        entry, mask = expected["per_run"][cube.name], np.asarray(cube.mask)
        assert int(mask.sum()) == entry["n_bins_in_mask"]
        assert float(cube.counts.sum()) == entry["counts"]
        assert float(np.asarray(cube.counts)[mask].sum()) == entry["counts_in_mask"]
        background = float(np.asarray(cube.background)[mask].sum())
        assert background == pytest.approx(entry["npred_background_in_mask"], rel=3e-4)
        assert float(cube.exposure.sum()) / 1e4 == pytest.approx(entry["exposure_sum_m2_s"], rel=1e-4)

    found = rxj(gammajax_data, expected, offset_max="10 deg", each=check, stack=True)
    assert not found.failures
    assert list(found.scales) == expected["obs_ids"]


def test_stack_of_rx_j1713(gammajax_data):
    expected = reference(gammajax_data, "rxj_3d")
    (cube,) = rxj(gammajax_data, expected, stack=True, name="rxj1713")
    entry, mask = expected["dataset"], np.asarray(cube.mask)
    assert cube.counts.shape == tuple(entry["counts_shape"])
    assert float(cube.counts.sum()) == entry["counts_total"]
    # Gammapy's runs lie on the whole grid, and all of their safe pixels are in 5 deg wide parts of another run too
    assert int(mask.sum()) == entry["n_bins_in_mask"]
    background = float(np.asarray(cube.background)[mask].sum())
    assert background == pytest.approx(entry["background_in_mask_unscaled"], rel=1e-3)
    assert float(cube.exposure.sum()) / 1e4 == pytest.approx(entry["exposure_sum"], rel=1e-4)
    assert cube.psf.values.shape == tuple(entry["psf_shape"])
    assert cube.edisp.values.shape == tuple(entry["edisp_shape"])


@pytest.mark.parametrize("stack", [True, False])
def test_galactic_centre_of_cta(gammajax_data, stack):
    expected = reference(gammajax_data, "cta_1dc")
    found = galactic_centre(gammajax_data, expected, stack)
    entries = [expected["dataset"]] if stack else expected["joint_3_datasets"]["datasets"]
    for cube, entry in zip(found, entries, strict=True):
        # the reference counts and sums are those above 0.3 TeV (mask_fit)
        mask = np.asarray(cube.select_energy("0.3 TeV", "20 TeV").mask)
        assert cube.counts.shape == tuple(entry["counts_shape"])
        assert float(cube.counts.sum()) == pytest.approx(entry["counts_total"], abs=2)
        assert int(mask.sum()) == entry["n_bins_in_mask"]
        assert float(np.asarray(cube.counts)[mask].sum()) == pytest.approx(entry["counts_in_mask"], abs=2)
        background = float(np.asarray(cube.background)[mask].sum())
        assert background == pytest.approx(entry["background_in_mask_unscaled"], rel=1e-4)
        assert float(cube.exposure.sum()) / 1e4 == pytest.approx(entry["exposure_sum"], rel=1e-4)
