r"""Asymmetric errors and limits from the profile likelihood: all parameters and sides as lanes of one program.

An interval ends where the statistic, minimised over all other parameters, has risen by `sigma^2` above the fit. By
Wilks' theorem that is the central interval of probability `erf(sigma / sqrt 2)`, 68.27 % for one sigma.

An upper limit at confidence level CL is one-sided: `delta stat = sigma^2` with `CL = Phi(sigma)`, so 2.71 for 95 %,
the probability that it lies below the truth being 1 - CL. Gammapy's `n_sigma_ul = 2` is `delta stat = 4`, one-sided
97.7 % (the upper end of the central 95.4 % interval): `upper_limit(..., sigma=2)`.

References: F. James & M. Roos, Comput. Phys. Commun. 10, 343 (1975); W. Rolke, A. Lopez & J. Conrad,
NIM A 551, 493 (2005); G. Cowan et al., EPJ C 71, 1554 (2011).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.stats import norm

from gammajax.checks import above_zero, probability
from gammajax.datasets.groups import Dataset
from gammajax.errors import ConfigError
from gammajax.infer.begin import Beginning, begin
from gammajax.infer.crossing import Crossing, End, Ray
from gammajax.infer.fit import Fit
from gammajax.io.json import write_json
from gammajax.models.collection import Models
from gammajax.tables import as_text, make_table


@dataclasses.dataclass(frozen=True)
class AsymmetricErrors:
    """Confidence intervals `lower[i]` to `upper[i]` of the parameters `paths[i]` [`units[i]`], canonical units.

    `ends[i]` tells how the search on the lower and the upper side ended; an end that was not found is NaN, one on a
    bound is the bound, one that the data leave open is infinite (0 for a parameter fitted in its logarithm).
    `values_lower[i]`, `values_upper[i]` hold all free parameters at the two ends.
    """

    paths: tuple[str, ...]
    units: tuple[str, ...]
    best: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    error: np.ndarray
    sigma: float
    ends: tuple[tuple[End, End], ...]
    values_lower: np.ndarray
    values_upper: np.ndarray
    remark: str = ""

    @property
    def errn(self) -> np.ndarray:
        """Distance from the best value down to the lower end."""
        return self.best - self.lower

    @property
    def errp(self) -> np.ndarray:
        """Distance from the best value up to the upper end."""
        return self.upper - self.best

    @property
    def confidence_level(self) -> float:
        """Probability of the central interval of a Gaussian, `erf(sigma / sqrt 2)`."""
        return float(1.0 - 2.0 * norm.sf(self.sigma))

    @property
    def success(self) -> bool:
        """True if every end was found and the fit had converged."""
        return not self.remark and all(end is End.FOUND for pair in self.ends for end in pair)

    @property
    def message(self) -> str:
        """What was not found, and why."""
        said = [self.remark] if self.remark else []
        for path, pair in zip(self.paths, self.ends, strict=True):
            for side, end in zip(("lower", "upper"), pair, strict=True):
                if end is not End.FOUND:
                    said.append(f"{path}, {side} side: {end.message}.")
        return " ".join(said) or "All ends found."

    def __getitem__(self, pattern: str) -> tuple[float, float]:
        """Lower and upper end of the interval of one parameter; raises `ConfigError` for one that was not asked for."""
        found = [i for i, path in enumerate(self.paths) if path == pattern or path.endswith("." + pattern.lstrip("*."))]
        if len(found) != 1:
            raise ConfigError(f"no interval of {pattern!r}; there are {', '.join(self.paths)}")
        return float(self.lower[found[0]]), float(self.upper[found[0]])

    @property
    def table(self) -> Table:
        """Columns path, value, error (Hessian), errn, errp, lower, upper, unit, ends."""
        numbers = {"value": self.best, "error": self.error, "errn": self.errn, "errp": self.errp}
        numbers |= {"lower": self.lower, "upper": self.upper}
        said = [f"{a.name.lower()}, {b.name.lower()}" for a, b in self.ends]
        return make_table({"path": self.paths, **numbers, "unit": self.units, "ends": said}, numbers)

    def to_dict(self) -> dict[str, Any]:
        """The intervals as plain Python, ready for JSON."""
        columns = zip(
            self.paths, self.units, self.best, self.error, self.errn, self.errp, self.lower, self.upper, self.ends,
            strict=True,
        )  # fmt: skip
        names = ("path", "unit", "value", "error", "errn", "errp", "lower", "upper")
        return {
            "sigma": self.sigma,
            "confidence_level": self.confidence_level,
            "success": self.success,
            "message": self.message,
            "parameters": [
                {**dict(zip(names, row, strict=False)), "ends": [end.name.lower() for end in row[-1]]}
                for row in columns
            ],
        }

    def write(self, path: str | Path) -> Path:
        """Write the intervals as JSON."""
        return write_json(self.to_dict(), path)

    def __repr__(self) -> str:
        head = f"Asymmetric errors, {self.sigma:g} sigma ({_percent(2.0 * float(norm.sf(self.sigma)))}). {self.message}"
        return f"{head}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return f"<p>{self.message}</p>{self.table._repr_html_()}"


@dataclasses.dataclass(frozen=True)
class Limit:
    """A one-sided limit `value` [`unit`] of a parameter, where the profile has risen by `sigma^2` above the fit.

    `value` is NaN if it was not found, the bound if that comes first, infinite if the data set no limit.
    """

    path: str
    unit: str
    side: str
    value: float
    best: float
    sigma: float
    end: End
    remark: str = ""

    @property
    def confidence_level(self) -> float:
        """One-sided confidence level, `Phi(sigma)`."""
        return float(norm.cdf(self.sigma))

    @property
    def delta(self) -> float:
        """Rise of the statistic that marks the limit, `sigma^2`."""
        return self.sigma**2

    @property
    def success(self) -> bool:
        """True if the limit was found and the fit had converged."""
        return self.end is End.FOUND and not self.remark

    @property
    def message(self) -> str:
        """How the search ended."""
        return " ".join(filter(None, (self.remark, f"{self.path}, {self.side} limit: {self.end.message}.")))

    def to_dict(self) -> dict[str, Any]:
        """The limit as plain Python, ready for JSON."""
        own = dataclasses.asdict(self) | {"end": self.end.name.lower()}
        more = {"confidence_level": self.confidence_level, "delta": self.delta}
        return own | more | {"success": self.success, "message": self.message}

    def write(self, path: str | Path) -> Path:
        """Write the limit as JSON."""
        return write_json(self.to_dict(), path)

    def __repr__(self) -> str:
        sign = "<" if self.side == "upper" else ">"
        unit = f" {self.unit}" if self.unit else ""
        level = f"{_percent(float(norm.sf(self.sigma)))} one-sided, delta stat {self.delta:.4g}"
        return f"{self.path} {sign} {self.value:.6g}{unit} ({level}; best {self.best:.6g}). {self.message}"


def asymmetric_errors(
    datasets: Dataset | Iterable[Dataset],
    fit: Fit | Models,
    paths: str | Sequence[str] | None = None,
    *,
    sigma: float = 1.0,
    confidence_level: float | None = None,
) -> AsymmetricErrors:
    """Asymmetric errors (MINOS) of the parameters that match `paths` (default: all free ones), in one call.

    `sigma`: the rise of the statistic is `sigma^2`; or `confidence_level`, the probability of the central interval.
    Bounds, sides that the data leave open and failed refits are told by `ends` and `message`.
    Raises `NoSuchParameter` for an unknown path, `NothingToFit` for a frozen one, `ConfigError` for an impossible
    level, `UnknownDataset` if the fit was made to other datasets.

    >>> asymmetric_errors(datasets, fit, "crab.spectral.*", sigma=2)                    # doctest: +SKIP
    """
    start = begin(datasets, fit)
    level = _level(sigma, confidence_level, central=True)
    chosen = _chosen(start, paths)
    found, natural = start.cross(_rays(start, [(i, side) for i in chosen for side in (-1.0, 1.0)], level))
    ends = [End(int(x)) for x in found.end]
    value = np.array([_value(start, i, natural[k, i], ends[k]) for k, i in enumerate(np.repeat(chosen, 2))])
    rows = [start.row(i) for i in chosen]
    return AsymmetricErrors(
        paths=tuple(row.path for row in rows),
        units=tuple(row.unit for row in rows),
        best=np.array([row.value for row in rows]),
        lower=value[0::2],
        upper=value[1::2],
        error=np.array([row.error for row in rows]),
        sigma=level,
        ends=tuple(zip(ends[0::2], ends[1::2], strict=True)),
        values_lower=natural[0::2],
        values_upper=natural[1::2],
        remark=start.remark,
    )


def upper_limit(
    datasets: Dataset | Iterable[Dataset],
    fit: Fit | Models,
    path: str,
    *,
    confidence_level: float = 0.95,
    sigma: float | None = None,
) -> Limit:
    """Upper limit of one parameter: the value above the best fit where the profile has risen by `sigma^2`.

    `confidence_level` is one-sided, `Phi(sigma)`: 0.95 is a rise of 2.71. Gammapy's `n_sigma_ul=2` is `sigma=2`, a rise
    of 4. The rise is counted from the best fit inside the bounds, as in Gammapy; for a best fit on a bound of zero the
    limit covers more often than it says. Raises as `asymmetric_errors` does.

    >>> upper_limit(datasets, fit, "crab.spectral.amplitude", confidence_level=0.99)    # doctest: +SKIP
    """
    return _limit(datasets, fit, path, 1.0, confidence_level, sigma)


def lower_limit(
    datasets: Dataset | Iterable[Dataset],
    fit: Fit | Models,
    path: str,
    *,
    confidence_level: float = 0.95,
    sigma: float | None = None,
) -> Limit:
    """Lower limit of one parameter; conventions and errors as in `upper_limit`.

    >>> lower_limit(datasets, fit, "crab.spectral.lambda_")                             # doctest: +SKIP
    """
    return _limit(datasets, fit, path, -1.0, confidence_level, sigma)


def _limit(datasets, fit, path: str, side: float, confidence_level: float, sigma: float | None) -> Limit:
    start = begin(datasets, fit)
    level = _level(sigma, None if sigma is not None else confidence_level, central=False)
    position = start.position(path)
    row = start.row(position)
    found, natural = start.cross(_rays(start, [(position, side)], level))
    end = End(int(found.end[0]))
    return Limit(
        path=row.path,
        unit=row.unit,
        side="upper" if side > 0 else "lower",
        value=_value(start, position, natural[0, position], end),
        best=row.value,
        sigma=level,
        end=end,
        remark=start.remark,
    )


def _percent(outside: float) -> str:
    """A confidence level as text, told from one by as many digits as it takes; `outside` is what it lacks of one.

    >>> _percent(0.05), _percent(1e-7), _percent(1e-15)
    ('95 %', '99.99999 %', '(100 - 1e-13) %')
    """
    if outside < 1e-12:
        return f"(100 - {100 * outside:.2g}) %"
    return f"{100 * (1.0 - outside):.{max(4, int(np.ceil(-np.log10(outside))))}g} %"


def _level(sigma: float | None, confidence_level: float | None, *, central: bool) -> float:
    """Number of sigmas of a level given either way. Raises `ConfigError`."""
    if confidence_level is not None:
        share = probability(confidence_level, "confidence_level")
        if not central and share <= 0.5:
            raise ConfigError(f"a one-sided limit needs a confidence_level above 0.5, got {share:g}")
        return float(norm.isf((1.0 - share) / 2.0 if central else 1.0 - share))
    return above_zero(sigma, "sigma")


def _chosen(start: Beginning, paths: str | Sequence[str] | None) -> list[int]:
    """Positions of the parameters asked for; a pattern chooses the free ones among those it matches."""
    models = start.fit.models
    if paths is None:
        return list(range(len(models.free_paths)))
    chosen: dict[int, None] = {}
    for pattern in [paths] if isinstance(paths, str) else paths:
        found = models.match(pattern)
        free = [path for path in found if models.rows[path].free]
        # One path that is not free, or a pattern of such paths only, is a mistake that is told.
        chosen |= dict.fromkeys(start.position(path) for path in free or found[:1])
    if not chosen:
        raise ConfigError("paths is empty: name at least one parameter, or leave it out for all")
    return list(chosen)


def _rays(start: Beginning, lanes: Sequence[tuple[int, float]], level: float) -> Ray:
    n = len(start.z)
    held = np.array([np.arange(n) == i for i, _ in lanes])
    along = np.array([side * start.step(i) for i, side in lanes])
    return Ray(held, along, np.full(len(lanes), level))


def _value(start: Beginning, position: int, natural: float, end: End) -> float:
    """The end of an interval as a number to report."""
    if end in (End.FOUND, End.NEW_MINIMUM):
        return float(natural)
    if end is End.BOUND:
        low, high = start.row(position).range
        return float(np.clip(natural, low, high))
    return float(natural) if end is End.ENDLESS else float("nan")


__all__ = ["AsymmetricErrors", "Crossing", "Limit", "asymmetric_errors", "lower_limit", "upper_limit"]
