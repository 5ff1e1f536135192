"""The examples in docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import gammajax

MODULES = [info.name for info in pkgutil.walk_packages(gammajax.__path__, "gammajax.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
