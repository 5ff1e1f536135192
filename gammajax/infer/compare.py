r"""Nested models compared: the likelihood ratio, what it means, and where its usual meaning fails.

`TS = stat(null) - stat(alternative)`. If the null is a point inside the alternative's parameter space, TS follows a
chi-squared distribution with as many degrees of freedom as parameters were freed (Wilks). It does not where

- a freed parameter lies on its bound under the null: with one such parameter TS is an equal mixture of chi-squared with
  k - 1 and k degrees of freedom (Chernoff);
- a freed parameter is undefined under the null, such as the index of a source of no flux: no general law (Davies).

Toys of the null hypothesis calibrate TS in either case.

References: S. S. Wilks, Ann. Math. Stat. 9, 60 (1938); H. Chernoff, Ann. Math. Stat. 25, 573 (1954); R. B. Davies,
Biometrika 74, 33 (1987); R. Protassov et al., ApJ 571, 545 (2002).
"""

import dataclasses
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln
from scipy.stats import chi2, norm

from gammajax._typing import Array, Float, Scalar, Vector
from gammajax.datasets.collection import Datasets, as_datasets
from gammajax.datasets.groups import Dataset
from gammajax.errors import ConfigError, ModelError, UnknownDataset
from gammajax.infer.expansion import expand
from gammajax.infer.fit import Fit, at_rest, make_problem
from gammajax.infer.fit import fit as make_fit
from gammajax.infer.lanes import along_lanes, in_chunks, most_lanes, tail
from gammajax.infer.minimise import MAX_STEPS, Minimum, Status, minimise
from gammajax.io.json import write_json
from gammajax.likelihood.problem import Problem, as_models
from gammajax.likelihood.toys import draw
from gammajax.models.collection import Models
from gammajax.models.nuisance import Nuisance
from gammajax.numeric.keys import as_key
from gammajax.params.tree import has_weights

_ROUNDING = 1e-3
"""Two fits of the same minimum agree in the statistic to this."""
_TOY_TOLERANCE = 1e-5
_FLAT = 0.02
"""A predicted further decrease of the statistic that does not matter for the distribution of TS."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Null and alternative hypothesis, both fitted to the same datasets.

    `boundary` are freed parameters on a bound under the null, `undefined` freed parameters without influence there;
    `toys` are values of the test statistic in simulations of the null (empty if none were made).
    """

    null: Fit
    alternative: Fit
    boundary: tuple[str, ...]
    undefined: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    toys: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    toys_failed: int = 0

    @property
    def ts(self) -> float:
        """Test statistic, `stat(null) - stat(alternative)`; rounding below zero counts as zero."""
        return max(self.null.deviance - self.alternative.deviance, 0.0)

    @property
    def dof(self) -> int:
        """How many more parameters are free in the alternative."""
        return len(self.alternative.models.free_paths) - len(self.null.models.free_paths)

    @property
    def p_value(self) -> float:
        """Probability of a larger TS under the null by Wilks' theorem."""
        return float(chi2.sf(self.ts, self.dof))

    @property
    def significance(self) -> float:
        """The same in Gaussian standard deviations, two-sided: `sqrt(TS)` for one degree of freedom."""
        return _sigmas(self.ts, self.dof)

    @property
    def p_value_mixture(self) -> float:
        """Probability by Chernoff's mixture; NaN unless exactly one freed parameter lies on a bound."""
        if len(self.boundary) != 1 or self.undefined:
            return float("nan")
        if self.ts == 0:
            return 1.0
        fewer = chi2.sf(self.ts, self.dof - 1) if self.dof > 1 else 0.0
        return float(0.5 * fewer + 0.5 * chi2.sf(self.ts, self.dof))

    @property
    def p_value_toys(self) -> tuple[float, float]:
        """Share of the toys with a TS at least as large, `(k + 1) / (n + 1)`, and its binomial error; NaN without."""
        return tail(self.toys, self.null.deviance - self.alternative.deviance)

    @property
    def delta_aic(self) -> float:
        """AIC of the null minus that of the alternative: positive speaks for the alternative."""
        return self.null.aic - self.alternative.aic

    @property
    def delta_bic(self) -> float:
        """BIC of the null minus that of the alternative."""
        return self.null.bic - self.alternative.bic

    @property
    def message(self) -> str:
        """Whether Wilks' theorem holds, and what to do where it does not."""
        said = list(self.remarks)
        if self.boundary:
            said.append(
                f"WARNING: {', '.join(self.boundary)} on a bound under the null: Wilks' theorem does not hold; "
                + ("take p_value_mixture." if np.isfinite(self.p_value_mixture) else "calibrate with toys (key=, n=).")
            )
        if self.undefined:
            said.append(
                f"WARNING: {', '.join(self.undefined)} undefined under the null: p_value is not to be trusted; "
                "freeze them, or calibrate with toys (key=, n=)."
            )
        if self.toys_failed:
            said.append(
                f"In {self.toys_failed} of {len(self.toys)} toys a fit did not converge; their TS counts as far as it "
                "came, so p_value_toys may be too low by their share."
            )
        return " ".join(said) or "The null lies inside the alternative: Wilks' theorem holds for large counts."

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain Python, ready for JSON."""
        p_toys, error = self.p_value_toys
        return {
            "ts": self.ts,
            "dof": self.dof,
            "significance": self.significance,
            "p_value": self.p_value,
            "p_value_mixture": self.p_value_mixture,
            "p_value_toys": p_toys,
            "p_value_toys_error": error,
            "toys": len(self.toys),
            "delta_aic": self.delta_aic,
            "delta_bic": self.delta_bic,
            "stat_null": self.null.stat,
            "stat_alternative": self.alternative.stat,
            "boundary": list(self.boundary),
            "undefined": list(self.undefined),
            "message": self.message,
        }

    def write(self, path: str | Path) -> Path:
        """Write the comparison as JSON."""
        return write_json(self.to_dict(), path)

    def __repr__(self) -> str:
        head = f"TS = {self.ts:.4f} for {self.dof} degrees of freedom: {self.significance:.2f} sigma"
        head += f", p = {self.p_value:.3g}"
        if len(self.toys):
            value, error = self.p_value_toys
            head += f"; {len(self.toys)} toys of the null: p = {value:.3g} +- {error:.2g}"
        return f"{head}. {self.message}"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>"


def likelihood_ratio(
    datasets: Dataset | Iterable[Dataset],
    null: Models | Fit,
    alternative: Models | Fit,
    *,
    key: Any = None,
    n: int = 0,
) -> Comparison:
    """Likelihood-ratio test of `null` against `alternative`, which must contain it; `Models` are fitted first.

    A null without free parameters is the statistic where it stands; `Models()` is the null of no source at all.
    With `key` and `n`, n toys of the fitted null are drawn and both hypotheses fitted to each.
    Raises `ModelError` where the two are not nested as far as that can be known, or the null fits better;
    `UnknownDataset` if the fits were made to other datasets.

    >>> likelihood_ratio(datasets, models.freeze("*.beta"), models)                       # doctest: +SKIP
    >>> likelihood_ratio(datasets, Models(), models)                                      # doctest: +SKIP
    """
    datasets = as_datasets(datasets)
    if n < 0 or (n > 0) != (key is not None):
        raise ConfigError("toys need both key= and a number n= above 0")
    first = _fitted_null(datasets, null)
    second = alternative if isinstance(alternative, Fit) else make_fit(datasets, alternative)
    _check_data(datasets, first, second)
    remarks = _check_nested(first.models, second.models)
    at_null = _null_in_alternative(first.models, second.models)
    if second.stat > first.stat + _ROUNDING and at_null is not None:
        again = make_fit(datasets, at_null, nodes=second.nodes)
        second = again if again.stat < second.stat else second
    if second.stat > first.stat + _ROUNDING:
        raise ModelError(
            f"the null fits better than the alternative, by {second.stat - first.stat:.4g}: they are not nested, or "
            f"the alternative ended in another minimum; start it at the values of the null. {second.message}"
        )
    for name, x in (("null", first), ("alternative", second)):
        if x.status is not Status.CONVERGED:
            remarks.append(f"The fit of the {name} failed: {x.message}")
    boundary, undefined = _irregular(datasets, first.models, second, at_null)
    out = Comparison(first, second, boundary, undefined, tuple(remarks))
    if not n:
        return out
    ts, good = _toys(datasets, out, at_null, as_key(key), n)
    return dataclasses.replace(out, toys=ts, toys_failed=int(np.sum(~good)))


def _fitted_null(datasets: Datasets, null: Models | Fit) -> Fit:
    if isinstance(null, Fit):
        return null
    null = as_models(null)
    return make_fit(datasets, null) if null.free_paths or has_weights(null.tree) else at_rest(datasets, null)


def _check_data(datasets: Datasets, null: Fit, alternative: Fit) -> None:
    for name, x in (("null", null), ("alternative", alternative)):
        if datasets.names != list(x.stat_per_dataset):
            fitted = ", ".join(x.stat_per_dataset)
            raise UnknownDataset(f"the {name} was fitted to {fitted}, not {', '.join(datasets.names)}")
    if null.n_bins != alternative.n_bins:
        raise UnknownDataset(
            f"the null was fitted to {null.n_bins} bins, the alternative to {alternative.n_bins}: "
            "fit both to the same bins"
        )


def _check_nested(null: Models, alternative: Models) -> list[str]:
    """Raise `ModelError` if the hypotheses cannot be nested; returns what could not be checked."""
    free_null, free_alternative = set(null.free_paths), set(alternative.free_paths)
    if len(free_alternative) <= len(free_null):
        raise ModelError(
            f"the alternative has {len(free_alternative)} free parameters, the null {len(free_null)}: it needs more"
        )
    unknown = [path for path in null.rows if path not in alternative.rows]
    if unknown:
        return [f"Whether they are nested is not known: the alternative has no {', '.join(unknown)}."]
    closed = sorted(free_null - free_alternative)
    if closed:
        raise ModelError(f"not nested: {', '.join(closed)} free in the null, not in the alternative")
    for path, row in null.rows.items():
        other = alternative.rows[path]
        fixed = row.frozen and other.frozen and row.link is None and other.link is None
        if fixed and not np.isclose(row.value, other.value, rtol=1e-9, atol=0):
            raise ModelError(f"not nested: {path} is frozen at {row.value:g} in the null, {other.value:g} in the other")
    return []


def _null_in_alternative(null: Models, alternative: Models) -> Models | None:
    """The alternative with the values of the null; sources that the null lacks have no flux. None if not known."""
    if any(path not in alternative.rows for path in null.rows):
        return None
    values = {path: null.value(path) for path in alternative.free_paths if path in null.rows}
    absent = [path for path in alternative.rows if path not in null.rows]
    strengths = [path for path in absent if _is_strength(path, alternative) and alternative.rows[path].free]
    if {path.split(".")[0] for path in absent} - {path.split(".")[0] for path in strengths}:
        return None
    values |= dict.fromkeys(strengths, 0.0)
    for path, value in values.items():
        row = alternative.rows[path]
        low, high = row.range
        if not low <= value <= high:
            raise ModelError(
                f"not nested: under the null {path} is {value:g}, outside [{low:g}, {high:g}] of the alternative"
            )
        if row.scale == "log" and not value > 0:
            return None
    return alternative.set(values)


def _is_strength(path: str, models: Models) -> bool:
    """Whether a source has no flux where the parameter is zero; the norm of a nuisance is none of these."""
    return path.rsplit(".", 1)[-1] in ("amplitude", "norm") and not _is_nuisance(path, models)


def _is_nuisance(path: str, models: Models) -> bool:
    return isinstance(models[path.split(".")[0]], Nuisance)


def _irregular(
    datasets: Datasets, null: Models, alternative: Fit, at_null: Models | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Freed parameters on a bound under the null, and those without influence there."""
    freed = [path for path in alternative.models.free_paths if path not in null.free_paths]
    if at_null is None:
        # Sources that the null lacks and whose strength cannot be zero, or parameters of another name.
        absent = [p for p in freed if p.split(".")[0] not in list(null)]
        models = alternative.models
        strengths = [p for p in absent if _is_strength(p, models)]
        # The logarithm of a strength has no zero: the null lies at its end.
        ends = tuple(p for p in strengths if models.rows[p].scale == "log" or 0.0 in models.rows[p].range)
        return ends, tuple(p for p in absent if p not in strengths and not _is_nuisance(p, models))
    boundary = tuple(path for path in freed if at_null.value(path) in at_null.rows[path].range)
    problem = make_problem(datasets, at_null, nodes=alternative.nodes)
    information = dict(zip(at_null.free_paths, np.asarray(_information(problem)), strict=True))
    undefined = tuple(path for path in freed if path not in boundary and not information[path] > 0)
    return boundary, undefined


@jax.jit
def _information(problem: Problem) -> Vector:
    """Fisher information of each parameter at the start."""
    return jnp.diag(expand(problem, problem.start).hessian)


def _toys(
    datasets: Datasets, found: Comparison, at_null: Models | None, key: Array, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Test statistic of toys of the null, and for which toys both fits ended in a minimum."""
    first, second = (
        make_problem(datasets, x.models, nodes=x.nodes, dense=True) for x in (found.null, found.alternative)
    )
    starts = [second.start] if at_null is None else [second.start, make_problem(datasets, at_null).start]
    stacked = jax.device_put(np.stack([np.asarray(z) for z in starts]))
    run = partial(_toy_pairs, first, second, stacked, key, _TOY_TOLERANCE)
    return in_chunks(run, n, most_lanes(first, second))


@partial(jax.jit, static_argnames="lanes")
def _toy_pairs(
    null: Problem,
    alternative: Problem,
    starts: Float[Array, "start free"],
    key: Array,
    tolerance: Scalar,
    chunk: Scalar,
    lanes: int,
) -> tuple[Array, Array]:
    """Draw from the null and fit both; the alternative from several starts, the lowest counts."""

    def one(counts) -> tuple[Array, Array]:
        under: Minimum = minimise(null.with_counts(counts), null.start, tolerance=tolerance, max_steps=MAX_STEPS)
        toy = alternative.with_counts(counts)
        run = partial(minimise, toy, tolerance=tolerance, max_steps=MAX_STEPS)
        ends = along_lanes(alternative, run, starts)
        best = jnp.argmin(jnp.where(jnp.isfinite(ends.deviance), ends.deviance, jnp.inf))
        good = _ended(under) & _ended(jax.tree.map(lambda x: x[best], ends))
        return under.deviance - ends.deviance[best], good

    return along_lanes(null, one, draw(null, jax.random.fold_in(key, chunk), lanes))


def _ended(end: Minimum) -> Array:
    """True at a minimum; also where the statistic is flat, as it is along parameters that mean nothing there."""
    return (end.status == Status.CONVERGED) | (jnp.isfinite(end.deviance) & (end.decrease < _FLAT))


def _log_tail(x: float, dof: int) -> float:
    """Logarithm of the upper tail of chi-squared, also where the tail itself underflows."""
    direct = float(chi2.sf(x, dof))
    if direct > 1e-290:
        return float(np.log(direct))
    # Asymptotic series of the incomplete gamma function, Abramowitz & Stegun 6.5.32.
    a, half = 0.5 * dof, 0.5 * x
    terms = np.cumprod([1.0, *((a - k) / half for k in range(1, 8))])
    return float((a - 1.0) * np.log(half) - half - gammaln(a) + np.log(np.sum(terms)))


def _sigmas(ts: float, dof: int) -> float:
    """Two-sided Gaussian significance of a chi-squared value."""
    if dof == 1 or ts <= 0:
        return float(np.sqrt(max(ts, 0.0)))
    goal = _log_tail(ts, dof) - np.log(2.0)
    root: Any = brentq(lambda s: float(norm.logsf(s)) - goal, 0.0, np.sqrt(ts) + 1.0)
    return float(root)
