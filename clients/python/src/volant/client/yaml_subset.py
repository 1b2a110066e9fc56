"""Reads the part of YAML that Flyte's configuration files use: nested mappings, lists of scalars, scalars.

A full parser would be a dependency of every task image.
"""

from __future__ import annotations

import json
from typing import Any

from volant import errors


def parse(text: str, source: str = "configuration") -> dict[str, Any]:
    """A mapping from its text.

    Args:
        text: The file's content.
        source: Its name, for error messages.
    """
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = _without_comment(raw).rstrip()
        if line.strip() and line.strip() != "---":
            lines.append((number, len(line) - len(line.lstrip()), line.strip()))
    value, rest = _block(lines, 0, source)
    if rest:
        raise errors.DefinitionError(f"{source}:{rest[0][0]}: cannot read this indentation")
    return value if isinstance(value, dict) else {}


_Lines = list[tuple[int, int, str]]


def _block(lines: _Lines, indent: int, source: str) -> tuple[Any, _Lines]:
    if not lines or lines[0][1] < indent:
        return None, lines
    own = lines[0][1]
    if lines[0][2].startswith("- ") or lines[0][2] == "-":
        items = []
        while lines and lines[0][1] == own and lines[0][2].startswith("-"):
            items.append(_scalar(lines[0][2][1:].strip()))
            lines = lines[1:]
        return items, lines
    mapping: dict[str, Any] = {}
    while lines and lines[0][1] == own:
        number, _, content = lines[0]
        key, colon, rest = content.partition(":")
        if not colon or (rest and not rest.startswith(" ")):
            raise errors.DefinitionError(f"{source}:{number}: expected 'key: value', found {content!r}")
        lines = lines[1:]
        if rest.strip():
            mapping[_scalar(key.strip())] = _scalar(rest.strip())
            continue
        below = own + 1
        if lines and lines[0][1] == own and lines[0][2].startswith("- "):
            below = own
        mapping[_scalar(key.strip())], lines = _block(lines, below, source)
    return mapping, lines


def _without_comment(line: str) -> str:
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in {'"', "'"}:
            quote = letter
        elif letter == "#" and (place == 0 or line[place - 1].isspace()):
            return line[:place]
    return line


def _scalar(text: str) -> Any:
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        try:
            return json.loads(text)
        except ValueError:
            return text[1:-1]
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    lowered = text.lower()
    if lowered in {"true", "yes", "on"}:
        return True
    if lowered in {"false", "no", "off"}:
        return False
    if lowered in {"null", "~", "", "{}"}:
        return {} if text == "{}" else None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
