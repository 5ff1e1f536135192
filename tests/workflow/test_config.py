"""Configurations of a 1D reduction: Gammapy's keys, defaults, and messages."""

import numpy as np
import pytest
import yaml

from gammajax.errors import ConfigError, MissingFile, UnitMismatch
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.workflow.config import ReductionConfig

MINIMAL = {
    "observations": {"datastore": "dl3"},
    "datasets": {"on_region": {"frame": "icrs", "lon": "83.63 deg", "lat": "22.01 deg", "radius": "0.11 deg"}},
}


def read(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return ReductionConfig.read(path)


def changed(section, **entries):
    content = {key: dict(value) for key, value in MINIMAL.items()}
    content.setdefault(section, {})
    content[section] = {**content[section], **entries}
    return content


def test_minimal_takes_gammapys_defaults(tmp_path):
    config = read(tmp_path, MINIMAL)
    assert config.datastore == tmp_path / "dl3"
    assert (config.on_region.ra, config.on_region.radius) == (pytest.approx(83.63), pytest.approx(0.11))
    np.testing.assert_allclose(config.energy, np.geomspace(1, 10, 6))
    np.testing.assert_allclose(config.energy_true, np.geomspace(0.5, 20, 17))
    assert config.stack
    assert config.containment_correction
    assert config.safe_mask.methods == ("aeff-default",)
    assert config.off_regions == ReflectedRegions()
    assert config.fit_range is None
    assert config.not_used == ()


def test_everything_that_can_be_said(tmp_path):
    content = changed(
        "datasets",
        stack=False,
        containment_correction=False,
        geom={"axes": {"energy": {"min": "300 GeV", "max": "30 TeV", "nbins": 10}}},
        background={"method": "reflected", "exclusion": "mask.fits", "parameters": {"n_off_regions": 3}},
        safe_mask={"methods": ["aeff-max", "edisp-bias"], "parameters": {"aeff_percent": 5, "bias_percent": 8}},
    )
    content["observations"]["obs_ids"] = [23523, 23526]
    content |= {
        "fit": {"fit_range": {"min": "0.5 TeV", "max": "20 TeV"}},
        "general": {"n_jobs": 2},
        "flux_points": {"source": "crab"},
    }
    config = read(tmp_path, content)
    assert config.obs_ids == (23523, 23526)
    np.testing.assert_allclose(config.energy, np.geomspace(0.3, 30, 11))
    assert config.off_regions == WobbleRegions(n_off_regions=3)
    assert config.exclusion == tmp_path / "mask.fits"
    assert config.safe_mask.aeff_percent == 5
    assert not config.stack
    assert not config.containment_correction
    assert config.fit_range == ("0.5 TeV", "20 TeV")
    assert config.n_jobs == 2
    assert config.not_used == ("flux_points",)


def test_environment_variables_in_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHIVE", str(tmp_path / "somewhere"))
    assert (
        read(tmp_path, changed("observations", datastore="$ARCHIVE/hess")).datastore == tmp_path / "somewhere" / "hess"
    )


def test_cone_and_time(tmp_path):
    cone = {"frame": "galactic", "lon": "184.56 deg", "lat": "-5.78 deg", "radius": "2 deg"}
    time = {"start": "2004-01-01", "stop": "2005-01-01"}
    config = read(tmp_path, changed("observations", obs_cone=cone, obs_time=time))
    assert config.cone is not None
    assert config.cone[0].icrs.ra.deg == pytest.approx(83.63, abs=0.02)
    assert config.time == ("2004-01-01", "2005-01-01")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed("datasets", stck=True), r"there is no key 'datasets.stck'; nearest: 'stack'"),
        (changed("observations", datastore=None), "observations.datastore is missing"),
        (changed("datasets", type="3d"), "only '1d'"),
        (changed("datasets", on_region={"lon": "83 deg"}), "datasets.on_region.lat is missing"),
        (changed("datasets", on_region={"lon": "x", "lat": "22 deg"}), "are no position"),
        (changed("datasets", background={"method": "ring"}), "take 'reflected'"),
        (changed("datasets", background={"parameters": {"min_dist": 1}}), "has no 'min_dist'; nearest: 'min_distance"),
        (changed("datasets", safe_mask={"methods": ["aeff-min"]}), "no safe mask 'aeff-min'; nearest"),
        (changed("datasets", safe_mask={"parameters": {"aeff_procent": 1}}), "nearest: 'aeff_percent'"),
        (changed("datasets", geom={"axes": {"energy": {"min": "1 TeV", "max": "10 TeV"}}}), "energy.nbins is missing"),
        (
            changed("datasets", geom={"axes": {"energy": {"min": "9 TeV", "max": "1 TeV", "nbins": 2}}}),
            "energy_min < energy_max",
        ),
        (changed("datasets", geom=3), "datasets.geom must hold keys and values"),
    ],
)
def test_messages(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, content)
    assert "config.yaml" in str(caught.value)


def test_wrong_unit_and_absent_file(tmp_path):
    axes = {"axes": {"energy": {"min": "1 deg", "max": "10 TeV", "nbins": 2}}}
    with pytest.raises(UnitMismatch, match="energy_min"):
        read(tmp_path, changed("datasets", geom=axes))
    with pytest.raises(MissingFile, match="absent.yaml"):
        ReductionConfig.read(tmp_path / "absent.yaml")
