"""A source: what it emits, from where, and which datasets see it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
from astropy import units as u
from astropy.coordinates import SkyCoord

from gammajax.errors import ModelError, nearest
from gammajax.models.counts_template import TemplateNPred
from gammajax.models.nuisance import names
from gammajax.models.spatial import SpatialModel
from gammajax.models.spectral import SpectralModel
from gammajax.params.field import Model
from gammajax.units import DNDE


class AppliedIRF(NamedTuple):
    """Which responses are applied to a source: Gammapy's `apply_irf`."""

    exposure: bool = True
    psf: bool = True
    edisp: bool = True

    @classmethod
    def of(cls, given: Any) -> "AppliedIRF":
        """From a mapping such as `{"psf": False}`, what it does not name being applied. Raises `ModelError`."""
        if given is None or isinstance(given, cls):
            return given or cls()
        if not isinstance(given, Mapping):
            raise ModelError(f"apply_irf must be a mapping such as {{'psf': False}}, got {given!r}")
        for key, value in given.items():
            if key not in cls._fields:
                close = nearest(str(key), cls._fields) or ", ".join(cls._fields)
                raise ModelError(f"apply_irf has the unknown key {key!r}; nearest: {close}")
            if not isinstance(value, bool):
                raise ModelError(f"apply_irf.{key} must be True or False, got {value!r}")
        return cls(**given)


class SkyModel(Model):
    """A source with a spectrum and, for cubes, a shape on the sky.

    `spatial=None` is a spectrum in a region; spectra use only the spectral part of any source. `datasets_names` limits
    the source to the datasets of these names (None: all). `apply_irf` switches responses off, `{"psf": False}`; without
    exposure, the numbers of a flux [cm-2 s-1 TeV-1] count as those of counts [TeV-1].

    >>> from gammajax import GaussianSpatial, PowerLaw
    >>> crab = SkyModel(PowerLaw(index=2.6), GaussianSpatial(lon_0="83.63 deg", lat_0="22.01 deg", sigma="0.05 deg"))
    >>> crab.position.to_string()
    '83.63 22.01'
    """

    spectral: SpectralModel
    spatial: SpatialModel | None = None
    datasets_names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    apply_irf: AppliedIRF = eqx.field(static=True, default=AppliedIRF())

    def __init__(
        self,
        spectral: SpectralModel,
        spatial: SpatialModel | None = None,
        *,
        datasets_names: Any = None,
        apply_irf: Any = None,
    ):
        if not isinstance(spectral, SpectralModel):
            raise ModelError(f"SkyModel: spectral must be a spectral model, got {type(spectral).__name__}")
        if spatial is not None and not isinstance(spatial, SpatialModel):
            raise ModelError(
                f"SkyModel: spatial must be a spatial model such as PointSpatial(), got {type(spatial).__name__}"
            )
        self.apply_irf = AppliedIRF.of(apply_irf)
        _check_unit(spectral, spatial)
        self.spectral, self.spatial = spectral, spatial
        self.datasets_names = names(datasets_names)

    @property
    def position(self) -> SkyCoord | None:
        """The centre of the spatial model; None without one, or if it has no centre."""
        return None if self.spatial is None else self.spatial.position


def _check_unit(spectral: SpectralModel, spatial: SpatialModel | None) -> None:
    """Raise `ModelError` if spectrum times brightness is no differential flux (per solid angle)."""
    kind = type(spectral).__name__
    if spatial is None:
        if spectral.unit == "":
            raise ModelError(f"SkyModel: {kind} has no unit: multiply it with the flux of a source")
        return
    found, wanted = u.Unit(spectral.unit) * u.Unit(spatial.unit), u.Unit(DNDE) / u.sr
    if not found.is_equivalent(wanted):
        raise ModelError(
            f"SkyModel: {kind} times {type(spatial).__name__} is in {found}, and should be in {wanted}: one of the two "
            "carries the flux, the other is a factor"
        )


def needs_map(model: Model) -> str:
    """Why a model predicts nothing for the spectrum of a region, as text; "" if it does."""
    if isinstance(model, TemplateNPred):
        return "is a map of counts, which spectra do not use"
    if not isinstance(model, SkyModel):
        return ""
    without = [name for name in ("exposure", "edisp") if not getattr(model.apply_irf, name)]
    if without:
        return f"is predicted without {' and '.join(without)} (apply_irf), which spectra do not support"
    if model.spatial is not None and not (model.spectral.unit and model.spatial.normalized):
        return f"has its flux in its map ({type(model.spatial).__name__}), which spectra do not use"
    return ""
