"""Parametric responses of Cherenkov telescopes, as a few numbers with a meaning.

The three ready instruments are caricatures: their numbers are rounded after the publications named, so that
rates, thresholds and resolutions are roughly those of the real instruments, and the formats that they write
differ as they do in reality.
"""

from dataclasses import dataclass

import numpy as np

from gammajax._typing import Edges, Float
from gammajax.errors import ConfigError, nearest
from gammajax.geom.axes import energy_edges
from gammajax.io.dl3 import TimeReference
from gammajax.io.dl3_write import Site
from gammajax.io.irf import GridAxis

Values = Float[np.ndarray, "..."]

PSF_FORMATS = ("psf_3gauss", "psf_table")

TAIL_WIDTH = 2.5
"""Width of the tail of the PSF in units of that of its core."""


@dataclass(frozen=True)
class Instrument:
    """A telescope (array): its response in parametric form, its site, its habits, and the format it writes.

    All methods take numpy arrays (energies [TeV], offsets from the pointing [deg]) that broadcast together.
    Make variants with `dataclasses.replace(HESS, rad_max=0.1)`. Raises `ConfigError` where fields make no
    sense.

    >>> f"{float(HESS.effective_area(1.0, 0.0)):.2e} cm2"
    '1.21e+09 cm2'
    """

    name: str
    """Name of the folder in an archive, and with -like the TELESCOP keyword."""
    site: Site
    reference: TimeReference
    year: int
    """When it observes."""
    first_obs_id: int

    area: float
    """Effective area at 1 TeV, on axis, were there no threshold [cm2]."""
    threshold: float
    """Energy where the effective area has fallen to 1/e of its plateau [TeV]."""
    area_width: float
    """Gaussian width of the effective area in offset [deg]."""
    resolution: float
    """Energy resolution at high energies."""
    resolution_1tev: float
    """What grows as E^-1/2 below, at 1 TeV; added in quadrature."""
    psf_core: float
    """Width of the core of the PSF at high energies [deg]."""
    psf_1tev: float
    """What grows as E^-1/2 below, at 1 TeV [deg]; added in quadrature."""
    bkg: float
    """Background rate at 1 TeV, on axis, were there no threshold [s-1 TeV-1 sr-1]."""
    bkg_width: float
    """Gaussian width of the background in offset [deg]."""

    energy: GridAxis
    """True-energy axis of the tables; the background table has the same."""
    offset: GridAxis
    migra: GridAxis
    offset_nodes: bool = False
    """Offsets are written as nodes (LO = HI) instead of bins."""
    psf_format: str = "psf_3gauss"
    """psf_3gauss or psf_table; of no use to point-like instruments."""
    rad_max: float | None = None
    """Fixed directional cut [deg]: the responses are POINT-LIKE, with a RAD_MAX keyword."""
    rad_max_widths: float | None = None
    """Directional cut in core widths of the PSF at the reconstructed energy: POINT-LIKE, with RAD_MAX_2D."""
    lo_thres: float = np.nan
    hi_thres: float = np.nan

    bias: float = 0.3
    """Bias of the energy far below the threshold."""
    tail: float = 0.10
    """Fraction of photons in the tail of the PSF."""
    area_index: float = 0.0891
    bkg_index: float = 2.7
    wobble: float = 0.5
    """Usual distance of the pointing from the source [deg]."""
    duration: float = 1680.0
    """Usual on-time of a run [s]."""
    deadc: float = 0.94
    intervals: int = 1
    """Good time intervals per run."""

    def __post_init__(self) -> None:
        if self.psf_format not in PSF_FORMATS:
            raise ConfigError(
                f"{self.name}: there is no psf_format {self.psf_format!r}; "
                f"nearest: {nearest(self.psf_format, PSF_FORMATS)}"
            )
        if self.rad_max is not None and self.rad_max_widths is not None:
            raise ConfigError(f"{self.name}: give rad_max or rad_max_widths, not both")
        if not (0 < self.deadc <= 1 and self.intervals >= 1 and 0 <= self.tail < 1):
            raise ConfigError(
                f"{self.name}: deadc lies in 0..1 (got {self.deadc:g}), tail in 0..1 (got {self.tail:g}), "
                f"and there is at least one interval (got {self.intervals})"
            )
        if self.offset.points.size < 2:
            raise ConfigError(f"{self.name}: the offset axis needs at least two bins or nodes")

    @property
    def is_pointlike(self) -> bool:
        """True if the tables are made after a directional cut."""
        return self.rad_max is not None or self.rad_max_widths is not None

    @property
    def field_of_view(self) -> float:
        """Largest offset of an event [deg]: the outer edge of the offset axis."""
        return float(self.offset.edges[-1])

    def effective_area(self, energy: Values | float, offset: Values | float) -> Values:
        """Effective area [cm2] before any directional cut.

        A = area (E / TeV)^-area_index exp(-threshold / E) exp(-(offset / area_width)^2 / 2); the dependence
        on energy is that of Abramowski et al. 2010, MNRAS 402, 1342, appendix B.
        """
        energy = np.asarray(energy)
        fall = np.exp(-self.threshold / energy - 0.5 * (offset / self.area_width) ** 2)
        return self.area * energy**-self.area_index * fall

    def energy_resolution(self, energy: Values | float, offset: Values | float) -> Values:
        """Width of ln(E'/E): sqrt(resolution^2 + resolution_1tev^2 TeV / E) (1 + 0.02 (offset / deg)^2)."""
        width = np.sqrt(self.resolution**2 + self.resolution_1tev**2 / np.asarray(energy))
        return width * (1.0 + 0.02 * np.square(offset))

    def energy_bias(self, energy: Values | float) -> Values:
        """Mean of E'/E minus 1: bias exp(-E / threshold), since only upward fluctuations trigger there."""
        return self.bias * np.exp(-np.asarray(energy) / self.threshold)

    def psf_width(self, energy: Values | float, offset: Values | float) -> Values:
        """Gaussian width [deg] of the core of the PSF.

        sqrt(psf_core^2 + psf_1tev^2 TeV / E) (1 + 0.05 (offset / deg)^2); a fraction `tail` of the photons
        has a width that is `TAIL_WIDTH` times larger.
        """
        width = np.sqrt(self.psf_core**2 + self.psf_1tev**2 / np.asarray(energy))
        return width * (1.0 + 0.05 * np.square(offset))

    def containment(self, rad: Values | float, energy: Values | float, offset: Values | float) -> Values:
        """Fraction of photons of true `energy` within `rad` [deg] of their direction.

        (1 - tail) g(s) + tail g(TAIL_WIDTH s), with g(s) = 1 - exp(-rad^2 / (2 s^2)) and s = `psf_width`.
        """
        x = 0.5 * (rad / self.psf_width(energy, offset)) ** 2
        return -(1.0 - self.tail) * np.expm1(-x) - self.tail * np.expm1(-x / TAIL_WIDTH**2)

    def cut(self, energy: Values | float) -> Values:
        """Radius [deg] of the directional cut at *reconstructed* energy [TeV]; infinite without a cut."""
        if self.rad_max is not None:
            return np.full(np.shape(energy), self.rad_max)
        if self.rad_max_widths is None:
            return np.full(np.shape(energy), np.inf)
        # beyond 0.25 deg on and off regions would overlap at the usual wobble distances
        return np.clip(self.rad_max_widths * self.psf_width(energy, 0.0), 0.05, 0.25)

    def background_rate(self, energy: Values | float, offset: Values | float) -> Values:
        """Rate of background events [s-1 TeV-1 sr-1] per on-time, at reconstructed energy.

        B = bkg (E' / TeV)^-bkg_index exp(-threshold / E') exp(-(offset / bkg_width)^2 / 2) in the field of
        view, zero beyond.
        """
        energy, offset = np.asarray(energy), np.asarray(offset)
        fall = np.exp(-self.threshold / energy - 0.5 * (offset / self.bkg_width) ** 2)
        return np.where(offset <= self.field_of_view, self.bkg * energy**-self.bkg_index * fall, 0.0)


def _bins(edges: Edges, log: bool = False) -> GridAxis:
    return GridAxis.from_edges(np.asarray(edges), log)


HESS = Instrument(
    name="hess",
    site=Site(16.5002, -23.2717, 1835.0),
    reference=TimeReference(51910, 0.000742870370370241, "tt"),
    year=2004,
    first_obs_id=23001,
    area=2.0e9,
    threshold=0.5,
    area_width=1.6,
    resolution=0.13,
    resolution_1tev=0.06,
    psf_core=0.05,
    psf_1tev=0.03,
    bkg=200.0,
    bkg_width=1.2,
    energy=_bins(energy_edges(0.1, 150.0, per_decade=20), log=True),
    offset=GridAxis.from_points(np.linspace(0.0, 2.5, 6)),
    offset_nodes=True,
    migra=_bins(np.linspace(0.2, 5.0, 161)),
    lo_thres=0.4,
    hi_thres=100.0,
)
"""Four telescopes in the south: FULL-ENCLOSURE, PSF_3GAUSS, BKG_2D, offset nodes, threshold 0.4 TeV.

Aharonian et al. 2006, A&A 457, 899; effective area of Abramowski et al. 2010, MNRAS 402, 1342, appendix B."""

MAGIC = Instrument(
    name="magic",
    site=Site(-17.8906, 28.7619, 2200.0),
    reference=TimeReference(52706, 0.0, "utc"),
    year=2013,
    first_obs_id=5029001,
    area=9.0e8,
    threshold=0.14,
    area_width=1.1,
    resolution=0.14,
    resolution_1tev=0.05,
    psf_core=0.035,
    psf_1tev=0.02,
    bkg=100.0,
    bkg_width=1.0,
    energy=_bins(energy_edges(0.02, 60.0, per_decade=15), log=True),
    offset=_bins(np.array([0.0, 0.6, 1.2, 2.0])),
    migra=_bins(np.linspace(0.0, 3.0, 121)),
    rad_max=float(np.sqrt(0.02)),
    lo_thres=0.08,
    hi_thres=30.0,
    wobble=0.4,
    duration=1200.0,
    deadc=0.98,
    intervals=2,
)
"""A pair of telescopes in the north: POINT-LIKE, fixed RAD_MAX, offset bins, UTC, threshold 80 GeV.

Aleksic et al. 2016, Astropart. Phys. 72, 76."""

LST = Instrument(
    name="lst",
    site=Site(-17.8915, 28.7616, 2200.0),
    reference=TimeReference(51544, 0.5, "tt"),
    year=2022,
    first_obs_id=20221201001,
    area=8.0e8,
    threshold=0.06,
    area_width=1.3,
    resolution=0.17,
    resolution_1tev=0.05,
    psf_core=0.06,
    psf_1tev=0.03,
    bkg=45.0,
    bkg_width=1.1,
    energy=_bins(energy_edges(0.01, 30.0, per_decade=15), log=True),
    offset=_bins(np.array([0.0, 0.8, 1.6, 2.2])),
    migra=_bins(np.geomspace(0.1, 10.0, 141)),
    rad_max_widths=1.5,
    # a wide tail would reach the off regions at the low energies of this telescope
    tail=0.05,
    lo_thres=0.04,
    wobble=0.4,
    duration=1200.0,
    deadc=0.95,
)
"""One large telescope: POINT-LIKE, RAD_MAX_2D, log migration bins, run numbers beyond 2^31, threshold 40 GeV.

Abe et al. 2023, ApJ 956, 80."""

INSTRUMENTS = {instrument.name: instrument for instrument in (HESS, MAGIC, LST)}
"""The ready instruments by name."""
