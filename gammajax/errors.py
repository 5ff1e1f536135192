"""What can go wrong, said so that the reader knows where it is and what to do.

Every error that gammajax raises on purpose derives from `GammajaxError`; a message names the file,
HDU, column, run, dataset or parameter at fault, and the nearest valid choice where there is one.
"""

import difflib
from collections.abc import Iterable


class GammajaxError(Exception):
    """Base of all errors that gammajax raises on purpose."""


class UnitMismatch(GammajaxError):
    """A quantity has a unit of the wrong physical type, or text that is no quantity."""


class NoSuchParameter(GammajaxError):
    """No parameter path matches what was asked for."""


class OutOfBounds(GammajaxError):
    """A parameter value lies outside its bounds, or bounds contradict each other."""


class UndeclaredArray(GammajaxError):
    """A model holds arrays in a field that is not declared param(), weights() or table()."""


class LinkError(GammajaxError):
    """A link between parameters that cannot be made."""


class PriorError(GammajaxError):
    """A prior that cannot be placed on this parameter."""


class ModelError(GammajaxError):
    """A model is malformed: wrong shape of its result, duplicate name, unknown class."""


class NotDefined(ModelError, NotImplementedError):
    """A model or prior of one's own does not define a method that is needed.

    Also Python's own `NotImplementedError`, which is what a missing method of a subclass raises everywhere else.
    """


class UnknownDataset(GammajaxError):
    """A model or an option names a dataset that does not exist."""


class DatasetError(GammajaxError):
    """A dataset is inconsistent: shapes, axes, negative counts, NaN in a response."""


class NothingToFit(GammajaxError):
    """A fit was asked for without free parameters or without a usable bin."""


class FileFormatError(GammajaxError):
    """A file lacks what its format requires, or holds impossible values."""


class MissingFile(GammajaxError):
    """A file that an index, a YAML or a header names is absent."""


class NoSuchObservation(GammajaxError):
    """An observation id is not in the index."""


class EmptyRun(GammajaxError):
    """A run has no livetime, no off region, or nothing left after a selection."""


class ConfigError(GammajaxError):
    """A configuration has an unknown key, a missing key or a value that makes no sense."""


def nearest(word: str, choices: Iterable[str], n: int = 3) -> str:
    """The choices that look most like `word`, as text for a message: "'a', 'b'" (empty if there are none).

    >>> nearest("crab.spectral.bta", ["crab.spectral.beta", "pks.spectral.index"], n=1)
    "'crab.spectral.beta'"
    """
    found = difflib.get_close_matches(word, list(choices), n=n, cutoff=0.3)
    return ", ".join(repr(choice) for choice in found)
