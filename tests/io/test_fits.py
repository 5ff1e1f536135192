import gzip

import numpy as np
import pytest
from astropy.io import fits
from dl3_files import gti_hdu, table, write

from gammajax.errors import FileFormatError, MissingFile, UnitMismatch
from gammajax.io.fits import column, find_hdu, number, open_fits


def columns(*units):
    return [fits.Column(f"X{i}", "E", unit, array=np.array([1.5, 2.5])) for i, unit in enumerate(units)]


def read(path, *names, **options):
    with open_fits(path) as hdus:
        return column(hdus[1], path, *names, **options)


def test_column_is_native_float64_in_the_canonical_unit(tmp_path):
    path = write(tmp_path / "x.fits", table("T", columns("GeV", "m^2", "sr^-1")))
    energy = read(path, "X0", unit="TeV")
    assert energy.dtype == np.float64
    assert energy.dtype.isnative
    np.testing.assert_allclose(energy, [0.0015, 0.0025])
    np.testing.assert_allclose(read(path, "X1", unit="cm2"), [1.5e4, 2.5e4])
    np.testing.assert_allclose(read(path, "X2", unit="sr-1"), [1.5, 2.5])


def test_a_missing_unit_is_that_of_the_format(tmp_path):
    path = write(tmp_path / "x.fits", table("T", columns(None)))
    np.testing.assert_allclose(read(path, "X0", unit="cm2", default="m2"), [1.5e4, 2.5e4])


def test_exact_spelling_wins_over_other_case(tmp_path):
    data = [fits.Column("ra", "E", array=np.array([1.0])), fits.Column("RB", "E", array=np.array([2.0]))]
    path = write(tmp_path / "x.fits", table("T", data))
    assert read(path, "RA")[0] == 1.0
    assert read(path, "RA", "RB")[0] == 2.0


def test_errors_name_file_hdu_and_column(tmp_path):
    path = write(tmp_path / "x.fits", table("T", columns("deg")))
    with pytest.raises(FileFormatError, match=r"x\.fits\[T\] has no column X9; nearest: 'X0'"):
        read(path, "X9")
    with pytest.raises(UnitMismatch, match=r"x\.fits\[T\] column X0"):
        read(path, "X0", unit="TeV")
    with open_fits(path) as hdus, pytest.raises(FileFormatError, match="has no HDU 'GTI'; it has 'T'"):
        find_hdu(hdus, path, name="GTI")


def test_absent_and_broken_files(tmp_path):
    with pytest.raises(MissingFile, match="nothing.fits"), open_fits(tmp_path / "nothing.fits"):
        pass
    (tmp_path / "text.fits").write_text("no FITS at all")
    with pytest.raises(FileFormatError, match="text.fits"), open_fits(tmp_path / "text.fits"):
        pass
    whole = write(tmp_path / "whole.fits", table("T", [fits.Column("X", "D", array=np.zeros(5000))])).read_bytes()
    (tmp_path / "cut.fits.gz").write_bytes(gzip.compress(whole)[:-30])
    with pytest.raises(FileFormatError, match="cut.fits.gz"):
        read(tmp_path / "cut.fits.gz", "X")


def test_an_unparsable_card(tmp_path):
    path = write(tmp_path / "x.fits", table("T", columns("deg"), SPEED=1.25))
    path.write_bytes(path.read_bytes().replace(b"1.25 ", b"1,2,5"))
    with pytest.raises(FileFormatError, match="x.fits cannot be read as FITS: VerifyError"), open_fits(path) as hdus:
        _ = hdus[1].header["SPEED"]


def test_compression_is_seen_from_the_content(tmp_path):
    path = write(tmp_path / "x.fits", gti_hdu())
    odd = tmp_path / "no_extension"
    odd.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read(odd, "STOP"), [50.0])


def test_hdu_is_found_by_class_then_name_then_columns(tmp_path):
    plain = [fits.Column("START", "D", array=np.zeros(1)), fits.Column("STOP", "D", array=np.ones(1))]
    path = write(tmp_path / "x.fits", table("A", plain), table("gti", plain), table("B", plain, ("GTI",)))
    with open_fits(path) as hdus:
        assert find_hdu(hdus, path, classes=["GTI"], names=["GTI"]).name == "B"
        assert find_hdu(hdus, path, names=["GTI"], columns=["START"]).name == "GTI"
        assert find_hdu(hdus, path, names=["GTIS"], columns=["START", "STOP"]).name == "A"


def test_number_copes_with_odd_cards():
    header = fits.Header({"A": "51544", "B": "x", "C": True})
    assert number(header, "A") == 51544.0
    assert all(np.isnan(number(header, key)) for key in ("B", "C", "D"))


def test_letters_beyond_ascii_are_read_without_a_word(tmp_path):
    path = write(tmp_path / "x.fits", table("T", columns("GeV"), OBSERVER="Muller"))
    path.write_bytes(path.read_bytes().replace(b"Muller", "Müller".encode("latin-1")))
    np.testing.assert_allclose(read(path, "X0", unit="TeV"), [0.0015, 0.0025])


def test_numbers_beyond_all_floats_are_infinite(tmp_path):
    path = write(tmp_path / "x.fits", table("T", [fits.Column("X", "D", "m2", array=np.array([1e306, 1.0]))]))
    np.testing.assert_array_equal(read(path, "X", unit="cm2"), [np.inf, 1e4])


def test_a_name_longer_than_files_have(tmp_path):
    with (
        pytest.raises(MissingFile, match="xxx cannot be looked at: File name too long"),
        open_fits(tmp_path / ("x" * 300)),
    ):
        pass
