"""The Galactic centre of Fermi-LAT: a point on diffuse and isotropic emission, against Gammapy.

The isotropic spectrum is a power law here, 1.46e-13 cm-2 s-1 MeV-1 sr-1 at 50 GeV, where the reference has a table.
"""

import numpy as np
import pytest
from real_cubes import reference

import gammajax as gj

datasets = pytest.importorskip("gammapy.datasets")
peer = pytest.importorskip("gammapy.modeling.models")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.data]

START = {"index": 2.7, "amplitude": 5.8e-10, "lon_0": 0.0, "lat_0": 0.0}


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
    return gj.Datasets([found.with_background(None)])


def our_models(diffuse, values):
    spectral = gj.PowerLaw(index=values["index"], amplitude=values["amplitude"], reference="100 GeV")
    place = gj.PointSpatial(lon_0=values["lon_0"], lat_0=values["lat_0"], frame="galactic")
    template = gj.TemplateSpatial.read(diffuse, normalize=False)
    isotropic = gj.PowerLaw(index=2.3, amplitude="1.46e-13 cm-2 s-1 MeV-1", reference="50 GeV")
    models = gj.Models(
        gc=gj.SkyModel(spectral, place),
        iem=gj.SkyModel(gj.PowerLawNorm(), template),
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


@pytest.fixture(scope="module")
def peer_dataset(file, diffuse):
    return their_dataset(file, diffuse, START)


def per_energy(data, models):
    """Predicted counts in the mask, per energy."""
    signal, _ = gj.predict_counts(data[0], models)
    return np.where(np.asarray(data[0].mask), signal, 0.0).sum(axis=(1, 2))


@pytest.mark.parametrize(("name", "least", "most"), [("gc", 0.999, 1.002), ("iem", 1.0, 1.012), ("iso", 0.999, 1.001)])
def test_counts_of_each_model(data, diffuse, peer_dataset, name, least, most):
    """Gammapy takes the diffuse emission at the centres of bins of true energy; here it is integrated, and higher.

    Its last energy is left out: it lacks the true energies above the PSF's last one.
    """
    every = our_models(diffuse, START)
    found = per_energy(data, every.drop(*(other for other in every if other != name)))
    dataset = peer_dataset.copy(name="gc")
    dataset.models = [peer_dataset.models[name]]
    expected = np.where(dataset.mask.data, dataset.npred_signal().data, 0.0).sum(axis=(1, 2))
    ratio = (found / expected)[:-1]
    assert np.all((ratio > least) & (ratio < most)), ratio


def test_the_fit_is_that_of_the_reference(gammajax_data, data, diffuse):
    """The place; the spectrum as far as the last energy and the diffuse emission, where the two differ, let it."""
    expected = reference(gammajax_data, "fermi_3d")["fermi_3fhl_gc"]["fit"]["free_parameters"]
    fit = gj.fit(data, our_models(diffuse, START))
    assert fit.success, fit.message
    for path, shift in (("spatial.lon_0", 0.1), ("spatial.lat_0", 0.1), ("spectral.index", 0.3)):
        entry = expected[f"gc.{path}"]
        assert fit.models.value(f"gc.{path}") == pytest.approx(entry["best"], abs=shift * entry["error_hesse"]), path
        assert fit.models.error(f"gc.{path}") == pytest.approx(entry["error_hesse"], rel=0.15), path
