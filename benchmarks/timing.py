"""Helpers of the benchmarks: medians of interleaved repetitions, and where they were measured."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import jax

PACKAGES = ("gammajax", "gammapy", "jax", "jaxlib", "equinox", "numpyro", "numpy", "astropy", "scipy", "iminuit")


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call; waits for arrays on the device."""
    begin = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - begin


def interleaved(functions: dict[str, Callable[[], Any]], repeat: dict[str, int]) -> dict[str, dict[str, float]]:
    """Time each function `repeat` times, taking turns, so that a change of the machine's load hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    rounds = max(repeat.values())
    for i in range(rounds):
        for name, function in functions.items():
            if i * repeat[name] // rounds < (i + 1) * repeat[name] // rounds:
                times[name].append(seconds(function))
    return {name: summary(values) for name, values in times.items()}


def summary(values: list[float]) -> dict[str, float]:
    """Median, least and number of some times [s]."""
    return {"median_s": statistics.median(values), "min_s": min(values), "n": len(values)}


def environment() -> dict[str, Any]:
    """Versions and machine."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "device": jax.devices()[0].platform,
        "versions": {name: version(name) for name in PACKAGES},
    }
