"""Shape aliases, so that a signature says what an array means."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Array, Bool, Float, Int

Scalar: TypeAlias = Float[Array, ""]
"""One float on the device."""

Edges: TypeAlias = Float[Array | np.ndarray, "edge"]
"""Bin edges of one axis, increasing, in canonical units."""

Counts: TypeAlias = Float[Array, "energy"]
"""Counts, or predicted counts, per reconstructed-energy bin."""

Mask: TypeAlias = Bool[Array, "energy"]
"""True where a bin takes part."""

Exposure: TypeAlias = Float[Array, "energy_true"]
"""Effective area times livetime per true-energy bin [cm2 s]."""

Kernel: TypeAlias = Float[Array, "energy_true energy"]
"""Probability that a photon of a true-energy bin is reconstructed in an energy bin."""

Vector: TypeAlias = Float[Array, "free"]
"""The free parameters of a problem, scaled to order one."""

Slots: TypeAlias = Int[Array, "free"]
"""Positions of parameters in the list of all parameter slots."""

__all__ = [
    "Array",
    "Bool",
    "Counts",
    "Edges",
    "Exposure",
    "Float",
    "Int",
    "Kernel",
    "Mask",
    "Scalar",
    "Slots",
    "Vector",
]
