"""OGIP files: what is written comes back, and what is broken is named."""

import numpy as np
import pytest
from astropy.io import fits
from made_spectra import counting, log_parabola, on_off, value

import gammajax as gj
from gammajax.errors import FileFormatError, GammajaxError, MissingFile


@pytest.fixture
def folder(tmp_path):
    on_off().write(tmp_path)
    return tmp_path


def test_round_trip(folder):
    back, data = gj.Datasets.read(folder / "datasets.yaml"), on_off()
    assert back.names == data.names
    for a, b in zip(back, data, strict=True):
        for name in (
            "energy",
            "energy_true",
            "counts",
            "counts_off",
            "alpha",
            "exposure",
            "edisp",
            "livetime",
        ):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-12, atol=1e-300)
        np.testing.assert_array_equal(a.mask, b.mask)
    models = log_parabola()
    problems = [gj.Problem(d, models) for d in (back, data)]
    first, second = (float(value(p, p.start)) for p in problems)
    assert first == pytest.approx(second, rel=1e-12)


def test_counting_spectra_become_dataset_files(tmp_path):
    counting(background=3.0).write(tmp_path)
    back = gj.Datasets.read(tmp_path / "datasets.yaml")
    assert all(isinstance(d, gj.SpectrumDataset) for d in back)
    np.testing.assert_allclose(back[0].background, 3.0)


def test_expected_counts_that_are_not_whole(tmp_path, asimov_spectra):
    asimov_spectra.write(tmp_path)
    back = gj.Datasets.read(tmp_path / "datasets.yaml")
    np.testing.assert_allclose(back[0].counts, asimov_spectra[0].counts, rtol=1e-12)


def edit(path, change):
    with fits.open(path, mode="update") as hdus:
        change(hdus)


BROKEN = [
    ("pha_d0_arf.fits", None, MissingFile, "pha_d0_arf.fits"),
    ("pha_d0_rmf.fits", None, MissingFile, "pha_d0_rmf.fits"),
    ("pha_d0_bkg.fits", None, MissingFile, "pha_d0_bkg.fits"),
    ("pha_d0.fits", lambda h: h["SPECTRUM"].header.pop("ANCRFILE"), FileFormatError, "names no ANCRFILE"),
    (
        "pha_d0.fits",
        lambda h: h["SPECTRUM"].header.set("EXPOSURE", 0.0),
        FileFormatError,
        "EXPOSURE must be a positive number",
    ),
    ("pha_d0.fits", lambda h: h["SPECTRUM"].columns.del_col("COUNTS"), FileFormatError, "COUNTS"),
    ("pha_d0_rmf.fits", lambda h: h.__delitem__("EBOUNDS"), FileFormatError, "EBOUNDS"),
    ("pha_d0_rmf.fits", lambda h: h["MATRIX"].columns.del_col("N_CHAN"), FileFormatError, "N_CHAN"),
    ("pha_d0_arf.fits", lambda h: h["SPECRESP"].columns.del_col("SPECRESP"), FileFormatError, "SPECRESP"),
]


@pytest.mark.parametrize(("name", "change", "error", "message"), BROKEN)
def test_broken_files_are_named(folder, name, change, error, message):
    if change is None:
        (folder / name).unlink()
    else:
        edit(folder / name, change)
    with pytest.raises(error, match=message) as caught:
        gj.Datasets.read(folder / "datasets.yaml")
    assert name in str(caught.value)


def test_not_fits_at_all(folder):
    (folder / "pha_d0.fits").write_text("no FITS")
    with pytest.raises(GammajaxError, match=r"pha_d0\.fits"):
        gj.Datasets.read(folder / "datasets.yaml")


def test_files_of_other_binning(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    on_off(energy=np.geomspace(0.1, 100, 8)).write(other)
    (folder / "pha_d0_bkg.fits").write_bytes((other / "pha_d0_bkg.fits").read_bytes())
    with pytest.raises(FileFormatError, match=r"pha_d0_bkg\.fits has 7 channels, .*pha_d0\.fits has 12"):
        gj.Datasets.read(folder / "datasets.yaml")
