"""Tables for people: astropy tables with sensible number formats, as text."""

from collections.abc import Iterable, Mapping
from typing import Any

from astropy.table import Table

NUMBER = ".6g"
"""Format of measured numbers."""


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
