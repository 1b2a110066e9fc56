"""Where the user's own code is: the file and line that error messages begin with."""

from __future__ import annotations

import sys


def caller_line() -> str:
    """File and line of the user's code that led here: the innermost frame that isn't ours."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to name the user's line
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "volant":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
