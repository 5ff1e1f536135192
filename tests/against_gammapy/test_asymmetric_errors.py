"""Asymmetric errors and upper limits against Gammapy's MINOS on the ready H.E.S.S. spectra of the Crab."""

import pytest

import gammajax as gj

pytest.importorskip("gammapy")
pytest.importorskip("iminuit")

RUNS = ("obs23523", "obs23526", "obs23559", "obs23592")


def test_minos_of_the_crab(gammajax_data):
    import astropy.units as u
    from gammapy.datasets import Datasets, SpectrumDatasetOnOff
    from gammapy.modeling import Fit
    from gammapy.modeling.models import LogParabolaSpectralModel, SkyModel

    files = [gammajax_data / "joint-crab" / "spectra" / "hess" / f"pha_{run}.fits" for run in RUNS]
    spectral = LogParabolaSpectralModel(
        amplitude=3.8e-11 * u.Unit("cm-2 s-1 TeV-1"), reference=1 * u.TeV, alpha=2.5, beta=0.24
    )
    theirs = Datasets()
    for file in files:
        dataset = SpectrumDatasetOnOff.read(file, name=file.stem)
        dataset.mask_fit = dataset.counts.geom.energy_mask(0.66 * u.TeV, 30 * u.TeV)
        theirs.append(dataset)
    theirs.models = [SkyModel(spectral, name="crab")]
    peer = Fit(optimize_opts={"strategy": 2, "tol": 1e-3})
    peer.run(theirs)

    ours = gj.Datasets.read_ogip(files).select_energy("0.66 TeV", "30 TeV")
    models = gj.Models(crab=gj.SkyModel(gj.LogParabola(amplitude=3.8e-11, reference=1.0, alpha=2.5, beta=0.24)))
    fit = gj.fit(ours, models)
    for sigma in (1.0, 2.0):
        found = gj.asymmetric_errors(ours, fit, sigma=sigma)
        assert found.success
        for i, name in enumerate(("amplitude", "alpha", "beta")):
            expected = peer.confidence(theirs, spectral.parameters[name], sigma=sigma)
            assert expected["success"]
            assert found.errn[i] == pytest.approx(expected["errn"], rel=2e-3, abs=0)
            assert found.errp[i] == pytest.approx(expected["errp"], rel=2e-3, abs=0)
            # Gammapy's upper limit is the upper end at n_sigma_ul.
            limit = gj.upper_limit(ours, fit, f"*.{name}", sigma=sigma)
            assert limit.value == pytest.approx(found.upper[i], rel=1e-6, abs=0)
