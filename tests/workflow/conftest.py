"""The command line in this process."""

import os

import jax
import pytest
from typer.testing import CliRunner

from gammajax.cli import app


@pytest.fixture(scope="module")
def run():
    """Call the command line in this process, with the compile cache of all tests."""
    cache = os.environ["JAX_COMPILATION_CACHE_DIR"]
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {name: getattr(jax.config, name) for name in names}

    def call(*arguments, code=0, cache=cache):
        result = CliRunner().invoke(app, [str(a) for a in arguments], env={"GAMMAJAX_CACHE": str(cache)})
        assert result.exit_code == code, result.output
        return result

    yield call
    for name, value in before.items():
        jax.config.update(name, value)
