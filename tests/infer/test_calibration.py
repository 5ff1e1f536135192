"""Simulation-based calibration of a two-parameter problem: ranks of the truth among the draws are uniform.

Reference: S. Talts et al., arXiv:1804.06788.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import on_off
from scipy import stats

import gammajax as gj
from gammajax.infer.box import from_box
from gammajax.infer.minimise import minimise
from gammajax.infer.sample import Target, _advance, _begin
from gammajax.likelihood.toys import draw

TOYS, THIN, KEPT = 192, 6, 31


@pytest.mark.slow
def test_ranks_are_uniform():
    datasets = on_off(n=1)
    models = gj.Models(s=gj.SkyModel(gj.PowerLaw(index=2.5, amplitude=1e-11)))
    models = models.prior("*.index", gj.Normal(2.5, 0.3)).prior("*.amplitude", gj.LogNormal(1e-11, 0.5))
    problem = gj.Problem(datasets, models)
    layout = problem.layout

    @jax.jit
    def ranks(problem, key):
        pick, counts, chain = jax.random.split(key, 3)
        q = jax.random.uniform(pick, (2,))
        rows = models.rows
        truth = jnp.stack([rows[p].prior.ppf(q[i]) for i, p in enumerate(models.free_paths)])
        z = layout.to_z(truth)
        at_truth = problem.with_layout(type(layout)(**{**vars(layout), "start": layout.values(z)}))
        toy = problem.with_counts(jax.tree.map(lambda x: x[0], draw(at_truth, counts, 1)))
        end = minimise(toy, layout.z)
        y = from_box(end.z, toy.lower, toy.upper)
        target = Target(toy, y, 0.1 * jnp.eye(2))
        state = _begin(target, chain[None], num_warmup=100, target_accept=0.8)
        length = 100 + THIN * KEPT
        _, draws = _advance(target, state, chain, num_warmup=100, target_accept=0.8, length=length)
        kept = draws.values[100::THIN, 0]
        return jnp.sum(kept < truth[None], axis=0)

    found = np.asarray(jax.vmap(ranks, in_axes=(None, 0))(problem, jax.random.split(jax.random.key(7), TOYS)))
    assert found.max() <= KEPT
    for column in found.T:
        histogram = np.bincount(column // 4, minlength=8)
        assert stats.chisquare(histogram).pvalue > 1e-3, histogram
