"""Gammapy reads the dataset files that gammajax writes, and the other way round."""

import numpy as np
import pytest
import yaml
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


@pytest.mark.filterwarnings("ignore", "error:Checksum")
def test_gammapy_verifies_our_yaml_and_we_read_its_own(tmp_path):
    ours = on_off(n=2).select_energy("0.5 TeV", "20 TeV") + counting(n=1)
    source = gj.SkyModel(gj.PowerLaw(index=2.3, amplitude=2e-11))
    models = gj.Models(source=source).prior("source.spectral.index", gj.Normal(2.0, 0.1))
    models.write(tmp_path / "m.yaml")
    written = ours.write(tmp_path / "ours")
    theirs = datasets.Datasets.read(written, filename_models=tmp_path / "m.yaml", checksum=True)
    theirs.write(tmp_path / "theirs.yaml", tmp_path / "theirs_models.yaml", checksum=True)
    assert "checksum: " in (tmp_path / "theirs.yaml").read_text()
    assert gj.Datasets.read(tmp_path / "theirs.yaml").names == ours.names
    assert gj.Models.read(tmp_path / "theirs_models.yaml").value("source.spectral.index") == 2.3
    written.write_text(written.read_text().replace("0.5", "0.6"))
    with pytest.raises(UserWarning, match="Checksum verification failed"):
        datasets.Datasets.read(written, checksum=True)


@pytest.mark.filterwarnings("ignore")
def test_gammapys_own_files_of_both_kinds(tmp_path):
    """Written in Gammapy's own format, on-off maps too: equal statistic, with what the file tells of its origin."""
    ours = on_off(n=2)
    theirs = datasets.Datasets.read(ours.write(tmp_path / "ours"))
    spectra = datasets.Datasets([*theirs, theirs[0].to_spectrum_dataset(name="counting")])
    files = {}
    for dataset in spectra:
        files[dataset.name] = tmp_path / f"{dataset.name}.fits"
        form = {"format": "gadf"} if dataset.tag == "SpectrumDatasetOnOff" else {}
        dataset.write(files[dataset.name], **form)
    listed = [{"name": d.name, "type": d.tag, "filename": files[d.name].name} for d in spectra]
    (tmp_path / "theirs.yaml").write_text(yaml.safe_dump({"datasets": listed}))
    back = gj.Datasets.read(tmp_path / "theirs.yaml")
    assert [type(d).__name__ for d in back] == ["SpectrumDatasetOnOff", "SpectrumDatasetOnOff", "SpectrumDataset"]
    spectra.models = [peer_model()]
    models = gj.Models(source=gj.SkyModel(gj.PowerLaw(index=2.3, amplitude=2e-11)))
    for one, two in zip(back, spectra, strict=True):
        problem = gj.Problem([one], models)
        assert float(gj.stat(problem, problem.start)) == pytest.approx(two.stat_sum(), rel=1e-6)
        # Gammapy 2.1 leaves the livetime out of these files.
        assert np.isnan(one.livetime)


@pytest.mark.filterwarnings("ignore")
def test_gammapy_reads_our_background_norm(tmp_path):
    """The norm of a background is Gammapy's FoVBackgroundModel: equal statistic in both directions."""
    from gammapy.modeling.models import Models as PeerModels

    ours = counting(n=1, background=5.0)
    theirs = datasets.Datasets.read(ours.write(tmp_path / "ours"))
    source = gj.SkyModel(gj.PowerLaw(index=2.3, amplitude=2e-12))
    norm = gj.BackgroundNorm(norm=1.3, tilt=0.2, datasets_names=["c0"])
    models = gj.Models({"source": source, "c0-bkg": norm})
    problem = gj.Problem(ours, models)
    theirs.models = PeerModels.read(models.write(tmp_path / "m.yaml", gammapy=True))
    assert theirs.stat_sum() == pytest.approx(float(gj.stat(problem, problem.start)), rel=1e-6)
    theirs.models.write(tmp_path / "theirs.yaml")
    back = gj.Problem(ours, gj.Models.read(tmp_path / "theirs.yaml"))
    assert float(gj.stat(back, back.start)) == pytest.approx(theirs.stat_sum(), rel=1e-6)
