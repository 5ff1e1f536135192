r"""Posterior sampling: numpyro's NUTS, started and preconditioned by the fit or by an earlier posterior.

The density and the whitened coordinates are those of `infer.target`: there the posterior is close to a unit Gaussian,
and few leapfrog steps make an independent draw.

numpyro's kernel is driven inside one compiled scan; the first `MCMC.run` would compile a hundred small programs. The
scan is cut in pieces of equal length. Between two of them a run is shown, saved and taken up again: draws do not
depend on where it was interrupted.

References: M. D. Hoffman & A. Gelman, JMLR 15, 1593 (2014); D. Phan, N. Pradhan & M. Jankowiak, arXiv:1912.11554.
"""

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpyro.infer.hmc import HMCState, hmc
from rich.progress import Progress, TextColumn

from gammajax._typing import Array, Bool, Float
from gammajax.checks import probability, whole
from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.groups import Dataset
from gammajax.infer.checkpoint import Checkpoint, Saved, fingerprints, from_arrays, to_arrays
from gammajax.infer.fit import Fit, fit, make_problem
from gammajax.infer.posterior import Posterior
from gammajax.infer.stopwatch import Stopwatch
from gammajax.infer.target import Target, natural, potential, remark, target_of_fit, target_of_posterior
from gammajax.models.collection import Models
from gammajax.numeric.keys import as_key

_CHUNK = 100


class Draws(NamedTuple):
    """What is kept of each draw."""

    values: Float[Array, "draw chain free"]
    stat: Float[Array, "draw chain"]
    accept_prob: Float[Array, "draw chain"]
    num_steps: Float[Array, "draw chain"]
    diverging: Bool[Array, "draw chain"]


def _potential_of(target: Target):
    return partial(potential, target)


def _start(target: Target, key: Array, num_warmup: int, target_accept: float, u: Array | None = None):
    """numpyro's initial state of one chain at `u`, and its transition; without `u` a draw from the preconditioner."""
    init, step = hmc(potential_fn_gen=_potential_of, algo="NUTS")
    key, first = jax.random.split(key)
    state = init(
        jax.random.normal(first, target.centre.shape, target.centre.dtype) if u is None else u,
        num_warmup,
        step_size=1.0,
        dense_mass=True,
        target_accept_prob=target_accept,
        model_args=(target,),
        rng_key=key,
    )
    return state, partial(step, model_args=(target,))


@partial(jax.jit, static_argnames=("num_warmup", "target_accept"))
def _begin(target: Target, keys: Array, num_warmup: int, target_accept: float, first: Array | None = None) -> HMCState:
    def start(key: Array, u: Array | None) -> HMCState:
        return _start(target, key, num_warmup, target_accept, u)[0]

    return jax.vmap(start)(keys, first)


def _scan(
    target: Target, state: HMCState, key: Array, num_warmup: int, target_accept: float, length: int
) -> tuple[HMCState, Draws]:
    """Move all chains by `length` draws; adaptation goes on until `num_warmup`."""
    # numpyro's transition learns the adaptation schedule when its initial state is made: abstractly here, at no cost.
    found = {}

    def trace(key: Array) -> HMCState:
        state, found["step"] = _start(target, key, num_warmup, target_accept)
        return state

    jax.eval_shape(trace, key)

    def draw(state: HMCState, _: None) -> tuple[HMCState, Draws]:
        state = jax.vmap(found["step"])(state)
        values = jax.vmap(partial(natural, target))(state.z)
        return state, Draws(values, state.potential_energy, state.accept_prob, state.num_steps, state.diverging)

    return lax.scan(draw, state, None, length=length)


_advance = jax.jit(_scan, static_argnames=("num_warmup", "target_accept", "length"))


@partial(jax.jit, static_argnames=("num_warmup", "target_accept", "length", "mesh"))
def _advance_on(
    target: Target, state: HMCState, key: Array, num_warmup: int, target_accept: float, length: int, mesh: Mesh
) -> tuple[HMCState, Draws]:
    """The same with the chains spread over the devices of `mesh`, which do not wait for each other."""
    run = partial(_scan, num_warmup=num_warmup, target_accept=target_accept, length=length)
    all_of, chain = PartitionSpec(), PartitionSpec("chain")
    specs = {"in_specs": (all_of, chain, all_of), "out_specs": (chain, PartitionSpec(None, "chain"))}
    return jax.shard_map(run, mesh=mesh, check_vma=False, **specs)(target, state, key)


def sample(
    datasets: Dataset | Iterable[Dataset],
    models: Models | Fit | Posterior,
    *,
    key: Any,
    draws: int = 1000,
    chains: int = 4,
    warmup: int | None = None,
    target_accept: float = 0.8,
    progress: bool = False,
    checkpoint: str | Path | None = None,
    nodes: int | None = None,
) -> Posterior:
    """Sample the posterior of all free parameters with NUTS, vectorised over chains.

    `models` may be a `Fit`, whose Hessian then preconditions, or an earlier `Posterior`, whose covariance does and
    whose last positions are the starts; otherwise a fit is made first. `key` is a `jax.random.key` or an integer.
    `warmup` is 300 draws a chain, or 100 after a posterior. `nodes` are the quadrature nodes per true-energy bin: those
    of the fit, 4 without one. Network weights stay fixed. With several JAX devices, the chains are spread over them.

    With `checkpoint`, the run is saved to that HDF5 file as it goes. Where the file exists the run goes on from
    there: after a kill, or with more `draws` once it was complete; the draws are those of a run that was not
    interrupted (to the bit, on one machine and number of devices).

    Raises `NothingToFit` if neither data nor priors nor bounds constrain some parameters, naming them, and
    `ConfigError` for a checkpoint of other data, models, priors or options.

    >>> posterior = sample(datasets, models, key=jax.random.key(1))                     # doctest: +SKIP
    >>> posterior.table                                                                 # doctest: +SKIP
    >>> posterior = sample(datasets, posterior, key=2, draws=5000, checkpoint="run.h5")  # doctest: +SKIP
    """
    if warmup is None:
        warmup = _WARMUP_AGAIN if isinstance(models, Posterior) else _WARMUP
    options = _Options(
        whole(chains, "chains"), whole(warmup, "warmup"), probability(target_accept, "target_accept", 0.8)
    )
    draws = whole(draws, "draws", 4)
    datasets, key = as_datasets(datasets), as_key(key)
    begun = _beginning(datasets, models, nodes)
    nodes = begun.nodes if isinstance(begun, Fit) else nodes or 4
    with Stopwatch() as watch:
        if checkpoint is None:
            target, first = _target(datasets, begun, chains, nodes)
            kept = _run(target, first, key, options, draws, progress)
        else:
            kept = _resumed(datasets, begun, nodes, key, options, draws, checkpoint, progress)
    return Posterior(
        models=begun.models,
        paths=tuple(begun.models.free_paths),
        samples=np.ascontiguousarray(np.moveaxis(kept.values, 1, 0)),
        stats={
            "potential": kept.stat.T,
            "accept_prob": kept.accept_prob.T,
            "num_steps": kept.num_steps.T,
            "diverging": kept.diverging.T,
        },
        timings={"compile": watch.compile, "run": watch.run, "total": watch.total},
        remark=remark(begun) if isinstance(begun, Fit) else begun.remark,
    )


_WARMUP, _WARMUP_AGAIN = 300, 100


class _Options(NamedTuple):
    chains: int
    warmup: int
    target_accept: float

    @property
    def static(self) -> dict[str, Any]:
        """What the compiled functions depend on."""
        return {"num_warmup": self.warmup, "target_accept": self.target_accept}


def _beginning(datasets: Datasets, models: Models | Fit | Posterior, nodes: int | None) -> Fit | Posterior:
    """What gives the preconditioner: the fit or posterior at hand, or a fit made now."""
    if isinstance(models, Fit):
        return models if nodes is None else dataclasses.replace(models, nodes=nodes)
    return models if isinstance(models, Posterior) else fit(datasets, models, nodes=nodes or 4)


def _target(datasets: Datasets, begun: Fit | Posterior, chains: int, nodes: int) -> tuple[Target, Array | None]:
    """The density in its coordinates, and where the chains start (None: at draws from the preconditioner)."""
    if isinstance(begun, Fit):
        return target_of_fit(datasets, begun), None
    return target_of_posterior(datasets, begun, chains, nodes)


def _mesh(chains: int) -> Mesh | None:
    """As many devices as share the chains evenly; None for one."""
    devices = jax.local_devices()
    use = max(n for n in range(1, len(devices) + 1) if chains % n == 0)
    return Mesh(np.array(devices[:use]), ("chain",)) if use > 1 else None


def _run(
    target: Target,
    first: Array | None,
    key: Array,
    options: _Options,
    draws: int,
    progress: bool,
    saved: tuple[HMCState, Draws] | None = None,
    save: Callable[[HMCState, list[Draws], bool], None] | None = None,
) -> Any:
    """Draws after warm-up, in pieces of one length; `saved` is where a run was left, `save` is told of each piece."""
    key, begin = jax.random.split(key)
    warmup, mesh = options.warmup, _mesh(options.chains)
    kept = [] if saved is None else [saved[1]]
    done = sum(len(x.stat) for x in kept)
    with Progress(*Progress.get_default_columns(), TextColumn("{task.fields[note]}"), disable=not progress) as bar:
        task = bar.add_task("sampling", total=warmup + draws, completed=done, note="compiling")
        if saved is not None:
            state = saved[0]
        else:
            state = _begin(target, jax.random.split(begin, options.chains), **options.static, first=first)
        if mesh is not None:
            everywhere = NamedSharding(mesh, PartitionSpec())
            target, key = jax.device_put((target, key), everywhere)
            state = jax.device_put(state, NamedSharding(mesh, PartitionSpec("chain")))
        advance = _advance if mesh is None else partial(_advance_on, mesh=mesh)
        divergences = sum(int(x.diverging[warmup:].sum()) for x in kept)
        while done < warmup + draws:
            state, new = advance(target, state, key, length=_CHUNK, **options.static)
            kept.append(jax.tree.map(np.asarray, new))
            divergences += int(kept[-1].diverging[max(warmup - done, 0) :].sum())
            done += _CHUNK
            bar.update(task, advance=_CHUNK, note=f"{divergences} divergences")
            if save is not None:
                save(state, kept, done >= warmup + draws)
    return jax.tree.map(lambda *x: np.concatenate(x)[warmup : warmup + draws], *kept)


def _resumed(
    datasets: Datasets,
    begun: Fit | Posterior,
    nodes: int,
    key: Array,
    options: _Options,
    draws: int,
    checkpoint: str | Path,
    progress: bool,
) -> Any:
    """The same with a file: taken up where it was left, and saved as it goes."""
    models, seed = begun.models, np.asarray(jax.random.key_data(key))
    told = {**options._asdict(), "key": f"{jax.random.key_impl(key)} {seed.tolist()}"}
    prints = fingerprints(make_problem(datasets, models, nodes=nodes), models.free_paths, told)
    file = Checkpoint(checkpoint, prints, told)
    left = file.read()
    if left is None:
        target, first = _target(datasets, begun, options.chains, nodes)
        values, saved = np.asarray(target.problem.layout.natural(target.problem.start)), None
    else:
        # The coordinates of the run, not those of a fit that another machine may have rounded differently.
        values, first = left.target["values"], None
        start = models.fitted(dict(zip(models.free_paths, values, strict=True)), None)
        place = jax.device_put((left.target["centre"], left.target["factor"]))
        target = Target(make_problem(datasets, start, nodes=nodes), *place)
        like = jax.eval_shape(partial(_begin, **options.static), target, jax.random.split(key, options.chains))
        saved = from_arrays(like, left.state, key, file.path), Draws(**left.draws)
    place = {"values": values, "centre": np.asarray(target.centre), "factor": np.asarray(target.factor)}

    def save(state: HMCState, kept: list[Draws], last: bool) -> None:
        if last or file.due:
            kept[:] = [jax.tree.map(lambda *x: np.concatenate(x), *kept)]
            file.write(Saved(to_arrays(state), kept[0]._asdict(), place))

    return _run(target, first, key, options, draws, progress, saved, save)
