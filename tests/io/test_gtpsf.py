import numpy as np
import pytest
from astropy.io import fits

from gammajax.errors import FileFormatError, UnitMismatch
from gammajax.io.gtpsf import read_gtpsf

ENERGY, THETA = np.array([1e3, 1e4, 1e5]), np.linspace(0.0, 3.0, 40) ** 2 / 3


def gtpsf(path, energy=ENERGY, theta=THETA, unit=None, **columns):
    psf = np.exp(-0.5 * (theta / 0.2) ** 2) * np.ones((len(energy), 1))
    columns = {"Psf": psf, "Exposure": np.full(len(energy), 3e11)} | columns
    made = [
        fits.Column("Energy", "D", unit=unit, array=energy),
        fits.Column("Exposure", "D", array=columns["Exposure"]),
    ]
    made.append(fits.Column("Psf", f"{columns['Psf'].shape[1]}D", array=columns["Psf"]))
    tables = [fits.BinTableHDU.from_columns(made, name="PSF")]
    tables.append(fits.BinTableHDU.from_columns([fits.Column("Theta", "D", array=theta)], name="THETA"))
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    return path


def test_units_are_those_of_fermi(tmp_path):
    found = read_gtpsf(gtpsf(tmp_path / "psf.fits"))
    np.testing.assert_allclose(found.energy, [1e-3, 1e-2, 1e-1])
    np.testing.assert_array_equal(found.rad, THETA)
    assert found.values.shape == (3, 40, 1, 1)
    assert found.exposure[0, 0, 0] == 3e11
    assert not found.reco
    assert len(found.rad_edges) == 41
    assert read_gtpsf(gtpsf(tmp_path / "gev.fits", unit="GeV")).energy[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"energy": ENERGY[::-1]}, FileFormatError, "psf.fits: the axis 'energy_true' must increase"),
        ({"theta": THETA[::-1]}, FileFormatError, "the axis 'rad' must increase"),
        ({"energy": ENERGY[:1]}, FileFormatError, "of 1 nodes has no edges"),
        ({"unit": "deg"}, UnitMismatch, r"psf.fits\[PSF\] column Energy is of kind energy"),
        ({"Psf": -np.ones((3, 40))}, FileFormatError, r"column Psf: 120 of 120 values are negative or not finite"),
        ({"Psf": np.ones((3, 39))}, FileFormatError, r"column Psf has the shape \(3, 39\), .* need \(3, 40\)"),
        ({"Exposure": np.full(3, -1.0)}, FileFormatError, "column Exposure: 3 of 3 values are negative"),
        ({"Exposure": np.full(3, np.nan)}, FileFormatError, "column Exposure: 3 of 3 values are not finite"),
    ],
)
def test_messages(tmp_path, keys, error, message):
    with pytest.raises(error, match=message):
        read_gtpsf(gtpsf(tmp_path / "psf.fits", **keys))


@pytest.mark.parametrize("file", ["fermi-3fhl-gc/fermi-3fhl-gc-psf-cube.fits.gz", "joint-crab/data/fermi/psf.fits.gz"])
def test_published_files(gammajax_data, file):
    found = read_gtpsf(gammajax_data / file)
    ring = 2 * np.pi * np.diff(-np.cos(np.radians(np.maximum(found.rad_edges, 0.0))))
    np.testing.assert_allclose(found.values[:, :, 0, 0] @ ring, 1.0, atol=0.01)
    assert found.energy[[0, -1]] == pytest.approx([0.01, found.energy[-1]])
    assert 2e11 < found.exposure[0, 0, 0] < 4e11
