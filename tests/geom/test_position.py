"""Positions in every form that a person has at hand, at every door."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, SkyCoord

import gammajax as gj
from gammajax.data import DataStore
from gammajax.data.grouping import response_features
from gammajax.errors import ConfigError, UnitMismatch
from gammajax.geom.position import is_position, position, positions
from gammajax.geom.regions import Circle, circle
from gammajax.reduce.safe_mask import SafeMask

CRAB = SkyCoord("83.63d", "22.01d")
FORMS = {
    "SkyCoord": CRAB,
    "another frame": CRAB.galactic,
    "frame": CRAB.frame,
    "text": "83.63 22.01",
    "text with a sign": "+83.63 +22.01",
    "text with d": "83.63d 22.01d",
    "text with deg": "83.63 deg, 22.01 deg",
    "hours": "05h34m31.2s +22d00m36s",
    "tuple": (83.63, 22.01),
    "list": [83.63, 22.01],
    "array": np.array([83.63, 22.01]),
    "another turn": (83.63 - 360, 22.01),
    "quantities": (83.63 * u.deg, 22.01 * 60 * u.arcmin),
    "one quantity": [83.63, 22.01] * u.deg,
    "texts": ("83.63d", "22.01 deg"),
    "mixed": (83.63 * u.deg, "22.01"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_one_position(name):
    assert position(FORMS[name]) == pytest.approx((83.63, 22.01), abs=1e-9)
    assert is_position(FORMS[name])


NONSENSE = ["crab", "83.63", "83.63 99", "5:34:32 22:00:52", "5 34 32 +22 00 52", "1 2 3", (83.63, 95), (1, 2, 3), (1,),
            5, None, {"ra": 1, "dec": 2}, ("a", "b"), (np.nan, 1.0), SkyCoord([1, 2], [1, 2], unit="deg"),
            SkyCoord(10, 20, unit="deg", frame=AltAz()), ((1, 2), (3, 4)), object()]  # fmt: skip


@pytest.mark.parametrize("given", NONSENSE, ids=lambda x: type(x).__name__)
def test_nonsense_is_named(given):
    with pytest.raises(ConfigError, match=r"pointing: .*(is no position .*; give a SkyCoord|not finite|one position)"):
        position(given, "pointing")


def test_an_energy_is_no_angle():
    with pytest.raises(UnitMismatch, match="ra of position is of kind angle"):
        position((1 * u.TeV, 2))


def test_many_positions():
    ra, dec = positions(SkyCoord([[10.0, 20.0]], [[1.0, 2.0]], unit="deg"))
    assert (ra.tolist(), dec.tolist()) == ([[10.0, 20.0]], [[1.0, 2.0]])
    ra, dec = positions(([10.0, -10.0], 3.0))
    assert (ra.tolist(), dec.tolist()) == ([10.0, 350.0], [3.0, 3.0])


@pytest.mark.parametrize("name", FORMS)
def test_regions_from_a_position(name):
    made = gj.region(FORMS[name], "0.11 deg")
    assert (made.ra, made.dec, made.radius) == pytest.approx((83.63, 22.01, 0.11), abs=1e-9)
    assert circle(FORMS[name]).radius is None


def test_a_pair_of_regions_is_no_position():
    both = gj.region([Circle(83.0, 22.0, 0.1), Circle(84.0, 22.0, 0.1)])
    assert both.contains(np.array([83.0, 84.0, 83.5]), np.full(3, 22.0)).tolist() == [True, True, False]
    assert not is_position(["icrs;circle(83, 22, 0.1)", "icrs;circle(84, 22, 0.1)"])


@pytest.mark.parametrize("given", ["83.63", "5:34:32 22:00:52", (83.63, 95)])
def test_a_region_at_no_position(given):
    with pytest.raises(ConfigError, match="position: .* is no position"):
        gj.region(given, 0.1)


@pytest.fixture(scope="module")
def runs(archive):
    return DataStore.from_dir(archive.folder / "hess").observations()


DOORS = {
    "reduce_spectra": lambda runs, at: gj.reduce_spectra(
        runs[:1], gj.region(at, 0.11), energy=[1, 10], energy_true=[0.5, 1, 10, 50], progress=False
    ).datasets[0].counts,
    "theta_squared_table": lambda runs, at: gj.theta_squared_table(runs, at, [0, 0.01, 0.02])["counts"],
    "position_off": lambda runs, at: gj.theta_squared_table(runs, (83.63, 23.0), [0, 0.01], position_off=at)["alpha"],
    "livetime_table": lambda runs, at: gj.livetime_table(runs, at, [0, 1, 2])["livetime"],
    "livetime_map": lambda runs, at: gj.livetime_map(runs, at),
    "effective_livetime_map": lambda runs, at: gj.effective_livetime_map(runs, at, "1 TeV"),
    "sky_grid": lambda runs, at: gj.sky_grid(at, "1 deg", "0.5 deg").ra.deg,
    "select cone": lambda runs, at: runs.select(cone=(at, 1)).ids,
    "select offset": lambda runs, at: runs.select(offset=(at, (0.4, 0.6))).ids,
    "table": lambda runs, at: runs.table(at)["offset"],
    "features": lambda runs, at: response_features(runs, position=at)["aeff"],
    "safe mask": lambda runs, at: SafeMask(position=at).position,
    "select_offset": lambda runs, at: runs[0].events.select_offset((0, 1), at).time,
    "select_region": lambda runs, at: runs[0].events.select_region(gj.region(at, 0.1)).time,
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["text", "text with d", "tuple", "list", "quantities"])
def test_doors_take_every_form(runs, door, name):
    np.testing.assert_allclose(DOORS[door](runs, FORMS[name]), DOORS[door](runs, CRAB), rtol=1e-9)


@pytest.mark.parametrize("door", [d for d in DOORS if d not in ("reduce_spectra", "select_region")])
def test_doors_refuse_nonsense(runs, door):
    with pytest.raises(ConfigError, match="is no position"):
        DOORS[door](runs, "the Crab")


def test_simulations_take_text(tmp_path):
    model = gj.SkyModel(gj.PowerLaw())
    for name, at in (("a", CRAB), ("b", "83.63 22.01"), ("c", (83.63, 22.01))):
        gj.simulate_dl3(tmp_path / name, "lst", model, at, key=1, runs=1, duration="2 min")
    first, *others = (sorted((tmp_path / name / "lst").glob("run*"))[0].read_bytes() for name in "abc")
    assert all(other == first for other in others)
    with pytest.raises(ConfigError, match="position: 'Crab' is no position"):
        gj.simulate_dl3(tmp_path / "d", "lst", model, "Crab", key=1)
