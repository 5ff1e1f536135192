"""The distributions that are drawn, at fixed seeds."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from gammajax.geom.axes import centers, energy_edges
from gammajax.irf import EffectiveArea, EnergyDispersion, PSF3Gauss, RadMax
from gammajax.models.spectral import LogParabola, PowerLaw, evaluate
from gammajax.numeric.quadrature import log_nodes
from gammajax.numeric.sphere import position_angle, separation
from gammajax.simulate import HESS, INSTRUMENTS, LST, responses
from gammajax.simulate.events import (
    draw_background,
    draw_distances,
    draw_energies,
    draw_migrations,
    draw_source,
    draw_times,
)

CRAB = LogParabola(amplitude=3.8e-11, reference=1.0, alpha=2.5, beta=0.10)
SOURCE = (83.63, 22.01)
ALL = pytest.mark.parametrize("instrument", INSTRUMENTS.values(), ids=INSTRUMENTS)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def expected_per_bin(instrument, edges, offset, livetime):
    """int dnde A dE livetime per bin, with the library's own interpolation of the table."""
    aeff = EffectiveArea.from_response(responses(instrument).aeff)
    energy, weight = log_nodes(edges, 8)
    flux = np.asarray(evaluate(CRAB, jnp.asarray(energy)))
    return livetime * np.sum(flux * np.asarray(aeff.evaluate(energy, offset)) * weight, axis=1)


@ALL
def test_number_and_spectrum_of_true_energies(instrument, rng):
    livetime, offset = 3e5, 0.7
    edges = energy_edges(instrument.energy.edges[0], instrument.energy.edges[-1], per_decade=200)
    drawn = draw_energies(rng, responses(instrument).aeff, CRAB, offset, livetime)
    expected = expected_per_bin(instrument, edges, offset, livetime)
    assert abs(drawn.size - expected.sum()) < 4 * np.sqrt(expected.sum())
    passed = np.concatenate([[0], np.cumsum(expected)]) / expected.sum()
    result = kstest(drawn, lambda energy: np.interp(np.log(energy), np.log(edges), passed))
    assert result.pvalue > 0.01


def test_source_without_flux_gives_no_photons(rng):
    assert draw_energies(rng, responses(HESS).aeff, PowerLaw(amplitude=0.0), 0.5, 1e6).size == 0


@ALL
def test_migrations_follow_the_table(instrument, rng):
    """Between two energies and two offsets, as the library interpolates the table."""
    offset = 0.7
    table = responses(instrument).edisp
    energy = np.sqrt(table.axes["energy"].points[20] * table.axes["energy"].points[21])
    mu = draw_migrations(rng, table, np.full(20_000, energy), offset)
    edges = table.axes["migra"].edges
    # one very narrow true bin, reconstructed bins at the migration edges: the kernel is the distribution
    true = energy * np.array([1 - 1e-9, 1 + 1e-9])
    kernel = EnergyDispersion.from_response(table).kernel(true, np.maximum(edges * energy, 1e-12), offset)
    passed = np.concatenate([[0], np.cumsum(kernel[0])])
    assert kstest(mu, lambda x: np.interp(x, edges, passed / passed[-1])).pvalue > 0.01


@ALL
def test_directions_follow_the_psf(instrument, rng):
    energy = rng.uniform(0.1, 3.0, 20_000)
    distance = draw_distances(rng, instrument, energy, 0.5)
    # the probability to be nearer than one is, is uniform
    assert kstest(instrument.containment(distance, energy, 0.5), "uniform").pvalue > 0.01


def test_source_photons_lie_around_the_source(rng):
    drawn = draw_source(rng, HESS, responses(HESS), CRAB, (83.63, 80.0), 0.5, 3e5)
    angle = position_angle(83.63, 80.0, drawn.ra, drawn.dec)
    assert kstest(angle / 360, "uniform").pvalue > 0.01
    inside = HESS.containment(separation(83.63, 80.0, drawn.ra, drawn.dec), drawn.energy_true, 0.5)
    assert kstest(inside, "uniform").pvalue > 0.01


def kept(instrument, tables, drawn):
    """The photons that an analysis takes: within 0.11 deg, RAD_MAX, or RAD_MAX(E')."""
    if instrument is LST:
        radius = np.asarray(RadMax.from_response(tables.written[2]).evaluate(drawn.energy, instrument.wobble))
    else:
        radius = instrument.rad_max or 0.11
    return separation(*SOURCE, drawn.ra, drawn.dec) < radius


@ALL
def test_photons_in_the_on_region_follow_the_written_tables(instrument, rng):
    """Reconstructed spectrum within the cut = flux * Aeff * kernel of the files, in 250 hours of livetime."""
    livetime, offset, tables = 9e5, instrument.wobble, responses(instrument)
    drawn = draw_source(rng, instrument, tables, CRAB, SOURCE, offset, livetime)
    edges = energy_edges(instrument.lo_thres, 10.0, per_decade=5)
    counts = np.histogram(drawn.energy[kept(instrument, tables, drawn)], edges)[0]

    true = energy_edges(0.01, 100.0, per_decade=60)
    energy, weight = log_nodes(true)
    flux = np.sum(np.asarray(evaluate(CRAB, jnp.asarray(energy))) * weight, axis=1)
    signal = (
        flux * livetime * np.asarray(EffectiveArea.from_response(tables.written[0]).evaluate(centers(true), offset))
    )
    if instrument is HESS:
        signal *= np.asarray(PSF3Gauss.from_response(tables.written[2]).containment(0.11, centers(true), offset))
    expected = signal @ np.asarray(EnergyDispersion.from_response(tables.written[1]).kernel(true, edges, offset))
    assert np.sum((counts - expected) ** 2 / expected) < counts.size + 4 * np.sqrt(2 * counts.size)
    assert counts.sum() == pytest.approx(expected.sum(), abs=4 * np.sqrt(expected.sum()))


@ALL
def test_background_rate_and_shape(instrument, rng):
    ontime, pointing = 20_000.0, (350.0, -75.0)
    drawn = draw_background(rng, instrument, pointing, ontime)
    offset = np.linspace(0, instrument.field_of_view, 4001)
    energy = energy_edges(instrument.energy.edges[0], instrument.energy.edges[-1], per_decade=500)
    ring = instrument.background_rate(1.0, offset) * np.sin(np.deg2rad(offset))
    spectrum = instrument.background_rate(energy, 0.0)
    total = np.trapezoid(spectrum, energy) * np.trapezoid(2 * np.pi * ring, np.deg2rad(offset))
    expected = ontime * total / instrument.background_rate(1.0, 0.0)
    assert abs(drawn.energy.size - expected) < 4 * np.sqrt(expected)

    distance = separation(*pointing, drawn.ra, drawn.dec)
    assert distance.max() <= instrument.field_of_view * (1 + 1e-9)
    for values, x, density in ((distance, offset, ring), (drawn.energy, energy, spectrum)):
        passed = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) * np.diff(x))])
        assert kstest(values, _cdf(x, passed)).pvalue > 0.01
    assert kstest(position_angle(*pointing, drawn.ra, drawn.dec) / 360, "uniform").pvalue > 0.01
    assert np.all(np.isnan(drawn.energy_true))


def _cdf(x, passed):
    return lambda values: np.interp(values, x, passed / passed[-1])


def test_times_are_uniform_in_the_good_time(rng):
    start, stop = np.array([0.0, 100.0, 200.0]), np.array([10.0, 130.0, 260.0])
    time = draw_times(rng, start, stop, 20_000)
    inside = (time[:, None] >= start) & (time[:, None] < stop)
    assert np.all(inside.sum(axis=1) == 1)
    np.testing.assert_allclose(inside.mean(axis=0), [0.1, 0.3, 0.6], atol=0.01)
    assert kstest((time[inside[:, 2]] - 200) / 60, "uniform").pvalue > 0.01
