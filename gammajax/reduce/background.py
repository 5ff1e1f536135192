"""Background counts of a region from the background response."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.data import Observation
from gammajax.errors import ConfigError
from gammajax.geom.regions import Circle
from gammajax.geom.shapes import Region
from gammajax.numeric.sphere import position_angle, separation

Place = Float[np.ndarray, "*n"]


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
        on-time, not the livetime (GADF: the background rate is not corrected for dead time). Raises `ConfigError` for
        a run without background response.
        """
        if isinstance(on, Circle) and on.radius is None:
            raise ConfigError("a background from the response needs an on region with a radius")
        bkg = observation.bkg
        if bkg is None:
            raise ConfigError("the run has no background response (BKG): take off regions instead")
        ra, dec, weights = (*on.center, 1.0) if use_region_center else on.nodes()
        lon, lat = fov_coordinates(np.atleast_1d(ra), np.atleast_1d(dec), observation.pointing_radec, bkg.alignment)
        rate = np.asarray(bkg.integrate(energy, lon, lat, exact=self.exact))
        return np.atleast_1d(weights) @ rate * on.solid_angle * observation.gti.time_sum


def fov_coordinates(ra: Place, dec: Place, pointing: tuple[float, float], alignment: str) -> tuple[Place, Place]:
    """Field-of-view longitude and latitude [deg] of directions (ra, dec) [deg], in the axes of a response.

    fov_lat runs north; fov_lon runs towards smaller right ascension ("RADEC"), or with it ("REVERSE_LON_RADEC").
    Raises `ConfigError` for a response that is aligned with the horizon. Source: GADF "Field of view coordinates".

    >>> lon, lat = fov_coordinates(np.array([11.0]), np.array([0.0]), (10.0, 0.0), "RADEC")
    >>> lon.round(9).tolist(), (abs(lat) < 1e-9).tolist()
    ([-1.0], [True])
    """
    if alignment not in ("RADEC", "REVERSE_LON_RADEC"):
        raise ConfigError(
            f"the background response is aligned with {alignment}: only RADEC can be reduced without the telescope's "
            "place and the time; take off regions instead"
        )
    distance = np.radians(separation(*pointing, ra, dec))
    angle = np.radians(position_angle(*pointing, ra, dec))
    east = np.degrees(np.arctan2(np.sin(distance) * np.sin(angle), np.cos(distance)))
    north = np.degrees(np.arcsin(np.sin(distance) * np.cos(angle)))
    return (east if alignment == "REVERSE_LON_RADEC" else -east), north


def as_background(given: Any) -> Any:
    """What a person passes as background: "irf" becomes `IRFBackground()`, "reflected" the off regions' default."""
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
