"""The site of docs/: every public name has its place, every page is in the navigation, every example is executed."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

import gammajax

TOP = Path(gammajax.__file__).resolve().parents[1]
DOCS = TOP / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LISTED = {name for page in (DOCS / "api").glob("*.md") for name in re.findall(r"^::: (\S+)$", page.read_text(), re.M)}


class _Loader(yaml.SafeLoader):
    """YAML of mkdocs without its tags, which name functions."""


_Loader.add_multi_constructor("", lambda loader, tag, node: None)


def _files(entries):
    for entry in entries:
        (value,) = entry.values()
        yield from [value] if isinstance(value, str) else _files(value)


@pytest.mark.parametrize("name", [name for name in gammajax.__all__ if name != "plot"])
def test_every_public_name_is_on_an_api_page(name):
    assert f"gammajax.{name}" in LISTED


@pytest.mark.parametrize("name", gammajax.plot.__all__)
def test_every_plot_is_on_an_api_page(name):
    assert f"gammajax.plot.{name}" in LISTED


def test_api_pages_name_what_exists():
    for name in LISTED:
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), name


def test_every_page_is_in_the_navigation():
    config = yaml.load((TOP / "mkdocs.yml").read_text(), _Loader)  # noqa: S506
    assert set(_files(config["nav"])) == {page.relative_to(DOCS).as_posix() for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_on_pages_is_executed(page):
    """Examples run when the site is built; code that cannot run there is fenced as {.python .no-run}."""
    fences = re.findall(r"^```python ?(.*)$", page.read_text(), re.M)
    if page.stem != "file_formats":  # shows h5py on a file of the reader
        assert all('exec="on"' in fence for fence in fences)
