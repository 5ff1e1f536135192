"""OGIP spectra of X-ray telescopes, and what OGIP allows beyond the files of Cherenkov telescopes."""

import logging

import numpy as np
import pytest
import xray_files as xray
from astropy import units as u
from astropy.io import fits

import gammajax as gj
from gammajax.errors import ConfigError, FileFormatError
from gammajax.io.ogip import read_ogip

PL = {"index": 1.8, "amplitude": "0.02 cm-2 s-1 keV-1", "reference": "1 keV"}


@pytest.fixture
def pha(tmp_path):
    return xray.write_xray(tmp_path)


def models():
    return gj.Models(x=gj.SkyModel(gj.PowerLaw(**PL)))


def expected():
    """Counts of the power law by hand, in keV and cm2."""
    low, high = np.maximum(xray.EDGES_TRUE[:-1], 0.02), xray.EDGES_TRUE[1:]
    flux = 0.02 / 0.8 * (low**-0.8 - high**-0.8)
    return (flux * xray.area() * xray.EXPOSURE) @ xray.kernel()


def test_a_spectrum_in_kev(pha):
    (dataset,) = gj.Datasets.read_ogip([pha])
    on, off = xray.counts()
    np.testing.assert_array_equal(dataset.counts, on)
    np.testing.assert_array_equal(dataset.counts_off, off)
    np.testing.assert_allclose(np.asarray(dataset.energy) * 1e9, xray.EDGES, rtol=1e-6)
    np.testing.assert_array_equal(dataset.mask_safe, np.arange(40) >= 4)
    # The off counts come from a larger region (5 x) and a longer exposure (4 x).
    np.testing.assert_allclose(dataset.alpha, 0.01 / 0.05 * 5000 / 20000)
    assert (dataset.provenance.telescope, float(dataset.livetime)) == ("SWIFT", 5000.0)
    signal, _ = gj.predict_counts(dataset, models())
    np.testing.assert_allclose(signal, expected(), rtol=1e-5)


def test_it_is_fitted(pha):
    (dataset,) = gj.Datasets.read_ogip([pha])
    made = gj.asimov([dataset], models())
    fit = gj.fit(made, models().set({"x.spectral.index": 1.5, "x.spectral.amplitude": 1e7}))
    assert fit.success
    assert fit.models.value("x.spectral.index") == pytest.approx(1.8, abs=1e-4)
    assert u.Quantity(fit.models.value("x.spectral.amplitude"), "cm-2 s-1 TeV-1").to_value(
        "cm-2 s-1 keV-1"
    ) == pytest.approx(0.02, rel=1e-4)


def test_groups(pha):
    (fine,) = gj.Datasets.read_ogip([pha])
    (coarse,) = gj.Datasets.read_ogip([pha], grouping="apply")
    assert coarse.energy.shape == (21,)
    for name in ("counts", "counts_off"):
        np.testing.assert_array_equal(getattr(coarse, name), np.asarray(getattr(fine, name)).reshape(20, 2).sum(axis=1))
    np.testing.assert_allclose(coarse.edisp, np.asarray(fine.edisp).reshape(60, 20, 2).sum(axis=2))
    np.testing.assert_array_equal(coarse.mask_safe, np.arange(20) >= 2)
    np.testing.assert_allclose(coarse.alpha, 0.05)


def test_a_group_never_joins_good_and_bad_channels(pha):
    def one_group(hdus):
        hdus["SPECTRUM"].data["GROUPING"][:] = -1

    edit(pha, one_group)
    coarse = read_ogip(pha, grouping="apply")
    np.testing.assert_array_equal(coarse.quality, [5, 0])
    assert coarse.counts.sum() == xray.counts()[0].sum()


def test_groups_are_an_option(pha, caplog):
    with caplog.at_level(logging.INFO, "gammajax"):
        read_ogip(pha)
    assert 'read with grouping="apply"' in caplog.text
    with pytest.raises(ConfigError, match="grouping must be 'ignore' or 'apply', got 'yes'"):
        read_ogip(pha, grouping="yes")


def test_a_group_of_unequal_ratios(pha):
    edit(pha, lambda h: add(h, "BACKSCAL", "D", np.linspace(0.01, 0.02, 40)))
    with pytest.raises(FileFormatError, match="ratio of the BACKSCAL changes inside a group"):
        read_ogip(pha, grouping="apply")


def edit(path, change):
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(path.with_suffix(".new"), overwrite=True)
    path.with_suffix(".new").replace(path)


def add(hdus, name, code, values, hdu="SPECTRUM"):
    old = hdus[hdu]
    kept = [c for c in old.columns if c.name != name]
    new = fits.BinTableHDU.from_columns([*kept, fits.Column(name, code, array=values)], header=old.header, name=hdu)
    new.header.remove(name, ignore_missing=True)
    hdus[hdu] = new


def test_areascal_scales_prediction_and_background(pha):
    scale = np.linspace(0.5, 1.5, 40)
    plain = read_ogip(pha)
    edit(pha, lambda h: add(h, "AREASCAL", "D", scale))
    scaled = read_ogip(pha)
    np.testing.assert_allclose(scaled.edisp, plain.edisp * scale, rtol=1e-12)
    np.testing.assert_allclose(scaled.backscale / scaled.backscale_off, 0.05 * scale, rtol=1e-12)


@pytest.mark.parametrize("tlmin", [True, False])
@pytest.mark.parametrize("first", [0, 1])
def test_where_channels_are_counted_from(pha, first, tlmin):
    """With TLMIN as it says, without as EBOUNDS counts."""
    before = read_ogip(pha).edisp
    xray.write(pha.with_name("x.rmf"), xray.matrix(xray.kernel(), first, tlmin), xray.ebounds(first))
    np.testing.assert_array_equal(read_ogip(pha).edisp, before)


def test_a_response_that_includes_the_area(pha):
    whole = read_ogip(pha)
    full = xray.kernel() * xray.area()[:, None]
    response = xray.matrix(full, HDUCLAS3="FULL")
    response.name = "SPECRESP MATRIX"
    xray.write(pha.with_name("x.rmf"), response, xray.ebounds())
    edit(pha, lambda h: h["SPECTRUM"].header.set("ANCRFILE", "NONE"))
    back = read_ogip(pha)
    np.testing.assert_allclose(back.area[:, None] * back.edisp, whole.area[:, None] * whole.edisp, rtol=1e-6)


def test_missing_companions(pha):
    edit(pha, lambda h: h["SPECTRUM"].header.set("BACKFILE", "none"))
    (dataset,) = gj.Datasets.read_ogip([pha])
    assert isinstance(dataset, gj.SpectrumDataset)
    edit(pha, lambda h: h["SPECTRUM"].header.set("ANCRFILE", "none"))
    with pytest.raises(FileFormatError, match=r"names no ANCRFILE.*x\.rmf is a redistribution alone"):
        read_ogip(pha)
    edit(pha, lambda h: h["SPECTRUM"].header.update({"ANCRFILE": "x.arf", "RESPFILE": "none"}))
    with pytest.raises(FileFormatError, match="has no EBOUNDS and names no RESPFILE"):
        read_ogip(pha)
    edit(pha, lambda h: h.append(xray.ebounds()))
    with pytest.raises(FileFormatError, match=r"EBOUNDS \(40 bins\) and the true energies of .* \(60 bins\)"):
        read_ogip(pha)


def test_systematic_errors_are_noted(pha, caplog):
    edit(pha, lambda h: add(h, "SYS_ERR", "E", np.full(40, 0.02)))
    read_ogip(pha)
    assert "SYS_ERR" in caplog.text


def keyword(key, value, hdu="SPECTRUM"):
    return lambda h: h[hdu].header.set(key, value)


def cell(hdu, name, row, value):
    def change(hdus):
        hdus[hdu].data[name][row] = value

    return change


def rates(hdus):
    hdus["SPECTRUM"].columns.change_name("COUNTS", "RATE")


def several(hdus):
    columns = [fits.Column("CHANNEL", "J", array=[1, 2]), fits.Column("COUNTS", "3J", array=np.ones((2, 3)))]
    hdus["SPECTRUM"] = fits.BinTableHDU.from_columns(columns, name="SPECTRUM")


BROKEN = [
    ("on.pha", keyword("POISSERR", False), "POISSERR = False"),
    ("on.pha", keyword("HDUCLAS4", "TYPE:II"), r"several spectra \(PHA type II\): split it"),
    ("on.pha", several, r"several spectra \(PHA type II\)"),
    ("on.pha", rates, "holds rates"),
    ("on.pha", keyword("CORRFILE", "corr.pha"), r"subtract corr\.pha \(CORRFILE\)"),
    ("on.pha", cell("SPECTRUM", "COUNTS", 3, -5), "COUNTS must be finite and not negative"),
    ("on.pha", cell("SPECTRUM", "CHANNEL", 3, 17), "CHANNEL must count up by one"),
    ("on.pha", keyword("EXPOSURE", "long"), "EXPOSURE must be a positive number of seconds, got nan"),
    ("off.pha", keyword("EXPOSURE", -1.0), "EXPOSURE must be a positive number of seconds, got -1"),
    ("off.pha", keyword("AREASCAL", 0.0), "AREASCAL must be above 0"),
    ("x.arf", cell("SPECRESP", "SPECRESP", 9, np.nan), "SPECRESP must be finite and not negative"),
    ("x.arf", cell("SPECRESP", "SPECRESP", 9, -1.0), "SPECRESP must be finite and not negative"),
    ("x.arf", cell("SPECRESP", "ENERG_LO", 9, 7.0), "increasing bins without gaps"),
    ("x.arf", cell("SPECRESP", "ENERG_HI", 59, np.nan), "must be finite numbers"),
    ("x.rmf", cell("EBOUNDS", "E_MAX", 5, 9.0), "increasing bins without gaps"),
    ("x.rmf", cell("EBOUNDS", "E_MIN", 0, -1.0), "E_MIN is negative"),
    ("x.rmf", cell("MATRIX", "N_GRP", 40, 9), "row 40: N_GRP = 9, but F_CHAN, N_CHAN or MATRIX are shorter"),
    ("x.rmf", cell("MATRIX", "N_CHAN", 20, 39), "row 20: .* are shorter"),
    ("x.rmf", cell("MATRIX", "F_CHAN", 20, 39), r"row 20: channels 39\.\.\d+ lie outside EBOUNDS"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "message"), BROKEN)
def test_what_is_broken_is_named(pha, name, change, message):
    edit(pha.with_name(name), change)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_ogip(pha)
    assert name in str(caught.value)


def test_what_is_written_is_read_again(pha, tmp_path):
    first = gj.Datasets.read_ogip([pha])
    back = gj.Datasets.read(first.write(tmp_path / "ours"))
    one, two = (gj.Problem(d, models()) for d in (first, back))
    assert float(gj.stat(two, two.start)) == pytest.approx(float(gj.stat(one, one.start)), rel=1e-10)
