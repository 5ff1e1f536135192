"""Spectra tabulated over energy and parameters: their maps, files and messages."""

import numpy as np
import pytest
from astropy.io import fits
from spectral_cases import region_map

import gammajax as gj
from gammajax.errors import FileFormatError, ModelError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.maps import write_map

FIRST, SECOND = MapAxis.from_nodes("first", [1.0, 2.0, 4.0]), MapAxis.from_edges("second", [1.0, 2.0, 3.0], "GeV")
BINS = MapAxis.from_edges("energy_true", np.geomspace(0.1, 100.0, 6), "TeV", "log")


def two_parameters():
    """Bins in energy, nodes in one parameter, bins in another, in the order of a file."""
    values = np.random.default_rng(0).uniform(1, 2, (2, 3, 5, 1, 1))
    return SkyMap(values, (SECOND, FIRST, BINS), None, "")


@pytest.mark.parametrize("content", [region_map(), two_parameters()], ids=["one", "two"])
def test_the_map_of_a_model(content, tmp_path):
    found = gj.TemplateNDSpectralModel.read(write_map(content, tmp_path / "map.fits")).map
    assert found.axes == content.axes
    assert found.unit == content.unit
    np.testing.assert_array_equal(found.values, content.values)


def test_parameters_are_the_axes(tmp_path):
    path = write_map(two_parameters(), tmp_path / "map.fits")
    model = gj.TemplateNDSpectralModel.read(path)
    assert model.unit == ""
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * model))
    rows = [models.rows[f"a.spectral.model2.{name}"] for name in ("first", "second")]
    assert [row.unit for row in rows] == ["", "GeV"]
    np.testing.assert_allclose([(row.lower, row.value, row.upper) for row in rows], [(1, 2.5, 4), (1, 2, 3)])
    at = models.set({"*.first": 2.0, "*.second": "2.5 GeV"})["a"].spectral.model2
    centre = np.sqrt(0.1 * 0.1 * 1000 ** (1 / 5))
    np.testing.assert_allclose(at(centre).value, two_parameters().values[1, 1, 0, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("file", ["m.yaml", "m.h5"])
def test_a_map_without_a_file_goes_into_files(file, tmp_path):
    """Beside a YAML, inside HDF5; also of a model inside a model."""
    model = gj.TemplateNDSpectralModel(two_parameters(), [1.5, 2.5])
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * (gj.PowerLawNorm() * model)))
    back = gj.Models.read(models.write(tmp_path / file))
    assert back.to_list() == models.to_list()
    assert (tmp_path / "m_a.spectral.model2.model2.fits").is_file() == (file == "m.yaml")
    np.testing.assert_array_equal(back["a"].spectral.model2.model2.map.values, two_parameters().values)


def test_a_map_beside_a_yaml_that_moved(tmp_path):
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * gj.TemplateNDSpectralModel(two_parameters())))
    before = tmp_path / "before"
    before.mkdir()
    models.write(before / "m.yaml")
    assert gj.Models.read(before.rename(tmp_path / "after") / "m.yaml").to_list() == models.to_list()


def test_messages(tmp_path):
    content = two_parameters()
    with pytest.raises(ModelError, match="needs one axis of energy, got first, second"):
        gj.TemplateNDSpectralModel(SkyMap(content.values[:, :, 0], content.axes[:2], None))
    labels = MapAxis.from_labels("kind", ["a", "b"])
    with pytest.raises(ModelError, match="the axis kind has labels: a parameter needs numbers"):
        gj.TemplateNDSpectralModel(SkyMap(content.values[:, 0], (labels, BINS), None))
    grid = SkyGrid.create((83.0, 22.0), npix=1, binsz=1.0)
    with pytest.raises(ModelError, match="a SkyMap without pixels .a region map. is needed"):
        gj.TemplateNDSpectralModel(SkyMap(content.values, content.axes, grid))
    path = write_map(content, tmp_path / "map.fits")
    with fits.open(path) as hdus:
        del hdus["SKYMAP_BANDS"].header["AXCOLS3"]
        hdus.writeto(tmp_path / "short.fits")
    with pytest.raises(FileFormatError, match=r"short.fits\[SKYMAP\] has 30 values, its axes need \(3, 5\)"):
        gj.TemplateNDSpectralModel.read(tmp_path / "short.fits")
