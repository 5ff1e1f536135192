"""Responses of GADF DL3 files (AEFF_2D, EDISP_2D, PSF_TABLE, PSF_3GAUSS, RAD_MAX_2D) as plain numpy.

Every response is one `Response`: named axes, value tables in the axis order `energy, offset, migra | rad`,
the few keywords that matter. Conventions: GADF v0.2/v0.3 "IRFs"; where files deviate, as Gammapy 2.1 reads
them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

from gammajax.errors import FileFormatError
from gammajax.io.fits import column, column_index, find_hdu, hdu_classes, number, open_fits


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
    """A response table as read: axes by name, values by column, in canonical units (TeV, deg, cm2, sr-1)."""

    kind: str
    axes: Mapping[str, GridAxis]
    values: Mapping[str, np.ndarray]
    is_pointlike: bool = False
    lo_thres: float = np.nan
    hi_thres: float = np.nan
    rad_max: float = np.nan
    source: str = ""


@dataclass(frozen=True)
class _Format:
    """What the format prescribes: axes as stored in numpy (slowest first), value columns (unit, default)."""

    axes: tuple[str, ...]
    values: Mapping[str, tuple[str, str]]
    extnames: tuple[str, ...]
    order: tuple[str, ...] = field(default=())


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
    "rad_max_2d": _Format(
        ("THETA", "ENERG"), {"RAD_MAX": ("deg", "deg")}, ("RAD_MAX", "RAD_MAX_2D"), ("ENERG", "THETA")
    ),
}

_AXES = {
    "ENERG": ("energy", "TeV", True),
    "THETA": ("offset", "deg", False),
    "MIGRA": ("migra", "", False),
    "RAD": ("rad", "deg", False),
}

KINDS = tuple(_FORMATS)
"""The kinds of response that can be read, as the index tables spell them (HDU_CLASS)."""


def read_response(path: str | Path, kind: str, hdu: str | None = None) -> Response:
    """Read one response of a file.

    `kind` is one of `KINDS`; `hdu` an HDU name, by default the HDU is found by its HDUCLAS keywords, EXTNAME
    or columns. Raises `MissingFile`, or `FileFormatError` naming the file, HDU and column at fault.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        return response_from_hdus(hdus, path, kind, hdu)


def response_from_hdus(hdus: fits.HDUList, path: Path, kind: str, hdu: str | None = None) -> Response:
    """As `read_response`, from a file that is open already."""
    kind = kind.strip().lower()
    if kind not in _FORMATS:
        raise FileFormatError(f"{path}[{hdu or ''}]: {kind!r} is not readable here; choose from {', '.join(KINDS)}")
    form = _FORMATS[kind]
    table = find_hdu(hdus, path, name=hdu, classes=[kind], names=form.extnames, columns=["THETA_LO", *form.values])
    if len(table.data) != 1:
        raise FileFormatError(f"{path}[{table.name}] has {len(table.data)} rows; a response table has exactly one")
    axes = {prefix: _axis(table, path, prefix) for prefix in form.axes}
    values = {
        name: _values(table, path, name, axes, form, unit, default) for name, (unit, default) in form.values.items()
    }
    return Response(
        kind=kind,
        axes={_AXES[prefix][0]: axes[prefix] for prefix in form.order},
        values=values,
        is_pointlike=hdu_classes(table)[2] == "POINT-LIKE",
        lo_thres=number(table.header, "LO_THRES"),
        hi_thres=number(table.header, "HI_THRES"),
        rad_max=number(table.header, "RAD_MAX"),
        source=f"{path}[{table.name}]",
    )


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
    if not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0):
        raise FileFormatError(f"{where} does not increase: {edges}")
    if log and edges[0] <= 0:
        raise FileFormatError(f"{where}: energies must be positive, got {edges[0]} TeV")
    return GridAxis.from_points(edges, log) if as_nodes else GridAxis.from_edges(edges, log)


def _values(
    table: fits.BinTableHDU,
    path: Path,
    name: str,
    axes: Mapping[str, GridAxis],
    form: _Format,
    unit: str,
    default: str,
) -> np.ndarray:
    """The value table with axes in the order of `form.order`; NaN and infinite cells are empty, that is 0."""
    data = column(table, path, name, unit=unit, default=default)[0]
    stored = _stored_order(table, name, form.axes)
    lengths = {prefix: axis.points.size for prefix, axis in axes.items()}
    for order in (stored, form.axes):
        shape = tuple(lengths[prefix] for prefix in order)
        if data.shape == shape or (np.ndim(data) <= 1 and data.size == np.prod(shape)):
            data = np.transpose(data.reshape(shape), [order.index(prefix) for prefix in form.order])
            return np.ascontiguousarray(np.where(np.isfinite(data), data, 0.0))
    raise FileFormatError(
        f"{path}[{table.name}] column {name} has the shape {data.shape}; "
        f"its axes have {', '.join(f'{k} {n}' for k, n in lengths.items())}"
    )


def _stored_order(table: fits.BinTableHDU, name: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    """The axis order, slowest first, that the CREF keyword of a column states; `usual` where it says nothing.

    CREF lists the fastest axis first, as in '(ENERG_LO:ENERG_HI,THETA_LO:THETA_HI)'.
    """
    index = column_index(table, name)
    stated = str(table.header.get(f"CREF{(index or 0) + 1}", ""))
    order = tuple(p.replace("ETRUE", "ENERG") for p in re.findall(r"(\w+)_LO", stated.upper()))[::-1]
    return order if sorted(order) == sorted(usual) else usual
