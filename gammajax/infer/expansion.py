"""The statistic around a point: its gradient, the Fisher matrix, and the exact Hessian.

With the predicted signal s(z), its Jacobian J (forward mode), and first derivative w1 and expected second derivative w2
of each bin's statistic, the gradient is `J^T w1` and the Fisher matrix `J^T diag(w2) J`, which is never indefinite.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gammajax._typing import Array, Float, Scalar, Vector
from gammajax.datasets.groups import Group
from gammajax.likelihood.problem import Problem, predictions, prior_stat, weighted_predictions
from gammajax.likelihood.terms import background_curvature, group_background, group_derivatives, group_deviance
from gammajax.predict.groups import Prediction, Weights

Matrix = Float[Array, "free free"]


class Expansion(NamedTuple):
    """The statistic at a point, its gradient, and an approximation of its Hessian.

    The deviance is the statistic above the least value that each bin can have, which is a large number for Cash.
    """

    deviance: Scalar
    bins: tuple[Float[Array, "dataset energy"], ...]
    """Per group: the part of each bin in the deviance."""
    prior: Scalar
    """The part of the priors."""
    gradient: Vector
    hessian: Matrix
    shares: tuple[Float[Array, "free dataset energy"], ...]
    """Per group: change of each bin in units of its expected counts (and one) per unit of each parameter."""
    observed: Matrix
    """The part of the exact Hessian that comes from first derivatives of the predictions."""
    weights: tuple[Weights, ...]
    """Per group: derivatives of the statistic in what is predicted."""


def expand(problem: Problem, z: Vector) -> Expansion:
    """Deviance, gradient and Fisher matrix at `z` from one forward-mode pass."""
    values, directions = problem.layout.values(z), problem.layout.directions(z)
    jacobian, predicted = _predictions_along(problem, values, directions)
    prior, gradient, fisher = _prior_terms(problem, values, directions)
    bins, shares, observed, weights = [], [], jnp.zeros_like(fisher), []
    for group, p, moves in zip(problem.groups, predicted, jacobian, strict=True):
        j = _as_signal(group, p, moves)
        slope, curvature, information = group_derivatives(group, p)
        bins.append(group_deviance(group, p))
        gradient += jnp.einsum("zde,de->z", j, slope)
        fisher += jnp.einsum("yde,zde,de->yz", j, j, information)
        # The information is 2 / variance, and the variance is the expected counts (on, and scaled off).
        shares.append(j * (information / (2.0 + information))[None])
        observed += _observed(group, p, moves, curvature)
        weights.append((slope, slope * group_background(group, p)))
    total = sum((jnp.sum(x) for x in bins), prior)
    return Expansion(total, tuple(bins), prior, gradient, fisher, tuple(shares), observed, tuple(weights))


def fall(before: Expansion, after: Expansion) -> Scalar:
    """How much the statistic falls from one point to another, bin by bin.

    The difference of two sums would lose it: in single precision the sum of a million bins has no decimals left.
    """
    return sum((jnp.sum(a - b) for a, b in zip(before.bins, after.bins, strict=True)), before.prior - after.prior)


def _observed(group: Group, prediction: Prediction, moves: Prediction, curvature: Array) -> Matrix:
    """`J^T diag(w2) J` with the observed second derivatives in signal and background factor."""
    out = jnp.einsum("yde,zde,de->yz", moves.signal, moves.signal, curvature)
    if moves.scale is None:
        return out
    mixed, double = background_curvature(group, prediction)
    cross = jnp.einsum("yde,zde,de->yz", moves.signal, moves.scale, mixed)
    return out + cross + cross.T + jnp.einsum("yde,zde,de->yz", moves.scale, moves.scale, double)


def per_dataset(at: Expansion) -> tuple[Float[Array, "dataset"], ...]:
    """Per group: the part of each dataset in the deviance."""
    return tuple(jnp.sum(x, axis=1) for x in at.bins)


def _as_signal(group: Group, prediction: Prediction, moves: Prediction) -> Array:
    """Changes of a prediction as changes of the signal that the statistic cannot tell from them, to first order."""
    if moves.scale is None:
        return moves.signal
    return moves.signal + moves.scale * group_background(group, prediction)[None]


def _predictions_along(problem: Problem, values: Array, directions: Array):
    """Derivatives of the predictions along each direction as leading axis, and the predictions."""
    return _along(lambda x: (predictions(problem, x),) * 2, values, directions)


def _along(function, values, directions):
    """Derivatives of a function along each direction as leading axis, together with its auxiliary output."""

    def push(tangent):
        return jax.jvp(function, (values,), (tangent,), has_aux=True)

    _, slopes, aux = jax.vmap(push, out_axes=(None, 0, None))(directions)
    return slopes, aux


def _prior_terms(problem: Problem, values: Array, directions: Array) -> tuple[Scalar, Vector, Matrix]:
    """Statistic of the priors, gradient, and the positive part of each prior's curvature."""
    n = len(directions)
    total, gradient, fisher = prior_stat(problem, values), jnp.zeros(n), jnp.zeros((n, n))
    for prior in problem.priors:
        slots, first, second = prior.expansion(values)
        touches = directions[:, slots]
        gradient += jnp.einsum("pi,fpi->f", first, touches)
        fisher += jnp.einsum("fpi,pij,gpj->fg", touches, second, touches)
    return total, gradient, fisher


def exact_hessian(problem: Problem, z: Vector, at: Expansion | None = None) -> Matrix:
    r"""Exact Hessian of the statistic at `z`; `at` is the expansion there, if it is known.

    `H = J^T diag(w2) J + sum_i w1_i d2 s_i` with the observed first and second derivative w1, w2 of each bin; the
    second term is the Hessian of a linear functional of the predicted counts, which is much smaller to compile than
    that of the statistic, and for cubes much faster.
    """
    at = expand(problem, z) if at is None else at
    values, directions = problem.layout.values(z), problem.layout.directions(z)

    def functional(values):
        return weighted_predictions(problem, at.weights, values) + prior_stat(problem, values)

    def gradient(values):
        slope = _along(lambda x: (functional(x), None), values, directions)[0]
        return slope, slope

    bend, slope = _along(gradient, values, directions)
    # A logarithmic z bends the way to its parameter: there the second derivative is the first.
    return at.observed + bend + jnp.diag(jnp.where(problem.layout.log, slope, 0.0))
