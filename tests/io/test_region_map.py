"""Region maps and the models that they make."""

import numpy as np
import pytest
from astropy.io import fits
from spectral_cases import region_map

import gammajax as gj
from gammajax.errors import FileFormatError, ModelError
from gammajax.io.region_map import MapAxis, RegionMap, read_region_map, write_region_map


def two_parameters():
    """Bins in energy, nodes in one parameter, bins in another, in that order."""
    energy = MapAxis("energy_true", "TeV", "log", True, np.geomspace(0.1, 100.0, 6))
    first = MapAxis("first", "", "log", False, np.array([1.0, 2.0, 4.0]))
    second = MapAxis("second", "GeV", "lin", True, np.array([1.0, 2.0, 3.0]))
    return RegionMap((energy, first, second), np.random.default_rng(0).uniform(1, 2, (5, 3, 2)), "")


@pytest.mark.parametrize("content", [region_map(), two_parameters()], ids=["one", "two"])
def test_round_trip(content, tmp_path):
    found = read_region_map(write_region_map(content, tmp_path / "map.fits"))
    np.testing.assert_array_equal(found.values, content.values)
    for axis, other in zip(found.axes, content.axes, strict=True):
        assert (axis.name, axis.unit, axis.interp, axis.edges) == (other.name, other.unit, other.interp, other.edges)
        np.testing.assert_array_equal(axis.points, other.points)


def test_model(tmp_path):
    path = write_region_map(two_parameters(), tmp_path / "map.fits")
    model = gj.TemplateNDSpectralModel.read(path)
    assert model.unit == ""
    models = gj.Models(a=gj.SkyModel(gj.PowerLaw() * model))
    rows = [models.rows[f"a.spectral.model2.{name}"] for name in ("first", "second")]
    assert [row.unit for row in rows] == ["", "GeV"]
    np.testing.assert_allclose([(row.lower, row.value, row.upper) for row in rows], [(1, 2.5, 4), (1, 2, 3)])
    at = models.set({"*.first": 2.0, "*.second": "2.5 GeV"})["a"].spectral.model2
    centre = np.sqrt(0.1 * 0.1 * 1000 ** (1 / 5))
    np.testing.assert_allclose(at(centre).value, two_parameters().values[0, 1, 1], rtol=1e-6)


def test_messages(tmp_path):
    content = two_parameters()
    with pytest.raises(ModelError, match="needs one axis of energy, got first, second"):
        gj.TemplateNDSpectralModel(RegionMap(content.axes[1:], content.values[0], ""))
    model = gj.TemplateNDSpectralModel(content)
    with pytest.raises(ModelError, match="has no filename"):
        gj.Models(a=gj.SkyModel(gj.PowerLaw() * model)).write(tmp_path / "m.yaml")
    path = write_region_map(content, tmp_path / "map.fits")
    with fits.open(path) as hdus:
        hdus["SKYMAP_BANDS"].header["INTERP1"] = "odd"
        hdus.writeto(tmp_path / "odd.fits")
    with pytest.raises(FileFormatError, match=r"odd.fits\[SKYMAP_BANDS\]: AXCOLS1 or INTERP1 \(odd\)"):
        read_region_map(tmp_path / "odd.fits")
    with fits.open(path) as hdus:
        del hdus["SKYMAP_BANDS"].header["AXCOLS3"]
        hdus.writeto(tmp_path / "short.fits")
    with pytest.raises(FileFormatError, match=r"has 30 values for axes of \(5, 3\) bins"):
        read_region_map(tmp_path / "short.fits")
