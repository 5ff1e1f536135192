"""Gammapy reads the dataset files that gammajax writes, and the other way round."""

import numpy as np
import pytest
from made_spectra import counting, on_off

import gammajax as gj

datasets = pytest.importorskip("gammapy.datasets")


def peer_model():
    import astropy.units as u
    from gammapy.modeling.models import PowerLawSpectralModel, SkyModel

    spectral = PowerLawSpectralModel(index=2.3, amplitude=2e-11 * u.Unit("cm-2 s-1 TeV-1"), reference=1 * u.TeV)
    return SkyModel(spectral, name="source")


@pytest.mark.filterwarnings("ignore")
def test_there_and_back(tmp_path):
    ours = on_off(n=1) + counting(n=1)
    theirs = datasets.Datasets.read(ours.write(tmp_path / "ours"))
    theirs.write(tmp_path / "theirs.yaml", overwrite=True)
    back = gj.Datasets.read(tmp_path / "theirs.yaml")
    for one, two in zip(ours, back, strict=True):
        for name in ("energy", "energy_true", "counts", "background", "exposure", "mask_safe"):
            np.testing.assert_allclose(np.asarray(getattr(two, name)), np.asarray(getattr(one, name)), rtol=1e-6)
        np.testing.assert_allclose(two.edisp, one.edisp, atol=1e-7)
    theirs.models = [peer_model()]
    models = gj.Models(source=gj.SkyModel(gj.PowerLaw(index=2.3, amplitude=2e-11)))
    problem = gj.Problem(back, models)
    assert float(gj.stat(problem, problem.start)) == pytest.approx(theirs.stat_sum(), rel=1e-6)
