"""XLA's persistent compilation cache: a second run of the same analysis starts several times faster."""

import os
from pathlib import Path

import jax


def enable_compilation_cache(folder: str | Path | None = None) -> Path:
    """Keep compiled programs on disk; returns the folder.

    Default: `$GAMMAJAX_CACHE`, else `gammajax` under `$XDG_CACHE_HOME` or `~/.cache`. The command line does this by
    itself.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = Path(folder or os.environ.get("GAMMAJAX_CACHE", home / "gammajax")).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
