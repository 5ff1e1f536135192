import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from gammajax.numeric import sphere


@pytest.fixture
def pairs():
    rng = np.random.default_rng(3)
    lon = rng.uniform(-180, 540, (2, 200))
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, (2, 200))))
    # near pairs, and near-antipodal ones
    lon[1, :50], lat[1, :50] = lon[0, :50] + 1e-7, lat[0, :50]
    lon[1, 50:60], lat[1, 50:60] = lon[0, 50:60] + 180, -lat[0, 50:60] + 1e-6
    return lon[0], lat[0], lon[1], lat[1]


def test_separation_and_position_angle_agree_with_astropy(pairs):
    one, two = (SkyCoord(*pairs[i : i + 2], unit="deg") for i in (0, 2))
    np.testing.assert_allclose(sphere.separation(*pairs), one.separation(two).deg, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(sphere.separation(*map(jnp.asarray, pairs)), sphere.separation(*pairs), rtol=1e-9)
    angle = sphere.position_angle(*pairs)
    gap = (angle - one.position_angle(two).deg + 180) % 360 - 180
    np.testing.assert_allclose(gap[60:], 0, atol=1e-9)


def test_numpy_stays_on_the_host(pairs):
    assert isinstance(sphere.separation(*pairs), np.ndarray)
    assert isinstance(sphere.separation(*map(jnp.asarray, pairs)), jax.Array)


def test_offset_by_agrees_with_astropy(pairs):
    lon, lat, angle, distance = pairs[0], pairs[1], pairs[2], np.abs(pairs[3])
    expected = SkyCoord(lon, lat, unit="deg").directional_offset_by(angle * u.deg, distance * u.deg)
    found = SkyCoord(*sphere.offset_by(lon, lat, angle, distance), unit="deg")
    np.testing.assert_allclose(found.separation(expected).deg, 0, atol=1e-10)


def test_rotation_keeps_the_distance_and_adds_to_the_angle():
    lon, lat = sphere.rotate_about(10.3, 44.2, 10.0, 44.0, 75.0)
    assert sphere.separation(10.0, 44.0, lon, lat) == pytest.approx(
        sphere.separation(10.0, 44.0, 10.3, 44.2), rel=1e-12
    )
    turned = sphere.position_angle(10.0, 44.0, lon, lat) - sphere.position_angle(10.0, 44.0, 10.3, 44.2)
    assert turned % 360 == pytest.approx(75.0, abs=1e-9)


def test_gradient_is_finite_where_directions_coincide():
    assert jax.grad(sphere.separation)(10.0, 20.0, 10.0, 20.0) == 0.0
    slope = jax.grad(sphere.separation, argnums=2)(jnp.array(10.0), 0.0, 10.1, 0.0)
    assert slope == pytest.approx(1.0, rel=1e-9)


def test_wrap():
    np.testing.assert_array_equal(
        sphere.wrap(np.array([-98.0, 0.0, 360.0, 446.0, -1e-20])), [262.0, 0.0, 0.0, 86.0, 0.0]
    )
