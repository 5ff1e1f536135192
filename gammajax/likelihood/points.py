r"""The statistic of flux points as a function of the predicted flux, with derivatives in closed form.

A point with a normal error or a likelihood profile has the statistic `r(s)^2`, the square of a signed root; an upper
limit u with the width w has `-2 ln [Phi((u - s) / w) / Phi(u / w)]`.
"""

import jax.numpy as jnp
from jax.scipy.stats import norm

from gammajax._typing import Array, Float
from gammajax.datasets.groups import GaussGroup, PointsGroup, ProfileGroup

Points = Float[Array, "dataset point"]


def points_stat(group: PointsGroup, s: Points) -> Points:
    """Statistic of each point at the predicted flux `s` (in units of `dnde_ref`)."""
    root, _, _ = _root(group, s)
    if not isinstance(group, GaussGroup):
        return jnp.square(root)
    t, at_zero = (group.limit - s) / group.width, group.limit / group.width
    return jnp.where(group.is_ul, 2.0 * (norm.logcdf(at_zero) - norm.logcdf(t)), jnp.square(root))


def points_derivatives(group: PointsGroup, s: Points) -> tuple[Points, Points, Points]:
    """First, second and expected second derivative of `points_stat` in `s`."""
    root, first, second = _root(group, s)
    slope, information = 2.0 * root * first, 2.0 * jnp.square(first)
    curvature = information + 2.0 * root * second
    if not isinstance(group, GaussGroup):
        return slope, curvature, information
    t = (group.limit - s) / group.width
    hazard = jnp.exp(norm.logpdf(t) - norm.logcdf(t))
    steep, bend = 2.0 * hazard / group.width, 2.0 * hazard * (hazard + t) / jnp.square(group.width)
    ul = group.is_ul
    return jnp.where(ul, steep, slope), jnp.where(ul, bend, curvature), jnp.where(ul, bend, information)


def standard_error(group: PointsGroup, s: Points) -> Points:
    """Standard error of a measurement at the true flux `s`."""
    if isinstance(group, GaussGroup):
        # A fluctuation upwards leaves the truth below the point.
        return 0.5 * (group.below + group.above)
    _, first, _ = _root(group, group.value)
    return 1.0 / jnp.where(first > 0, first, 1.0)


def _root(group: PointsGroup, s: Points) -> tuple[Points, Points, Points]:
    """The signed root of the statistic, and its first two derivatives."""
    x = s - group.value
    if isinstance(group, GaussGroup):
        width = jnp.where(x > 0, group.above, group.below)
        return x / width, 1.0 / width, jnp.zeros_like(x)
    assert isinstance(group, ProfileGroup)
    last = group.cubic.shape[2] - 1
    cell = jnp.clip(jnp.sum(group.knots <= x[..., None], axis=-1) - 1, 0, last)
    at = jnp.take_along_axis(group.knots, jnp.stack([cell, cell + 1], axis=-1), axis=-1)
    c3, c2, c1, c0 = jnp.moveaxis(jnp.take_along_axis(group.cubic, cell[..., None, None], axis=2)[..., 0, :], -1, 0)
    # Beyond both ends the curve goes on as a straight line.
    inside = jnp.clip(x, group.knots[..., 0], group.knots[..., -1])
    t, beyond = inside - at[..., 0], x - inside
    slope = c1 + t * (2.0 * c2 + 3.0 * c3 * t)
    bend = jnp.where(beyond == 0, 2.0 * c2 + 6.0 * c3 * t, 0.0)
    return c0 + t * (c1 + t * (c2 + t * c3)) + slope * beyond, slope, bend
