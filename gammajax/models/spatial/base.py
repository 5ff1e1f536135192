"""What all spatial models share: brightness in many directions, position, extent, frame.

A model of one's own is one class with parameters declared by `param()` and a method `brightness(lon, lat)` for ONE
direction; nothing needs to be registered. Built-in models carry Gammapy's tags and parameter names.
"""

import inspect
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from gammajax._typing import Array, Float, Scalar
from gammajax.errors import ModelError, NotDefined
from gammajax.models.component import Component
from gammajax.units import to_value

FRAMES = ("icrs", "galactic")
SURFACE = "sr-1"


class SpatialModel(Component):
    """Base of all spatial models: define `brightness(lon, lat)` for one direction [deg] -> [sr-1].

    Directions are longitude and latitude in the model's `frame`, "icrs" or "galactic". A model whose shape depends on
    the true energy defines `brightness(lon, lat, energy)` [TeV].

    >>> class Ring(SpatialModel):                                                       # doctest: +SKIP
    ...     lon_0: Scalar = param(0.0, unit="deg")
    ...     lat_0: Scalar = param(0.0, unit="deg", lower=-90.0, upper=90.0)
    ...     radius: Scalar = param(0.5, unit="deg", lower=0.0)
    ...     def brightness(self, lon, lat):
    ...         return jnp.exp(-((separation(lon, lat, self.lon_0, self.lat_0) / self.radius - 1) ** 2))
    """

    frame: str = eqx.field(static=True, default="icrs", kw_only=True)

    def __check_init__(self) -> None:
        if self.frame not in FRAMES:
            known = " or ".join(map(repr, FRAMES))
            raise ModelError(f"{type(self).__name__}: the frame must be {known}, got {self.frame!r}")

    def brightness(self, lon: Scalar, lat: Scalar) -> Scalar:
        """Surface brightness in one direction [deg], in sr-1."""
        raise NotDefined(f"{type(self).__name__} does not define brightness(lon, lat)")

    def sampled(self, lon: Scalar, lat: Scalar, apart: Scalar) -> Scalar:
        """`brightness` for samples that are `apart` [deg]: edges between two samples are smeared over as much, so that
        sums of samples are smooth in place and size.
        """
        return self.brightness(lon, lat)

    @property
    def unit(self) -> str:
        """Unit of `brightness`."""
        return SURFACE

    @property
    def normalized(self) -> bool:
        """True if the integral over the sky is 1, so that the flux of a source is that of its spectrum."""
        return True

    @property
    def energy_dependent(self) -> bool:
        """True if `brightness` takes a true energy besides the direction."""
        return "energy" in inspect.signature(type(self).brightness).parameters

    def extent(self) -> Scalar | None:
        """Half the side [deg] of the square around `position` outside of which nothing is left, Gammapy's evaluation
        radius; None: the whole sky.
        """
        return None

    def resolution(self) -> Scalar | None:
        """Angle [deg] over which the brightness changes, Gammapy's smallest bin; None where it is smooth."""
        return None

    @property
    def position(self) -> SkyCoord | None:
        """The centre, in the frame of the model; None for models without."""
        at = self.centre
        return None if at is None else SkyCoord(*(np.asarray(x) for x in at), unit="deg", frame=self.frame)

    @property
    def centre(self) -> tuple[Scalar, Scalar] | None:
        """`lon_0` and `lat_0` [deg] in the frame of the model; None for models without."""
        lon, lat = getattr(self, "lon_0", None), getattr(self, "lat_0", None)
        return None if lon is None or lat is None else (lon, lat)

    @classmethod
    def from_position(cls, position: SkyCoord, **parameters: Any) -> Self:
        """The model at a position, in the frame of that position (ICRS, if it is neither ICRS nor galactic).

        >>> from gammajax import PointSpatial
        >>> PointSpatial.from_position(SkyCoord("0d 1d", frame="galactic")).frame
        'galactic'
        """
        at: Any = position if position.frame.name in FRAMES else position.icrs
        lon, lat = at.spherical.lon.deg, at.spherical.lat.deg
        given: dict[str, Any] = {"lon_0": lon, "lat_0": lat, "frame": at.frame.name, **parameters}
        return cls(**given)

    def __call__(self, position: SkyCoord, energy: Any = None) -> u.Quantity:
        """Surface brightness at positions of any shape and frame, with unit; for interactive use."""
        if not isinstance(position, SkyCoord):
            got = type(position).__name__
            raise ModelError(f"{type(self).__name__}: positions are a SkyCoord, got {got}; evaluate() takes numbers")
        at: Any = position.transform_to(self.frame)
        energy = None if energy is None else jnp.asarray(to_value(energy, "TeV", "energy"))
        values = evaluate(self, jnp.asarray(at.spherical.lon.deg), jnp.asarray(at.spherical.lat.deg), energy)
        return u.Quantity(np.asarray(values), self.unit)


def evaluate(
    model: SpatialModel,
    lon: Float[Array, "*shape"],
    lat: Float[Array, "*shape"],
    energy: Any = None,
    *,
    apart: Scalar | None = None,
) -> Float[Array, "*shape"]:
    """`brightness` in directions [deg] of any shape, at true energies [TeV] that broadcast against them.

    With `apart`, the distance [deg] of the directions, models that do not depend on the energy are `sampled`.
    The person writes `brightness` for one direction; the library maps it. Raises `ModelError` if it returns more than
    one number, or if the model depends on the energy and none is given.
    """
    if model.energy_dependent and energy is None:
        raise ModelError(f"{type(model).__name__} depends on the energy: give one, evaluate(model, lon, lat, energy)")
    given = (lon, lat, energy) if model.energy_dependent else (lon, lat)
    given = [jnp.asarray(x, dtype=jnp.result_type(float)) for x in given]
    # One energy stays one: it is looked up once, not for every direction.
    each = 2 if len(given) == 3 and given[2].ndim == 0 else len(given)
    given[:each] = jnp.broadcast_arrays(*given[:each])
    shape = given[0].shape
    flat = [x.reshape(-1) for x in given[:each]] + given[each:]
    at: Any = model.brightness
    if apart is not None and not model.energy_dependent:
        at = lambda lon, lat: model.sampled(lon, lat, apart)  # noqa: E731
    result = jax.eval_shape(at, *(jax.ShapeDtypeStruct((), x.dtype) for x in flat))
    if getattr(result, "shape", None) != ():
        found = f"has shape {result.shape}" if hasattr(result, "shape") else f"is a {type(result).__name__}"
        name = f"{type(model).__name__}.brightness"
        raise ModelError(f"{name} must return one number for one direction, but its result {found}")
    return jax.vmap(at, in_axes=[0] * each + [None] * (len(flat) - each))(*flat).reshape(shape)
