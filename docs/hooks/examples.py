"""Where the examples of the site run: one scratch folder for all pages, with simulated data and kept programs."""

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]


def on_startup(command, dirty):
    """Make the folder, and in it the spectra of the quick start for the other pages."""
    global scratch, home
    import matplotlib

    import gammajax

    matplotlib.use("agg")
    sys.path.insert(0, str(HERE))
    gammajax.enable_compilation_cache()
    scratch, home = tempfile.TemporaryDirectory(), Path.cwd()
    _prepare(Path(scratch.name))


def _prepare(folder):
    import gammajax as gj

    source = gj.SkyModel(gj.LogParabola(amplitude="3.8e-11 cm-2 s-1 TeV-1", reference="1 TeV", alpha=2.5, beta=0.24))
    position = gj.region("icrs;circle(83.63, 22.01, 0.11)").region().center
    gj.simulate_dl3(folder / "dl3", ["hess", "magic"], source, position, key=1, runs=2)
    edges = gj.energy_edges("0.1 TeV", "50 TeV", per_decade=8)
    spectra = []
    for name, region, contained in (("hess", "icrs;circle(83.63, 22.01, 0.11)", True), ("magic", position, False)):
        spectra += gj.reduce_spectra(
            gj.DataStore.from_dir(folder / "dl3" / name).observations(),
            region,
            energy=edges,
            energy_true=gj.energy_edges("0.02 TeV", "100 TeV", per_decade=16),
            containment_correction=contained,
            safe_mask="aeff-default",
            name=name,
        )
    gj.Datasets(spectra).write(folder / "crab")


def on_page_markdown(markdown, page, config, files):
    """Examples run in the folder; the changelog is the one of the repository."""
    os.chdir(scratch.name)
    return (TOP / "CHANGELOG.md").read_text() if page.file.src_uri == "changelog.md" else markdown


def on_page_content(html, page, config, files):
    """Back to where the site is built."""
    os.chdir(home)
    return html


def on_shutdown():
    """Remove the folder."""
    os.chdir(home)
    scratch.cleanup()
