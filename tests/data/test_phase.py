import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

from gammajax.data.phase import Ephemeris, in_phase, phase_fold, phase_intervals
from gammajax.errors import ConfigError, UnitMismatch

START = Time(55000.0, format="mjd", scale="tdb")


def test_taylor_series():
    dt = np.array([0.0, 10.0, 1e5, 3e7])
    f, f1, f2 = 29.7, -3.7e-10, 1e-20
    ephemeris = Ephemeris(START, f * u.Hz, (f1, f2), phase_0=0.25)
    cycles = ephemeris.cycles(START + dt * u.s)
    np.testing.assert_allclose(cycles, 0.25 + f * dt + f1 * dt**2 / 2 + f2 * dt**3 / 6, rtol=1e-15, atol=1e-6)
    phase = ephemeris.phase(START + dt * u.s)
    np.testing.assert_allclose(phase[:2], [0.25, 0.25], atol=1e-9)
    np.testing.assert_array_equal(phase, phase_fold(START + dt * u.s, START, f, (f1, f2), 0.25))
    assert np.all((phase >= 0) & (phase < 1))


def test_before_the_reference_and_other_scales():
    orbit = Ephemeris.from_period("2020-01-01T00:00:00", "4 d")
    np.testing.assert_allclose(orbit.phase(Time(["2019-12-31T00:00:00"])), [0.75], atol=1e-9)
    same = Time("2020-01-02T00:00:00", scale="utc").tai
    np.testing.assert_allclose(orbit.phase(same), 0.25, atol=1e-12)


def test_intervals():
    phase = np.array([0.0, 0.05, 0.1, 0.45, 0.6, 0.95, 1.2, -0.02])
    assert in_phase(phase, (0.9, 0.1)).tolist() == [True, True, False, False, False, True, False, True]
    assert in_phase(phase, [(0.4, 0.5), (0.6, 1.0)]).tolist() == [False, False, False, True, True, True, False, True]
    assert phase_intervals((0.5, 0.0)) == [(0.5, 1.0)]


@pytest.mark.parametrize("bad", [(0.1, 0.1), (-0.1, 0.2), (0.2, 1.2), "x", (0.1, 0.2, 0.3)])
def test_what_is_no_interval(bad):
    with pytest.raises(ConfigError, match="phase interval"):
        phase_intervals(bad)


def test_impossible_ephemerides():
    with pytest.raises(ConfigError, match="period must be positive"):
        Ephemeris.from_period(START, 0.0)
    with pytest.raises(ConfigError, match="reference of an ephemeris"):
        Ephemeris("soon", 1.0)
    with pytest.raises(UnitMismatch, match="derivative 1"):
        Ephemeris(START, 1.0, ("1 Hz",))
