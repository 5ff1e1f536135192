import numpy as np
import pytest
from astropy.io import fits
from dl3_files import (
    ENERGY,
    OFFSET,
    aeff_hdu,
    axis,
    edisp_hdu,
    psf_gauss_hdu,
    rad_max_hdu,
    table,
    value,
    write,
)

from gammajax.errors import FileFormatError, UnitMismatch
from gammajax.io.irf import GridAxis, read_response


def test_aeff_in_cm2_with_bins(tmp_path):
    data = np.arange(18.0).reshape(3, 6)
    path = write(tmp_path / "irf.fits", aeff_hdu(data=data, LO_THRES=0.3))
    response = read_response(path, "aeff_2d")
    np.testing.assert_allclose(response.values["EFFAREA"], data.T * 1e4)
    np.testing.assert_allclose(response.axes["energy"].edges, ENERGY, rtol=1e-6)
    np.testing.assert_allclose(response.axes["energy"].points, np.sqrt(ENERGY[1:] * ENERGY[:-1]), rtol=1e-6)
    np.testing.assert_allclose(response.axes["offset"].points, [0.5, 1.5, 2.5])
    assert response.lo_thres == 0.3
    assert np.isnan(response.hi_thres)
    assert not response.is_pointlike


def test_nodes(tmp_path):
    columns = [
        *axis("ENERG", ENERGY, "TeV"),
        *axis("THETA", np.array([0.0, 0.5, 2.5]), "deg", nodes=True),
        value("EFFAREA", np.ones((3, 6)), "m**2"),
    ]
    path = write(tmp_path / "irf.fits", table("AEFF", columns))
    offset = read_response(path, "aeff_2d").axes["offset"]
    np.testing.assert_allclose(offset.points, [0.0, 0.5, 2.5])
    np.testing.assert_allclose(offset.edges, [-0.25, 0.25, 1.5, 3.5])


def test_energy_nodes_lie_half_way_in_the_logarithm():
    np.testing.assert_allclose(GridAxis.from_points(np.array([1.0, 100.0]), log=True).edges, [0.1, 10, 1000])


def test_old_names_and_missing_dimensions(tmp_path):
    old = edisp_hdu(prefix="ETRUE")
    del old.header["TDIM7"]
    path = write(tmp_path / "irf.fits", old)
    assert read_response(path, "edisp_2d").values["MATRIX"].shape == (6, 3, 30)


def test_axis_order_stated_by_cref(tmp_path):
    data = np.arange(9.0).reshape(3, 3)
    edges = np.geomspace(0.1, 10, 4)
    columns = [*axis("ENERG", edges, "TeV"), *axis("THETA", OFFSET, "deg"), value("EFFAREA", data, "m2")]
    usual = table("AEFF", columns, CREF5="(ENERG_LO:ENERG_HI,THETA_LO:THETA_HI)")
    odd = table("AEFF", columns, CREF5="(THETA_LO:THETA_HI,ENERG_LO:ENERG_HI)")
    np.testing.assert_allclose(
        read_response(write(tmp_path / "a.fits", usual), "aeff_2d").values["EFFAREA"], data.T * 1e4
    )
    np.testing.assert_allclose(read_response(write(tmp_path / "b.fits", odd), "aeff_2d").values["EFFAREA"], data * 1e4)


def test_nan_cells_are_empty(tmp_path):
    data = np.full((3, 6), 2.0)
    data[1, 2] = np.nan
    found = read_response(write(tmp_path / "irf.fits", aeff_hdu(data=data)), "aeff_2d").values["EFFAREA"]
    assert found[2, 1] == 0
    assert np.isfinite(found).all()


def test_ogip_spelling_of_psf_3gauss(tmp_path):
    response = read_response(write(tmp_path / "irf.fits", psf_gauss_hdu()), "psf_3gauss")
    assert response.values["SIGMA_1"].shape == (6, 3)


def test_scalar_axis(tmp_path):
    response = read_response(write(tmp_path / "irf.fits", rad_max_hdu()), "rad_max_2d")
    np.testing.assert_allclose(response.axes["offset"].edges, [0.39, 0.41], rtol=1e-6)
    assert response.is_pointlike


def test_errors_say_where_and_what(tmp_path):
    path = write(tmp_path / "irf.fits", aeff_hdu())
    with pytest.raises(FileFormatError, match=r"irf\.fits has no HDU 'edisp_2d'; it has 'EFFECTIVE AREA'"):
        read_response(path, "edisp_2d")
    with pytest.raises(FileFormatError, match="choose from aeff_2d"):
        read_response(path, "psf_gtpsf")
    with pytest.raises(UnitMismatch, match=r"\[EFFECTIVE AREA\] column EFFAREA"):
        read_response(write(tmp_path / "unit.fits", aeff_hdu(unit="s")), "aeff_2d")
    short = fits.BinTableHDU.from_columns([c for c in aeff_hdu().columns if c.name != "THETA_HI"], name="AEFF")
    with pytest.raises(FileFormatError, match=r"short\.fits\[AEFF\] has no column THETA_HI"):
        read_response(write(tmp_path / "short.fits", short), "aeff_2d")
    with pytest.raises(FileFormatError, match="column EFFAREA has the shape"):
        read_response(write(tmp_path / "shape.fits", aeff_hdu(data=np.ones((3, 5)))), "aeff_2d")
    down = [
        *axis("ENERG", ENERGY[::-1], "TeV"),
        *axis("THETA", OFFSET, "deg"),
        value("EFFAREA", np.ones((3, 6)), "m2"),
    ]
    with pytest.raises(FileFormatError, match="axis ENERG does not increase"):
        read_response(write(tmp_path / "down.fits", table("AEFF", down)), "aeff_2d")
