"""Maps of the sky in FITS files: images with axes (Gammapy's format `gadf`), Fermi's own cubes, region maps, HEALPix.

References: GADF "Sky maps"; FITS WCS paper II; Fermi's gtbin, gtexpcube2 and gtmodel files.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from gammajax.errors import ConfigError, FileFormatError, UnitMismatch
from gammajax.geom.grid import Frame, SkyGrid
from gammajax.geom.map_axis import MapAxis
from gammajax.geom.maps import HealpixMap, SkyMap
from gammajax.io.bands import axes_header, bands_hdu, read_bands
from gammajax.io.fits import ascii_text, column, column_index, column_names, number, open_fits, text
from gammajax.units import unit_of

_COORDSYS: dict[str, Frame] = {"GAL": "galactic", "G": "galactic", "CEL": "icrs", "C": "icrs", "EQU": "icrs"}


def read_map(path: str | Path, hdu: str | int | None = None) -> SkyMap:
    """A map from a FITS file: the HDU of a name or number, by default the first that holds one.

    Axes are in canonical units (TeV, deg, s); values keep their unit, which is `unit`, and their NaN. Fermi's cubes are
    known by their tables: EBOUNDS are energy bins, ENERGIES nodes in true energy of an exposure [cm2 s] if the file has
    a GTI, else of a flux [cm-2 s-1 MeV-1 sr-1]. Raises `MissingFile`, `FileFormatError`, `UnitMismatch`.

    >>> read_map("fermi-3fhl-gc/fermi-3fhl-gc-exposure-cube.fits.gz").unit  # doctest: +SKIP
    'cm2 s'
    """
    path = Path(path)
    with open_fits(path) as hdus:
        return map_of(hdus, path, _find(hdus, path, hdu))


def read_healpix(path: str | Path, hdu: str | int | None = None, frame: Frame | None = None) -> HealpixMap:
    """A HEALPix map of the whole sky: the HDU of a name or number, by default the first of that kind.

    `frame` is needed where the header has no COORDSYS: nothing else in the file tells. Raises `FileFormatError` where
    the two contradict each other, or neither is there.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        tables = [one for one in hdu_list(hdus) if text(one.header, "PIXTYPE").upper() == "HEALPIX"]
        chosen: Any = tables[0] if hdu is None and tables else None if hdu is None else _named(hdus, path, hdu)
        if chosen is None or chosen not in tables:
            raise FileFormatError(f"{path} holds no HEALPix table" + ("" if hdu is None else f" {hdu!r}"))
        return _healpix(hdus, path, chosen, frame)


def _healpix(hdus: fits.HDUList, path: Path, table: Any, frame: Frame | None) -> HealpixMap:
    where, header = f"{path}[{table.name}]", table.header
    nside, pixels = int(number(header, "NSIDE", 0)), len(table.data)
    if nside < 1 or pixels != 12 * nside**2:
        raise FileFormatError(
            f"{where} has {pixels} rows, and NSIDE = {nside} needs {12 * nside**2}: whole skies are read"
        )
    names = [n for n in column_names(table) if n.upper() not in ("PIX", "CHANNEL")]
    bands = _bands_table(hdus, path, table)
    axes = () if bands is None or len(names) == 1 else read_bands(bands, path)[::-1]
    planes = np.stack([_native(table.data.field(n)) for n in names])
    shape = tuple(axis.size for axis in axes)
    if planes.shape != (int(np.prod(shape, dtype=int)), pixels):
        raise FileFormatError(f"{where} has {len(names)} columns, its axes have {shape} bins")
    unit = text(header, "BUNIT") or (table.columns[column_index(table, names[0])].unit or "").strip()
    unit = unit or _fermi_unit(hdus, bands)
    order = text(header, "ORDERING", "RING").upper()
    if order not in ("RING", "NESTED", "NEST"):
        raise FileFormatError(f"{where}: ORDERING is RING or NESTED, it is {order!r}")
    return HealpixMap(planes.reshape(*shape, pixels), axes, nside, order != "RING", _frame(header, where, frame), unit)


def _frame(header: fits.Header, where: str, frame: Frame | None) -> Frame:
    said = text(header, "COORDSYS").upper()
    if not said:
        if frame is None:
            raise FileFormatError(f"{where} has no COORDSYS: say frame='galactic' or frame='icrs'")
        if frame not in ("icrs", "galactic"):
            raise ConfigError(f"the frame of a map is 'icrs' or 'galactic', got {frame!r}")
        return frame
    if said not in _COORDSYS:
        raise FileFormatError(f"{where}: COORDSYS is GAL or CEL, it is {said!r}")
    if frame is not None and frame != _COORDSYS[said]:
        raise FileFormatError(f"{where} is in {_COORDSYS[said]!r} (COORDSYS = {said!r}), not in frame={frame!r}")
    return _COORDSYS[said]


def map_of(hdus: fits.HDUList, path: Path, hdu: Any) -> SkyMap:
    """The map of one HDU of an open file: an image, a sparse image, or a region map."""
    where = f"{path}[{hdu.name}]"
    bands = _bands_table(hdus, path, hdu)
    axes = () if bands is None else read_bands(bands, path)[::-1]
    if not hdu.is_image and column_index(hdu, "DATA") is not None:
        return _region_map(hdu, path, axes)
    grid = SkyGrid.from_header(hdu.header, where)
    shape = tuple(axis.size for axis in axes) + grid.shape
    values = _native(hdu.data) if hdu.is_image else _dense(hdu, path, shape)
    if not axes and values.ndim > 2 and values.size == np.prod(grid.shape):
        values = values.reshape(grid.shape)
    if values.shape != shape:
        axes_say = ", ".join(f"{axis.name} {axis.size}" for axis in axes) or "no axes"
        table = "no BANDS table" if bands is None else f"[{bands.name}]"
        raise FileFormatError(
            f"{where} has the shape {values.shape}, but {table} says {axes_say} and the pixels are {grid.shape}"
        )
    unit = _unit(hdu.header, where) or _fermi_unit(hdus, bands)
    return SkyMap(values, axes, grid, unit, _meta(hdu.header))


def _region_map(hdu: Any, path: Path, axes: tuple[MapAxis, ...]) -> SkyMap:
    index = column_index(hdu, "DATA")
    unit = (hdu.columns[index].unit or "").strip()
    values = column(hdu, path, "DATA", unit=unit)
    shape = (*(axis.size for axis in axes), 1, 1)
    if values.size != np.prod(shape, dtype=int):
        raise FileFormatError(f"{path}[{hdu.name}] has {values.size} values, its axes need {shape[:-2]}")
    return SkyMap(values.reshape(shape), axes, None, unit, _meta(hdu.header))


def _dense(hdu: Any, path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The image of a table with the pixels that are not zero."""
    planes = int(np.prod(shape[:-2], dtype=int))
    values = np.zeros((planes, int(np.prod(shape[-2:]))))
    pixel = column(hdu, path, "PIX").astype(int)
    channel = column(hdu, path, "CHANNEL").astype(int) if column_index(hdu, "CHANNEL") is not None else 0 * pixel
    if np.any((pixel < 0) | (pixel >= values.shape[1]) | (channel < 0) | (channel >= planes)):
        raise FileFormatError(f"{path}[{hdu.name}] has pixels outside the image of shape {shape}")
    values[channel, pixel] = column(hdu, path, "VALUE")
    return values.reshape(shape)


def _find(hdus: fits.HDUList, path: Path, hdu: str | int | None) -> Any:
    if hdu is not None:
        return _named(hdus, path, hdu)
    for one in hdu_list(hdus):
        if is_map(one):
            return one
    kind = "a HEALPix map: use read_healpix" if any("PIXTYPE" in one.header for one in hdu_list(hdus)) else "no map"
    raise FileFormatError(f"{path} holds {kind}; it has {named(hdus)}")


def hdu_list(hdus: fits.HDUList) -> list[Any]:
    """The HDUs of an open file, of any type."""
    return list(hdus)


def named(hdus: fits.HDUList) -> str:
    """The names of the HDUs of a file, for messages."""
    return ", ".join(repr(one.name) for one in hdu_list(hdus)) or "nothing"


def is_map(hdu: Any) -> bool:
    """Whether an HDU holds a map: an image of two or more dimensions, a sparse image or a region map."""
    if hdu.is_image:
        return hdu.header.get("NAXIS", 0) >= 2
    wanted = column_index(hdu, "DATA") is not None, column_index(hdu, "PIX") is not None and "WCSSHAPE" in hdu.header
    return any(wanted) and "PIXTYPE" not in hdu.header


def _named(hdus: fits.HDUList, path: Path, hdu: str | int) -> Any:
    every = hdu_list(hdus)
    if isinstance(hdu, int) and 0 <= hdu < len(every):
        return every[hdu]
    for one in every:
        if isinstance(hdu, str) and one.name.strip().upper() == hdu.strip().upper():
            return one
    raise FileFormatError(f"{path} has no HDU {hdu!r}; it has {named(hdus)}")


def _bands_table(hdus: fits.HDUList, path: Path, hdu: Any) -> fits.BinTableHDU | None:
    """The table with the axes of a map: as the header says, else by name, else the one of Fermi's files."""
    said = text(hdu.header, "BANDSHDU")
    if said:
        return _named(hdus, path, said)
    have = {one.name.strip().upper(): one for one in hdus if isinstance(one, fits.BinTableHDU) and one is not hdu}
    planes = hdu.header.get("NAXIS", 0) > 2 if hdu.is_image else True
    names = (f"{hdu.name.upper()}_BANDS", "EBOUNDS", "ENERGIES") if planes else ()
    return next((have[name] for name in names if name in have), None)


def _fermi_unit(hdus: fits.HDUList, bands: fits.BinTableHDU | None) -> str:
    """The unit of Fermi's cubes on energy nodes, which do not say."""
    if bands is None or bands.name.upper() != "ENERGIES":
        return ""
    return "cm2 s" if any(one.name.upper() == "GTI" for one in hdu_list(hdus)) else "cm-2 s-1 MeV-1 sr-1"


def _unit(header: fits.Header, where: str) -> str:
    unit = text(header, "BUNIT")
    try:
        unit_of(unit)
    except UnitMismatch as error:
        raise UnitMismatch(f"{where}: BUNIT: {error}") from error
    return unit


def _meta(header: fits.Header) -> dict[str, Any]:
    """What Gammapy writes as JSON text beside a map; nothing where it cannot be read."""
    try:
        found = json.loads(text(header, "META", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _native(data: Any) -> np.ndarray:
    """Numbers as float64, bytes in the order of the machine; counts and masks are stored as integers."""
    return np.asarray(data).astype(np.float64)


def map_hdus(content: SkyMap, name: str) -> list[Any]:
    """A map as an image (or region map) and a BANDS table, for files that `read_map` and Gammapy read."""
    bands = f"{name}_BANDS"
    keys = {"META": ascii_text(json.dumps(content.meta))} | axes_header(content.axes)
    values = content.values.astype(np.int64) if content.values.dtype == bool else content.values
    if content.grid is None:
        shape = ",".join(["1", "1"])
        columns = [
            fits.Column("CHANNEL", "K", array=np.arange(values.size)),
            fits.Column("DATA", "D", unit=content.unit, array=values.ravel()),
        ]
        hdu: Any = fits.BinTableHDU.from_columns(columns, name=name)
    else:
        shape = ",".join(str(n) for n in values.shape[::-1])
        kind = fits.PrimaryHDU if name == "PRIMARY" else fits.ImageHDU
        hdu = kind(values, content.grid.to_header())
        hdu.header.update({"WCSSHAPE": f"({shape})", "BUNIT": content.unit})
        if name != "PRIMARY":
            hdu.name = name
    hdu.header.update(keys)
    if not content.axes:
        return [hdu]
    hdu.header["BANDSHDU"] = bands
    return [hdu, bands_hdu(content.axes, bands)]


def write_map(content: SkyMap, path: str | Path) -> Path:
    """Write one map, on the primary HDU, so that `read_map` and Gammapy's `Map.read` read it; returns the path."""
    path = Path(path)
    name = "PRIMARY" if content.grid is not None else "SKYMAP"
    hdus = map_hdus(content, name)
    fits.HDUList(hdus if name == "PRIMARY" else [fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
    return path
