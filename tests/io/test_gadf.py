"""Gammapy's dataset files of spectra: round trip, and what is said of malformed ones."""

import numpy as np
import pytest
from astropy.io import fits
from made_spectra import counting, on_off

import gammajax as gj
from gammajax.errors import DatasetError, FileFormatError
from gammajax.io.gadf import read_gadf, write_gadf


@pytest.fixture
def file(tmp_path):
    """A written spectrum with a known background."""
    (tmp_path / "made").mkdir()
    counting(n=1).write(tmp_path / "made")
    return tmp_path / "made" / "c0.fits"


def changed(file, change):
    with fits.open(file) as hdus:
        change(hdus)
        hdus.writeto(file.with_name("changed.fits"), overwrite=True)
    return file.with_name("changed.fits")


def test_round_trip_of_a_known_background(file):
    made, back = counting(n=1)[0], gj.Datasets.read(file.with_name("datasets.yaml"))[0]
    assert isinstance(back, gj.SpectrumDataset)
    assert back.name == made.name
    for name in ("energy", "energy_true", "counts", "background", "exposure", "edisp", "mask_safe", "mask_fit"):
        np.testing.assert_allclose(np.asarray(getattr(back, name)), np.asarray(getattr(made, name)), rtol=1e-14)


def test_both_kinds_in_one_folder_keep_their_statistic(tmp_path, source):
    made = on_off(n=2) + counting(n=1)
    back = gj.Datasets.read(made.write(tmp_path))
    one, two = (gj.Problem(d, source) for d in (made, back))
    assert float(gj.stat(two, two.start)) == pytest.approx(float(gj.stat(one, one.start)), rel=1e-10)


def test_formats_are_told_apart(file, tmp_path):
    on_off(n=1).write(tmp_path)
    kinds = [type(gj.Datasets.read(path)[0]) for path in (file, tmp_path / "pha_d0.fits")]
    assert kinds == [gj.SpectrumDataset, gj.SpectrumDatasetOnOff]


def test_on_off_maps(file, tmp_path):
    spectrum = read_gadf(file)
    import dataclasses

    ones = np.ones_like(spectrum.counts)
    whole = dataclasses.replace(
        spectrum, background=None, counts_off=5 * ones, acceptance=ones, acceptance_off=4 * ones, name="made"
    )
    (tmp_path / "d.yaml").write_text("datasets: [{name: made, type: SpectrumDatasetOnOff, filename: made.fits}]")
    write_gadf(whole, tmp_path / "made.fits")
    back = gj.Datasets.read(tmp_path / "d.yaml")[0]
    assert isinstance(back, gj.SpectrumDatasetOnOff)
    np.testing.assert_allclose(back.alpha, 0.25)
    write_gadf(dataclasses.replace(whole, acceptance_off=None), tmp_path / "made.fits")
    with pytest.raises(DatasetError, match="lacks ACCEPTANCE or ACCEPTANCE_OFF"):
        gj.Datasets.read(tmp_path / "d.yaml")


def drop(name):
    return lambda hdus: hdus.pop(name)


def wrong_axes(hdus):
    hdus["COUNTS"].header["AXCOLS1"] = "TIME_MIN,TIME_MAX"


def other_edges(hdus):
    hdus["EDISP_BANDS"].data["E_MAX"] *= 2


def two_regions(hdus):
    rows = hdus["COUNTS"].data
    columns = [
        fits.Column("CHANNEL", "J", array=rows["CHANNEL"]),
        fits.Column("DATA", "2D", array=np.ones((len(rows), 2))),
    ]
    header = hdus["COUNTS"].header
    hdus["COUNTS"] = fits.BinTableHDU.from_columns(columns, name="COUNTS")
    hdus["COUNTS"].header["AXCOLS1"] = header["AXCOLS1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("COUNTS_BANDS"), "COUNTS_BANDS"),
        (wrong_axes, r"\[COUNTS\] has the axes TIME_MIN,TIME_MAX, a spectrum needs E_MIN,E_MAX"),
        (other_edges, r"\[EDISP\] has other energy axes"),
        (two_regions, r"\[COUNTS\] holds 24 values for axes of \(12,\) bins"),
    ],
)
def test_malformed(file, change, message):
    with pytest.raises(FileFormatError, match=message) as caught:
        read_gadf(changed(file, change))
    assert "changed.fits" in str(caught.value)


def test_livetime_and_origin(file, tmp_path):
    from gammajax.datasets.binned import Provenance

    made = vars(counting(n=1)[0]) | {"livetime": 1234.5, "provenance": Provenance("CTAO", (7, 20131103103))}
    back = gj.Datasets.read(gj.Datasets([gj.SpectrumDataset(**made)]).write(tmp_path))[0]
    assert float(back.livetime) == 1234.5
    assert back.provenance == Provenance("CTAO", (7, 20131103103))


@pytest.mark.parametrize(
    ("meta", "livetime"), [('{"livetime": "2 h"}', 7200.0), ('{"livetime": 60}', 60.0), ("{}", np.nan), ("[1]", np.nan)]
)
def test_livetime_in_the_meta_of_a_map(file, meta, livetime):
    def change(hdus):
        del hdus["EXPOSURE"].header["LIVETIME"]
        hdus["EXPOSURE"].header["META"] = meta

    np.testing.assert_equal(read_gadf(changed(file, change)).livetime, livetime)


@pytest.mark.parametrize("meta", ["{", '{"livetime": "2 m"}', '{"livetime": "long"}'])
def test_a_meta_that_cannot_be_read(file, meta):
    def change(hdus):
        del hdus["EXPOSURE"].header["LIVETIME"]
        hdus["EXPOSURE"].header["META"] = meta

    with pytest.raises(FileFormatError, match=r"changed\.fits\[EXPOSURE\]: META holds no livetime"):
        read_gadf(changed(file, change))


def test_observations_in_a_meta_table(file):
    def change(hdus):
        rows = [fits.Column("TELESCOP", "8A", array=["HESS", "HESS"]), fits.Column("OBS_ID", "K", array=[5, 6])]
        hdus.append(fits.BinTableHDU.from_columns(rows, name="META_TABLE"))

    found = read_gadf(changed(file, change))
    assert (found.telescope, found.obs_ids) == ("HESS", (5, 6))
