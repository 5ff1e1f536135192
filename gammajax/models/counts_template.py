"""Predicted counts given by a map."""

from pathlib import Path
from typing import Any, Self

import equinox as eqx
import numpy as np
from astropy import units as u

from gammajax._typing import Array, Float
from gammajax.errors import ModelError
from gammajax.geom.grid import SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import SkyMap
from gammajax.io.maps import read_map, write_map
from gammajax.models.nuisance import Nuisance
from gammajax.models.spectral import PowerLawNorm, SpectralModel, evaluate
from gammajax.params.field import table
from gammajax.units import unit_of


class TemplateNPred(Nuisance):
    """A map of predicted counts over reconstructed energy, scaled by a norm spectrum: `counts spectral(E)`.

    E is the centre of a bin of energy. The counts are added to those of the sources and the background of a cube with
    the same bins, on the same pixels or some of them; no response is applied. `read` takes a FITS map.

    >>> from gammajax.geom.grid import SkyGrid
    >>> axis = MapAxis.from_edges("energy", [1.0, 10.0], "TeV", "log")
    >>> content = SkyMap(np.ones((1, 2, 2)), (axis,), SkyGrid.create(npix=(2, 2)))
    >>> float(TemplateNPred(content, PowerLawNorm(norm=2.0)).expected().sum())
    8.0
    """

    tag = ("TemplateNPredModel",)
    spectral: SpectralModel
    counts: Float[Array, "energy lat lon"] = table()
    energy: Float[Array, "edge"] = table(unit="TeV")
    """Edges of the bins."""
    centers: Float[Array, "energy"] = table(unit="TeV")
    interp: str = eqx.field(static=True, default="log")
    header: str = eqx.field(static=True, default="")
    filename: str = eqx.field(static=True, default="")

    def __init__(
        self,
        content: SkyMap,
        spectral: SpectralModel | None = None,
        *,
        datasets_names: Any = None,
        filename: str | Path = "",
    ):
        where = str(filename) or "TemplateNPred"
        spectral = PowerLawNorm() if spectral is None else spectral
        if not isinstance(spectral, SpectralModel) or spectral.unit:
            raise ModelError(
                f"{where}: counts are scaled by a spectral model without unit, such as PowerLawNorm, got "
                f"{type(spectral).__name__}"
            )
        axis = _energy_axis(content, where)
        given: dict[str, Any] = {"counts": content.values, "energy": axis.edges, "centers": axis.centers}
        for name, value in given.items():
            setattr(self, name, value)
        self.spectral, self.datasets_names, self.interp = spectral, datasets_names, axis.interp
        self.header = "" if content.grid is None else content.grid.to_text()
        self.filename = str(filename)

    @classmethod
    def read(cls, path: str | Path, spectral: SpectralModel | None = None, *, datasets_names: Any = None) -> Self:
        """Read a FITS map of counts. Raises `MissingFile`, `FileFormatError`."""
        return cls(read_map(path), spectral, datasets_names=datasets_names, filename=path)

    @property
    def factors(self) -> Float[Array, "energy"]:
        """Factor on the counts of each bin of energy."""
        return evaluate(self.spectral, self.centers)

    def expected(self) -> Float[Array, "energy lat lon"]:
        """The counts in each bin."""
        return self.counts * self.factors[:, None, None]

    @property
    def map(self) -> SkyMap:
        """The counts before scaling, with their pixels."""
        axis = MapAxis("energy", np.asarray(self.energy), "TeV", self.interp, "edges")  # type: ignore[arg-type]
        return SkyMap(np.asarray(self.counts), (axis,), self.grid)

    @property
    def grid(self) -> SkyGrid:
        """The pixels of the counts."""
        return SkyGrid.from_text(self.header, self.filename or "TemplateNPred")

    def write(self, path: str | Path) -> Path:
        """Write the map as FITS, so that `read` and Gammapy read it; returns the path."""
        return write_map(self.map, path)


def _energy_axis(content: Any, where: str) -> MapAxis:
    """The axis of reconstructed energy. Raises `ModelError` for what is no map of counts."""
    if not isinstance(content, SkyMap) or content.grid is None:
        raise ModelError(f"{where}: a SkyMap with pixels is needed, got {type(content).__name__}; read() takes files")
    named = [axis.name for axis in content.axes]
    if named != ["energy"] or content.axes[0].kind != "edges":
        raise ModelError(f"{where}: counts stand over bins of energy; the map has {', '.join(named) or 'no axes'}")
    if not unit_of(content.unit).is_equivalent(u.one):
        raise ModelError(f"{where}: counts have no unit, the map is in {content.unit}")
    if not np.all(np.isfinite(content.values)) or np.any(content.values < 0):
        raise ModelError(f"{where}: counts must be finite and not negative; mend the map first")
    return content.axes[0]
