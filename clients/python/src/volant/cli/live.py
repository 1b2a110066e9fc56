"""Lines at the bottom of a terminal that are drawn again and again; what is said for good scrolls away above them."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

import click

_CODE = re.compile(r"\x1b\[[0-9;]*m")
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether lines can be drawn again there."""
    return (stream or sys.stderr).isatty() and os.environ.get("TERM", "") != "dumb"


def paint(text: str, **style: Any) -> str:
    """Text in colour, where standard error shows colours."""
    return click.style(text, **style) if is_terminal() and not os.environ.get("NO_COLOR") else text


def spinner(tick: int) -> str:
    """A sign that something goes on."""
    return _SPINNER[tick % len(_SPINNER)]


class Live:
    """The bottom lines of standard error. Where that is no terminal, only what is said for good is printed."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._height = 0
        self.is_live: bool = is_terminal(self._stream)

    def draw(self, lines: Sequence[str], above: Sequence[str] = ()) -> None:
        """Replace the bottom lines, after printing others for good."""
        if not self.is_live:
            for line in above:
                self._stream.write(f"{line}\n")
            self._stream.flush()
            return
        width, height = shutil.get_terminal_size()
        shown = [cut(line, width - 1) for line in lines[: max(height - 1, 1)]]
        back = f"\x1b[{self._height}A" if self._height else ""
        text = "".join(f"{line}\n" for line in (*above, *shown))
        self._stream.write(f"{back}\r\x1b[J{text}")
        self._stream.flush()
        self._height = len(shown)

    def end(self, *, keep: bool = True) -> None:
        """Leave the lines where they are, or remove them."""
        if not keep:
            self.draw(())
        self._height = 0


def cut(line: str, width: int) -> str:
    """A line's beginning that fits; colours count nothing."""
    if sum(map(_columns, _CODE.sub("", line))) <= width:
        return line
    kept, room = [], width - 1
    for part in re.split(f"({_CODE.pattern})", line):
        if _CODE.fullmatch(part):
            kept.append(part)
            continue
        for letter in part:
            room -= _columns(letter)
            if room >= 0:
                kept.append(letter)
    return f"{''.join(kept)}…"


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def duration(seconds: float) -> str:
    """How long something took, for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
