r"""Where the profile likelihood has risen by a given amount: the roots behind asymmetric errors, limits and contours.

A lane starts at the best fit and moves one or two held parameters along a straight line in `z`, `z_held = best + t d`,
while the others are fitted again. It looks for the length t with `sqrt(delta(t)) = level`, where delta is the rise of
the statistic: the root of delta is nearly linear in t, so few steps suffice. Steps are secants until the rise is
bracketed, then regula falsi with the Illinois rule; each refit starts from the last one, scaled to the new length.

Lanes differ in arrays only (what is held, direction, level), so that errors, limits and contours of any parameter are
one compiled program.

References: F. James & M. Roos, Comput. Phys. Commun. 10, 343 (1975) (MINOS); M. Dowell & P. Jarratt,
BIT 11, 168 (1971) (Illinois).
"""

import enum
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gammajax._typing import Array, Bool, Float, Int, Scalar, Vector
from gammajax.infer.expansion import Matrix
from gammajax.infer.lanes import along_lanes
from gammajax.infer.minimise import Status, minimise
from gammajax.likelihood.problem import Problem, deviance

PRECISION = 1e-4
"""The search ends when the root of the rise is met to this share of the level; a last secant does the rest."""
TOLERANCE = 1e-6
"""Predicted further decrease of the statistic at which a refit ends."""
_FLAT = 1e-3
"""Predicted further decrease of the statistic at which a refit counts although it has not converged."""
_LARGEST_LOG_STEP = 3.0
_REFIT_STEPS = 50
_MAX_TRIALS = 30
"""Refits start near their end, and a root takes three to six: lanes that need more hold up all others."""
_GROWTH = 4.0
_STEEPEST = 2.0
"""A rise above this many levels counts as this many where lengths are interpolated."""
_FARTHEST = 1e8
"""A linear parameter that far away, in units of the first step, has no end on this side."""
_FARTHEST_LOG = 100.0
"""The same for the logarithm of a parameter."""
_NEW_MINIMUM = 0.01
"""A statistic this far below that of the fit is another minimum, not rounding."""


class End(enum.IntEnum):
    """How the search of one lane ended."""

    FOUND = 0
    BOUND = 1
    ENDLESS = 2
    REFIT_FAILED = 3
    NOT_FINITE = 4
    MAX_TRIALS = 5
    NEW_MINIMUM = 6

    @property
    def message(self) -> str:
        """What happened and what to do, to be put after the name of a parameter."""
        return _MESSAGES[self]


_MESSAGES = {
    End.FOUND: "found",
    End.BOUND: "the bound comes before the statistic has risen that much; the interval ends at the bound",
    End.ENDLESS: "the statistic never rises that much: the data do not constrain this side; bound it, or give a prior",
    End.REFIT_FAILED: "the other parameters could not be fitted there: bound them or give them priors",
    End.NOT_FINITE: "the statistic is not finite on the way: bound the parameter to where the model is defined",
    End.MAX_TRIALS: "not found: the profile jumps or is not smooth there; look at profile()",
    End.NEW_MINIMUM: "a statistic below that of the fit was met on the way: fit again, starting from there",
}


class Ray(NamedTuple):
    """Which way a lane goes."""

    held: Bool[Array | np.ndarray, "free"]
    along: Float[Array | np.ndarray, "free"]
    """Change of `z` per unit of length: of the held parameters exactly, of the others as they may follow."""
    level: Float[Array | np.ndarray, ""]
    """Square root of the rise looked for; NaN for a lane that is not to be followed."""


class Crossing(NamedTuple):
    """Where a lane ended."""

    length: Scalar
    z: Vector
    rise: Scalar
    """Rise of the statistic at `z`."""
    lowest: Scalar
    """Lowest rise met on the way; clearly negative if the fit was no minimum."""
    end: Int[Array, ""]
    trials: Int[Array, ""]


class _State(NamedTuple):
    low: Scalar
    below: Scalar
    """Root of the rise minus the level at `low`, the longest length known to be too short; and so at `high`."""
    high: Scalar
    above: Scalar
    side: Int[Array, ""]
    """On which side the last trials fell: the Illinois rule halves the value of an end that stays."""
    trial: Scalar
    last: Scalar
    """Length of the last refit, and where it ended."""
    z: Vector
    rise: Scalar
    lowest: Scalar
    trials: Int[Array, ""]
    end: Int[Array, ""]


_SEARCHING = -1


def cross(problem: Problem, best: Vector, lowest: Scalar, hessian: Matrix, ray: Ray) -> Crossing:
    """Follow one ray from the best fit to where the profile has risen by `level^2`, or to a bound.

    `hessian` is that of the statistic at the best fit.
    """
    layout = problem.layout
    pinned = problem.with_layout(eqx.tree_at(lambda x: x.held, layout, layout.held | ray.held))
    reach = _reach(problem, best, ray)
    farthest = jnp.where(jnp.any(layout.log & ray.held), _log_length(ray, layout.log), _FARTHEST)
    zero = jnp.zeros_like(ray.level)
    infinite = jnp.full_like(zero, jnp.inf)
    trial = jnp.minimum(ray.level, reach)
    begin = _State(
        low=zero,
        below=-jnp.asarray(ray.level),
        high=infinite,
        above=infinite,
        side=jnp.zeros((), jnp.int32),
        trial=trial,
        last=jnp.ones_like(zero),
        z=best + ray.along,
        rise=zero,
        lowest=zero,
        trials=jnp.zeros((), jnp.int32),
        end=jnp.where(jnp.isfinite(ray.level), jnp.where(reach > 0, _SEARCHING, End.BOUND), End.REFIT_FAILED).astype(
            jnp.int32
        ),
    )

    def step(state: _State) -> _State:
        t = state.trial
        expected = best + (state.z - best) * (t / state.last)
        # A logarithm that has run off is not sent off further: from too far away there is no way back.
        known = jnp.clip(state.z, best - _LARGEST_LOG_STEP, best + _LARGEST_LOG_STEP)
        expected = jnp.where(
            layout.log, jnp.clip(expected, known - _LARGEST_LOG_STEP, known + _LARGEST_LOG_STEP), expected
        )
        start = jnp.where(ray.held, _held_at(problem, best, ray, t), jnp.clip(expected, layout.lower, layout.upper))
        found = minimise(pinned, start, tolerance=TOLERANCE, max_steps=_REFIT_STEPS, hessian=hessian)
        finite = (found.status != Status.NOT_FINITE) & jnp.isfinite(found.deviance)
        rise = jnp.where(finite, found.deviance - lowest, jnp.inf)
        excess = jnp.sign(rise) * jnp.sqrt(jnp.abs(rise)) - ray.level
        # Where another parameter runs off along a direction that has become flat, the statistic itself is found.
        refitted = (found.status == Status.CONVERGED) | (found.decrease < _FLAT)
        return _next(state, t, excess, rise, found.z, refitted, ray, reach, farthest)

    end = lax.while_loop(lambda state: state.end == _SEARCHING, step, begin)
    # A last secant from the end of the bracket that is not the trial itself.
    return _polished(problem, best, ray, reach, end)


def _next(state, t, excess, rise, z, refitted, ray, reach, farthest) -> _State:
    finite = jnp.isfinite(excess)
    too_far = ~(excess < 0)
    side = jnp.where(too_far, 1, -1).astype(jnp.int32)
    again = side == state.side
    low = jnp.where(too_far, state.low, t)
    high = jnp.where(too_far, t, state.high)
    below = jnp.where(too_far, jnp.where(again, 0.5 * state.below, state.below), excess)
    above = jnp.where(too_far, excess, jnp.where(again & jnp.isfinite(state.high), 0.5 * state.above, state.above))

    bracketed = jnp.isfinite(high)
    # Where the statistic rises steeply, as towards negative counts, its value says little: the step stays a good share.
    above = jnp.minimum(above, _STEEPEST * ray.level)
    inner = low + (high - low) * -below / (above - below)
    width = jnp.where(bracketed, high - low, 0.0)
    inner = jnp.clip(inner, low + 1e-3 * width, high - 1e-3 * width)
    # Not bracketed yet: the secant through the last two lengths, at most `_GROWTH` times as far.
    gain = (excess - state.below) / jnp.where(t > state.low, t - state.low, 1.0)
    outer = t - excess / jnp.where(gain > 0, gain, 1.0)
    outer = jnp.where(gain > 0, jnp.clip(outer, 1.0001 * t, _GROWTH * t), _GROWTH * t)
    trial = jnp.minimum(jnp.where(bracketed, inner, outer), reach)

    near = finite & (jnp.abs(excess) <= PRECISION * ray.level)
    trials = state.trials + 1
    end = jnp.asarray(_SEARCHING)
    end = jnp.where(trials >= _MAX_TRIALS, End.MAX_TRIALS, end)
    end = jnp.where(
        bracketed & (width <= 1e-9 * high), jnp.where(finite | ~too_far, End.MAX_TRIALS, End.NOT_FINITE), end
    )
    end = jnp.where(~bracketed & (t >= farthest), End.ENDLESS, end)
    end = jnp.where(~too_far & (t >= reach), End.BOUND, end)
    end = jnp.where(near, End.FOUND, end)
    end = jnp.where((end != _SEARCHING) & finite & ~refitted, End.REFIT_FAILED, end)
    lowest = jnp.minimum(state.lowest, rise)
    end = jnp.where((end != _SEARCHING) & (lowest < -_NEW_MINIMUM), End.NEW_MINIMUM, end)
    return _State(
        low=low,
        below=below,
        high=high,
        above=above,
        side=side,
        trial=jnp.where(end == _SEARCHING, trial, t),
        last=jnp.where(finite, t, state.last),
        z=jnp.where(finite, z, state.z),
        rise=jnp.where(finite, rise, state.rise),
        lowest=lowest,
        trials=trials,
        end=end.astype(jnp.int32),
    )


def _polished(problem: Problem, best: Vector, ray: Ray, reach: Scalar, end: _State) -> Crossing:
    """The crossing by one more secant, through the best fit and the last trial: delta is nearly a parabola."""
    root = jnp.sqrt(jnp.maximum(end.rise, 0.0))
    share = jnp.where((end.end == End.FOUND) & (root > 0), ray.level / jnp.where(root > 0, root, 1.0), 1.0)
    started = end.trials > 0
    length = jnp.where(started, jnp.minimum(end.last * share, reach), 0.0)
    length = jnp.where(end.end == End.ENDLESS, jnp.inf, length)
    others = jnp.where(started, best + (end.z - best) * share, best)
    others = jnp.clip(others, problem.layout.lower, problem.layout.upper)
    z = jnp.where(ray.held, _held_at(problem, best, ray, length), others)
    return Crossing(length, z, end.rise, end.lowest, end.end, end.trials)


def _held_at(problem: Problem, best: Vector, ray: Ray, length: Scalar) -> Vector:
    """Values of the held parameters at a length; rounding must not carry them beyond a bound."""
    moves = ray.held & (ray.along != 0)
    z = best + jnp.where(moves, ray.along, 0.0) * jnp.where(moves, length, 0.0)
    return jnp.clip(z, problem.layout.lower, problem.layout.upper)


def _reach(problem: Problem, best: Vector, ray: Ray) -> Scalar:
    """Length at which the first held parameter meets a bound; zero where a bound lets none of them move."""
    layout = problem.layout
    wall = jnp.where(ray.along > 0, layout.upper, layout.lower)
    moves = ray.held & (ray.along != 0)
    room = jnp.where(moves, (wall - best) / jnp.where(moves, ray.along, 1.0), jnp.inf)
    return jnp.where(jnp.any(moves), jnp.maximum(jnp.min(room), 0.0), 0.0)


def _log_length(ray: Ray, log: Bool[Array, "free"]) -> Scalar:
    moves = ray.held & log & (ray.along != 0)
    each = jnp.where(moves, _FARTHEST_LOG / jnp.abs(jnp.where(moves, ray.along, 1.0)), jnp.inf)
    return jnp.maximum(jnp.min(each), 1.0)


@jax.jit
def cross_all(
    problem: Problem, lowest: Scalar, hessian: Matrix, rays: Ray
) -> tuple[Crossing, Float[Array, "lane free"], Scalar]:
    """All rays from the problem's start; also the natural values where they end, and the deviance at the start."""
    best = problem.start
    found = along_lanes(problem, lambda ray: cross(problem, best, lowest, hessian, ray), rays)
    return found, jax.vmap(problem.layout.natural)(found.z), deviance(problem, best)


def padded(rays: Ray) -> Ray:
    """The rays filled up to a power of two with copies of the first, so that other numbers find their program."""
    n = len(rays.level)
    index = np.r_[np.arange(n), np.zeros((1 << (n - 1).bit_length()) - n, dtype=int)]
    return Ray(*jax.device_put(tuple(np.asarray(x)[index] for x in rays)))
