"""`Posterior`: draws with their names, diagnostics and tables; written to HDF5 and ArviZ."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

from gammajax.checks import whole
from gammajax.errors import ConfigError
from gammajax.infer.intervals import LEVEL, central_interval, narrowest_interval
from gammajax.infer.quantity import Function, derive
from gammajax.infer.record import check_paths, check_shape, from_node, write_record
from gammajax.io.hdf5 import hdf5_or_json, read_tree
from gammajax.io.json import write_json
from gammajax.models.collection import Models
from gammajax.models.covariance import Covariance
from gammajax.tables import as_text, make_table

R_HAT_LIMIT = 1.01
LEAST_ESS = 100
_TRUSTED = "The chains agree (R-hat < 1.01, no divergences)."


@dataclasses.dataclass(frozen=True)
class Posterior:
    """Draws of the free parameters: `samples[chain, draw, parameter]` in the order of `paths`, canonical units.

    `models` holds the best fit that the sampling started from; `stats` the sampler's numbers per chain and draw.
    """

    models: Models
    paths: tuple[str, ...]
    samples: np.ndarray
    stats: Mapping[str, np.ndarray]
    timings: Mapping[str, float]
    remark: str = ""
    """What was wrong before sampling began, for example with the fit."""

    def __getitem__(self, path: str) -> np.ndarray:
        """Draws of one parameter, shape (chain, draw)."""
        found = self.models.find(path)
        if found not in self.paths:
            raise ConfigError(f"{found} was not sampled: it is frozen or linked")
        return self.samples[:, :, self.paths.index(found)]

    @property
    def flat(self) -> np.ndarray:
        """All draws of all chains, shape (chain * draw, parameter)."""
        return self.samples.reshape(-1, len(self.paths))

    @property
    def mean(self) -> np.ndarray:
        """Posterior means, in the order of `paths`."""
        return self.flat.mean(axis=0)

    @property
    def std(self) -> np.ndarray:
        """Posterior standard deviations, in the order of `paths`."""
        return self.flat.std(axis=0, ddof=1)

    @property
    def covariance(self) -> Covariance:
        """Covariance of the draws, in the order of `paths`."""
        return Covariance(self.paths, np.atleast_2d(np.cov(self.flat.T)))

    def interval(self, path: str, level: float = LEVEL) -> tuple[float, float]:
        """Central interval of one parameter that holds the probability `level`."""
        low, high = central_interval(self[path].ravel(), level)
        return float(low), float(high)

    def hdi(self, path: str, level: float = LEVEL) -> tuple[float, float]:
        """Narrowest interval of one parameter that holds the probability `level`: the one to quote next to a bound."""
        low, high = narrowest_interval(self[path].ravel(), level)
        return float(low), float(high)

    def thin(self, step: int) -> "Posterior":
        """Every `step`-th draw of each chain."""
        step = whole(step, "step")
        stats = {k: v[:, ::step] for k, v in self.stats.items()}
        return dataclasses.replace(self, samples=self.samples[:, ::step], stats=stats)

    def derive(self, function: Function, unit: str = "") -> Any:
        """Draws of a quantity, as `Derived`: `function` takes the models of one draw, by name, and returns numbers.

        Written with `jax.numpy` for one draw; compiled once for all. A dictionary of quantities gives a dictionary of
        `Derived`. Energies are plain numbers in TeV, results in the canonical units that the function computes.
        Raises `ConfigError` if JAX cannot trace the function.

        >>> flux = posterior.derive(lambda m: m["crab"].spectral.dnde(2.0))             # doctest: +SKIP
        >>> flux.mean, flux.interval(0.68)                                              # doctest: +SKIP
        """
        return derive(self.models, self.samples, function, unit)

    @property
    def r_hat(self) -> np.ndarray:
        """Split Gelman-Rubin statistic of each parameter; below 1.01 the chains agree."""
        return np.array([float(split_gelman_rubin(self[path])) for path in self.paths])

    @property
    def ess(self) -> np.ndarray:
        """Effective number of independent draws of each parameter."""
        return np.array([float(effective_sample_size(self[path])) for path in self.paths])

    @property
    def divergences(self) -> int:
        """Draws whose trajectory diverged: any that persist mean that the result is not to be trusted."""
        return int(np.sum(self.stats.get("diverging", 0)))

    @property
    def trusted(self) -> bool:
        """True if the fit behind it succeeded, the chains agree, no draw diverged and there are draws enough."""
        return self.message == _TRUSTED

    @property
    def message(self) -> str:
        """One sentence on whether the chains can be trusted, and what to do if not."""
        r_hat, ess = self.r_hat, self.ess
        # A chain that never moves has no R-hat: NaN is as bad as a large one.
        worst, fewest = int(np.argmax(np.where(np.isnan(r_hat), np.inf, r_hat))), int(np.argmin(ess))
        if self.remark:
            return self.remark
        if self.divergences:
            return (
                f"{self.divergences} divergent draws: raise target_accept, or look for parameters that the data do "
                "not constrain and give them priors."
            )
        if not r_hat[worst] <= R_HAT_LIMIT:
            return f"R-hat of {self.paths[worst]} is {r_hat[worst]:.3f}: take more draws or a longer warmup."
        if not ess[fewest] >= LEAST_ESS:
            return f"{self.paths[fewest]} has only {ess[fewest]:.0f} independent draws: take more draws."
        return _TRUSTED

    @property
    def table(self) -> Table:
        """Mean, width, quantiles, R-hat and effective draws of each parameter."""
        quantiles = np.quantile(self.flat, [0.05, 0.16, 0.5, 0.84, 0.95], axis=0)
        numbers = {"mean": self.mean, "std": self.std}
        numbers |= dict(zip(("q05", "q16", "median", "q84", "q95"), quantiles, strict=True))
        units = [self.models.rows[path].unit for path in self.paths]
        columns = {"path": self.paths, **numbers, "unit": units, "r_hat": self.r_hat, "ess": self.ess}
        return make_table(columns, numbers, r_hat=".4f", ess=".0f")

    def __repr__(self) -> str:
        chains, draws, _ = self.samples.shape
        return f"Posterior: {chains} chains of {draws} draws. {self.message}\n{as_text(self.table)}"

    def _repr_html_(self) -> str:
        return f"<p>{self.message}</p>{self.table._repr_html_()}"

    def to_dict(self) -> dict[str, Any]:
        """Summary as plain Python, ready for JSON (without the draws)."""
        numbers = zip(self.paths, self.mean, self.std, self.r_hat, self.ess, strict=True)
        return {
            "parameters": [
                {"path": p, "mean": m, "std": s, "r_hat": r, "ess": e, "unit": self.models.rows[p].unit}
                for p, m, s, r, e in numbers
            ],
            "chains": self.samples.shape[0],
            "draws": self.samples.shape[1],
            "divergences": self.divergences,
            "steps_per_draw": float(np.mean(self.stats["num_steps"])) if "num_steps" in self.stats else None,
            "message": self.message,
            "timings": dict(self.timings),
        }

    def to_arviz(self) -> Any:
        """The draws as `arviz.InferenceData`; raises `ConfigError` without ArviZ."""
        try:
            import arviz
        except ImportError as error:
            raise ConfigError("to_arviz needs ArviZ: install it with the extra gammajax[arviz]") from error
        names = {"diverging": "diverging", "n_steps": "num_steps", "acceptance_rate": "accept_prob"}
        stats = {new: self.stats[old] for new, old in names.items() if old in self.stats}
        if "potential" in self.stats:
            stats["lp"] = -self.stats["potential"]
        return arviz.from_dict(posterior={p: self[p] for p in self.paths}, sample_stats=stats)

    def write(self, path: str | Path) -> Path:
        """Write everything, models included, as HDF5 (.h5, .hdf5), or the summary for people as JSON (.json)."""
        if hdf5_or_json(path) == "json":
            return write_json(self.to_dict(), path)
        return write_record(path, "posterior", self)

    @classmethod
    def read(cls, path: str | Path, models: Models | None = None) -> "Posterior":
        """Read what `write` wrote as HDF5; the file suffices.

        `models` replaces those of the file; needed for files of gammajax 0.1.0, which hold none, and as the
        architecture of networks. Raises `FileFormatError` if the parameters differ.
        """
        node = read_tree(path, "posterior")
        given: dict[str, Any] = {} if models is None else {"models": models}
        if "timings" not in node:
            given["timings"] = {key: node.number(key) for key in ("compile", "run", "total")}
        found = from_node(cls, node, models, given)
        check_shape(path, "samples", found.samples, (None, None, len(found.paths)))
        for name, array in found.stats.items():
            check_shape(path, f"stats/{name}", array, found.samples.shape[:2])
        check_paths(path, found.paths, found.models)
        return found
