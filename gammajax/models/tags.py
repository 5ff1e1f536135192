"""Names of classes in files: spectral models and priors, found among all subclasses.

No table of spectral models needs to be kept; a class written in a notebook goes by its own name.
"""

from typing import Any, TypeVar

from gammajax.models.background import FoVGradient
from gammajax.models.component import tags_of
from gammajax.models.nuisance import Nuisance
from gammajax.models.spatial import SpatialModel
from gammajax.models.spectral import SpectralModel
from gammajax.params.joint import Share
from gammajax.params.priors import GeneralizedGaussian, LogNormal, LogUniform, Normal, Prior, Tempered, Uniform

T = TypeVar("T")

GAMMAPY_PRIORS: dict[str, tuple[type[Prior], tuple[str, ...]]] = {
    "GaussianPrior": (Normal, ("mu", "sigma")),
    "UniformPrior": (Uniform, ("min", "max")),
    "LogUniformPrior": (LogUniform, ("min", "max")),
    "GeneralizedGaussianPrior": (GeneralizedGaussian, ("mu", "sigma", "eta")),
}
"""Gammapy's names of the priors and of their numbers, in the order of our fields."""

PRIOR_DEFAULTS = {
    "GaussianPrior": {"mu": 0.0, "sigma": 1.0},
    "UniformPrior": {"min": 0.0, "max": 1.0},
    "LogUniformPrior": {"min": 1e-14, "max": 1e-10},
    "GeneralizedGaussianPrior": {"mu": 0.0, "sigma": 1.0, "eta": 0.5},
}
"""Numbers of Gammapy's priors where a file does not give them."""

_OURS: dict[str, tuple[type[Prior], tuple[str, ...]]] = {"LogNormalPrior": (LogNormal, ("median", "sigma"))}


def spectral_models() -> dict[str, type[SpectralModel]]:
    """All spectral models by tag; a class without tags by its own name."""
    return {tag: cls for cls in _defining(SpectralModel, "dnde") for tag in tags_of(cls)}


def spatial_models() -> dict[str, type[Any]]:
    """All spatial models by tag, and the gradient of a background, which stands in their place."""
    models = [*_defining(SpatialModel, "brightness"), FoVGradient]
    return {tag: cls for cls in models for tag in tags_of(cls)}


def nuisances() -> dict[str, type[Nuisance]]:
    """All nuisance models by tag; a class without tags by its own name."""
    return {tag: cls for cls in _subclasses(Nuisance) for tag in tags_of(cls)}


def priors() -> dict[str, tuple[type[Prior], tuple[str, ...]]]:
    """All priors by their names in files, with the names of their numbers in the order of their fields."""
    named: dict[str, Any] = GAMMAPY_PRIORS | _OURS
    # A weight is an entry of the prior that it tempers.
    known = {Tempered, Share, *(cls for cls, _ in named.values())}
    own = {cls.__name__: (cls, tuple(cls.__dataclass_fields__)) for cls in _subclasses(Prior) if cls not in known}
    return own | named


def _defining(base: type[T], method: str) -> list[type[T]]:
    """The subclasses that say what the base leaves open; the others are bases themselves."""
    return [cls for cls in _subclasses(base) if getattr(cls, method) is not getattr(base, method)]


def _subclasses(base: type[T]) -> list[type[T]]:
    """All subclasses, those of one parent in the order of their definition: of two with one name the later one counts.

    A notebook cell that defines a class and is run again leaves the old class behind.
    """
    found = []
    for cls in base.__subclasses__():
        found += [cls, *_subclasses(cls)]
    return found
