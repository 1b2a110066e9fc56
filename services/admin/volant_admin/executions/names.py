"""Names of executions."""

import re
from collections.abc import Callable

from volant_core import errors

LONGEST = 63
_PATTERN = r"^[a-z][a-z\-0-9]*$"
_FITS = re.compile(_PATTERN)
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words
_GENERATED = 19


def check(name: str) -> None:
    """Refuse a name that a client gave. Upper case is taken as lower case is."""
    if len(name) > LONGEST:
        raise errors.InvalidArgumentError(f"size of name exceeded length {LONGEST} : {name[:200]}")
    if not _FITS.fullmatch(name.lower()) or name.endswith("\n"):
        raise errors.InvalidArgumentError(f"invalid name format: {name}, does not match regex '{_PATTERN}'")


def generate(choose: Callable[[str], str]) -> str:
    """A name of 20 letters and digits, each chosen by `choose`."""
    return "a" + "".join(choose(_LETTERS) for _ in range(_GENERATED))
