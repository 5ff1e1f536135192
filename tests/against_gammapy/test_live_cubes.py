"""Grids, maps and datasets of cubes: the same pixels as Gammapy's, and files in both directions."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from cube_files import dataset, edisp, psf
from regions import Regions

from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.geom.resample import downsample, upsample
from gammajax.io.map_dataset import read_map_dataset
from gammajax.io.map_dataset_write import write_map_dataset
from gammajax.io.maps import read_map, write_map

peer_maps = pytest.importorskip("gammapy.maps")
peer_datasets = pytest.importorskip("gammapy.datasets")
pytestmark = pytest.mark.filterwarnings("ignore")

GRIDS = {
    "oblique CAR": {"center": (83.63, 22.01), "width": (6.0, 4.0), "binsz": 0.05},
    "Galactic centre": {"center": (0.0, 0.0), "width": 8.0, "binsz": 0.1, "frame": "galactic"},
    "two sizes": {"center": (184.5, -5.78), "width": (5.0, 4.0), "binsz": (0.1, 0.2), "frame": "galactic"},
    "TAN": {"center": (83.63, 22.01), "width": (3.0, 4.0), "binsz": 0.05, "proj": "TAN"},
    "TAN at the pole": {"center": (266.0, -80.0), "width": 8.0, "binsz": 0.1, "proj": "TAN"},
    "CAR at the pole": {"center": (266.0, -80.0), "width": 8.0, "binsz": 0.1},
    "pixels": {"center": (10.0, 20.0), "npix": (11, 8), "binsz": 0.3, "proj": "SIN"},
    "all sky": {"binsz": 4.0},
    "AIT": {"binsz": 4.0, "proj": "AIT", "frame": "galactic"},
    "SkyCoord": {"center": SkyCoord(0.0, 0.0, unit="deg", frame="galactic"), "width": 3.0, "binsz": 0.3},
}


def both(name):
    keys = dict(GRIDS[name])
    return SkyGrid.create(**keys), peer_maps.WcsGeom.create(skydir=keys.pop("center", None), **keys)


@pytest.mark.parametrize("name", GRIDS)
def test_the_same_pixels(name):
    ours, theirs = both(name)
    assert ours.shape == theirs.data_shape
    coord = theirs.get_coord()
    np.testing.assert_allclose(ours.lonlat[0], coord.lon.to_value("deg"), atol=1e-9)
    np.testing.assert_allclose(ours.lonlat[1], coord.lat.to_value("deg"), atol=1e-9)
    np.testing.assert_allclose(ours.width, [w.to_value("deg").item() for w in theirs.width])
    assert SkyGrid.from_header(theirs.to_header()) == ours


@pytest.mark.parametrize(
    ("name", "rtol"), [("oblique CAR", 1e-6), ("TAN", 1e-6), ("TAN at the pole", 1e-4), ("pixels", 5e-5)]
)
def test_solid_angles(name, rtol):
    """Gammapy takes plane triangles between the corners: right for small pixels, 16 % off in AIT over the whole sky."""
    ours, theirs = both(name)
    np.testing.assert_allclose(ours.solid_angle, theirs.solid_angle().to_value("sr"), rtol=rtol)


@pytest.mark.parametrize("name", ["oblique CAR", "TAN at the pole", "Galactic centre", "pixels"])
def test_pixels_of_directions(name):
    ours, theirs = both(name)
    rng = np.random.default_rng(8)
    lon, lat = ours.center[0] + rng.uniform(-6, 6, 300), ours.center[1] + rng.uniform(-6, 6, 300)
    x, y = theirs.coord_to_pix((lon, lat))
    np.testing.assert_allclose(ours.pixel(lon, lat), [x, y], atol=1e-9)
    np.testing.assert_array_equal(ours.contains(lon, lat), theirs.contains((lon, lat)))


@pytest.mark.parametrize("name", ["oblique CAR", "TAN", "Galactic centre", "two sizes"])
@pytest.mark.parametrize("width", [0.3, (1.0, 0.45), 3.3, 30.0])
def test_cutouts(name, width):
    ours, theirs = both(name)
    rng = np.random.default_rng(9)
    for _ in range(5):
        shift = rng.uniform(-0.4, 0.4, 2) * np.array(ours.width)
        center = SkyCoord(*theirs.pix_to_coord(np.array(ours.shape[::-1]) / 2 + shift / ours.pixel_scales), unit="deg")
        center = SkyCoord(center.ra.deg, center.dec.deg, unit="deg", frame=ours.frame)
        part, _ = ours.cutout(center, width)
        want = theirs.cutout(center, width if np.ndim(width) == 0 else np.array(width) * 1.0)
        assert part.shape == want.data_shape
        np.testing.assert_allclose(part.lonlat[0], want.get_coord().lon.to_value("deg"), atol=1e-9)


def test_other_pixel_sizes():
    ours, theirs = both("Galactic centre")
    for one, two in (
        (ours.downsample(4), theirs.downsample(4)),
        (ours.upsample(3), theirs.upsample(3)),
        (ours.coarse(0.5), theirs.to_binsz(0.5)),
    ):
        assert one.shape == two.data_shape
        np.testing.assert_allclose(one.lonlat[1], two.get_coord().lat.to_value("deg"), atol=1e-9)
    values = np.random.default_rng(10).uniform(size=ours.shape)
    peer = peer_maps.Map.from_geom(theirs, data=values)
    for counts in (True, False):
        np.testing.assert_allclose(
            downsample(values, 4, preserve_counts=counts), peer.downsample(4, preserve_counts=counts).data
        )
    np.testing.assert_allclose(upsample(values, 2), peer.upsample(2).data, rtol=1e-4)


def test_region_masks():
    ours, theirs = both("oblique CAR")
    text = "icrs;circle(84.1, 22.3, 0.61)"
    np.testing.assert_array_equal(ours.mask(text), theirs.region_mask(text).data)
    np.testing.assert_allclose(
        ours.weights(text, 5), theirs.region_weights(Regions.parse(text, format="ds9"), 5).data, atol=0.05
    )


def same_axis(ours, theirs):
    assert ours.name == theirs.name
    if ours.kind == "labels":
        assert list(ours.points) == list(theirs.center)
        return
    if ours.kind == "intervals":
        np.testing.assert_allclose(ours.points[:, 1], theirs.edges_max.to_value("s"))
        return
    np.testing.assert_allclose(ours.edges, theirs.edges.to_value(ours.unit), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.centers, theirs.center.to_value(ours.unit), rtol=1e-9)
    assert (ours.kind == "edges") == (theirs.node_type == "edges")


GRID = SkyGrid.create((83.63, 22.01), npix=(5, 3), binsz=0.5, proj="TAN")
AXES = {
    "none": (),
    "energy": (MapAxis.from_edges("energy", [1.0, 3.0, 10.0], "TeV", "log"),),
    "rad": (
        MapAxis.from_nodes("energy_true", [1.0, 2.0, 5.0, 7.0], "TeV", "log"),
        MapAxis.from_edges("rad", [0.0, 0.1, 0.3, 0.4], "deg"),
    ),
    "labels": (
        MapAxis.from_labels("dataset", ["one", "two"]),
        MapAxis.from_edges("energy", [1.0, 3.0, 10.0], "TeV", "log"),
    ),
    "time": (MapAxis.from_intervals("time", [[0.0, 60.0], [90.0, 100.0]], "s", (51544, 0.25, "tt")),),
}


@pytest.mark.parametrize("name", AXES)
def test_maps_in_both_directions(name, tmp_path):
    shape = (*(axis.size for axis in AXES[name]), *GRID.shape)
    ours = SkyMap(np.random.default_rng(11).uniform(size=shape), AXES[name], GRID, "cm-2 s-1", {"who": "us"})
    theirs = peer_maps.Map.read(write_map(ours, tmp_path / "ours.fits"))
    np.testing.assert_allclose(theirs.data, ours.values)
    assert theirs.unit == ours.unit
    assert theirs.meta == {"who": "us"}
    theirs.write(tmp_path / "theirs.fits", overwrite=True)
    theirs.write(tmp_path / "sparse.fits", overwrite=True, sparse=True)
    for file in ("theirs.fits", "sparse.fits"):
        back = read_map(tmp_path / file)
        np.testing.assert_allclose(back.values, ours.values)
        assert back.grid == GRID
        assert u.Unit(back.unit) == u.Unit("cm-2 s-1")
        for one, two in zip(back.axes, reversed(list(theirs.geom.axes)), strict=True):
            same_axis(one, two)
        assert back.axes == ours.axes


MAPS = [
    "fermi-3fhl-gc/fermi-3fhl-gc-background-cube.fits.gz",
    "fermi-3fhl-gc/fermi-3fhl-gc-counts-cube.fits.gz",
    "fermi-3fhl-gc/fermi-3fhl-gc-exposure-cube.fits.gz",
    "fermi-3fhl-gc/fermi-3fhl-gc-counts.fits.gz",
    "fermi-3fhl-gc/fermi-3fhl-gc-psf.fits.gz",
    "fermi-3fhl-gc/gll_iem_v06_gc.fits.gz",
    "fermi-3fhl-crab/Fermi-LAT-3FHL_iem.fits",
    "hawc/crab_events_pass4/background/BackgroundMap_Crab_fHitbin5GP.fits.gz",
    "hawc/crab_events_pass4/irfs/EDispKernelMap_Crab_fHitbin5NN.fits.gz",
    "hawc/crab_events_pass4/irfs/EffectiveAreaMap_Crab_fHitbin9GP.fits.gz",
    "hawc/crab_events_pass4/irfs/PSFMap_Crab_fHitbin9NN.fits.gz",
    "hawc/crab_events_pass4/irfs/TransitsMap_Crab.fits.gz",
    "joint-crab/exclusion/exclusion_mask_crab.fits.gz",
]


@pytest.mark.parametrize("file", MAPS)
def test_published_maps(gammajax_data, file):
    ours, theirs = read_map(gammajax_data / file), peer_maps.Map.read(gammajax_data / file)
    np.testing.assert_array_equal(ours.values, theirs.data)
    assert theirs.unit == ours.unit
    coord = theirs.geom.to_image().get_coord()
    np.testing.assert_allclose(ours.grid.lonlat[0], coord.lon.to_value("deg"), atol=1e-9)
    for one, two in zip(ours.axes, reversed(list(theirs.geom.axes)), strict=True):
        same_axis(one, two)


def same_response(ours, theirs, unit):
    np.testing.assert_allclose(ours.values, theirs.quantity.to_value(unit), rtol=1e-6, atol=1e-12)
    if ours.grid is not None:
        coord = theirs.geom.to_image().get_coord()
        np.testing.assert_allclose(ours.grid.lonlat[1], coord.lat.to_value("deg"), atol=1e-9)


def same_dataset(ours, theirs):
    """Arrays, axes and pixels of what `read_map_dataset` finds and of Gammapy's dataset."""
    parts = ("counts", "background", "counts_off", "acceptance", "acceptance_off", "mask_safe", "mask_fit", "exposure")
    for part in parts:
        peer = getattr(theirs, part, None) if not (part == "background" and ours.kind == "MapDatasetOnOff") else None
        if peer is None:
            assert getattr(ours, part) is None, part
            continue
        unit = "cm2 s" if part == "exposure" else ""
        values = peer.quantity.to_value(unit) if peer.data.dtype != bool else peer.data
        np.testing.assert_allclose(getattr(ours, part), values, rtol=1e-6, atol=1e-12, err_msg=part)
        axis = peer.geom.axes[0]
        edges = ours.energy_true if part == "exposure" else ours.energy
        np.testing.assert_allclose(edges, axis.edges.to_value("TeV"), rtol=1e-7)
        if part == "exposure":
            assert (ours.energy_true_nodes is not None) == (axis.node_type == "center")
        coord = peer.geom.to_image().get_coord()
        np.testing.assert_allclose(ours.grid.lonlat[0], coord.lon.to_value("deg"), atol=1e-9)
    psf_axes, edisp_axes = theirs.psf.psf_map.geom.axes, theirs.edisp.edisp_map.geom.axes
    same_response(ours.psf, theirs.psf.psf_map, "sr-1")
    assert ours.psf.reco == (psf_axes[1].name == "energy")
    np.testing.assert_allclose(ours.psf.energy, psf_axes[1].center.to_value("TeV"), rtol=1e-7)
    np.testing.assert_allclose(ours.psf.rad, psf_axes[0].center.to_value("deg"), rtol=1e-7, atol=1e-12)
    same_response(ours.edisp, theirs.edisp.edisp_map, "")
    assert ours.edisp.kernel == (edisp_axes[0].name == "energy")
    np.testing.assert_allclose(ours.edisp.energy_true, edisp_axes[1].edges.to_value("TeV"), rtol=1e-7)
    second = ours.edisp.energy if ours.edisp.kernel else ours.edisp.migra
    np.testing.assert_allclose(second, edisp_axes[0].edges.to_value("TeV" if ours.edisp.kernel else ""), rtol=1e-7)
    assert (ours.gti is None) == (theirs.gti is None)
    if ours.gti is not None:
        np.testing.assert_allclose(np.sum(ours.gti.stop - ours.gti.start), theirs.gti.time_sum.to_value("s"), rtol=1e-9)


DATASETS = [
    "fermi-3fhl-gc/fermi-3fhl-gc.fits.gz",
    "fermi-3fhl-crab/Fermi-LAT-3FHL_data_Fermi-LAT.fits",
    "hawc/DL4/nHit-5.fits.gz",
    "hawc/DL4/nHit-7.fits.gz",
    "hawc/DL4/nHit-9.fits.gz",
    "tests/models/gc_example_data_gc.fits",
    "tests/models/gc_example_data_g09.fits",
]


@pytest.mark.parametrize("file", DATASETS)
def test_published_datasets(gammajax_data, file, tmp_path):
    """Read as Gammapy reads; written by us, read by Gammapy; written by Gammapy, read by us."""
    ours, theirs = read_map_dataset(gammajax_data / file), peer_datasets.MapDataset.read(gammajax_data / file)
    same_dataset(ours, theirs)
    again = peer_datasets.MapDataset.read(write_map_dataset(tmp_path / "ours.fits", ours))
    same_dataset(ours, again)
    theirs.write(tmp_path / "theirs.fits")
    same_dataset(read_map_dataset(tmp_path / "theirs.fits"), theirs)


@pytest.mark.parametrize(
    "content",
    [
        dataset(),
        dataset(on_off=True),
        dataset(psf=psf(reco=True)),
        dataset(edisp=edisp(kernel=False)),
        dataset(psf=psf(grid=None), edisp=edisp(grid=None)),
    ],
    ids=["known background", "on-off", "PSF in reco energy", "migra", "responses of a region"],
)
def test_datasets_of_all_kinds(content, tmp_path):
    path = write_map_dataset(tmp_path / "ours.fits", content)
    theirs = getattr(peer_datasets, content.kind).read(path)
    assert theirs.name == "made" or content.kind == "MapDatasetOnOff"
    assert theirs.exposure.meta["livetime"] == "1500.0 s"
    same_dataset(content, theirs)
    if content.kind == "MapDatasetOnOff":
        # Gammapy 2.1 cannot write what has no background map
        theirs.mask_safe.data, theirs.mask_fit.data = (
            theirs.mask_safe.data.astype(bool),
            theirs.mask_fit.data.astype(bool),
        )
    theirs.write(tmp_path / "theirs.fits")
    back = read_map_dataset(tmp_path / "theirs.fits")
    same_dataset(back, theirs)
    assert back.kind == content.kind
    assert back.livetime == 1500.0
