"""Cubes of real runs against frozen reference numbers (made with Gammapy 2.1)."""

import json

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

import gammajax as gj

pytestmark = pytest.mark.data

RXJ = SkyCoord("258.39d", "-39.76d")


def reference(folder, name):
    path = folder.parent / "reference" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the reference numbers are not next to the data")
    return json.loads(path.read_text())


def rxj(folder, expected, **options):
    """RX J1713.7-3946: background scaled outside of the source, 2.5 deg around each pointing."""
    return gj.reduce_maps(
        gj.DataStore.from_dir(folder / "hess-dl3-dr1").observations(expected["obs_ids"]),
        gj.SkyGrid.create(RXJ, "6 deg", "0.02 deg", proj="TAN"),
        energy=gj.energy_edges("0.5 TeV", "20 TeV", bins=8),
        energy_true=gj.energy_edges("0.3 TeV", "40 TeV", bins=20),
        background=gj.FoVBackgroundScale("icrs;circle(258.39, -39.76, 0.9)"),
        safe_mask=gj.SafeMask("offset-max", "aeff-default", offset_max="2.5 deg"),
        **options,
    )


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
    found = gj.reduce_maps(
        gj.DataStore.from_dir(gammajax_data / "cta-1dc/index/gps").observations(expected["setup"]["obs_ids"]),
        gj.SkyGrid.create((0.0, 0.0), (10.0, 8.0), 0.02, frame="galactic"),
        energy=gj.energy_edges("0.1 TeV", "10 TeV", bins=10),
        energy_true=gj.energy_edges("0.08 TeV", "12 TeV", bins=14),
        safe_mask=["aeff-default", "offset-max"],
        offset_max="3.5 deg",
        stack=stack,
    )
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
