"""Configurations of a 1D reduction: Gammapy's keys, defaults, and messages."""

import numpy as np
import pytest
import yaml

from gammajax.errors import ConfigError, FileFormatError, MissingFile
from gammajax.geom.figures import Ellipse
from gammajax.reduce.background import IRFBackground
from gammajax.reduce.phase import PhaseBackground
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
    assert config.background == ReflectedRegions()
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
    assert config.background == WobbleRegions(n_off_regions=3)
    assert config.exclusion == tmp_path / "mask.fits"
    assert config.safe_mask.aeff_percent == 5
    assert not config.stack
    assert not config.containment_correction
    assert config.fit_range == (0.5, 20)
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
    assert (config.cone.ra, config.cone.radius) == (pytest.approx(83.63, abs=0.02), 2)
    assert config.time is not None
    assert [(t.scale, t.isot) for t in config.time] == [
        ("utc", "2004-01-01T00:00:00.000"),
        ("utc", "2005-01-01T00:00:00.000"),
    ]


def test_times_that_yaml_makes_dates_of(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(MINIMAL).replace("observations:", "observations:\n  obs_time: TIMES"))
    path.write_text(path.read_text().replace("TIMES", "{start: 2004-01-01, stop: 2004-01-01 22:30:00}"))
    config = ReductionConfig.read(path)
    assert config.time is not None
    assert config.time[1].isot == "2004-01-01T22:30:00.000"


def test_groups_without_values_are_not_given(tmp_path):
    content = changed(
        "observations",
        obs_cone={"frame": None, "lon": None, "lat": None, "radius": None},
        obs_time={"start": None, "stop": None},
        obs_ids=[],
        obs_file=None,
        required_irf=None,
    )
    config = read(tmp_path, {**content, "fit": {"fit_range": {"min": None, "max": None}}, "general": {"n_jobs": None}})
    assert (config.cone, config.time, config.obs_ids, config.fit_range, config.n_jobs) == (None, None, None, None, 1)
    assert config.required_irf == ()


def test_one_side_of_the_fit_range_is_open_as_in_gammapy(tmp_path):
    assert read(tmp_path, {**MINIMAL, "fit": {"fit_range": {"min": "300 GeV"}}}).fit_range == (0.3, np.inf)
    assert read(tmp_path, {**MINIMAL, "fit": {"fit_range": {"max": "30 TeV"}}}).fit_range == (0, 30)


def test_runs_of_a_file(tmp_path):
    (tmp_path / "runs.txt").write_text("23523\n23526 23559\n")
    assert read(tmp_path, changed("observations", obs_file="runs.txt")).obs_ids == (23523, 23526, 23559)
    with pytest.raises(ConfigError, match="both obs_ids and obs_file"):
        read(tmp_path, changed("observations", obs_file="runs.txt", obs_ids=[1]))
    (tmp_path / "runs.txt").write_text("# none\n")
    with pytest.raises(ConfigError, match="lists no run"):
        read(tmp_path, changed("observations", obs_file="runs.txt"))
    (tmp_path / "runs.txt").write_text("Crab\n")
    with pytest.raises(FileFormatError, match="line 1"):
        read(tmp_path, changed("observations", obs_file="runs.txt"))


def test_no_safe_mask_is_a_choice(tmp_path):
    assert read(tmp_path, changed("datasets", safe_mask={"methods": []})).safe_mask.methods == ()
    assert read(tmp_path, changed("datasets", safe_mask={"methods": None})).safe_mask.methods == ("aeff-default",)


@pytest.mark.parametrize(
    ("finder", "expected"),
    [
        ("ReflectedRegionsFinder", ReflectedRegions()),
        ("WobbleRegionsFinder", WobbleRegions()),
        (None, ReflectedRegions()),
    ],
)
def test_region_finder(tmp_path, finder, expected):
    content = changed("datasets", background={"parameters": {"region_finder": finder}})
    assert read(tmp_path, content).background == expected


def test_fingerprint(tmp_path):
    (tmp_path / "mask.fits").write_bytes(b"one")
    content = changed("datasets", background={"exclusion": "mask.fits"})
    first = read(tmp_path, content).fingerprint
    assert read(tmp_path, {**content, "general": {"n_jobs": 3}}).fingerprint == first
    assert read(tmp_path, {**content, "fit": {"fit_range": {"min": "1 TeV"}}}).fingerprint != first
    (tmp_path / "mask.fits").write_bytes(b"two")
    assert read(tmp_path, content).fingerprint != first


CONE = {"frame": "icrs", "lon": "83 deg", "lat": "22 deg"}
WRONG = [
    (changed("observations", obs_cone=CONE), "observations.obs_cone has frame, lat, lon, but lacks radius"),
    (changed("observations", obs_cone={"radius": "2 deg"}), "observations.obs_cone has radius, but lacks lon, lat"),
    (changed("observations", obs_cone={**CONE, "radius": "2 TeV"}), "observations.obs_cone.radius"),
    (changed("observations", obs_cone={**CONE, "radius": [2]}), "observations.obs_cone.radius must be a number"),
    (changed("observations", obs_cone={**CONE, "lon": 83, "radius": 1}), "observations.obs_cone: lon 83"),
    (changed("observations", obs_cone={**CONE, "frame": "moon", "radius": 1}), "observations.obs_cone"),
    (changed("observations", obs_time={"start": "2004-01-01"}), "observations.obs_time has start, but lacks stop"),
    (changed("observations", obs_time={"start": "noon", "stop": "2005-01-01"}), "observations.obs_time.start: 'noon'"),
    (changed("observations", obs_time={"start": 2004, "stop": 2005}), "obs_time.start: 2004 is no time"),
    (changed("observations", obs_time={"start": ["2004-01-01"], "stop": ["2005-01-01"]}), "one time is needed"),
    (changed("observations", obs_time={"start": "2006-01-01", "stop": "2005-01-01"}), "is not before stop"),
    (changed("observations", obs_ids=23523), "observations.obs_ids must be a list"),
    (changed("observations", obs_ids=["a"]), "observations.obs_ids must be a whole number, got 'a'"),
    (changed("observations", obs_ids=[True]), "observations.obs_ids must be a whole number"),
    (changed("observations", obs_file=5), "observations.obs_file must be text"),
    (changed("observations", datastore=[1]), "observations.datastore must be text"),
    (changed("observations", required_irf="psf"), "observations.required_irf must be a list"),
    (changed("observations", required_irf=["pfs"]), "observations.required_irf has 'pfs'; nearest: 'psf'"),
    (changed("datasets", stack="no"), "datasets.stack must be true or false, got 'no'"),
    (changed("datasets", containment_correction=1), "datasets.containment_correction must be true or false"),
    (
        changed("datasets", geom={"axes": {"energy": {"min": "1 TeV", "max": "9 TeV", "nbins": "x"}}}),
        "energy.nbins must",
    ),
    (changed("datasets", geom={"axes": {"energy": {"min": "1 TeV", "max": "9 TeV", "nbins": 0}}}), "energy.nbins must"),
    (
        changed("datasets", geom={"axes": {"energy": {"min": "1 deg", "max": "9 TeV", "nbins": 2}}}),
        r"axes\.energy\.min",
    ),
    (
        changed("datasets", geom={"axes": {"energy": {"min": [1], "max": "9 TeV", "nbins": 2}}}),
        r"axes\.energy\.min must",
    ),
    (changed("datasets", on_region={**CONE, "radius": "x"}), "datasets.on_region.radius"),
    (changed("datasets", on_region={**CONE, "radius": "-1 deg"}), "datasets.on_region: the radius"),
    (changed("datasets", background={"parameters": [1]}), "datasets.background.parameters must hold keys"),
    (changed("datasets", background={"parameters": {"region_finder": "Finder"}}), "choose from ReflectedRegionsFinder"),
    (changed("datasets", background={"parameters": {"n_off_regions": "3"}}), "n_off_regions must be a whole number"),
    (changed("datasets", background={"parameters": {"min_distance": "1 s"}}), "parameters.min_distance"),
    (changed("datasets", background={"exclusion": True}), "datasets.background.exclusion must be text"),
    (changed("datasets", safe_mask={"methods": "aeff-max"}), "datasets.safe_mask.methods must be a list"),
    (changed("datasets", safe_mask={"methods": [1]}), "datasets.safe_mask.methods must be text"),
    (changed("datasets", safe_mask={"parameters": [1]}), "datasets.safe_mask.parameters must hold keys"),
    (changed("datasets", safe_mask={"parameters": {"aeff_percent": "10"}}), "aeff_percent must be a number"),
    ({**MINIMAL, "general": ["n_jobs"]}, "general must hold keys"),
    ({**MINIMAL, "general": {"n_jobs": "two"}}, "general.n_jobs must be a whole number from 1"),
    ({**MINIMAL, "general": {"n_jobs": 0}}, "general.n_jobs must be a whole number from 1"),
    ({**MINIMAL, "general": {"njobs": 2}}, "no key 'general.njobs'; nearest: 'n_jobs'"),
    ({**MINIMAL, "fit": {"fit_range": {"min": "9 TeV", "max": "1 TeV"}}}, "fit.fit_range: min 9 TeV is not below"),
    ({**MINIMAL, "fit": {"fit_range": {"min": True}}}, "fit.fit_range.min must be a number"),
]


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_wrong_values_name_their_key(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, content)


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


def test_absent_file(tmp_path):
    with pytest.raises(MissingFile, match="absent.yaml"):
        ReductionConfig.read(tmp_path / "absent.yaml")


def test_regions_of_any_shape(tmp_path):
    (tmp_path / "on.reg").write_text("icrs\nellipse(83.63, 22.01, 0.2, 0.1, 30)\n")
    for text in ("icrs;ellipse(83.63, 22.01, 0.2, 0.1, 30)", "on.reg"):
        assert read(tmp_path, changed("datasets", on_region=text)).on_region.figure == Ellipse(0.4, 0.2)
    for wrong, message in (("crab", "datasets.on_region: 'crab' cannot"), ("off.reg", "does not exist")):
        with pytest.raises((ConfigError, MissingFile), match=message):
            read(tmp_path, changed("datasets", on_region=wrong))


def test_backgrounds(tmp_path):
    def of(**entries):
        return read(tmp_path, changed("datasets", background=entries)).background

    assert of(method="irf") == IRFBackground()
    assert of(method="irf", parameters={"exact": False}) == IRFBackground(exact=False)
    assert of(method="none") is None
    phases = {"on_phase": [0.9, 1.1], "off_phase": [[0.2, 0.4], [0.5, 0.6]], "phase_column_name": "PH"}
    expected = PhaseBackground((0.9, 1.1), [(0.2, 0.4), (0.5, 0.6)], "PH")
    assert of(method="phase", parameters=phases) == expected
    for wrong, message in (
        ({"on_phase": [0.9, 1.1]}, "off_phase is missing"),
        ({**phases, "off_phase": [0.3]}, "off_phase must be a pair"),
        ({**phases, "off_phase": [0.9, 1.0]}, "background.parameters: phase intervals overlap"),
        ({**phases, "phase": 1}, "has no 'phase'"),
    ):
        with pytest.raises(ConfigError, match=message):
            of(method="phase", parameters=wrong)


def test_groups_of_runs(tmp_path):
    groups = {"low": [1, 2], 2006: [3]}
    assert read(tmp_path, changed("datasets", stack=groups)).stack == {1: "low", 2: "low", 3: "2006"}
    for wrong, message in (
        ({"a": [1], "b": [1]}, "run 1 stands under 'a' and under 'b'"),
        ({"a": 1}, "datasets.stack.a must be a list"),
        ({"a": []}, "lists no run"),
    ):
        with pytest.raises(ConfigError, match=message):
            read(tmp_path, changed("datasets", stack=wrong))


def test_all_parameters_of_the_safe_mask(tmp_path):
    parameters = {"irfs": "DL3", "position": {"frame": "galactic", "lon": "184.56 deg", "lat": "-5.78 deg"}}
    parameters |= {"energy_min": "300 GeV", "energy_max": 50.0, "bias_percent": 5}
    mask = read(tmp_path, changed("datasets", safe_mask={"parameters": parameters})).safe_mask
    assert (mask.irfs, mask.energy_min, mask.energy_max) == ("DL3", 0.3, 50.0)
    assert mask.position == (pytest.approx(83.63, abs=0.02), pytest.approx(22.02, abs=0.02))
    parameters["fixed_offset"] = "0.5 deg"
    with pytest.raises(ConfigError, match=r"datasets\.safe_mask: .* not both"):
        read(tmp_path, changed("datasets", safe_mask={"parameters": parameters}))
