"""Random damage of YAML texts: entries removed, renamed, replaced by values of other types, moved and nested."""

import copy
import datetime
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2.5, -1e-300, 1e300, 10**12, 10**400, float("nan"), float("inf"), float("-inf"),
    "", " ", "crab", "3", "nan", "1e400", "1e-12", "1 TeV", "-1 deg", "nan TeV", "1 deg 2", "inf deg", "m/s/s", "\x00",
    "$HOME", "~", "~nobody_at_all/x", "../..", "a/b.fits", "é\N{SNOWMAN}", "x" * 300, "{", "%", "now", "2006-07-29",
    datetime.date(2006, 7, 29), datetime.datetime(2006, 7, 29, 22), b"\xff\x00", {1, 2},
    [], [1], [1, 2], [2, 1], ["crab"], [[1, 2], [3]], [[]], [None, None], [float("nan")] * 3, [True, 1.5, "x"],
    {}, {"a": 1}, {"type": "crab"}, {"name": "index"}, {1: 2, None: 3}, {"min": 1, "max": 2}, {"min": "x"},
)  # fmt: skip
"""Values that a key may have by mistake."""

KEYS: tuple[Any, ...] = ("crab", "name", "type", "", 0, None, True, 1.5, "nmae", datetime.date(2006, 7, 29))
"""What a key may be called by mistake."""

Path = tuple[Any, ...]


def places(content: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all entries below the top."""
    entries: Any = {}
    if isinstance(content, dict | list):
        entries = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def damages(content: Any, *values: Any) -> st.SearchStrategy[list[tuple]]:
    """Up to four steps that damage `content`; `values` are words of the format that may land in the wrong place."""
    path = st.sampled_from(list(places(content)))
    step = st.one_of(
        st.tuples(st.just("set"), path, st.sampled_from(ODD)),
        st.tuples(st.just("set"), path, st.sampled_from(ODD + values)),
        st.tuples(st.just("rename"), path, st.sampled_from(KEYS)),
        st.tuples(st.just("copy"), path, path),
        st.tuples(st.sampled_from(("drop", "twice", "wrap", "unwrap", "loop")), path, st.none()),
    )
    return st.lists(step, min_size=1, max_size=4)


def damaged(content: Any, steps: list[tuple]) -> Any:
    """A copy of `content` after the steps; those whose place an earlier step took away do nothing."""
    content = copy.deepcopy(content)
    for what, path, extra in steps:
        try:
            parent = at(content, path[:-1])
            _step(content, parent, path[-1], what, extra)
        except (LookupError, TypeError, AttributeError):
            continue
    return content


def at(content: Any, path: Path) -> Any:
    """The entry at a path."""
    for key in path:
        content = content[key]
    return content


def _step(content: Any, parent: Any, key: Any, what: str, extra: Any) -> None:
    old = parent[key]
    if what == "set":
        parent[key] = copy.deepcopy(extra)
    elif what == "drop":
        del parent[key]
    elif what == "rename":
        parent[extra] = parent.pop(key)
    elif what == "copy":
        parent[key] = copy.deepcopy(at(content, extra))
    elif what == "wrap":
        parent[key] = [old]
    elif what == "unwrap":
        parent[key] = next(iter(old.values() if isinstance(old, dict) else old), None)
    elif what == "loop":
        # an entry that holds itself: YAML writes it with an anchor
        old["model1" if isinstance(old, dict) else 0] = old
    elif isinstance(parent, list):
        parent.append(copy.deepcopy(old))
    else:
        parent[f"{key}_2"] = copy.deepcopy(old)


def written(content: Any) -> str:
    """The YAML text."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def garbled(text: str) -> st.SearchStrategy[str]:
    """The text with a part of it replaced by a few characters that mean something in YAML, or by nothing."""
    cut = st.tuples(st.integers(0, len(text)), st.integers(0, 30), st.text("{}[]:-,&*!|>%@`\"' \n\tax10", max_size=5))
    return cut.map(lambda c: text[: c[0]] + c[2] + text[c[0] + c[1] :])
