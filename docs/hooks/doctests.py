"""Griffe extension: the examples of docstrings (`>>> ...`) are shown as code."""

import re

import griffe

_EXAMPLE = re.compile(r"^(?:>>> .*\n?)(?:(?!\s*$).*\n?)*", flags=re.MULTILINE)


def _code(match):
    text = re.sub(r"\s*# doctest: \+SKIP", "", match.group().rstrip("\n"))
    lines = [re.sub(r"^(>>>|\.\.\.) ?", "", x) if x[:3] in (">>>", "...") else f"# {x}" for x in text.split("\n")]
    return "\n```python\n" + "\n".join(lines) + "\n```\n"


class Doctests(griffe.Extension):
    """Fences around every `>>>` paragraph, without the directives of doctest."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring and ">>>" in obj.docstring.value:
            obj.docstring.value = _EXAMPLE.sub(_code, obj.docstring.value)
