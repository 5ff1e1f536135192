"""Tabulated responses: normalised, and after the cut what the cut leaves."""

from dataclasses import replace

import numpy as np
import pytest

from gammajax.irf import PSF3Gauss, PSFTable
from gammajax.simulate import HESS, INSTRUMENTS, LST, MAGIC, responses


def written(instrument):
    return {table.kind: table for table in responses(instrument).written}


def test_kinds():
    assert set(written(HESS)) == {"aeff_2d", "edisp_2d", "psf_3gauss", "bkg_2d"}
    assert set(written(replace(HESS, psf_format="psf_table"))) == {
        "aeff_2d",
        "edisp_2d",
        "psf_table",
        "bkg_2d",
    }
    assert set(written(MAGIC)) == {"aeff_2d", "edisp_2d"}
    assert set(written(LST)) == {"aeff_2d", "edisp_2d", "rad_max_2d"}


@pytest.mark.parametrize("instrument", INSTRUMENTS.values(), ids=INSTRUMENTS)
def test_dispersion_is_normalised_and_has_the_mean_asked_for(instrument):
    edisp = responses(instrument).edisp
    mu, width = edisp.axes["migra"].points, np.diff(edisp.axes["migra"].edges)
    for table in (edisp, written(instrument)["edisp_2d"]):
        np.testing.assert_allclose(table.values["MATRIX"] @ width, 1.0, rtol=1e-12)
    mean = edisp.values["MATRIX"] @ (mu * width)
    high = edisp.axes["energy"].points > instrument.lo_thres
    expected = np.broadcast_to(1 + instrument.energy_bias(edisp.axes["energy"].points)[:, None], mean.shape)
    np.testing.assert_allclose(mean[high], expected[high], rtol=0.01)


def test_cut_takes_from_the_area_what_it_takes_from_the_photons():
    energy, offset = MAGIC.energy.points[:, None], MAGIC.offset.points
    area = written(MAGIC)["aeff_2d"].values["EFFAREA"] / responses(MAGIC).aeff.values["EFFAREA"]
    np.testing.assert_allclose(area, MAGIC.containment(MAGIC.rad_max, energy, offset), rtol=1e-12)


def test_cut_that_depends_on_energy_changes_the_dispersion():
    """Photons reconstructed too high meet a tighter cut: the mean migration falls."""
    full, cut = responses(LST).edisp, written(LST)["edisp_2d"]
    weight = np.diff(LST.migra.edges) * LST.migra.points
    change = (cut.values["MATRIX"] - full.values["MATRIX"]) @ weight
    middle = (LST.energy.points > 0.2) & (LST.energy.points < 1.0)
    assert np.all(change[middle] < 0)
    assert np.all(np.abs(change[middle]) < 0.03)


def test_both_psf_formats_hold_the_same_psf():
    table = PSFTable.from_response(written(replace(HESS, psf_format="psf_table"))["psf_table"])
    gauss = PSF3Gauss.from_response(written(HESS)["psf_3gauss"])
    rad = np.array([0.05, 0.11, 0.3])
    for energy, offset in ((HESS.energy.points[20], 0.5), (HESS.energy.points[40], 1.5)):
        exact = HESS.containment(rad, energy, offset)
        np.testing.assert_allclose(gauss.containment(rad, energy, offset), exact, rtol=1e-9)
        # the density is constant over a ring
        np.testing.assert_allclose(table.containment(rad, energy, offset), exact, atol=4e-3)


def test_scale_is_the_peak_that_the_format_defines():
    """int dP/dOmega = 2 S (s1^2 + A2 s2^2 + A3 s3^2) = 1."""
    psf = written(HESS)["psf_3gauss"].values
    squares = [np.deg2rad(psf[f"SIGMA_{i}"]) ** 2 for i in (1, 2, 3)]
    integral = 2 * psf["SCALE"] * (squares[0] + psf["AMPL_2"] * squares[1] + psf["AMPL_3"] * squares[2])
    np.testing.assert_allclose(integral, 1.0, rtol=1e-12)
