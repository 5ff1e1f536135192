"""The background of a field of view: its norm, its spectral tilt, its gradient over the field."""

from typing import Any, ClassVar

from gammajax._typing import Scalar
from gammajax.errors import ModelError
from gammajax.models.nuisance import Nuisance
from gammajax.models.spatial import SpatialModel
from gammajax.models.spectral import PowerLawNorm, SpectralModel
from gammajax.params.field import Model, param


class FoVGradient(Model):
    """Gradient over the field of view, `1 + gradient_lon x + gradient_lat y`.

    x and y [deg] are offsets from the centre of the map towards increasing longitude and latitude of its frame. Gammapy
    has no such model.

    >>> float(FoVGradient(gradient_lon="0.1 deg-1").factor(2.0, 1.0))
    1.2
    """

    tag: ClassVar[tuple[str, ...]] = ("FoVGradient",)
    gradient_lon: Scalar = param(0.0, unit="deg-1", frozen=True)
    gradient_lat: Scalar = param(0.0, unit="deg-1", frozen=True)

    def factor(self, x: Scalar, y: Scalar) -> Scalar:
        """Factor on the background at one offset [deg]."""
        return 1.0 + self.gradient_lon * x + self.gradient_lat * y


class FoVBackground(Nuisance):
    """Factor on the background of a dataset: a norm spectrum, and for cubes a dependence on the direction.

    `spectral` is a spectral model without unit (default: `PowerLawNorm()`, norm and tilt); `spatial` a `FoVGradient`,
    or a spatial model whose number is the factor, such as `PiecewiseNormSpatial`. A spectrum, whose background is that
    of one region, sees the spectral part only; for on-off data it multiplies alpha.

    >>> FoVBackground(datasets_names="hess").spectral.norm.item()
    1.0
    """

    tag = ("FoVBackgroundModel", "fov-bkg")
    spectral: SpectralModel
    spatial: FoVGradient | SpatialModel | None = None

    def __init__(
        self,
        spectral: SpectralModel | None = None,
        spatial: FoVGradient | SpatialModel | None = None,
        *,
        datasets_names: Any = None,
    ):
        spectral = PowerLawNorm() if spectral is None else spectral
        if not isinstance(spectral, SpectralModel):
            raise ModelError(f"FoVBackground: spectral must be a spectral model, got {type(spectral).__name__}")
        if spectral.unit:
            raise ModelError(
                f"FoVBackground: {type(spectral).__name__} is a flux; a background is scaled by a model without unit, "
                "such as PowerLawNorm"
            )
        if spatial is not None and not isinstance(spatial, FoVGradient | SpatialModel):
            raise ModelError(
                f"FoVBackground: spatial must be FoVGradient() or a spatial model, got {type(spatial).__name__}"
            )
        if isinstance(spatial, SpatialModel):
            _check_factor(spatial)
        self.spectral, self.spatial, self.datasets_names = spectral, spatial, datasets_names

    def background(self, energy: Scalar) -> Scalar:
        return self.spectral.dnde(energy)


def _check_factor(spatial: SpatialModel) -> None:
    kind = type(spatial).__name__
    if spatial.unit:
        raise ModelError(
            f"FoVBackground: {kind} is a brightness [{spatial.unit}]; a background is scaled by a spatial model "
            "without unit, such as PiecewiseNormSpatial, or by FoVGradient()"
        )
    if spatial.energy_dependent:
        raise ModelError(
            f"FoVBackground: {kind} depends on the energy; a background takes its energies from its spectral model"
        )
