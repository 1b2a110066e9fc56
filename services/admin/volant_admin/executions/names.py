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


def generate(random_bits: Callable[[int], int]) -> str:
    """A name of 20 letters and digits, from as many random bits as asked for."""
    return f"a{letters(random_bits, _GENERATED)}"


def letters(random_bits: Callable[[int], int], count: int) -> str:
    """Random letters and digits."""
    number = random_bits(5 * count + 40)
    chosen = []
    for _ in range(count):
        number, place = divmod(number, len(_LETTERS))
        chosen.append(_LETTERS[place])
    return "".join(chosen)
