"""Predicted counts of cubes: sources without some of the responses, as Gammapy has them."""

import warnings

import numpy as np
import pytest
from made_cubes import CENTRE, RAD, cube, king

import gammajax as gj
from gammajax.datasets.cube_files import write_cube
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.map_dataset import PsfMap

peer_datasets = pytest.importorskip("gammapy.datasets")
peer_models = pytest.importorskip("gammapy.modeling.models")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """One cube, here and there."""
    data = cube(nested=True, size=(40, 44))
    path = write_cube(data, tmp_path_factory.mktemp("cubes") / "cube.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return data, peer_datasets.MapDataset.read(path, name="cube")


def theirs(dataset, models, folder):
    """Signal that Gammapy predicts for models that it reads from our file."""
    models.write(folder / "models.yaml", gammapy=True)
    dataset.models = peer_models.Models.read(folder / "models.yaml")
    return dataset.npred_signal().data


X, Y = 21.0, 19.0
"""A pixel of the cube."""


def places(data):
    lon, lat = data.grid.wcs.wcs_pix2world(X, Y, 0)
    return {
        "point": gj.PointSpatial(lon_0=float(lon), lat_0=float(lat)),
        "gauss": gj.GaussianSpatial(lon_0=CENTRE[0] + 0.02, lat_0=CENTRE[1], sigma=0.15),
        "ellipse": gj.GaussianSpatial(lon_0=CENTRE[0] + 0.02, lat_0=CENTRE[1], sigma=0.2, e=0.6, phi=30.0),
    }


@pytest.mark.parametrize("switched_off", [(), ("psf",), ("edisp",), ("psf", "edisp")])
@pytest.mark.parametrize("shape", ["point", "gauss", "ellipse"])
def test_responses_that_are_not_applied(pair, shape, switched_off, tmp_path):
    """A point at the centre of a pixel: elsewhere Gammapy shares one that is not spread among four pixels."""
    data, peer = pair
    spectral = gj.PowerLaw(amplitude=3e-12, index=2.3)
    models = gj.Models(src=gj.SkyModel(spectral, places(data)[shape], apply_irf=dict.fromkeys(switched_off, False)))
    found, _ = gj.predict_counts(data, models)
    expected = theirs(peer, models, tmp_path)
    # Gammapy samples sources and PSFs on finer grids, where here a Gaussian is integrated, and takes 99.9 % of a PSF.
    limit = 3e-3 if "psf" in switched_off else 0.03
    assert np.max(np.abs(found - expected)) < limit * expected.max()
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected.sum(axis=(1, 2)), rtol=3e-3)


@pytest.mark.parametrize("shape", ["point", "gauss", "ellipse"])
def test_psf_over_reconstructed_energy(shape, tmp_path):
    """Gammapy too applies it after the dispersion."""
    data = cube(size=(40, 44))
    edges = np.asarray(data.energy)
    values = np.stack([king(RAD, width) for width in (0.1, 0.08, 0.06)])[:, :, None, None]
    psf = PsfMap(None, np.sqrt(edges[1:] * edges[:-1]), RAD, values, True, data.psf.rad_edges, edges)
    data = gj.MapDataset(**vars(data) | {"psf": psf})
    peer = peer_datasets.MapDataset.read(write_cube(data, tmp_path / "cube.fits"), name="cube")
    models = gj.Models(src=gj.SkyModel(gj.PowerLaw(amplitude=3e-12, index=2.3), places(data)[shape]))
    found, _ = gj.predict_counts(data, models)
    expected = theirs(peer, models, tmp_path)
    for k in range(len(found)):
        assert np.max(np.abs(found[k] - expected[k])) < 0.03 * expected[k].max()
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected.sum(axis=(1, 2)), rtol=3e-3)


@pytest.mark.parametrize("shape", ["gauss", "ellipse"])
def test_without_exposure(pair, shape):
    """Gammapy has a spectrum of counts there, here the numbers of a flux stand for those of counts."""
    data, peer = pair
    irf = {"exposure": False}
    spectral = gj.PowerLaw(amplitude=300.0, index=2.3)
    found, _ = gj.predict_counts(data, gj.Models(src=gj.SkyModel(spectral, places(data)[shape], apply_irf=irf)))
    counts = peer_models.PowerLawSpectralModel(index=2.3, reference="1 TeV")
    counts.amplitude.unit, counts.amplitude.value = "TeV-1", 300.0
    place = places(data)[shape]
    peer_place = peer_models.GaussianSpatialModel(
        lon_0=f"{float(place.lon_0)} deg", lat_0=f"{float(place.lat_0)} deg", sigma=f"{float(place.sigma)} deg",
        e=float(place.e), phi=f"{float(place.phi)} deg", frame="icrs",
    )  # fmt: skip
    peer.models = peer_models.Models(
        [peer_models.SkyModel(counts, peer_place, apply_irf={**irf, "psf": True, "edisp": True})]
    )
    expected = peer.npred_signal().data
    assert np.max(np.abs(found - expected)) < 0.03 * expected.max()
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected.sum(axis=(1, 2)), rtol=3e-3)


@pytest.mark.parametrize("part", [None, (slice(5, 30), slice(10, 20))])
def test_templates_of_counts(pair, part, tmp_path):
    """On all pixels of the cube, and on some of them."""
    data, peer = pair
    grid = data.grid if part is None else data.grid.part(*part)
    values = np.random.default_rng(3).uniform(0.0, 2.0, (3, *grid.shape))
    energy = MapAxis.from_edges("energy", np.asarray(data.energy), "TeV", "log")
    given = SkyMap(values, (energy,), grid)
    template = gj.TemplateNPred(given, gj.PowerLawNorm(norm=1.3, tilt=0.4), datasets_names="cube")
    models = gj.Models(extra=template)
    found, _ = gj.predict_counts(data, models)
    np.testing.assert_allclose(found, theirs(peer, models, tmp_path), rtol=1e-6, atol=1e-12)


def test_background_with_norms_on_the_sky(pair, tmp_path):
    data, peer = pair
    (lon, lat), norms = CENTRE, [0.6, 1.4, 1.1, 0.8, 1.7]
    nodes = [lon - 2, lon + 2, lon + 2, lon - 2, lon], [lat - 1.6, lat - 1.6, lat + 1.6, lat + 1.6, lat + 0.1]
    spatial = gj.PiecewiseNormSpatial(*nodes, norms)
    models = gj.Models(bkg=gj.FoVBackground(gj.PowerLawNorm(norm=1.2, tilt=0.1), spatial, datasets_names="cube"))
    _, found = gj.predict_counts(data, models)
    models.write(tmp_path / "models.yaml", gammapy=True)
    peer.models = peer_models.Models.read(tmp_path / "models.yaml")
    np.testing.assert_allclose(found, peer.npred_background().data, rtol=1e-5)
