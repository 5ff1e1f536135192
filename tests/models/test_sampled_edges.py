"""Shapes with edges as samples of a map see them: flux, and two derivatives, whatever the distance of the samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import gammajax as gj
from gammajax.models.spatial import evaluate
from gammajax.models.spatial.chord import smeared_chord

GRID = gj.SkyGrid.create((0.0, 0.0), "1.6 deg", 0.02, proj="TAN")
LON, LAT = (jnp.asarray(x) for x in GRID.lonlat)
AREA = jnp.asarray(GRID.solid_angle)
SHAPES = {
    "shell": lambda x: gj.ShellSpatial(lon_0=x[0], lat_0=x[1], radius=x[2], width=0.1),
    "filled shell": lambda x: gj.Shell2Spatial(lon_0=x[0], lat_0=x[1], r_0=x[2], eta=1.0),
    "shell2": lambda x: gj.Shell2Spatial(lon_0=x[0], lat_0=x[1], r_0=x[2], eta=0.3),
    "disk": lambda x: gj.DiskSpatial(lon_0=x[0], lat_0=x[1], r_0=x[2]),
    "ellipse": lambda x: gj.DiskSpatial(lon_0=x[0], lat_0=x[1], r_0=x[2], e=0.7, phi=20.0),
}


@pytest.mark.parametrize(
    ("s", "radius", "half"), [(0.3, 0.5, 0.1), (0.49, 0.5, 0.02), (0.52, 0.5, 0.05), (0, 0.5, 0.1)]
)
def test_a_smeared_chord_is_the_mean_over_a_triangle(s, radius, half):
    def weighted(x):
        return (1 - abs(x - s) / half) / half * np.sqrt(max(radius**2 - x**2, 0.0))

    mean, _ = quad(weighted, s - half, s + half, points=[-radius, s, radius], limit=200)
    found = smeared_chord(*(jnp.asarray(x, float) for x in (s, radius, half)))
    assert float(found) == pytest.approx(mean, rel=1e-9)
    # Without a radius there is no chord, and far outside none either.
    assert float(smeared_chord(jnp.asarray(0.1), jnp.asarray(0.0), jnp.asarray(half))) == 0.0
    assert float(smeared_chord(jnp.asarray(radius + half), jnp.asarray(radius), jnp.asarray(half))) == pytest.approx(0)


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_samples_are_smooth(shape):
    """The flux is one, and the weighted sums that a likelihood takes have the derivatives that differences have."""
    weight = AREA * jnp.exp(-0.5 * ((LON + 180) % 360 - 180 - 0.3) ** 2 / 0.2**2 - 0.5 * (LAT + 0.1) ** 2 / 0.3**2)

    def sums(x):
        image = evaluate(SHAPES[shape](x), LON, LAT, apart=jnp.asarray(0.02))
        return jnp.stack([jnp.sum(image * AREA), jnp.sum(image * weight)])

    at, step = jnp.array([0.013, 0.021, 0.5]), 1e-4
    run = jax.jit(lambda x: (sums(x), jax.jacfwd(sums)(x), jax.jacfwd(jax.jacfwd(sums))(x)))
    value, slope, bend = run(at)
    assert float(value[0]) == pytest.approx(1.0, abs=2e-3)
    up, down = ([run(at + sign * row) for row in step * jnp.eye(3)] for sign in (1, -1))
    slopes = jnp.stack([(a[0] - b[0]) / (2 * step) for a, b in zip(up, down, strict=True)], axis=-1)
    bends = jnp.stack([(a[1] - b[1]) / (2 * step) for a, b in zip(up, down, strict=True)], axis=-1)
    np.testing.assert_allclose(slope, slopes, atol=1e-5 * float(jnp.abs(slope).max()))
    np.testing.assert_allclose(bend, bends, atol=1e-2 * float(jnp.abs(bend).max()))


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_samples_are_nearly_the_integral(shape):
    """Moving by part of a sample hardly changes the flux; its slopes, which should be zero, stay below 0.1 per deg."""
    flux = jax.jit(
        jax.vmap(
            jax.value_and_grad(lambda x: jnp.sum(evaluate(SHAPES[shape](x), LON, LAT, apart=jnp.asarray(0.02)) * AREA))
        )
    )
    places = jnp.asarray(np.column_stack([*np.random.default_rng(1).uniform(0, 0.02, (2, 20)), np.full(20, 0.5)]))
    value, slope = flux(places)
    assert np.ptp(value) < 2e-3
    assert np.max(np.abs(slope)) < 0.1


def test_an_infinitely_thin_shell():
    thin = gj.ShellSpatial(lon_0=0.013, lat_0=0.021, radius=0.5, width=0.0)
    image = evaluate(thin, LON, LAT, apart=jnp.asarray(0.02))
    assert float(jnp.sum(image * AREA)) == pytest.approx(1.0, abs=5e-3)
    assert np.all(np.isfinite(image))
