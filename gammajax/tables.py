"""What people see of objects: astropy tables with sensible number formats, and summaries in a few lines.

A summary never moves a large array from the device, and takes tracers and placeholders for what they are: it stands in
messages of compiled functions too.
"""

import html
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table
from jax.core import Tracer

NUMBER = ".6g"
"""Format of measured numbers."""

_MANY = 1 << 14
"""Arrays on the device with more elements than this are not fetched for a summary."""

_CELL = '<td style="text-align: left; white-space: pre-wrap">'

_FEW = 6
"""Arrays with no more elements than this are shown with all their numbers."""


def make_table(columns: Mapping[str, Any], numbers: Iterable[str] = (), **formats: str) -> Table:
    """A table of `columns`; those in `numbers` are shown with six digits, others as `formats` says.

    >>> print(as_text(make_table({"path": ["index"], "value": [2.123456789]}, ["value"])))
     path  value
    ----- -------
    index 2.12346
    """
    table = Table(dict(columns))
    for name, form in {**dict.fromkeys(numbers, NUMBER), **formats}.items():
        column: Any = table[name]
        column.info.format = form
    return table


def as_text(table: Table) -> str:
    """All rows and columns of a table as text."""
    return "\n".join(line.rstrip() for line in table.pformat(max_lines=-1, max_width=-1))


class Shown:
    """Base of objects that show themselves in a few lines, as text and in notebooks: those that `_about` tells."""

    def _about(self) -> Mapping[str, Any]:
        """Names and what there is to say about them; empty texts are left out."""
        return {}

    def _title(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        title, about = self._told()
        wide = max(map(len, about), default=0)
        return "\n".join([title, *(f"  {name:<{wide}}  {text}" for name, text in about.items())])

    def _repr_html_(self) -> str:
        title, about = self._told()
        return html_summary(title, about)

    def _told(self) -> tuple[str, dict[str, str]]:
        try:
            texts = {name: str(text) for name, text in self._about().items()}
            return self._title(), {name: text for name, text in texts.items() if text}
        except AttributeError:
            # shown in a message of its own __init__
            return type(self).__name__, {"fields": "not all there yet"}


def html_summary(title: str, about: Mapping[str, str], table: Table | None = None) -> str:
    """A summary for notebooks: title, one row per entry, and a table below if there is one.

    >>> html_summary("GTI", {}, make_table({"length": [1.0]}))[:17]
    '<p><b>GTI</b></p>'
    """
    cells = "".join(f"<tr><th>{html.escape(n)}</th>{_CELL}{html.escape(x)}</td></tr>" for n, x in about.items())
    below: Any = "" if table is None else table._repr_html_()
    return f"<p><b>{html.escape(title)}</b></p>" + (f"<table>{cells}</table>" if cells else "") + below


def on_host(x: Any) -> np.ndarray | None:
    """The numbers of `x` where they can be had at no cost, None for tracers, placeholders and large device arrays."""
    if isinstance(x, jax.Array):
        if isinstance(x, Tracer) or x.size > _MANY or x.is_deleted() or not x.is_fully_addressable:
            return None
        return None if jnp.issubdtype(x.dtype, jax.dtypes.extended) else np.asarray(x)
    return np.asarray(x) if isinstance(x, np.ndarray | np.generic | float | int) else None


def numbers_text(x: Any, unit: str = "") -> str:
    """Numbers with their unit as text: all of a few, the range of many, the shape where there are no numbers.

    >>> numbers_text(0.25, "TeV"), numbers_text(np.arange(3.0)), numbers_text(np.arange(9.0), "deg")
    ('0.25 TeV', '[0, 1, 2]', '9 values, 0 .. 8 deg')
    >>> numbers_text(jax.ShapeDtypeStruct((2, 3), float), "TeV")
    'float64[2, 3]'
    """
    values = on_host(x)
    if values is None or values.dtype.kind not in "fiub":
        return shape_text(x)
    if values.ndim == 0:
        text = f"{values[()]:{NUMBER}}" if values.dtype.kind != "b" else str(values[()])
    elif values.ndim == 1 and values.size <= _FEW:
        text = f"[{', '.join(f'{v:{NUMBER}}' for v in values.astype(float))}]"
    else:
        many = " x ".join(map(str, values.shape))
        text = f"{many} values" + (f", {range_text(values)}" if values.size else "")
    return f"{text} {unit}".rstrip()


def range_text(x: Any, unit: str = "", form: str = ".3g") -> str:
    """Least and greatest of the finite numbers of `x` as text, the shape where there are no numbers.

    >>> range_text(np.array([0.1, np.nan, 30.0]), "TeV")
    '0.1 .. 30 TeV'
    """
    values = on_host(x)
    if values is None:
        return shape_text(x)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "no finite value"
    low, high = finite.min(), finite.max()
    text = f"{low:{form}}" if low == high else f"{low:{form}} .. {high:{form}}"
    return f"{text} {unit}".rstrip()


def edges_text(edges: Any, unit: str) -> str:
    """Number and range of bins as text.

    >>> edges_text(np.array([0.1, 1.0, 10.0]), "TeV")
    '2 bins, 0.1 .. 10 TeV'
    """
    values = on_host(edges)
    if values is None or values.ndim != 1:
        return shape_text(edges)
    return f"{values.size - 1} bins, {range_text(values, unit)}"


def shape_text(x: Any) -> str:
    """Type and shape of an array, or of what stands in its place."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype}[{', '.join(map(str, x.shape))}]"
    return "..." if type(x) is object else repr(x)
