r"""Levenberg-Marquardt minimisation of the deviance by Fisher scoring, inside a box.

With the predicted signal s(z), its Jacobian J (forward mode), and first derivative w1 and expected second derivative w2
of each bin's statistic, the gradient is `J^T w1` and the Hessian is replaced by the Fisher matrix `J^T diag(w2) J`,
which is never indefinite. Steps solve `(F + damping diag D) step = -gradient` on the parameters that are not held or
pressed against a bound; D is the diagonal of F, falling by at most ten a step. The result does not depend on the units
or pivot energies of the parameters.

A step is shortened where it would take nine tenths of the expected counts out of a bin: there the straight line that
J stands for has lost the model, and from poor starting values the fit would end where the source no longer shines.

Everything is one pure function of arrays: profile points, toys and starting points are lanes of one `vmap`.

References: K. Levenberg, Q. Appl. Math. 2, 164 (1944); D. Marquardt, SIAM J. Appl. Math. 11, 431 (1963);
J. J. More, Lecture Notes in Mathematics 630, 105 (1978); H. B. Nielsen, IMM-REP-1999-05 (damping).
"""

import enum
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Bool, Float, Int, Scalar, Vector
from gammajax.datasets.groups import Group
from gammajax.likelihood.problem import Problem, predictions, prior_stat, weighted_predictions
from gammajax.likelihood.terms import background_curvature, group_background, group_derivatives, group_deviance
from gammajax.numeric import posdef
from gammajax.predict.groups import Prediction

Matrix = Float[Array, "free free"]

TOLERANCE = 1e-7
MAX_STEPS = 200
_MAX_DAMPING = 1e12
_LARGEST_FALL = 0.9
_LARGEST_LOG_STEP = 3.0
_RIDGE = 1e-12
"""Least damping: keeps degenerate directions solvable, and ends the way along a direction that has become flat."""


class Status(enum.IntEnum):
    """How a minimisation ended."""

    CONVERGED = 0
    MAX_STEPS = 1
    STALLED = 2
    NOT_FINITE = 3
    PLATEAU = 4

    @property
    def message(self) -> str:
        """One sentence that says what happened and what to do."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "Converged: the statistic can fall by no more than the tolerance.",
    Status.MAX_STEPS: (
        "Stopped after the largest number of steps: raise max_steps, start nearer to the solution, "
        "or freeze parameters that the data do not constrain."
    ),
    Status.STALLED: (
        "Stopped because no step lowers the statistic although the gradient is not zero: check that the model is "
        "smooth in its parameters, set bounds, or start elsewhere."
    ),
    Status.PLATEAU: (
        "Stopped because the statistic has ceased to fall, which is no proof of a minimum: compare with another start, "
        "another learning rate, or method='fisher'."
    ),
    Status.NOT_FINITE: (
        "The statistic is not finite at the start: look at the start values, at priors that exclude them, "
        "and at the responses of the datasets."
    ),
}


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


class Minimum(NamedTuple):
    """Where a minimisation ended."""

    z: Vector
    deviance: Scalar
    """The statistic above the least value that each bin can have; with the part of the priors."""
    per_dataset: tuple[Float[Array, "dataset"], ...]
    gradient: Vector
    decrease: Scalar
    """Predicted further decrease of the statistic, by a step of a length that is taken."""
    steps: Int[Array, ""]
    status: Int[Array, ""]


def expand(problem: Problem, z: Vector) -> Expansion:
    """Deviance, gradient and Fisher matrix at `z` from one forward-mode pass."""
    values, directions = problem.layout.values(z), problem.layout.directions(z)
    jacobian, predicted = _predictions_along(problem, values, directions)
    prior, gradient, fisher = _prior_terms(problem, values, directions)
    shares, bins = [], []
    for group, p, moves in zip(problem.groups, predicted, jacobian, strict=True):
        j = _as_signal(group, p, moves)
        slope, _, information = group_derivatives(group, p)
        bins.append(group_deviance(group, p))
        gradient += jnp.einsum("zde,de->z", j, slope)
        fisher += jnp.einsum("yde,zde,de->yz", j, j, information)
        # The information is 2 / variance, and the variance is the expected counts (on, and scaled off).
        shares.append(j * (information / (2.0 + information))[None])
    total = sum((jnp.sum(x) for x in bins), prior)
    return Expansion(total, tuple(bins), prior, gradient, fisher, tuple(shares))


def fall(before: Expansion, after: Expansion) -> Scalar:
    """How much the statistic falls from one point to another, bin by bin.

    The difference of two sums would lose it: in single precision the sum of a million bins has no decimals left.
    """
    return sum((jnp.sum(a - b) for a, b in zip(before.bins, after.bins, strict=True)), before.prior - after.prior)


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


def per_dataset(at: Expansion) -> tuple[Float[Array, "dataset"], ...]:
    """Per group: the part of each dataset in the deviance."""
    return tuple(jnp.sum(x, axis=1) for x in at.bins)


class _State(NamedTuple):
    z: Vector
    at: Expansion
    size: Vector
    """Curvature that damping refers to: the diagonal of the Hessian, falling by at most ten in a step."""
    damping: Scalar
    decrease: Scalar
    steps: Int[Array, ""]
    status: Int[Array, ""]


_RUNNING = -1


def minimise(
    problem: Problem,
    start: Vector,
    *,
    tolerance: float | Scalar = TOLERANCE,
    max_steps: int | Scalar = MAX_STEPS,
) -> Minimum:
    """Minimise the statistic from `start`; parameters that the layout holds stay where they start.

    Ends when the quadratic model predicts a further decrease of the statistic below `tolerance`, which places each
    parameter within `sqrt(tolerance)` standard errors of the minimum.
    """
    layout = problem.layout
    start = jnp.where(layout.held, start, jnp.clip(start, layout.lower, layout.upper))
    n = start.size
    begin = _State(
        start,
        # The first step evaluates the start itself: so the loop's body holds the only copy of the model to compile.
        Expansion(
            jnp.asarray(jnp.inf, start.dtype),
            tuple(jnp.full(g.mask.shape, jnp.inf, start.dtype) for g in problem.groups),
            jnp.asarray(jnp.inf, start.dtype),
            jnp.zeros_like(start),
            jnp.eye(n, dtype=start.dtype),
            tuple(jnp.zeros((n, *g.mask.shape), start.dtype) for g in problem.groups),
        ),
        size=jnp.zeros_like(start),
        damping=jnp.asarray(1e-3, start.dtype),
        decrease=jnp.asarray(jnp.inf, start.dtype),
        steps=jnp.zeros((), jnp.int32),
        status=jnp.asarray(_RUNNING, jnp.int32),
    )

    def step(state: _State) -> _State:
        return _step(problem, tolerance, max_steps, state)

    end = lax.while_loop(lambda state: state.status == _RUNNING, step, begin)
    return Minimum(end.z, end.at.deviance, per_dataset(end.at), end.at.gradient, end.decrease, end.steps, end.status)


def _step(problem: Problem, tolerance, max_steps, state: _State) -> _State:
    layout = problem.layout
    z, at = state.z, state.at
    fixed = layout.held | pressed(problem, z, at.gradient)
    dampings = jnp.stack([jnp.full_like(state.damping, _RIDGE), jnp.maximum(state.damping, _RIDGE)])
    newton, step = jax.vmap(lambda damping: solve(at, fixed, state.size, damping))(dampings)
    decrease = -0.5 * at.gradient @ newton
    first = state.steps == 0
    done = (decrease < tolerance) & ~first
    # Where the statistic is flat in a logarithm, as in a cut-off far above the data, a full step overflows.
    step, newton = (
        jnp.where(layout.log, jnp.clip(x, -_LARGEST_LOG_STEP, _LARGEST_LOG_STEP), x) for x in (step, newton)
    )
    within_reach = jnp.minimum(decrease, -(at.gradient @ newton + 0.5 * newton @ at.hessian @ newton))
    emptied = -jnp.min(jnp.stack([jnp.min(jnp.einsum("zde,z->de", x, step)) for x in at.shares]))
    step *= _LARGEST_FALL / jnp.maximum(emptied, _LARGEST_FALL)
    trial = jnp.clip(z + step, layout.lower, layout.upper)
    trial = jnp.where(done | layout.held, z, trial)
    moved = trial - z
    new = expand(problem, trial)
    finite = jnp.isfinite(new.deviance) & jnp.all(jnp.isfinite(new.gradient)) & jnp.all(jnp.isfinite(new.hessian))
    gain = jnp.where(finite, fall(at, new), -jnp.inf)
    expected = -(at.gradient @ moved + 0.5 * moved @ at.hessian @ moved)
    better = (gain > 0) & ~done
    ratio = gain / jnp.where(expected > 0, expected, 1.0)
    eased = jnp.maximum(0.1, 1.0 - (2.0 * jnp.clip(ratio, 0.0, 1.0) - 1.0) ** 3)
    damping = jnp.where(better, state.damping * eased, jnp.maximum(state.damping * 10.0, 1e-3))
    # At the limit of the arithmetic no step can be seen to improve: that is convergence, not a failure.
    limit = decrease < max(1e-9, 8 * float(jnp.finfo(z.dtype).eps)) * (1.0 + jnp.abs(at.deviance))
    stuck = ~better & (damping > _MAX_DAMPING)
    status = jnp.where(done | (stuck & limit), Status.CONVERGED, jnp.where(stuck, Status.STALLED, _RUNNING))
    steps = state.steps + jnp.where(done, 0, 1)
    status = jnp.where((status == _RUNNING) & (steps >= max_steps), Status.MAX_STEPS, status)
    status = jnp.where(first & ~better, Status.NOT_FINITE, status)
    z, at = jax.tree.map(lambda a, b: jnp.where(better, a, b), (trial, new), (z, at))
    size = jnp.where(better, jnp.maximum(jnp.diag(at.hessian), 0.1 * state.size), state.size)
    return _State(z, at, size, damping, within_reach, steps, status.astype(jnp.int32))


def pressed(problem: Problem, z: Vector, gradient: Vector) -> Bool[Array, "free"]:
    """True for parameters on a bound that the statistic would have them cross."""
    layout = problem.layout
    return ((z <= layout.lower) & (gradient > 0)) | ((z >= layout.upper) & (gradient < 0))


def solve(at: Expansion, fixed: Bool[Array, "free"], size: Vector, damping: float | Scalar) -> Vector:
    """The step `-(H + damping diag size)^-1 gradient`, zero where `fixed`; parameters without influence stay put."""
    hessian, gradient = mask_out(at.hessian, fixed), jnp.where(fixed, 0.0, at.gradient)
    inert = size <= 0
    size = jnp.sqrt(jnp.where(inert | fixed, 1.0, size))
    scaled = hessian / size[:, None] / size[None, :]
    matrix = scaled + jnp.diag(jnp.where(inert, 1.0, damping))
    step = -posdef.solve(matrix, (gradient / size)[:, None])[0][:, 0] / size
    return jnp.where(inert | fixed, 0.0, step)


def mask_out(matrix: Matrix, fixed: Bool[Array, "free"]) -> Matrix:
    """The matrix with the rows and columns of `fixed` parameters replaced by those of the unit matrix."""
    return jnp.where(fixed[:, None] | fixed[None, :], jnp.diag(fixed.astype(matrix.dtype)), matrix)


def exact_hessian(problem: Problem, z: Vector) -> Matrix:
    r"""Exact Hessian of the statistic at `z`.

    `H = J^T diag(w2) J + sum_i w1_i d2 s_i` with the observed first and second derivative w1, w2 of each bin; the
    second term is the Hessian of a linear functional of the predicted counts, which is much smaller to compile than
    that of the statistic, and for cubes much faster.
    """
    values, directions = problem.layout.values(z), problem.layout.directions(z)
    jacobian, predicted = _predictions_along(problem, values, directions)
    hessian, weights = jnp.zeros((z.size, z.size)), []
    for group, p, j in zip(problem.groups, predicted, jacobian, strict=True):
        slope, curvature, _ = group_derivatives(group, p)
        hessian += jnp.einsum("yde,zde,de->yz", j.signal, j.signal, curvature)
        if j.scale is not None:
            mixed, double = background_curvature(group, p)
            cross = jnp.einsum("yde,zde,de->yz", j.signal, j.scale, mixed)
            hessian += cross + cross.T + jnp.einsum("yde,zde,de->yz", j.scale, j.scale, double)
        weights.append((slope, slope * group_background(group, p)))

    def functional(values):
        return weighted_predictions(problem, weights, values) + prior_stat(problem, values)

    def gradient(values):
        slope = _along(lambda x: (functional(x), None), values, directions)[0]
        return slope, slope

    bend, slope = _along(gradient, values, directions)
    # A logarithmic z bends the way to its parameter: there the second derivative is the first.
    return hessian + bend + jnp.diag(jnp.where(problem.layout.log, slope, 0.0))
