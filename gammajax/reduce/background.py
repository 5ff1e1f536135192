"""Background counts of a region from the background response, and the door for backgrounds of any kind."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.data import Observation
from gammajax.data.background import background_counts
from gammajax.errors import ConfigError
from gammajax.geom.regions import Circle
from gammajax.geom.shapes import Region


@dataclass(frozen=True)
class IRFBackground:
    """The background that the response of a run (GADF BKG_2D, BKG_3D) predicts: a known background, for Cash.

    With `exact`, energies are integrated along the interpolation rule of the response; without, with one power law
    per bin, as Gammapy does.
    """

    exact: bool = True

    def counts(
        self, observation: Observation, on: Region, energy: Edges, use_region_center: bool = True
    ) -> Float[np.ndarray, "energy"]:
        """Expected counts per energy bin, `ontime * integral dOmega integral dE B(E, place)`.

        The rate is that at the centre of the region times its solid angle, or averaged over the region. Uses the
        on-time, not the livetime (GADF: the background rate is not corrected for dead time). Raises `FileFormatError`
        for a run without background response, `ConfigError` for a region without radius.
        """
        if isinstance(on, Circle) and on.radius is None:
            raise ConfigError("a background from the response needs an on region with a radius")
        ra, dec, weights = (*on.center, 1.0) if use_region_center else on.nodes()
        sky = np.atleast_1d(weights) * on.solid_angle
        where = np.atleast_1d(ra), np.atleast_1d(dec)
        return background_counts(observation, *where, sky, energy, exact=self.exact).sum(axis=0)


def as_background(given: Any) -> Any:
    """What a person passes as background: "irf" becomes `IRFBackground()`; None and finders stay as they are.

    >>> as_background("irf")
    IRFBackground(exact=True)
    """
    if isinstance(given, str):
        if given != "irf":
            raise ConfigError(f"background is 'irf', None, or an object such as ReflectedRegions(), got {given!r}")
        return IRFBackground()
    if given is None or hasattr(given, "find") or hasattr(given, "counts"):
        return given
    raise ConfigError(
        "background is ReflectedRegions(...), WobbleRegions(...), PhaseBackground(...), 'irf' or None, "
        f"got {type(given).__name__}"
    )
