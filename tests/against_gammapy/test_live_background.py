"""Backgrounds, PSF densities, pointing tables and intervals against Gammapy 2.1 on real files."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

pytest.importorskip("gammapy.irf")
pytestmark = [
    pytest.mark.data,
    # Gammapy and its dependencies warn about deprecations and odd units of these very files
    pytest.mark.filterwarnings("ignore"),
]

from gammapy.data import DataStore as ReferenceStore  # noqa: E402
from gammapy.data import PointingInfo  # noqa: E402
from gammapy.irf import PSF3D, EnergyDependentMultiGaussPSF  # noqa: E402
from gammapy.irf import Background2D as Reference2D  # noqa: E402
from gammapy.irf import Background3D as Reference3D  # noqa: E402
from gammapy.irf import PSFKing as ReferenceKing  # noqa: E402
from gammapy.makers.utils import make_map_background_irf  # noqa: E402
from gammapy.maps import MapAxis, WcsGeom  # noqa: E402

from gammajax.data import DataStore  # noqa: E402
from gammajax.data.background import background_counts  # noqa: E402
from gammajax.data.gti import GTI  # noqa: E402
from gammajax.io.dl3 import find_pointing, pointing_table  # noqa: E402
from gammajax.io.fits import open_fits  # noqa: E402
from gammajax.io.irf import read_response  # noqa: E402
from gammajax.irf import Background2D, Background3D, PSF3Gauss, PSFKing, PSFTable  # noqa: E402

HESS = "hess-dl3-dr1/data/hess_dl3_dr1_obs_id_023523.fits.gz"
CTA = "cta-1dc/caldb/data/cta/1dc/bcf/South_z20_50h/irf_file.fits"
PROD5 = "cta-caldb/Prod5-{}.180000s-v0.1.fits.gz"
NORTH, SOUTH = PROD5.format("North-20deg-AverageAz-4LSTs09MSTs"), PROD5.format("South-20deg-AverageAz-14MSTs37SSTs")
EDGES = np.geomspace(0.1, 50, 9)


def inner(rng, axis, n):
    """Random coordinates between the outermost points of an axis: no extrapolation."""
    points = np.asarray(axis.points)
    if points[0] > 0 and points[-1] / points[0] > 20:
        return np.exp(rng.uniform(*np.log(points[[0, -1]]), n))
    return rng.uniform(points[0], points[-1], n)


def close(found, expected):
    """Equal, but where a stretch ends in an empty bin: there Gammapy counts a power law down to 1e-38, up to 1 %."""
    counted = found > 0
    np.testing.assert_allclose(found[counted], expected[counted], rtol=1e-4, atol=1e-6 * expected.max())
    assert expected[~counted].max(initial=0.0) < 0.015 * expected.max()
    assert counted.mean() > 0.7


@pytest.mark.parametrize(
    ("file", "hdu"), [(HESS, "BKG"), (CTA, "BACKGROUND"), (NORTH, "BACKGROUND"), (SOUTH, "BACKGROUND")]
)
def test_rate(gammajax_data, file, hdu):
    ours = Background3D.from_response(read_response(gammajax_data / file, "bkg_3d"))
    reference = Reference3D.read(gammajax_data / file, hdu=hdu)
    rng = np.random.default_rng(1)
    e, x, y = (inner(rng, axis, 5000) for axis in (ours.energy, ours.fov_lon, ours.fov_lat))
    expected = reference.evaluate(energy=e * u.TeV, fov_lon=x * u.deg, fov_lat=y * u.deg).to_value("s-1 TeV-1 sr-1")
    np.testing.assert_allclose(ours.evaluate(e, x, y), expected, rtol=2e-5, atol=1e-25)
    assert np.count_nonzero(expected) > 2000
    lon, lat = rng.uniform(-2, 2, (2, 20))
    expected = reference.integrate_log_log(
        axis_name="energy", energy=EDGES[:, None] * u.TeV, fov_lon=lon * u.deg, fov_lat=lat * u.deg
    ).to_value("s-1 sr-1")
    found = np.asarray(ours.integrate(EDGES, lon, lat, exact=False)).T
    close(found, expected)


def test_rate_of_revolution(gammajax_data):
    """The example has no axis units, which Gammapy needs: they are given to it here."""
    from astropy.table import Table

    path = gammajax_data / "tests/irf/bkg_2d_full_example.fits"
    ours = Background2D.from_response(read_response(path, "bkg_2d"))
    table = Table.read(path, hdu="BACKGROUND")
    for name, unit in (("ENERG", "TeV"), ("THETA", "deg")):
        table[f"{name}_LO"].unit = table[f"{name}_HI"].unit = unit
    reference = Reference2D.from_table(table)
    rng = np.random.default_rng(1)
    e, offset = inner(rng, ours.energy, 3000), inner(rng, ours.offset, 3000)
    expected = reference.evaluate(energy=e * u.TeV, offset=offset * u.deg).to_value("s-1 TeV-1 sr-1")
    found = np.asarray(ours.evaluate(e, offset))
    # where a neighbour is empty, the floors of single and double precision lead to other tiny numbers
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("folder", "obs_id"), [("hess-dl3-dr1", 23523), ("hess-dl3-dr1", 33787), ("cta-1dc/index/gps", 110380)]
)
def test_counts_on_the_sky(gammajax_data, folder, obs_id):
    """The orientation is that of Gammapy, the H.E.S.S. one included."""
    run = DataStore.from_dir(gammajax_data / folder).observation(obs_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = ReferenceStore.from_dir(gammajax_data / folder).obs(obs_id)
    axis = MapAxis.from_energy_edges(EDGES * u.TeV)
    geom = WcsGeom.create(skydir=run.pointing, width=4, binsz=0.25, axes=[axis])
    expected = make_map_background_irf(
        reference.pointing, reference.observation_time_duration, reference.bkg, geom, reference.tstart
    ).data
    image = geom.to_image()
    position = image.get_coord().skycoord
    found = background_counts(
        run,
        position.ra.deg.ravel(),
        position.dec.deg.ravel(),
        image.solid_angle().to_value("sr").ravel(),
        EDGES,
        exact=False,
    )
    found = np.moveaxis(found.reshape(*expected.shape[1:], -1), -1, 0)
    close(found, expected)
    if folder.startswith("hess"):
        assert not np.allclose(expected, expected[..., ::-1], rtol=0.01), "the test sees the orientation"


def test_king(gammajax_data):
    path = gammajax_data / "tests/hess_psf_king_023523.fits.gz"
    ours, reference = PSFKing.from_response(read_response(path, "psf_king")), ReferenceKing.read(path, hdu=1)
    assert float(ours.filled.sum()) == 108 - 31
    rng = np.random.default_rng(1)
    e, offset, rad = inner(rng, ours.energy, 3000), inner(rng, ours.offset, 3000), rng.uniform(0, 0.5, 3000)
    compare(ours, reference, e, offset, rad)


@pytest.mark.parametrize("file", [CTA, NORTH, SOUTH])
def test_mixture(gammajax_data, file):
    path = gammajax_data / file
    ours = PSF3Gauss.from_response(read_response(path, "psf_3gauss"))
    reference = EnergyDependentMultiGaussPSF.read(path, hdu="POINT SPREAD FUNCTION")
    rng = np.random.default_rng(1)
    e, offset, rad = inner(rng, ours.energy, 3000), inner(rng, ours.offset, 3000), rng.uniform(0, 0.5, 3000)
    compare(ours, reference, e, offset, rad)


def compare(ours, reference, energy, offset, rad):
    """Equal where all neighbours in the table have a PSF; finite everywhere."""
    at = {"rad": rad * u.deg, "energy_true": energy * u.TeV, "offset": offset * u.deg}
    i = np.searchsorted(np.asarray(ours.energy.points), energy) - 1
    j = np.searchsorted(np.asarray(ours.offset.points), offset) - 1
    filled = np.asarray(ours.filled) > 0
    full = filled[i, j] & filled[i + 1, j] & filled[i, j + 1] & filled[i + 1, j + 1]
    density, inside = ours.evaluate(rad, energy, offset), ours.containment(rad, energy, offset)
    assert np.isfinite(density).all()
    assert np.isfinite(inside).all()
    assert full.sum() > 1000
    np.testing.assert_allclose(
        np.asarray(density)[full], reference.evaluate(**at).to_value("sr-1")[full], rtol=2e-5, atol=1e-6
    )
    np.testing.assert_allclose(np.asarray(inside)[full], u.Quantity(reference.containment(**at)).value[full], atol=2e-6)
    radius = np.asarray(ours.containment_radius(0.5, energy, offset))
    expected = reference.containment_radius(fraction=0.5, energy_true=at["energy_true"], offset=at["offset"]).to_value(
        "deg"
    )
    # Gammapy looks for the radius on a grid of 0.0005 deg that ends at 0.66 deg
    near = full & (radius < 0.6)
    np.testing.assert_allclose(radius[near], expected[near], atol=6e-4)


def test_table(gammajax_data):
    path = gammajax_data / HESS
    ours, reference = PSFTable.from_response(read_response(path, "psf_table")), PSF3D.read(path, hdu="PSF")
    rng = np.random.default_rng(1)
    e, offset, rad = np.exp(rng.uniform(-5, 5, 3000)), rng.uniform(0, 3, 3000), rng.uniform(0, 0.8, 3000)
    expected = reference.evaluate(rad=rad * u.deg, energy_true=e * u.TeV, offset=offset * u.deg).to_value("sr-1")
    np.testing.assert_allclose(ours.evaluate(rad, e, offset, normalize=False), expected, rtol=1e-9, atol=1e-6)
    expected = reference.containment_radius(fraction=0.68, energy_true=[1, 5] * u.TeV, offset=0.5 * u.deg).to_value(
        "deg"
    )
    np.testing.assert_allclose(ours.containment_radius(0.68, np.array([1.0, 5.0]), 0.5), expected, rtol=2e-2)


def test_pointing_table(gammajax_data):
    path = gammajax_data / "tests/pointing_table.fits.gz"
    run = DataStore.from_files([path]).observation(18406)
    reference = PointingInfo.read(path)
    with open_fits(path) as hdus:
        table = pointing_table(find_pointing(hdus, path), path)
    assert len(table.time) == 100
    times = reference.time[0] + np.array([0.0, 3.0, 700.0, 1586.0]) * u.s
    np.testing.assert_allclose(run.pointing_at(times).separation(reference.get_icrs(times)).deg, 0, atol=1e-9)
    rows = reference.time[[0, 50, 99]]
    expected = reference.altaz_from_table[[0, 50, 99]]
    alt, az = run.pointing_altaz(rows)
    np.testing.assert_allclose(alt, expected.alt.deg, atol=1e-6)
    np.testing.assert_allclose(az, expected.az.deg, atol=1e-6)
    computed = reference.altaz[[0, 50, 99]]
    np.testing.assert_allclose(run.altaz(*run.pointing_lonlat(rows), rows)[0], computed.alt.deg, atol=1e-6)
    assert len(run.events.columns) == 29
    assert run.events["TELMASK"].shape == (8833, 4)
    assert len(run.select_offset((0, 2.0)).events) < len(run.events) == 8833


def test_intervals(gammajax_data):
    """MAGIC counts UTC seconds, H.E.S.S. TT seconds: both cut by one pair of times as Gammapy cuts."""
    for folder in ("joint-crab/data/magic", "joint-crab/data/hess"):
        run = DataStore.from_dir(gammajax_data / folder).observations()[0]
        reference = ReferenceStore.from_dir(gammajax_data / folder).obs(run.obs_id, required_irf=[])
        middle = run.tmid.utc
        interval = Time([middle - 300 * u.s, middle + 100 * u.s])
        expected = reference.select_time(interval)
        found = run.select_time(tuple(interval))
        assert len(found.events) == len(expected.events.table)
        assert found.livetime == pytest.approx(expected.observation_live_time_duration.to_value("s"), abs=1e-5)
        union = GTI.from_intervals([tuple(interval)]).union(run.gti)
        assert union.time_sum == pytest.approx(run.gti.union().time_sum, abs=1e-5)
