"""XLA's persistent compilation cache: a second run of the same analysis starts several times faster."""

import os
from pathlib import Path

import jax

from gammajax.errors import ConfigError


def enable_compilation_cache(folder: str | Path | None = None) -> Path:
    """Keep compiled programs on disk; returns the folder.

    Default: `$GAMMAJAX_CACHE`, else `gammajax` under `$XDG_CACHE_HOME` or `~/.cache`. The command line does this by
    itself, and goes on without where it cannot. Raises `ConfigError` if the folder cannot be written to.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = Path(folder or os.environ.get("GAMMAJAX_CACHE", home / "gammajax")).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the cache folder {folder} cannot be made ({error}); set GAMMAJAX_CACHE") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"the cache folder {folder} cannot be written to; set GAMMAJAX_CACHE to another one")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
