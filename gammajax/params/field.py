"""What a model field is: a parameter, network weights, or fixed data.

The declaration stands on the class, never on the instance, so that all instances of a class share one
tree structure: they stack, vmap and hit the same compiled program.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gammajax.tables import html_summary, numbers_text
from gammajax.units import to_value

_KEY = "gammajax"

Scale = Literal["lin", "log"]

_LINE = 110
"""Models that take more than this are shown with a line for each field."""


@dataclasses.dataclass(frozen=True)
class ParamSpec:
    """What a parameter is by nature: unit, natural bounds, how a fit scales it, frozen by default or not."""

    unit: str
    lower: float = -math.inf
    upper: float = math.inf
    scale: Scale = "lin"
    frozen: bool = False


@dataclasses.dataclass(frozen=True)
class WeightsSpec:
    """A block of network weights: fitted as a whole, not listed one by one."""


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """A table that belongs to the model and is never fitted."""


Spec = ParamSpec | WeightsSpec | TableSpec


class _Converter:
    """Turns what a person wrote into a float array in the field's unit; knows its field for messages."""

    def __init__(self, unit: str):
        self.unit = unit
        self.name = "parameter"

    def __call__(self, x: Any) -> Any:
        return to_array(x, self.unit, self.name)


def to_array(x: Any, unit: str, what: str = "value") -> Any:
    """`x` as a float array on the device, in `unit`; arrays and tracers pass with their dtype made strong.

    Text, `Quantity` and numbers go through `units.to_value`. The dtype is explicit because a weakly typed
    start value would compile every function a second time after the first update.
    """
    if isinstance(x, jax.Array):
        return x.astype(jnp.result_type(float)) if jnp.issubdtype(x.dtype, jnp.number) else x
    if x is None or type(x) is object:
        # tree transformations build instances with placeholders in place of leaves
        return x
    return jnp.asarray(np.asarray(to_value(x, unit, what), dtype=float), dtype=jnp.result_type(float))


def param(default: Any = dataclasses.MISSING, *, unit: str = "", **spec: Any) -> Any:
    """Declare a fitted parameter of a model.

    `default` is a number in `unit`, a `Quantity` or text; `lower`, `upper` are natural bounds in `unit`;
    `scale` is "lin" or "log" (positive parameters that range over decades); `frozen=True` keeps the parameter
    fixed unless it is freed.

    >>> class Line(SpectralModel):                                                      # doctest: +SKIP
    ...     amplitude: Scalar = param(1e-12, unit="cm-2 s-1 TeV-1")
    """
    return _field(ParamSpec(unit=unit, **spec), default, _Converter(unit))


def weights(default: Any = dataclasses.MISSING) -> Any:
    """Declare a block of network weights, for example an `equinox.nn.MLP`: fitted, not listed one by one."""
    return _field(WeightsSpec(), default, _only_arrays)


def _only_arrays(block: Any) -> Any:
    """Functions among the leaves (activations) become part of the tree's structure, so that `jit` takes the block."""
    return jax.tree.map(lambda x: jax.tree_util.Partial(x) if callable(x) and not eqx.is_array(x) else x, block)


def table(default: Any = dataclasses.MISSING, *, unit: str = "") -> Any:
    """Declare a table that belongs to the model and is never fitted, in `unit`."""
    return _field(TableSpec(), default, _Converter(unit))


def _field(spec: Spec, default: Any, converter: Callable[[Any], Any]) -> Any:
    options = {} if default is dataclasses.MISSING else {"default": default}
    return eqx.field(converter=converter, metadata={_KEY: spec}, **options)


def spec_of(field: dataclasses.Field) -> Spec | None:
    """The declaration of a dataclass field, or None if it carries none."""
    return field.metadata.get(_KEY)


class Model(eqx.Module):
    """Base of everything that holds parameters."""

    def __repr__(self) -> str:
        parts = [f"{name}={text}" for name, text in _shown(self).items()]
        line = f"{type(self).__name__}({', '.join(parts)})"
        if len(line) <= _LINE and "\n" not in line:
            return line
        indented = ",\n".join(parts).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {indented}\n)"

    def _repr_html_(self) -> str:
        return html_summary(type(self).__name__, _shown(self))

    def slots_of(self, name: str) -> Sequence[tuple[str, ParamSpec]] | None:
        """Names and declarations of the parameters in the field `name`, where each instance has its own.

        None, the default: they are as the class declares, and the elements of an array are `name.0`, `name.1`, ...
        """
        return None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        for name, value in vars(cls).items():
            converter = value.metadata.get("converter") if isinstance(value, dataclasses.Field) else None
            if isinstance(converter, _Converter):
                converter.name = f"{cls.__name__}.{name}"
        super().__init_subclass__(**kwargs)


def _is_default(field: dataclasses.Field, value: Any) -> bool:
    return bool(field.metadata.get("static")) and type(value) is type(field.default) and value == field.default


def _shown(model: Model) -> dict[str, str]:
    """Fields of a model and what there is to say about them; options that are as by default are left out."""
    shown = {}
    for field in dataclasses.fields(model):
        spec, value = spec_of(field), vars(model).get(field.name, dataclasses.MISSING)
        if value is dataclasses.MISSING or (spec is None and (value is None or _is_default(field, value))):
            continue
        if isinstance(spec, WeightsSpec):
            arrays = [x for x in jax.tree.leaves(value) if eqx.is_array(x)]
            shown[field.name] = f"weights({sum(x.size for x in arrays)} numbers in {len(arrays)} arrays)"
        elif spec is not None:
            shown[field.name] = numbers_text(value, spec.unit if isinstance(spec, ParamSpec) else "")
        else:
            shown[field.name] = getattr(value, "__name__", None) or repr(value)
    return shown
