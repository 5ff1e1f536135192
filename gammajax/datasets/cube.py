"""DL4 cubes: binned counts on a grid of the sky with everything needed to predict them."""

from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from gammajax._typing import Array, Bool, Edges, Float, Scalar
from gammajax.datasets import binned
from gammajax.datasets.binned import Binned, KnownBackground, OffMeasurement, Provenance
from gammajax.datasets.cube_responses import check_responses
from gammajax.datasets.cube_spectrum import on_off_spectrum_of, spectrum_of
from gammajax.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gammajax.errors import DatasetError
from gammajax.geom.grid import SkyGrid
from gammajax.io.map_dataset import EdispMap, PsfMap
from gammajax.tables import edges_text, on_host, range_text
from gammajax.units import EXPOSURE

CubeArray = Float[Array, "energy lat lon"]


class _Cube(Binned, eqx.Module):
    """What both kinds of cubes have."""

    energy: Edges
    energy_true: Edges
    counts: CubeArray
    exposure: Float[Array, "energy_true lat lon"]
    mask_safe: Bool[Array, "energy lat lon"]
    mask_fit: Bool[Array, "energy lat lon"]
    livetime: Scalar
    psf: PsfMap | None = eqx.field(static=True)
    edisp: EdispMap | None = eqx.field(static=True)
    grid: SkyGrid = eqx.field(static=True)
    name: str = eqx.field(static=True)
    provenance: Provenance = eqx.field(static=True)

    def _about(self) -> dict[str, str]:
        parts = {"PSF": self.psf, "energy dispersion": self.edisp}
        missing = [name for name, part in parts.items() if part is None]
        return {
            "energy": edges_text(self.energy, "TeV"),
            "energy_true": edges_text(self.energy_true, "TeV"),
            "grid": repr(self.grid),
            **binned.measured(self, 3),
            "in the fit": _share(self.mask_safe, self.mask_fit),
            "exposure": range_text(self.exposure, "cm2 s"),
            "without": ", ".join(missing),
            **binned.origin(self),
        }

    @property
    def whole(self) -> Self:
        """The dataset with every bin in its mask."""
        everything = jnp.ones(self.mask_safe.shape, bool)
        return eqx.tree_at(lambda d: (d.mask_safe, d.mask_fit), self, (everything, everything))


class MapDataset(KnownBackground, _Cube):
    """Counts on a grid of the sky against a known background (Cash statistic).

    Per true-energy bin the flux of a source times `exposure` is spread by the PSF; the dispersion takes it to
    reconstructed energies; `background` is added. A PSF over reconstructed energy acts after the dispersion.

    `energy` and `energy_true` are bin edges [TeV]; `exposure` [cm2 s] at the pixels of `grid`; a bin takes part where
    both masks are True. Without `edisp` energies are as measured; without `psf` so are directions.
    """

    background: CubeArray

    def __init__(
        self,
        *,
        name: str,
        grid: SkyGrid,
        energy: Any,
        energy_true: Any,
        exposure: ArrayLike,
        counts: ArrayLike | None = None,
        background: ArrayLike | None = None,
        mask_safe: ArrayLike | None = None,
        mask_fit: ArrayLike | None = None,
        psf: PsfMap | None = None,
        edisp: EdispMap | None = None,
        livetime: float = np.nan,
        provenance: Provenance = Provenance(),  # noqa: B008 - frozen
    ):
        fields = _common(name, grid, energy, energy_true, exposure, psf, edisp)
        shape = (len(fields["energy"]) - 1, *grid.shape)
        fields |= binned.counted(name, shape, counts, mask_safe, mask_fit, livetime, provenance)
        binned.assign(self, {**fields, "background": binned.zeros_or(name, "background", background, shape)})

    def to_spectrum_dataset(
        self, on_region: Any, containment_correction: bool = False, name: str | None = None
    ) -> SpectrumDataset:
        """The spectrum of a region: what `gammajax.region` takes, with an area.

        Counts and background are sums over the safe bins of the pixels whose centres lie in the region, the exposure
        is the mean over these pixels, and the dispersion is that at the centre of the region, interpolated on its
        grid. With `containment_correction` the exposure is multiplied by the share of the PSF at the centre that lies
        in the circle.

        Raises `DatasetError` if the region reaches beyond the cube or holds no pixel, if a mask cuts it, or if a
        containment correction is asked for without PSF or circle. Source: Gammapy 2.1 `MapDataset.to_spectrum_dataset`,
        which takes the dispersion of the nearest pixel.

        >>> spectrum = cube.to_spectrum_dataset("icrs;circle(83.63, 22.01, 0.2)", True)  # doctest: +SKIP
        """
        return spectrum_of(self, on_region, containment_correction, name)


class MapDatasetOnOff(OffMeasurement, _Cube):
    """Counts on a grid of the sky against off counts (WStat: background profiled bin by bin).

    `alpha = acceptance / acceptance_off` scales the off counts of a bin to its on counts, as a ring background makes
    them. An acceptance may be one number for all bins. Other fields as in `MapDataset`.
    """

    counts_off: CubeArray
    acceptance: CubeArray
    acceptance_off: CubeArray

    def __init__(
        self,
        *,
        name: str,
        grid: SkyGrid,
        energy: Any,
        energy_true: Any,
        exposure: ArrayLike,
        counts: ArrayLike | None = None,
        counts_off: ArrayLike | None = None,
        acceptance: ArrayLike = 1.0,
        acceptance_off: ArrayLike = 1.0,
        mask_safe: ArrayLike | None = None,
        mask_fit: ArrayLike | None = None,
        psf: PsfMap | None = None,
        edisp: EdispMap | None = None,
        livetime: float = np.nan,
        provenance: Provenance = Provenance(),  # noqa: B008 - frozen
    ):
        fields = _common(name, grid, energy, energy_true, exposure, psf, edisp)
        shape = (len(fields["energy"]) - 1, *grid.shape)
        fields |= binned.counted(name, shape, counts, mask_safe, mask_fit, livetime, provenance)
        binned.assign(self, {**fields, **binned.off_fields(name, shape, counts_off, acceptance, acceptance_off)})

    def to_spectrum_dataset(
        self, on_region: Any, containment_correction: bool = False, name: str | None = None
    ) -> SpectrumDatasetOnOff:
        """The on-off spectrum of a region, see `MapDataset.to_spectrum_dataset`.

        Off counts are summed as counts are; the acceptance is the mean over the region, and the off acceptance is such
        that `alpha * counts_off` is the sum of the pixels' backgrounds (without off counts: alpha is that of the summed
        acceptances, where Gammapy 2.1 has no background). Rings of neighbouring pixels hold the same events: their sum
        counts an event many times, so that the fluctuations of the background are underestimated. A spectrum reduced
        with `ReflectedRegions` has no such flaw.

        Raises as there.
        """
        return on_off_spectrum_of(self, on_region, containment_correction, name)


Cube = MapDataset | MapDatasetOnOff


def _common(name, grid, energy, energy_true, exposure, psf, edisp) -> dict[str, Any]:
    energy, energy_true = binned.edges_of(name, "energy", energy), binned.edges_of(name, "energy_true", energy_true)
    if not isinstance(grid, SkyGrid):
        raise DatasetError(f"{name}: grid must be a SkyGrid, got {type(grid).__name__}: SkyGrid.create(...) makes one")
    check_responses(name, energy, energy_true, psf, edisp)
    return {
        "grid": grid,
        "energy": binned.as_float(energy),
        "energy_true": binned.as_float(energy_true),
        "exposure": binned.checked(name, "exposure", exposure, (len(energy_true) - 1, *grid.shape), EXPOSURE),
        "psf": psf,
        "edisp": edisp,
    }


def _share(safe: Any, fit: Any) -> str:
    """How many bins take part."""
    one, other = on_host(safe), on_host(fit)
    if one is None or other is None or one.dtype != bool or other.dtype != bool:
        return ""
    used = one & other
    return f"{int(used.sum())} of {used.size} bins"
