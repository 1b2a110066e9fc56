"""Where the user's own code is: the file and line that error messages begin with."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def caller_line() -> str:
    """File and line of the user's code that led here: the innermost frame that isn't ours."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to name the user's line
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "volant":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def near_miss(wrong: object, known: Iterable[object]) -> str:
    """A question whether one of the known names was meant; nothing where none is near."""
    import difflib  # noqa: PLC0415 - only errors need it

    found = difflib.get_close_matches(str(wrong), [str(one) for one in known], 1)
    return f". Did you mean {found[0]!r}?" if found else ""
