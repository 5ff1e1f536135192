"""Every run of the public archives: read, and every response finite and bounded at random points, outside included."""

import jax
import numpy as np
import pytest

from gammajax.data import DataStore

FOLDERS = {
    "hess-dl3-dr1": 50,
    "joint-crab/data/hess": 4,
    "joint-crab/data/magic": 2,
    "joint-crab/data/veritas": 2,
    "joint-crab/data/fact": 125,
    "magic/rad_max/data": 2,
    "cta-1dc/index/gps": 3,
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_run(gammajax_data, folder):
    runs = DataStore.from_dir(gammajax_data / folder).observations()
    table = runs.table()
    assert len(runs) == len(table) == FOLDERS[folder]
    # FACT gives no altitude but a site; the pointing is then computed
    assert set(table["problem"]) == {""}
    assert np.all(np.asarray(table["livetime"]) > 0)
    assert np.all((np.asarray(table["zenith"]) >= 0) & (np.asarray(table["zenith"]) < 70))
    rng = np.random.default_rng(1)
    energy, offset, rad, mu = (
        np.exp(rng.uniform(-7, 8, 300)),
        rng.uniform(-0.5, 9, 300),
        rng.uniform(0, 1, 300),
        rng.uniform(0, 7, 300),
    )
    for run in runs:
        found = [run.aeff.evaluate(energy, offset), run.edisp.evaluate(energy, mu, offset)]
        if run.psf is not None:
            inside = run.psf.containment(rad, energy, offset)
            # Linear extrapolation in the outer half bins, as in Gammapy, carries a cumulative beyond its end.
            assert float(inside.max()) <= 1 + 1e-2
            found += [inside, run.psf.evaluate(rad, energy, offset)]
        if run.rad_max is not None:
            found.append(run.rad_max.evaluate(energy, offset))
        if run.bkg is not None:
            found.append(run.bkg.evaluate(energy, offset, -offset))
            assert run.bkg.alignment == ("REVERSE_LON_RADEC" if folder == "hess-dl3-dr1" else "RADEC")
        for values in found:
            assert np.isfinite(values).all()
            assert float(np.min(values)) >= 0


@pytest.mark.parametrize("folder", ["hess-dl3-dr1", "cta-1dc/index/gps"])
def test_gradients_are_finite_everywhere(gammajax_data, folder):
    run = DataStore.from_dir(gammajax_data / folder).observations()[0]
    rng = np.random.default_rng(2)
    energy, offset, rad = np.exp(rng.uniform(-7, 8, 500)), rng.uniform(-0.5, 9, 500), rng.uniform(0, 1, 500)
    for function in (run.psf.containment, run.psf.evaluate, lambda r, e, o: run.bkg.evaluate(e, o, r)):
        slopes = jax.grad(lambda *x, f=function: f(*x).sum(), argnums=(0, 1, 2))(rad, energy, offset)
        assert all(np.isfinite(slope).all() for slope in slopes)
