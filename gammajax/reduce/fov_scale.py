"""Background of the response scaled to the counts of each run, over the field of view outside of excluded sky."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Bool, Float
from gammajax.datasets.cube import MapDataset
from gammajax.errors import ConfigError, EmptyRun
from gammajax.geom.axes import centers
from gammajax.geom.mask import ExclusionMask, exclusion_mask
from gammajax.units import to_number


class BackgroundScale(NamedTuple):
    """What the background of a run was multiplied by: `norm (E / reference)^-tilt`, with standard errors."""

    norm: float
    norm_error: float
    tilt: float = 0.0
    tilt_error: float = 0.0
    reference: float = 1.0


@dataclass(frozen=True)
class FoVBackgroundScale:
    """The background of the response, scaled run by run to the counts of the field of view (Cash).

    Counts and background are those of the safe bins outside of `exclusion` (a mask, a region, DS9 text or a list of
    regions: the source). `method` "scale" gives the norm, counts over background, which is its maximum of likelihood
    (the fit of Gammapy's `FoVBackgroundMaker`, whose tilt is frozen by default, gives the same). "fit" gives norm
    and tilt, `norm (E / reference)^-tilt` at the centres of the bins, as `FoVBackground` of the models. A run with no
    more than `min_counts` counts or `min_background` background there fails by name. `exact`: see `IRFBackground`.

    >>> FoVBackgroundScale("icrs;circle(258.39, -39.76, 0.9)").method
    'scale'
    """

    exclusion: ExclusionMask | None
    method: Literal["scale", "fit"]
    reference: float
    min_counts: float
    min_background: float
    exact: bool

    def __init__(
        self,
        exclusion: Any = None,
        method: Literal["scale", "fit"] = "scale",
        *,
        reference: Any = "1 TeV",
        min_counts: float = 0,
        min_background: float = 0,
        exact: bool = False,
    ):
        if method not in ("scale", "fit"):
            raise ConfigError(f"the method of FoVBackgroundScale is 'scale' or 'fit', got {method!r}")
        energy = to_number(reference, "TeV", "reference")
        if not energy > 0:
            raise ConfigError(f"reference must be above 0 TeV, got {energy:g}")
        for name, value in {
            "exclusion": exclusion_mask(exclusion),
            "method": method,
            "reference": energy,
            "min_counts": float(min_counts),
            "min_background": float(min_background),
            "exact": bool(exact),
        }.items():
            object.__setattr__(self, name, value)

    def scaled(
        self, dataset: MapDataset, ra: Float[np.ndarray, "lat lon"], dec: Float[np.ndarray, "lat lon"]
    ) -> tuple[MapDataset, BackgroundScale]:
        """The cube with its background scaled, and the scale; (ra, dec) [deg] are the pixel centres.

        Raises `EmptyRun` where the counts or the background outside of the excluded sky are too few.
        """
        kept = np.asarray(dataset.mask_safe) & self._used(ra, dec)
        counts, background = (
            np.sum(np.asarray(x), axis=(1, 2), where=kept) for x in (dataset.counts, dataset.background)
        )
        if not counts.sum() > self.min_counts or not background.sum() > self.min_background:
            raise EmptyRun(
                f"the background cannot be scaled: {counts.sum():.0f} counts and {background.sum():.4g} background in "
                f"the safe bins outside of the excluded sky, of which more than {self.min_counts:g} and "
                f"{self.min_background:g} are needed; exclude less, or lower min_counts and min_background"
            )
        log_energy = np.log(centers(np.asarray(dataset.energy)) / self.reference)
        scale = fitted_scale(counts, background, log_energy, tilted=self.method == "fit")._replace(
            reference=self.reference
        )
        factor = scale.norm * np.exp(-scale.tilt * log_energy)
        new = jnp.asarray(np.asarray(dataset.background) * factor[:, None, None])
        return eqx.tree_at(lambda d: d.background, dataset, new), scale

    def _used(self, ra: np.ndarray, dec: np.ndarray) -> Bool[np.ndarray, "lat lon"]:
        known = np.isfinite(ra)
        if self.exclusion is not None:
            known[known] = ~self.exclusion.excluded(ra[known], dec[known])
        return known


def fitted_scale(
    counts: Float[np.ndarray, "energy"],
    background: Float[np.ndarray, "energy"],
    log_energy: Float[np.ndarray, "energy"],
    tilted: bool,
) -> BackgroundScale:
    """Norm (and tilt) of the greatest Poisson likelihood of counts per energy for `norm exp(-tilt ln E) background`.

    The likelihood of all pixels depends on the sums per energy only. ln L is concave in (ln norm, tilt); Newton's
    method from the ratio of the sums. Without a second filled bin the tilt is 0.
    """
    norm = counts.sum() / background.sum()
    used = background > 0
    if not tilted or used.sum() < 2:
        return BackgroundScale(float(norm), float(np.sqrt(counts.sum()) / background.sum()))
    n, b, x = counts[used], background[used], log_energy[used]
    design = np.stack([np.ones_like(x), -x])
    value = np.array([np.log(norm), 0.0])
    for _ in range(100):
        mu = b * np.exp(value @ design)
        hessian = (design * mu) @ design.T
        step = np.linalg.solve(hessian, design @ (n - mu))
        value = value + np.clip(step, -1.0, 1.0)
        if np.max(np.abs(step)) < 1e-12:
            break
    error = np.sqrt(np.diag(np.linalg.inv(hessian)))
    norm = float(np.exp(value[0]))
    return BackgroundScale(norm, norm * float(error[0]), float(value[1]), float(error[1]))
