"""Showing an execution while it runs: a live tree on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
import time

import click

from volant.client import execution

_MARKS = {"SUCCEEDED": "✔", "FAILED": "✘", "RUNNING": "●", "QUEUED": "○", "ABORTED": "■", "SKIPPED": "-"}
_PAUSE_S = 0.3


def watch(one: execution.Execution, timeout: float | None = None) -> None:
    """Show the nodes until it has ended, or until a time in seconds is over."""
    ends = None if timeout is None else time.monotonic() + timeout
    live = sys.stderr.isatty()
    shown: dict[str, str] = {}
    lines = 0
    while True:
        done = one.sync().is_done
        rows = _rows(one)
        if live:
            _redraw(rows, lines, one.phase)
            lines = len(rows) + 1
        else:
            for key, phase, text in rows:
                if shown.get(key) != phase:
                    shown[key] = phase
                    click.echo(text, file=sys.stderr)
        if done or (ends is not None and time.monotonic() > ends):
            return
        time.sleep(_PAUSE_S)


def _rows(one: execution.Execution) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []

    def add(found: execution.Node, depth: int) -> None:
        mark = _MARKS.get(found.phase, "·")
        cached = " (cached)" if found.cache_status == "CACHE_HIT" else ""
        rows.append((found.id, found.phase, f"{'  ' * depth}{mark} {found.id} {found.name} {found.phase}{cached}"))
        for child in found.children:
            add(child, depth + 1)

    for found in one.nodes.values():
        add(found, 0)
    return rows


def _redraw(rows: list[tuple[str, str, str]], previous: int, phase: str) -> None:
    up = f"\x1b[{previous}A" if previous else ""
    text = "".join(f"\x1b[2K{line}\n" for _, _, line in rows)
    sys.stderr.write(f"{up}\x1b[2K{phase}\n{text}")
    sys.stderr.flush()
