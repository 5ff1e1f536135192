"""The Galactic centre of Fermi-LAT: a point on diffuse and isotropic emission, fitted by both sides.

The isotropic spectrum is a power law here, 1.46e-13 cm-2 s-1 MeV-1 sr-1 at 50 GeV.
"""

import pytest

import gammajax as gj

datasets = pytest.importorskip("gammapy.datasets")
peer = pytest.importorskip("gammapy.modeling.models")
modeling = pytest.importorskip("gammapy.modeling")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.data]

START = {"index": 2.7, "amplitude": 5.8e-10, "lon_0": 0.0, "lat_0": 0.0}
NEAR = {"index": 2.75, "amplitude": 4.5e-10, "lon_0": -0.045, "lat_0": -0.045}


@pytest.fixture(scope="module")
def file(gammajax_data):
    return gammajax_data / "fermi-3fhl-gc" / "fermi-3fhl-gc.fits.gz"


@pytest.fixture(scope="module")
def diffuse(file):
    return file.parent / "gll_iem_v06_gc.fits.gz"


@pytest.fixture(scope="module")
def data(file):
    """Without the background of the file, which is the diffuse emission."""
    (found,) = gj.Datasets.read(file)
    return gj.Datasets([found.without_background()])


def our_models(diffuse, values, norm=1.0):
    spectral = gj.PowerLaw(index=values["index"], amplitude=values["amplitude"], reference="100 GeV")
    place = gj.PointSpatial(lon_0=values["lon_0"], lat_0=values["lat_0"], frame="galactic")
    template = gj.TemplateSpatial.read(diffuse, normalize=False)
    isotropic = gj.PowerLaw(index=2.3, amplitude="1.46e-13 cm-2 s-1 MeV-1", reference="50 GeV")
    models = gj.Models(
        gc=gj.SkyModel(spectral, place),
        iem=gj.SkyModel(gj.PowerLawNorm(norm=norm), template),
        iso=gj.SkyModel(isotropic, gj.ConstantSpatial()),
    )
    return models.freeze("iso.*")


def their_dataset(file, diffuse, values):
    spectral = peer.PowerLawSpectralModel(
        index=values["index"], amplitude=f"{values['amplitude']} TeV-1 cm-2 s-1", reference="100 GeV"
    )
    place = peer.PointSpatialModel(lon_0=f"{values['lon_0']} deg", lat_0=f"{values['lat_0']} deg", frame="galactic")
    template = peer.TemplateSpatialModel.read(diffuse, normalize=False)
    isotropic = peer.PowerLawSpectralModel(index=2.3, amplitude="1.46e-13 cm-2 s-1 MeV-1", reference="50 GeV")
    isotropic.index.frozen = isotropic.amplitude.frozen = True
    models = [
        peer.SkyModel(spectral, place, name="gc"),
        peer.SkyModel(peer.PowerLawNormSpectralModel(), template, name="iem"),
        peer.SkyModel(isotropic, peer.ConstantSpatialModel(), name="iso"),
    ]
    models[2].spatial_model.value.frozen = True
    dataset = datasets.MapDataset.read(file, name="gc")
    dataset.background = None
    dataset.models = models
    return dataset
