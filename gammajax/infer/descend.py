"""First-order minimisation with optax, for network weights and for problems too large for a Fisher matrix."""

from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import lax

from gammajax._typing import Array, Float, Int, Scalar, Vector
from gammajax.infer.box import from_box, to_box
from gammajax.infer.expansion import expand, per_dataset
from gammajax.infer.minimise import Minimum, Status
from gammajax.likelihood.problem import Problem, nll

Fitted = tuple[Vector, list[Array]]
"""What moves: the unbounded parameters, and the network weights."""


class _State(NamedTuple):
    at: Fitted
    optimizer: optax.OptState
    best: Fitted
    """The point with the lowest loss so far, and that loss."""
    lowest: Scalar
    mark: Scalar
    """The loss from which progress is counted."""
    since: Int[Array, ""]
    steps: Int[Array, ""]


def _loss(moving: Fitted, problem: Problem, start: Vector) -> Scalar:
    y, weights = moving
    z = to_box(y, problem.lower, problem.upper)
    return nll(problem.with_weights(weights), jnp.where(problem.layout.held, start, z))


@partial(jax.jit, static_argnames=("method", "patience"))
def descend(
    problem: Problem,
    method: str,
    learning_rate: Scalar,
    tolerance: Scalar,
    max_steps: Scalar,
    patience: int = 20,
) -> tuple[Minimum, list[Float[Array, "..."]]]:
    """Minimise over free parameters and network weights with optax's "lbfgs" or "adam".

    Ends when the statistic has not fallen by more than `tolerance` in the last `patience` steps; that alone is a
    plateau, not a minimum. Returns the best point met and the weights there.
    """
    optimizer = optax.lbfgs() if method == "lbfgs" else optax.adam(learning_rate)
    start = problem.start
    loss = partial(_loss, problem=problem, start=start)
    value_and_grad = optax.value_and_grad_from_state(loss) if method == "lbfgs" else _plain(loss)
    at = (from_box(start, problem.lower, problem.upper), problem.weights)

    def step(state: _State) -> _State:
        value, slope = value_and_grad(state.at, state=state.optimizer)
        extra = {"value": value, "grad": slope, "value_fn": loss} if method == "lbfgs" else {}
        update, optimizer_state = optimizer.update(slope, state.optimizer, state.at, **extra)
        moved = optax.apply_updates(state.at, update)
        fell = 2.0 * (state.mark - value) > tolerance
        better = value < state.lowest
        return _State(
            cast(Fitted, moved),
            optimizer_state,
            jax.tree.map(lambda new, old: jnp.where(better, new, old), state.at, state.best),
            jnp.minimum(value, state.lowest),
            jnp.where(fell, value, state.mark),
            jnp.where(fell, 0, state.since + 1),
            state.steps + 1,
        )

    def running(state: _State) -> Array:
        return (state.since < patience) & (state.steps < max_steps)

    zero = jnp.zeros((), jnp.int32)
    infinite = jnp.asarray(jnp.inf, start.dtype)
    end = lax.while_loop(running, step, _State(at, optimizer.init(at), at, infinite, infinite, zero, zero))
    y, weights = end.best
    z = jnp.where(problem.layout.held, start, to_box(y, problem.lower, problem.upper))
    ended = jnp.where(end.since >= patience, Status.PLATEAU, Status.MAX_STEPS)
    status = jnp.where(jnp.isfinite(end.lowest), ended, Status.NOT_FINITE)
    at_end = expand(problem.with_weights(weights), z)
    decrease = jnp.asarray(jnp.nan, z.dtype)
    minimum = Minimum(
        z, at_end.deviance, per_dataset(at_end), at_end.gradient, decrease, end.steps, status.astype(jnp.int32)
    )
    return minimum, weights


def _plain(loss):
    gradient = jax.value_and_grad(loss)

    def value_and_grad(at: Fitted, *, state: optax.OptState):
        return gradient(at)

    return value_and_grad
