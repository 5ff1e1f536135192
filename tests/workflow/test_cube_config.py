"""Configurations of a reduction to cubes: Gammapy's keys, defaults, and messages."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import gammajax
from gammajax.errors import ConfigError, MissingFile
from gammajax.geom.regions import Circle
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.fov_scale import FoVBackgroundScale
from gammajax.reduce.ring import AdaptiveRingBackground, RingBackground
from gammajax.workflow.config import ReductionConfig, read_config
from gammajax.workflow.cube_config import CubeReductionConfig

SKYDIR = {"frame": "icrs", "lon": "83.63 deg", "lat": "22.01 deg"}
TOP = Path(gammajax.__file__).resolve().parents[1]


def content(wcs=None, geom=None, **datasets):
    """A minimal configuration with further entries."""
    geom = {"wcs": {"skydir": SKYDIR, **(wcs or {})}, **(geom or {})}
    return {"observations": {"datastore": "dl3"}, "datasets": {"type": "3d", "geom": geom, **datasets}}


def read(tmp_path, written):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(written))
    return read_config(path)


def test_minimal_takes_gammapys_defaults(tmp_path):
    config = read(tmp_path, content())
    assert isinstance(config, CubeReductionConfig)
    assert config.datastore == tmp_path / "dl3"
    assert (config.grid.shape, config.grid.proj, config.grid.frame) == ((250, 250), "CAR", "icrs")
    np.testing.assert_allclose(config.grid.center, (83.63, 22.01))
    np.testing.assert_allclose(config.energy, np.geomspace(1, 10, 6))
    np.testing.assert_allclose(config.energy_true, np.geomspace(0.5, 20, 17))
    assert (config.offset_max, config.binsize_irf) == (2.5, 0.2)
    assert config.stack
    assert config.safe_mask.methods == ("aeff-default",)
    assert config.background == IRFBackground(exact=False)
    assert (config.exclusion, config.fit_range, config.n_jobs, config.not_used) == (None, None, 1, ())


def test_everything_that_can_be_said(tmp_path):
    wcs = {
        "skydir": {"frame": "galactic", "lon": "347.3 deg", "lat": "-0.5 deg"},
        "binsize": "0.05 deg",
        "width": {"width": "4 deg", "height": "3 deg"},
        "binsize_irf": "0.4 deg",
        "proj": "TAN",
    }
    written = content(
        wcs,
        {
            "selection": {"offset_max": "120 arcmin"},
            "axes": {"energy": {"min": "300 GeV", "max": "30 TeV", "nbins": 10}},
        },
        stack={"low": [1, 2], "high": [3]},
        map_selection=["edisp", "psf", "background", "exposure", "counts"],
        background={
            "method": "fov_background",
            "exclusion": "mask.fits",
            "parameters": {"method": "fit", "spectral_model": "pl-norm", "min_counts": 5, "min_npred_background": 2.5},
        },
        safe_mask={"methods": ["aeff-max", "offset-max"], "parameters": {"offset_max": "2 deg"}},
    )
    written["observations"]["obs_ids"] = [1, 2, 3]
    written |= {"fit": {"fit_range": {"min": "0.5 TeV"}}, "general": {"n_jobs": 2}, "excess_map": {"parameters": {}}}
    config = read(tmp_path, written)
    assert isinstance(config, CubeReductionConfig)
    assert (config.grid.shape, config.grid.proj, config.grid.frame) == ((60, 80), "TAN", "galactic")
    np.testing.assert_allclose(config.grid.center, (347.3, -0.5))
    assert (config.offset_max, config.binsize_irf) == (2.0, 0.4)
    assert config.background == FoVBackgroundScale(None, "fit", min_counts=5, min_background=2.5)
    assert config.exclusion == tmp_path / "mask.fits"
    assert config.safe_mask.offset_max == 2.0
    assert config.stack == {1: "low", 2: "low", 3: "high"}
    assert (config.obs_ids, config.n_jobs, config.fit_range) == ((1, 2, 3), 2, (0.5, np.inf))
    assert config.not_used == ("excess_map",)


def test_backgrounds_and_exclusions(tmp_path):
    def of(**background):
        return read(tmp_path, content(background=background))

    assert of(method="fov_background").background == FoVBackgroundScale()
    assert of(method="irf", parameters={"exact": True}).background == IRFBackground()
    assert of(method="none").background is None
    assert of(method=None).background == IRFBackground(exact=False)
    assert of(method="ring", parameters=RING).background == RingBackground(0.5, 0.3)
    adaptive = of(method="adaptive_ring", parameters={**RING, "r_out_max": "1 deg", "method": "fixed_r_in"}).background
    assert adaptive == AdaptiveRingBackground(0.5, 1.0, 0.3, method="fixed_r_in")
    assert of(method="ring", parameters=RING, exclusion="mask.fits").not_used == ()
    around = of(method="fov_background", exclusion="icrs;circle(83.63, 22.01, 0.3)").exclusion
    assert around == Circle(83.63, 22.01, 0.3)
    assert of(method="fov_background", exclusion="stars (old).reg").exclusion == tmp_path / "stars (old).reg"


def test_keys_of_the_other_type_are_named(tmp_path):
    region = {**SKYDIR, "radius": "0.1 deg"}
    written = content(on_region=region, containment_correction=True, background={"exclusion": "mask.fits"})
    assert read(tmp_path, {**written, "light_curve": {"source": "crab"}}).not_used == (
        "light_curve",
        "datasets.on_region",
        "datasets.containment_correction",
        "datasets.background.exclusion",
    )
    written["datasets"] |= {"type": "1d", "map_selection": ["counts"]}
    config = read(tmp_path, written)
    assert isinstance(config, ReductionConfig)
    assert config.not_used == ("datasets.geom.wcs", "datasets.map_selection")


def test_the_type_decides(tmp_path):
    path = tmp_path / "config.yaml"
    read(tmp_path, content())
    assert isinstance(CubeReductionConfig.read(path), CubeReductionConfig)
    with pytest.raises(ConfigError, match="'3d': only '1d' can be reduced to spectra"):
        ReductionConfig.read(path)
    spectra = content(type="1d", on_region="icrs;circle(83.63, 22.01, 0.1)")
    assert isinstance(read(tmp_path, spectra), ReductionConfig)
    with pytest.raises(ConfigError, match="'1d': only '3d' can be reduced to cubes"):
        CubeReductionConfig.read(path)
    with pytest.raises(MissingFile, match="absent.yaml"):
        read_config(tmp_path / "absent.yaml")


def test_fingerprint(tmp_path):
    (tmp_path / "mask.fits").write_bytes(b"one")
    background = {"method": "fov_background", "exclusion": "mask.fits"}
    first = read(tmp_path, content(background=background)).fingerprint
    assert read(tmp_path, {**content(background=background), "general": {"n_jobs": 3}}).fingerprint == first
    others = [
        content({"binsize": "0.020001 deg"}, background=background),
        content({"skydir": {**SKYDIR, "lon": "83.630001 deg"}}, background=background),
        content({"binsize_irf": "0.3 deg"}, background=background),
        content(geom={"selection": {"offset_max": "2 deg"}}, background=background),
        content(background={**background, "parameters": {"method": "fit"}}),
        content(stack=False, background=background),
    ]
    found = {read(tmp_path, other).fingerprint for other in others}
    (tmp_path / "mask.fits").write_bytes(b"two")
    found.add(read(tmp_path, content(background=background)).fingerprint)
    assert len(found - {first}) == len(others) + 1


RING = {"r_in": "0.5 deg", "width": "0.3 deg"}
WRONG = [
    (content(type="2d"), r"datasets.type is '2d': '1d' \(spectra\) or '3d' \(cubes\)"),
    (content(type=3), "datasets.type is 3"),
    (content({"binsz": "0.1 deg"}), "no key 'datasets.geom.wcs.binsz'; nearest: 'binsize'"),
    (content({"width": {"heigth": "1 deg"}}), "no key 'datasets.geom.wcs.width.heigth'; nearest: 'height'"),
    (content({"skydir": {"long": 3}}), "no key 'datasets.geom.wcs.skydir.long'; nearest: 'lon'"),
    (content(geom={"selection": {"offset": 2}}), "no key 'datasets.geom.selection.offset'; nearest: 'offset_max'"),
    (content(geom={"axis": {}}), "no key 'datasets.geom.axis'; nearest: 'axes'"),
    (content({"skydir": None}), "datasets.geom.wcs.skydir.lon is missing"),
    (content({"skydir": {"lon": "83 deg"}}), "datasets.geom.wcs.skydir.lat is missing"),
    (content({"skydir": {**SKYDIR, "frame": "fk5"}}), "skydir.frame is 'fk5': the pixels of a cube are in icrs or gal"),
    (content({"skydir": {**SKYDIR, "frame": 3}}), "datasets.geom.wcs.skydir.frame must be text"),
    (content({"skydir": {**SKYDIR, "lon": 83.63}}), "datasets.geom.wcs.skydir: lon 83.63, .* write for example"),
    (content({"skydir": {**SKYDIR, "lat": "95 deg"}}), "datasets.geom.wcs.skydir"),
    (content({"skydir": "crab"}), "datasets.geom.wcs.skydir must hold keys and values, got str"),
    (content({"binsize": 0}), "datasets.geom.wcs.binsize must be above 0 deg, got 0 deg"),
    (content({"binsize": "0.1 TeV"}), "datasets.geom.wcs.binsize is of kind angle"),
    (content({"binsize": [0.1]}), "datasets.geom.wcs.binsize must be a number"),
    (content({"binsize": "1e-7 deg"}), "datasets.geom.wcs.binsize: 1e-07 deg makes 5e.07 pixels a side, more than"),
    (content({"binsize": "20 deg"}), r"datasets.geom.wcs: width .* holds no pixel .* choose a smaller binsz"),
    (content({"width": {"width": "-3 deg"}}), "datasets.geom.wcs.width.width must be above 0 deg"),
    (content({"width": "3 deg"}), "datasets.geom.wcs.width must hold keys and values"),
    (content({"binsize_irf": "0 deg"}), "datasets.geom.wcs.binsize_irf must be above 0 deg"),
    (content({"proj": "XYZ"}), "datasets.geom.wcs: 'XYZ' is no projection"),
    (content({"proj": 3}), "datasets.geom.wcs.proj must be text, got 3"),
    (content(geom={"selection": {"offset_max": "-1 deg"}}), "datasets.geom.selection.offset_max must be above 0 deg"),
    (content(geom={"selection": {"offset_max": True}}), "datasets.geom.selection.offset_max must be a number"),
    (content(geom={"axes": {"energy": {"min": "1 TeV"}}}), "datasets.geom.axes.energy.max is missing"),
    (content(map_selection="all"), "datasets.map_selection must be a list"),
    (content(map_selection=["counts", "edips"]), "datasets.map_selection has 'edips'; nearest: 'edisp'"),
    (content(map_selection=["counts", "psf", "edisp", "exposure"]), "datasets.map_selection lacks background: all"),
    (content(background={"method": "ring"}), "datasets.background.parameters.r_in is missing"),
    (content(background={"method": "ring", "parameters": {"r_in": "0.5 deg"}}), "parameters.width is missing"),
    (content(background={"method": "ring", "parameters": {"r_in": "0.5 m"}}), "parameters.r_in is of kind angle"),
    (content(background={"method": "ring", "parameters": {"theta": 1}}), "parameters has no 'theta'"),
    (content(background={"method": "ring", "parameters": {"r_in": 0, "width": 1}}), "parameters: r_in lies between"),
    (content(background={"method": "adaptive_ring", "parameters": {**RING, "r_out_max": 0.4}}), "no ring fits"),
    (content(background={"method": "reflected"}), r"'reflected', which is for spectra .*: cubes take 'fov_background'"),
    (
        content(background={"method": "fov"}),
        "datasets.background.method is 'fov': cubes take 'fov_background', 'ring', 'ad",
    ),
    (content(background={"method": ["irf"]}), "datasets.background.method must be text"),
    (content(background={"parameters": [1]}), "datasets.background.parameters must hold keys and values"),
    (content(background={"exclusion": 3}), "datasets.background.exclusion must be text"),
    (content(background={"exclusion": "icrs;circle(1, 2)"}), "datasets.background.exclusion: "),
    (content(safe_mask={"methods": ["offset"]}), "datasets.safe_mask: there is no safe mask 'offset'"),
    (content(stack="yes"), "datasets.stack must be true or false"),
    ({**content(), "observations": {}}, "observations.datastore is missing"),
    ({**content(), "general": {"n_jobs": 0}}, "general.n_jobs must be a whole number from 1"),
    ({**content(), "fit": {"fit_range": {"min": "2 TeV", "max": "1 TeV"}}}, "fit.fit_range: min 2 TeV is not below"),
]
FOV = [
    ({"method": "shift"}, "datasets.background.parameters: the method of FoVBackgroundScale is 'scale' or 'fit'"),
    ({"method": True}, "datasets.background.parameters.method must be text"),
    ({"min_count": 3}, "datasets.background.parameters has no 'min_count'; nearest: 'min_counts"),
    ({"min_counts": "3"}, "datasets.background.parameters.min_counts must be a number"),
    ({"reference": "1 deg"}, "datasets.background.parameters.reference is of kind energy"),
    ({"reference": 0}, "datasets.background.parameters: reference must be above 0 TeV"),
    ({"spectral_model": "pwl-norm"}, "parameters.spectral_model is 'pwl-norm': the background is scaled by 'pl-norm'"),
    ({"exact": 1}, "datasets.background.parameters.exact must be true or false"),
]


@pytest.mark.parametrize(
    ("written", "message"),
    [*WRONG, *((content(background={"method": "fov_background", "parameters": p}), m) for p, m in FOV)],
)
def test_wrong_values_name_their_key(tmp_path, written, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, written)
    assert str(caught.value).startswith(str(tmp_path / "config.yaml"))


def test_configurations_of_the_documentation_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMMAPY_DATA", str(tmp_path))
    blocks = re.findall(r"```yaml\n(observations:.*?)```", (TOP / "docs" / "command_line.md").read_text(), re.S)
    kinds = []
    for block in blocks:
        (tmp_path / "config.yaml").write_text(block)
        config = read_config(tmp_path / "config.yaml")
        kinds.append(type(config))
        assert config.not_used == ()
    assert kinds == [ReductionConfig, CubeReductionConfig]
