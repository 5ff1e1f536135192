"""DL4 cubes: binned counts on a grid of the sky with everything needed to predict them."""

from collections.abc import Mapping
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from gammajax._typing import Array, Bool, Edges, Float, Scalar
from gammajax.datasets.spectrum import Provenance, _checked, _edges, _float, _hours, _runs, _sum
from gammajax.errors import DatasetError
from gammajax.geom.grid import SkyGrid
from gammajax.io.map_dataset import EdispMap, PsfMap
from gammajax.tables import Shown, edges_text, on_host, range_text
from gammajax.units import EXPOSURE, to_value

Cube = Float[Array, "energy lat lon"]


class MapDataset(Shown, eqx.Module):
    """Counts on a grid of the sky against a known background (Cash statistic).

    Per true-energy bin the flux of a source times `exposure` is spread by the PSF; the dispersion takes it to
    reconstructed energies; `background` is added. A PSF over reconstructed energy acts after the dispersion.

    `energy` and `energy_true` are bin edges [TeV]; `exposure` [cm2 s] at the pixels of `grid`; a bin takes part where
    both masks are True. Without `edisp` energies are as measured; without `psf` so are directions.
    """

    energy: Edges
    energy_true: Edges
    counts: Cube
    background: Cube
    exposure: Float[Array, "energy_true lat lon"]
    mask_safe: Bool[Array, "energy lat lon"]
    mask_fit: Bool[Array, "energy lat lon"]
    livetime: Scalar
    psf: PsfMap | None = eqx.field(static=True)
    edisp: EdispMap | None = eqx.field(static=True)
    grid: SkyGrid = eqx.field(static=True)
    name: str = eqx.field(static=True)
    provenance: Provenance = eqx.field(static=True)

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
        self.name, self.grid, self.provenance = name, grid, provenance
        energy, energy_true = _edges(name, "energy", energy), _edges(name, "energy_true", energy_true)
        shape = (len(energy) - 1, *grid.shape)
        self.energy, self.energy_true = _float(energy), _float(energy_true)
        self.counts = _checked(name, "counts", np.zeros(shape) if counts is None else counts, *shape)
        self.background = _checked(name, "background", np.zeros(shape) if background is None else background, *shape)
        self.exposure = _checked(name, "exposure", exposure, len(energy_true) - 1, *grid.shape, unit=EXPOSURE)
        self.mask_safe, self.mask_fit = (
            _cube_mask(name, field, x, shape) for field, x in (("mask_safe", mask_safe), ("mask_fit", mask_fit))
        )
        if edisp is None and not np.array_equal(energy, energy_true):
            raise DatasetError(f"{name}: edisp may be left out only if energy and energy_true are the same axis")
        if edisp is not None and not edisp.kernel:
            raise DatasetError(f"{name}: edisp must be a kernel over energy, not a table over migra: reduce it first")
        wanted = (len(energy_true) - 1, len(energy) - 1)
        if edisp is not None and edisp.values.shape[:2] != wanted:
            raise DatasetError(f"{name}: edisp has shape {edisp.values.shape[:2]}, its axes ask for {wanted}")
        self.psf, self.edisp = psf, edisp
        self.livetime = _float(to_value(livetime, "s", f"{name}: livetime"))

    def _title(self) -> str:
        return f"MapDataset {self.name}"

    def _about(self) -> Mapping[str, str]:
        parts = {"PSF": self.psf, "energy dispersion": self.edisp}
        missing = [name for name, part in parts.items() if part is None]
        return {
            "energy": edges_text(self.energy, "TeV"),
            "energy_true": edges_text(self.energy_true, "TeV"),
            "grid": repr(self.grid),
            "counts": _sum(self.counts, 3),
            "background": _sum(self.background, 3),
            "in the fit": _share(self.mask_safe, self.mask_fit),
            "exposure": range_text(self.exposure, "cm2 s"),
            "without": ", ".join(missing),
            "livetime": _hours(self.livetime),
            "telescope": self.provenance.telescope,
            "runs": _runs(self.provenance.obs_ids),
        }

    @property
    def mask(self) -> Bool[Array, "energy lat lon"]:
        """Bins that take part in the likelihood: `mask_safe` and `mask_fit`."""
        return self.mask_safe & self.mask_fit

    @property
    def whole(self) -> Self:
        """The dataset with every bin in its mask."""
        everything = jnp.ones(self.mask_safe.shape, bool)
        return eqx.tree_at(lambda d: (d.mask_safe, d.mask_fit), self, (everything, everything))

    def select_energy(self, energy_min: Any, energy_max: Any) -> Self:
        """The dataset with `mask_fit` set to the whole energy bins inside [energy_min, energy_max]."""
        low = to_value(energy_min, "TeV", f"{self.name}: energy_min")
        high = to_value(energy_max, "TeV", f"{self.name}: energy_max")
        if not low < high:
            raise DatasetError(f"{self.name}: energy_min = {low:g} TeV is not below energy_max = {high:g} TeV")
        edges = np.asarray(self.energy)
        inside = (edges[:-1] >= low * (1 - 1e-6)) & (edges[1:] <= high * (1 + 1e-6))
        mask = np.broadcast_to(inside[:, None, None], self.mask_fit.shape)
        return eqx.tree_at(lambda d: d.mask_fit, self, jnp.asarray(mask))

    def with_observed(self, counts: ArrayLike) -> Self:
        """The dataset with other counts."""
        return eqx.tree_at(lambda d: d.counts, self, _float(counts))


def _share(safe: Any, fit: Any) -> str:
    """How many bins take part."""
    one, other = on_host(safe), on_host(fit)
    if one is None or other is None or one.dtype != bool or other.dtype != bool:
        return ""
    used = one & other
    return f"{int(used.sum())} of {used.size} bins"


def _cube_mask(name: str, field: str, x: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    values = np.ones(shape, dtype=bool) if x is None else np.asarray(x, dtype=bool)
    if values.shape != shape:
        raise DatasetError(f"{name}: {field} has shape {values.shape}, its axes ask for {shape}")
    return jnp.asarray(values)
