"""The README's Python runs as it stands there, on simulated files with the names it uses."""

import re
from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord

import gammajax as gj
from gammajax.geom.regions import circle

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(archive, tmp_path_factory):
    """A folder with `crab/datasets.yaml` and the DL3 folder of the README."""
    here = tmp_path_factory.mktemp("readme")
    (here / "hess-dl3-dr1").symlink_to(archive.folder / "hess")
    edges = gj.energy_edges("0.3 TeV", "50 TeV", per_decade=12)
    runs = gj.DataStore.from_dir(archive.folder / "hess").observations()
    region = circle(SkyCoord("83.63d", "22.01d"), "0.11 deg")
    reduction = gj.reduce_spectra(runs, region, energy=edges, energy_true=edges, containment_correction=True)
    gj.Datasets(reduction).write(here / "crab")
    return here


def test_all_blocks_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)
    assert len(BLOCKS) == 4
    assert names["wider"].success
    assert names["limit"].value > names["wider"].models.value("source.spectral.index")
    assert names["fit"].success
    assert names["posterior"].samples.shape == (4, 1000, 3)
    assert names["scan"].converged.all()
    assert len(names["datasets"]) == 2
    assert names["slope"].shape == (3,)
    assert "crab.spectral.beta" in capsys.readouterr().out
    assert gj.Models.read("crab.yaml").free_paths == names["fit"].models.free_paths
