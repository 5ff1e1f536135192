"""Fixtures for all tests: double precision, the folder of real data."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture(scope="session")
def gammajax_data() -> Path:
    """The folder of real data (layout of gammapy-data); the test is skipped where there is none."""
    folder = os.environ.get("GAMMAJAX_DATA") or os.environ.get("GAMMAPY_DATA")
    if not folder:
        pytest.skip("set GAMMAJAX_DATA to a data folder to run this test")
    return Path(folder)
