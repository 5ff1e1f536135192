"""OGIP files: what is written comes back, and what is broken is named."""

import equinox as eqx
import numpy as np
import pytest
from astropy.io import fits
from made_spectra import counting, log_parabola, on_off, value

import gammajax as gj
from gammajax.errors import DatasetError, FileFormatError, GammajaxError, MissingFile
from gammajax.io.ogip import read_ogip
from gammajax.io.ogip_write import write_ogip


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


def scale(hdus, name, factor):
    hdus["SPECTRUM"].data[name][3] *= factor


def shift(hdus, factor):
    for name in ("ENERG_LO", "ENERG_HI"):
        hdus["MATRIX"].data[name][:] *= factor


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
    ("pha_d0.fits", lambda h: scale(h, "AREASCAL", 0.0), FileFormatError, "AREASCAL must be above 0"),
    ("pha_d0_bkg.fits", lambda h: scale(h, "AREASCAL", -1.0), FileFormatError, "AREASCAL must be above 0"),
    ("pha_d0.fits", lambda h: scale(h, "BACKSCAL", 0.0), FileFormatError, "BACKSCAL must be above 0"),
    ("pha_d0_bkg.fits", lambda h: scale(h, "BACKSCAL", -1.0), FileFormatError, "BACKSCAL must be above 0"),
    ("pha_d0_rmf.fits", lambda h: shift(h, 1.01), FileFormatError, "have other true energies: edge 0"),
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


def test_response_edges_may_be_float32(folder):
    edit(folder / "pha_d0_rmf.fits", lambda h: shift(h, 1 + 3e-6))
    assert len(gj.Datasets.read(folder / "datasets.yaml")) == 3


def test_bins_that_no_run_of_a_stack_trusts(tmp_path):
    """Their acceptance is 0, and so is BACKSCAL: allowed where QUALITY is not 0."""
    dataset = on_off()[0]
    safe = np.arange(12) > 2
    dataset = eqx.tree_at(
        lambda d: (d.mask_safe, d.acceptance, d.acceptance_off), dataset, (safe, 1.0 * safe, 10.0 * safe)
    )
    gj.Datasets([dataset]).write(tmp_path)
    np.testing.assert_array_equal(gj.Datasets.read(tmp_path / "datasets.yaml")[0].acceptance, safe)


def test_an_unknown_livetime_stays_unknown(tmp_path):
    dataset = eqx.tree_at(lambda d: d.livetime, on_off()[0], np.float64(np.nan))
    gj.Datasets([dataset]).write(tmp_path)
    back = gj.Datasets.read(tmp_path / "datasets.yaml")[0]
    assert np.isnan(back.livetime)
    np.testing.assert_allclose(back.exposure, dataset.exposure)


def test_a_spectrum_with_off_counts_is_no_counting_spectrum(folder):
    listed = folder / "datasets.yaml"
    listed.write_text(listed.read_text().replace("SpectrumDatasetOnOff", "SpectrumDataset"))
    with pytest.raises(DatasetError, match="has off counts: list d0 as SpectrumDatasetOnOff"):
        gj.Datasets.read(listed)


def test_the_pha_is_written_last_and_nothing_else_is_left(folder):
    assert not list(folder.glob(".part*"))
    paths = write_ogip(read_ogip(folder / "pha_d0.fits"), folder / "again.fits")
    assert paths[-1] == folder / "again.fits"
