r"""Levenberg-Marquardt minimisation of the deviance by Fisher scoring, inside a box.

The Hessian is replaced by the Fisher matrix F (`infer.expansion`). Steps solve `(F + damping diag D) step = -gradient`
on the parameters that are not held or pressed against a bound; D is the diagonal of F, falling by at most ten a step.
The result does not depend on the units or pivot energies of the parameters. What F lacks is learnt from the change of
the gradient in each step, and added as soon as it foretells the statistic better than F alone: in sparse data, where F
is a poor Hessian, the last steps are then as short as Newton's. F alone decides when the end is reached.

A step is shortened where it would take nine tenths of the expected counts out of a bin: there the straight line that
J stands for has lost the model, and from poor starting values the fit would end where the source no longer shines.

Everything is one pure function of arrays: profile points, toys and starting points are lanes of one `vmap`.

References: K. Levenberg, Q. Appl. Math. 2, 164 (1944); D. Marquardt, SIAM J. Appl. Math. 11, 431 (1963);
J. J. More, Lecture Notes in Mathematics 630, 105 (1978); H. B. Nielsen, IMM-REP-1999-05 (damping); J. E. Dennis,
D. M. Gay & R. E. Welsch, ACM Trans. Math. Softw. 7, 348 (1981) (what F lacks).
"""

import enum
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gammajax._typing import Array, Bool, Float, Int, Scalar, Vector
from gammajax.infer.expansion import Expansion, Matrix, expand, fall, per_dataset
from gammajax.likelihood.problem import Problem
from gammajax.numeric import posdef

TOLERANCE = 1e-7
MAX_STEPS = 200
_MAX_DAMPING = 1e12
_LARGEST_FALL = 0.9
_NEAR = 1.0
"""Predicted decrease of the statistic within which the Hessian is taken for constant: one standard error."""
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


class _State(NamedTuple):
    z: Vector
    at: Expansion
    size: Vector
    """Curvature that damping refers to: the diagonal of the Fisher matrix, falling by at most ten in a step."""
    damping: Scalar
    rest: Matrix
    """What is known of the Hessian beyond the Fisher matrix: given (before the first step, as a whole) and learnt."""
    trusted: Bool[Array, ""]
    """Whether the last step went better by the Fisher matrix and the rest than by the Fisher matrix alone."""
    trial: Vector
    """Where to look next."""
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
    hessian: Matrix | None = None,
) -> Minimum:
    """Minimise the statistic from `start`; parameters that the layout holds stay where they start.

    `hessian` is that of the statistic near the start, where it is known: the first step is then Newton's. Ends when
    the quadratic model predicts a further decrease of the statistic below `tolerance`, which places each parameter
    within `sqrt(tolerance)` standard errors of the minimum.
    """
    return minimise_and_expand(problem, start, tolerance, max_steps, hessian)[0]


def minimise_and_expand(
    problem: Problem,
    start: Vector,
    tolerance: float | Scalar,
    max_steps: int | Scalar,
    hessian: Matrix | None = None,
) -> tuple[Minimum, Expansion]:
    """`minimise`, and the expansion of the statistic at the minimum."""
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
            jnp.zeros((n, n), start.dtype),
            tuple((zero, zero) for zero in (jnp.zeros(g.mask.shape, start.dtype) for g in problem.groups)),
        ),
        size=jnp.zeros_like(start),
        damping=jnp.asarray(1e-3, start.dtype),
        rest=jnp.zeros((n, n), start.dtype) if hessian is None else hessian,
        trusted=jnp.asarray(hessian is not None),
        trial=start,
        decrease=jnp.asarray(jnp.inf, start.dtype),
        steps=jnp.zeros((), jnp.int32),
        status=jnp.asarray(_RUNNING, jnp.int32),
    )

    def step(state: _State) -> _State:
        return _step(problem, tolerance, max_steps, state)

    end = lax.while_loop(lambda state: state.status == _RUNNING, step, begin)
    at = end.at
    return Minimum(end.z, at.deviance, per_dataset(at), at.gradient, end.decrease, end.steps, end.status), at


def _step(problem: Problem, tolerance, max_steps, state: _State) -> _State:
    """Look at the trial, take it if it is better, and propose the next one."""
    at, new, moved, first = state.at, expand(problem, state.trial), state.trial - state.z, state.steps == 0
    finite = jnp.isfinite(new.deviance) & jnp.all(jnp.isfinite(new.gradient)) & jnp.all(jnp.isfinite(new.hessian))
    gain = jnp.where(finite, fall(at, new), -jnp.inf)
    better = gain > 0
    of_fisher = -(at.gradient @ moved + 0.5 * moved @ at.hessian @ moved)
    of_both = of_fisher - 0.5 * moved @ state.rest @ moved
    trusted = jnp.where(first, state.trusted, better & (jnp.abs(gain - of_both) < jnp.abs(gain - of_fisher)))
    expected = jnp.where(state.trusted, of_both, of_fisher)
    ratio = gain / jnp.where(expected > 0, expected, 1.0)
    eased = jnp.maximum(0.1, 1.0 - (2.0 * jnp.clip(ratio, 0.0, 1.0) - 1.0) ** 3)
    damping = jnp.where(better, state.damping * eased, jnp.maximum(state.damping * 10.0, 1e-3))
    # Far from the minimum the Hessian is another one after each step: nothing is learnt there.
    learnt = jnp.where(state.decrease < _NEAR, _learnt(state.rest, at, new, moved), 0.0)
    given = jnp.where(state.trusted, state.rest - new.hessian, 0.0)
    rest = jnp.where(first, given, jnp.where(better, learnt, state.rest))
    z, at = jax.tree.map(lambda a, b: jnp.where(better, a, b), (state.trial, new), (state.z, at))
    size = jnp.where(better, jnp.maximum(jnp.diag(at.hessian), 0.1 * state.size), state.size)
    trial, decrease, within_reach = _propose(problem, z, at, size, damping, jnp.where(trusted, rest, 0.0))
    steps = state.steps + 1
    # At the limit of the arithmetic no step can be seen to improve: that is convergence, not a failure.
    limit = decrease < max(1e-9, 8 * float(jnp.finfo(z.dtype).eps)) * (1.0 + jnp.abs(at.deviance))
    stuck = ~better & (damping > _MAX_DAMPING)
    done = (decrease < tolerance) | (stuck & limit)
    status = jnp.where(done, Status.CONVERGED, jnp.where(stuck, Status.STALLED, _RUNNING))
    status = jnp.where((status == _RUNNING) & (steps >= max_steps), Status.MAX_STEPS, status)
    status = jnp.where(first & ~better, Status.NOT_FINITE, status)
    return _State(z, at, size, damping, rest, trusted, trial, within_reach, steps, status.astype(jnp.int32))


def _propose(
    problem: Problem, z: Vector, at: Expansion, size: Vector, damping: Scalar, rest: Matrix
) -> tuple[Vector, Scalar, Scalar]:
    """The next trial; and by how much the statistic may still fall: at all, and by a step that is taken."""
    layout = problem.layout
    fixed = layout.held | pressed(problem, z, at.gradient)
    damping = jnp.maximum(damping, _RIDGE)
    newton, step = (solve(at, fixed, size, x) for x in (_RIDGE, damping))
    bold = solve(at._replace(hessian=at.hessian + rest), fixed, size, damping)
    step = jnp.where(jnp.all(jnp.isfinite(bold)), bold, step)
    decrease = -0.5 * at.gradient @ newton
    # Where the statistic is flat in a logarithm, as in a cut-off far above the data, a full step overflows.
    step, newton = (
        jnp.where(layout.log, jnp.clip(x, -_LARGEST_LOG_STEP, _LARGEST_LOG_STEP), x) for x in (step, newton)
    )
    within_reach = jnp.minimum(decrease, -(at.gradient @ newton + 0.5 * newton @ at.hessian @ newton))
    emptied = -jnp.min(jnp.stack([jnp.min(jnp.einsum("zde,z->de", x, step)) for x in at.shares]))
    step *= _LARGEST_FALL / jnp.maximum(emptied, _LARGEST_FALL)
    trial = jnp.clip(z + step, layout.lower, layout.upper)
    return jnp.where(layout.held, z, trial), decrease, within_reach


def _learnt(rest: Matrix, at: Expansion, new: Expansion, moved: Vector) -> Matrix:
    """The part of the Hessian beyond the Fisher matrix after a step whose change of the gradient it is to explain."""
    change = new.gradient - at.gradient
    along = change @ moved
    wanted = change - new.hessian @ moved
    held = moved @ rest @ moved
    rest *= jnp.minimum(1.0, jnp.abs(wanted @ moved) / jnp.where(held == 0, 1.0, jnp.abs(held)))
    left = wanted - rest @ moved
    both = jnp.outer(left, change)
    update = (both + both.T) / along - (left @ moved) * jnp.outer(change, change) / along**2
    return jnp.where(along > 0, rest + update, rest)


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
