"""What is made once per object and kept as long as that object lives."""

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class Remembered(Generic[Made]):
    """`make(owner, *options)`, called once for each living owner (by identity) and options; owners do not change.

    What is made must not refer to its owner, which would never be freed.

    >>> class Owner: ...
    >>> made, owner = Remembered(lambda owner, n: [n]), Owner()
    >>> made(owner, 1) is made(owner, 1), made(owner, 1) is made(Owner(), 1)
    (True, False)
    """

    def __init__(self, make: Callable[..., Made]):
        self._make = make
        self._made: dict[Any, Made] = {}

    def __call__(self, owner: Any, *options: Any) -> Made:
        key = (id(owner), *options)
        if key not in self._made:
            self._made[key] = self._make(owner, *options)
            weakref.finalize(owner, self._made.pop, key, None)
        return self._made[key]
