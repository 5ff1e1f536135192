"""Responses of GADF DL3 files (AEFF_2D, EDISP_2D, PSF_*, BKG_*, RAD_MAX_2D) as plain numpy.

Every response is one `Response`: named axes, value tables in the axis order `energy, offset, migra | rad` (BKG_3D:
`energy, fov_lon, fov_lat`), the few keywords that matter. Conventions: GADF v0.2/v0.3 "IRFs"; where files deviate, as
Gammapy 2.1 reads them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

from gammajax.errors import FileFormatError
from gammajax.io.fits import column, column_index, find_hdu, hdu_classes, number, open_fits, text


@dataclass(frozen=True)
class GridAxis:
    """One axis of a response: `points` where the values stand, `edges` of the bins around them (one more)."""

    points: np.ndarray
    edges: np.ndarray

    @classmethod
    def from_edges(cls, edges: np.ndarray, log: bool = False) -> "GridAxis":
        """Bins: values stand at the centres, geometric ones where `log`.

        >>> GridAxis.from_edges(np.array([1.0, 100.0]), log=True).points.tolist()
        [10.0]
        """
        edges = np.asarray(edges, dtype=np.float64)
        middle = np.sqrt(edges[1:] * edges[:-1]) if log else 0.5 * (edges[1:] + edges[:-1])
        return cls(middle, edges)

    @classmethod
    def from_points(cls, points: np.ndarray, log: bool = False) -> "GridAxis":
        """Nodes: edges lie half-way, and as far outside the outermost; one node alone spans everything.

        >>> GridAxis.from_points(np.array([0.0, 0.5, 1.0])).edges.tolist()
        [-0.25, 0.25, 0.75, 1.25]
        """
        points = np.asarray(points, dtype=np.float64)
        if points.size == 1:
            return cls(points, np.array([0.0 if log else -np.inf, np.inf]))
        x = np.log(points) if log else points
        middle = 0.5 * (x[1:] + x[:-1])
        edges = np.concatenate([[1.5 * x[0] - 0.5 * x[1]], middle, [1.5 * x[-1] - 0.5 * x[-2]]])
        return cls(points, np.exp(edges) if log else edges)


@dataclass(frozen=True)
class Response:
    """A response table as read: axes by name, values by column, in canonical units (TeV, deg, cm2, sr-1).

    `alignment` of the field of view of a background: RADEC or ALTAZ (FOVALIGN, RADEC where the file is silent).
    """

    kind: str
    axes: Mapping[str, GridAxis]
    values: Mapping[str, np.ndarray]
    is_pointlike: bool = False
    lo_thres: float = np.nan
    hi_thres: float = np.nan
    rad_max: float = np.nan
    source: str = ""
    alignment: str = "RADEC"


@dataclass(frozen=True)
class _Format:
    """What the format prescribes: axes as stored in numpy (slowest first), value columns (unit, default).

    `order` is the axis order given back; `classes` are spellings of HDUCLAS beside the name of the format,
    `aliases` other names of value columns, `also` axis orders of real files that deviate.
    """

    axes: tuple[str, ...]
    values: Mapping[str, tuple[str, str]]
    extnames: tuple[str, ...]
    order: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    also: tuple[tuple[str, ...], ...] = ()


_RATE = ("s-1 TeV-1 sr-1", "s-1 MeV-1 sr-1")
_BKG = {"values": {"BKG": _RATE}, "extnames": ("BKG", "BACKGROUND"), "aliases": {"BKG": "BGD"}}


_FORMATS = {
    "aeff_2d": _Format(("THETA", "ENERG"), {"EFFAREA": ("cm2", "m2")}, ("AEFF", "EFFECTIVE AREA"), ("ENERG", "THETA")),
    "edisp_2d": _Format(
        ("THETA", "MIGRA", "ENERG"),
        {"MATRIX": ("", "")},
        ("EDISP", "ENERGY DISPERSION"),
        ("ENERG", "THETA", "MIGRA"),
    ),
    "psf_table": _Format(
        ("RAD", "THETA", "ENERG"),
        {"RPSF": ("sr-1", "sr-1")},
        ("PSF", "RPSF", "POINT SPREAD FUNCTION"),
        ("ENERG", "THETA", "RAD"),
    ),
    "psf_3gauss": _Format(
        ("THETA", "ENERG"),
        {name: ("deg", "deg") for name in ("SIGMA_1", "SIGMA_2", "SIGMA_3")}
        | {name: ("", "") for name in ("AMPL_2", "AMPL_3")},
        ("PSF", "POINT SPREAD FUNCTION"),
        ("ENERG", "THETA"),
    ),
    "psf_king": _Format(
        ("THETA", "ENERG"),
        {"GAMMA": ("", ""), "SIGMA": ("deg", "deg")},
        ("PSF", "PSF_2D_KING", "POINT SPREAD FUNCTION"),
        ("ENERG", "THETA"),
        classes=("psf_2d_king",),
    ),
    # the tables of H.E.S.S. and CTA-1DC have the energy slowest
    "bkg_2d": _Format(("THETA", "ENERG"), order=("ENERG", "THETA"), also=(("ENERG", "THETA"),), **_BKG),
    "bkg_3d": _Format(
        ("DETY", "DETX", "ENERG"), order=("ENERG", "DETX", "DETY"), also=(("ENERG", "DETX", "DETY"),), **_BKG
    ),
    "rad_max_2d": _Format(
        ("THETA", "ENERG"), {"RAD_MAX": ("deg", "deg")}, ("RAD_MAX", "RAD_MAX_2D"), ("ENERG", "THETA")
    ),
}

_AXES = {
    "ENERG": ("energy", "TeV", True),
    "THETA": ("offset", "deg", False),
    "MIGRA": ("migra", "", False),
    "RAD": ("rad", "deg", False),
    "DETX": ("fov_lon", "deg", False),
    "DETY": ("fov_lat", "deg", False),
}

KINDS = tuple(_FORMATS)
"""The kinds of response that can be read, as the index tables spell them (HDU_CLASS)."""


def read_response(
    path: str | Path, kind: str, hdu: str | None = None, axis_order: Sequence[str] | None = None
) -> Response:
    """Read one response of a file.

    `kind` is one of `KINDS`; `hdu` an HDU name, by default the HDU is found by its HDUCLAS keywords, EXTNAME
    or columns. `axis_order` names the axes as stored, slowest first, such as ("energy", "fov_lat", "fov_lon"), for
    files whose order cannot be told: by default that of the CREF keyword, else that of the format, else one known
    from real files that fits the shape. Raises `MissingFile`, or `FileFormatError` naming the file, HDU and
    column at fault.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        return response_from_hdus(hdus, path, kind, hdu, axis_order)


def response_from_hdus(
    hdus: fits.HDUList, path: Path, kind: str, hdu: str | None = None, axis_order: Sequence[str] | None = None
) -> Response:
    """As `read_response`, from a file that is open already."""
    kind = kind.strip().lower()
    if kind not in _FORMATS:
        raise FileFormatError(f"{path}[{hdu or ''}]: {kind!r} is not readable here; choose from {', '.join(KINDS)}")
    form = _FORMATS[kind]
    required = [f"{prefix}_LO" for prefix in form.axes if prefix != "ENERG"]
    table = find_hdu(
        hdus, path, name=hdu, classes=[kind, *form.classes], names=form.extnames, columns=[*required, *form.values]
    )
    if len(table.data) != 1:
        raise FileFormatError(f"{path}[{table.name}] has {len(table.data)} rows; a response table has exactly one")
    axes = {prefix: _axis(table, path, prefix) for prefix in form.axes}
    values = {
        name: _values(table, path, name, axes, form, axis_order, unit, default)
        for name, (unit, default) in form.values.items()
    }
    alignment = text(table.header, "FOVALIGN", "RADEC").upper() if kind.startswith("bkg") else "RADEC"
    if alignment not in ("RADEC", "ALTAZ"):
        raise FileFormatError(f"{path}[{table.name}]: FOVALIGN is {alignment!r}; choose from RADEC, ALTAZ")
    return Response(
        kind=kind,
        axes={_AXES[prefix][0]: axes[prefix] for prefix in form.order},
        values=values,
        is_pointlike=hdu_classes(table)[2] == "POINT-LIKE",
        lo_thres=number(table.header, "LO_THRES"),
        hi_thres=number(table.header, "HI_THRES"),
        rad_max=number(table.header, "RAD_MAX"),
        source=f"{path}[{table.name}]",
        alignment=alignment,
    )


def response_kind(hdu: fits.BinTableHDU) -> str:
    """The kind of response of a table without HDUCLAS4, told by its columns; '' for anything else."""
    for kind, form in _FORMATS.items():
        columns = [f"{prefix}_LO" for prefix in form.axes if prefix != "ENERG"]
        named = all(column_index(hdu, name, form.aliases.get(name, name)) is not None for name in form.values)
        if named and all(column_index(hdu, name) is not None for name in columns):
            return kind
    return ""


def _axis(table: fits.BinTableHDU, path: Path, prefix: str) -> GridAxis:
    """Axis from NAME_LO, NAME_HI: nodes where both agree everywhere, else bins with edges LO + last HI."""
    _, unit, log = _AXES[prefix]
    # the true-energy axis of EDISP is called ETRUE in older files
    names = ("ENERG", "ETRUE") if prefix == "ENERG" else (prefix,)
    low, high = (np.ravel(column(table, path, *[f"{n}_{end}" for n in names], unit=unit)) for end in ("LO", "HI"))
    where = f"{path}[{table.name}] axis {prefix}"
    if low.size != high.size or low.size == 0:
        raise FileFormatError(f"{where}: {low.size} lower and {high.size} upper edges")
    as_nodes = np.allclose(low, high)
    edges = high if as_nodes else np.append(low, high[-1])
    if not np.all(np.isfinite([low, high])):
        raise FileFormatError(f"{where} must be finite: {_listed(edges)}")
    if np.any(np.diff(edges) <= 0) or np.any(high < low):
        raise FileFormatError(f"{where} does not increase: {_listed(edges)}")
    if log and edges[0] <= 0:
        raise FileFormatError(f"{where}: energies must be positive, got {edges[0]} TeV")
    if not as_nodes and np.any(gaps := np.abs(high[:-1] - low[1:]) > _GAP * np.diff(low)):
        i = int(np.flatnonzero(gaps)[0])
        raise FileFormatError(
            f"{where} has a gap or an overlap: bin {i} ends at {high[i]:g} {unit}, the next begins at {low[i + 1]:g}"
        )
    return GridAxis.from_points(edges, log) if as_nodes else GridAxis.from_edges(edges, log)


_GAP = 1e-2
"""How far bins may be from touching, in units of their width."""


def _listed(edges: np.ndarray) -> str:
    shown = [f"{x:.4g}" for x in edges]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", *shown[-3:]])


def _values(
    table: fits.BinTableHDU,
    path: Path,
    name: str,
    axes: Mapping[str, GridAxis],
    form: _Format,
    axis_order: Sequence[str] | None,
    unit: str,
    default: str,
) -> np.ndarray:
    """The value table with axes in the order of `form.order`; NaN cells are empty, that is 0.

    Raises `FileFormatError` for infinite cells and negative radii; other cells below zero are met in real files.
    """
    where = f"{path}[{table.name}] column {name}"
    names = (name, form.aliases[name]) if name in form.aliases else (name,)
    data = column(table, path, *names, unit=unit, default=default)[0]
    lengths = {prefix: axis.points.size for prefix, axis in axes.items()}
    for order in _orders(table, names, form, axis_order):
        shape = tuple(lengths[prefix] for prefix in order)
        if data.shape == shape or (np.ndim(data) <= 1 and data.size == np.prod(shape)):
            data = np.transpose(data.reshape(shape), [order.index(prefix) for prefix in form.order])
            if np.any(np.isinf(data)):
                raise FileFormatError(f"{where} has {int(np.isinf(data).sum())} infinite cells of {data.size}")
            if name == "RAD_MAX" and np.any(data < 0):
                raise FileFormatError(f"{where} has {int((data < 0).sum())} negative radii of {data.size}")
            return np.ascontiguousarray(np.where(np.isfinite(data), data, 0.0))
    raise FileFormatError(
        f"{where} has the shape {data.shape}; its axes have {', '.join(f'{k} {n}' for k, n in lengths.items())}"
    )


def _orders(
    table: fits.BinTableHDU, names: Sequence[str], form: _Format, axis_order: Sequence[str] | None
) -> list[tuple[str, ...]]:
    """Axis orders to try for a column, slowest first; a given one is the only one.

    CREF lists the fastest axis first, as in '(ENERG_LO:ENERG_HI,THETA_LO:THETA_HI)'.
    """
    if axis_order is not None:
        prefixes = {name: prefix for prefix, (name, _, _) in _AXES.items()}
        order = tuple(prefixes.get(name, name) for name in axis_order)
        if sorted(order) != sorted(form.axes):
            wanted = ", ".join(_AXES[prefix][0] for prefix in form.axes)
            raise FileFormatError(f"axis_order must name each of {wanted} once, got {', '.join(axis_order)}")
        return [order]
    stated = str(table.header.get(f"CREF{(column_index(table, *names) or 0) + 1}", ""))
    order = tuple(p.replace("ETRUE", "ENERG") for p in re.findall(r"(\w+)_LO", stated.upper()))[::-1]
    return [*([order] if sorted(order) == sorted(form.axes) else []), form.axes, *form.also]
