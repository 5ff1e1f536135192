import jax
import numpy as np
import pytest
from made_runs import EDGES, SOURCE, flat_aeff, made_run

from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.mask import RegionMask
from gammajax.geom.regions import Circle
from gammajax.io.irf import GridAxis, Response
from gammajax.irf import PSF3Gauss, RadMax
from gammajax.numeric.sphere import separation
from gammajax.reduce.reflected import ReflectedRegions, WobbleRegions
from gammajax.reduce.response import _response, exposure_and_kernel
from gammajax.reduce.spectrum import reduce_observation

ON = Circle(*SOURCE, 0.1)


def reduced(run, on=ON, **options):
    return reduce_observation(run, on, energy=EDGES, energy_true=EDGES, **options)


def rad_max_table(values):
    energy = GridAxis.from_edges(np.geomspace(0.05, 200.0, len(values) + 1), log=True)
    axes = {"energy": energy, "offset": GridAxis.from_edges(np.array([0.4, 0.6]))}
    return RadMax.from_response(Response("rad_max_2d", axes, {"RAD_MAX": np.array(values)[:, None]}))


def gauss(sigma=0.1):
    axes = {
        "energy": GridAxis.from_points(np.geomspace(0.05, 200.0, 3), log=True),
        "offset": GridAxis.from_points(np.array([0.0, 3.0])),
    }
    names = ("SIGMA_1", "SIGMA_2", "SIGMA_3", "AMPL_2", "AMPL_3", "SCALE")
    return PSF3Gauss.from_response(
        Response("psf_3gauss", axes, {n: np.full((3, 2), sigma if n == "SIGMA_1" else 0.0) for n in names})
    )


def test_counts_are_those_of_a_loop_over_regions():
    run = made_run()
    found = reduced(run)
    off = ReflectedRegions().find(ON, run.pointing_radec)
    near = [separation(r.ra, r.dec, run.events.ra, run.events.dec) < 0.1 for r in (ON, *off)]
    np.testing.assert_array_equal(found.counts, np.histogram(run.events.energy[near[0]], EDGES)[0])
    np.testing.assert_array_equal(found.counts_off, np.histogram(run.events.energy[np.any(near[1:], 0)], EDGES)[0])
    np.testing.assert_array_equal(found.acceptance_off, len(off))
    np.testing.assert_array_equal(found.acceptance, 1)
    assert found.provenance.obs_ids == (1,)
    assert found.name == "1"


def test_excess_is_the_source():
    found = reduced(made_run(n=20_000))
    assert float(np.sum(found.excess)) == pytest.approx(1000, abs=5 * float(np.sum(found.counts)) ** 0.5)


def test_exposure_is_area_times_livetime():
    found = reduced(made_run(livetime=1234.0))
    np.testing.assert_allclose(found.exposure, 1e9 * 1234.0, rtol=1e-12)
    np.testing.assert_allclose(np.sum(found.edisp, axis=1)[1:-1], 1.0, rtol=1e-9)
    assert float(found.livetime) == 1234.0


def test_containment_correction():
    run = made_run(psf=gauss())
    ratio = reduced(run, containment_correction=True).exposure / reduced(run).exposure
    np.testing.assert_allclose(ratio, 1 - np.exp(-0.5), rtol=1e-6)


def test_average_over_the_region():
    # an area linear in the offset: its average is that of the offset over a disk, d + r^2 / 8d + ...
    run = made_run(aeff=flat_aeff(slope=0.1))
    found = reduced(run, use_region_center=False)
    mean_offset = 0.5 + 0.1**2 / (8 * 0.5)
    np.testing.assert_allclose(found.exposure, 1e12 * (1 - 0.1 * mean_offset), rtol=1e-6)


def test_disk_nodes_average_polynomials():
    ra, dec, weights = ON.nodes()
    offsets = separation(SOURCE[0], SOURCE[1] + 0.5, ra, dec)
    assert np.sum(weights) == pytest.approx(1.0, rel=1e-14)
    assert np.sum(weights * offsets**2) == pytest.approx(0.5**2 + 0.1**2 / 2, rel=1e-5)


def test_fixed_rad_max_gives_the_radius():
    run = made_run(rad_max=RadMax.fixed(0.1))
    np.testing.assert_array_equal(reduced(run, Circle(*SOURCE)).counts, reduced(made_run()).counts)
    np.testing.assert_array_equal(reduced(run).counts, reduced(made_run()).counts)
    with pytest.raises(ConfigError, match="RAD_MAX = 0.1 deg"):
        reduced(run, Circle(*SOURCE, 0.15))
    with pytest.raises(ConfigError, match="no containment correction"):
        reduced(run, containment_correction=True)


def test_cut_that_depends_on_energy():
    run = made_run(rad_max=rad_max_table([0.2, 0.1, 0.05]))
    found = reduced(run, Circle(*SOURCE), background=WobbleRegions(1))
    energy, edges = run.events.energy, np.asarray(run.rad_max.energy.edges)
    radius = np.array([0.2, 0.1, 0.05])[np.searchsorted(edges, energy) - 1]
    near = separation(*SOURCE, run.events.ra, run.events.dec) <= radius
    np.testing.assert_array_equal(found.counts, np.histogram(energy[near], EDGES)[0])
    np.testing.assert_array_equal(found.acceptance_off, 1)


def test_requests_that_cannot_be_met():
    table = made_run(rad_max=rad_max_table([0.2, 0.1]))
    with pytest.raises(ConfigError, match="without a radius"):
        reduced(table)
    with pytest.raises(EmptyRun, match="overlap where RAD_MAX = 0.2"):
        reduced(table, Circle(*SOURCE), background=WobbleRegions(9))
    far = made_run(pointing_distance=0.9, rad_max=rad_max_table([0.2, 0.1]))
    with pytest.raises(EmptyRun, match="outside its table"):
        reduced(far, Circle(*SOURCE), background=WobbleRegions(1))
    with pytest.raises(ConfigError, match="needs a radius"):
        reduced(made_run(), Circle(*SOURCE))
    with pytest.raises(ConfigError, match="needs a PSF"):
        reduced(made_run(), containment_correction=True)
    with pytest.raises(EmptyRun, match="no off region"):
        reduced(made_run(), exclusion_mask=RegionMask((Circle(*SOURCE, 3.0),)))
    none = made_run().events.select(np.array([], int))
    with pytest.raises(EmptyRun, match="no events"):
        reduced(made_run(events=none))
    with pytest.raises(EmptyRun, match="no livetime"):
        reduced(made_run(livetime=0.0))


def test_runs_of_equal_shape_share_one_program():
    reduced(made_run(1))
    before = _response._cache_size()
    reduced(made_run(2, n=100, pointing_distance=0.7, aeff=flat_aeff(2e9)))
    assert _response._cache_size() == before


def test_exposure_is_differentiable_in_the_response():
    run = made_run()
    slope = jax.grad(
        lambda aeff: exposure_and_kernel(
            aeff, run.edisp, None, EDGES, EDGES, 0.5, np.array([0.5]), np.ones(1), 1e3, 0.1
        )[0].sum()
    )(run.aeff)
    assert float(np.sum(slope.values)) == pytest.approx(12 * 1e3, rel=1e-9)
