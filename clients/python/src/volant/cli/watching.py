"""Showing an execution while it runs: a live tree on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import click

from volant import errors
from volant.cli import live, platform
from volant.client import execution, remote, tree

_MARKS = {
    "SUCCEEDED": ("✔", "green"),
    "RECOVERED": ("✔", "green"),
    "FAILED": ("✘", "red"),
    "FAILING": ("✘", "red"),
    "TIMED_OUT": ("✘", "red"),
    "ABORTED": ("■", "yellow"),
    "SKIPPED": ("-", "white"),
    "QUEUED": ("○", "cyan"),
    "": ("·", "white"),
}
_PAUSE_S = 0.3
_LONGEST_PAUSE_S = 1.0
_DRAW_S = 0.1
_LOG_LINES = 200
"""Lines of logs that are shown between two looks, at most."""


def watch(platform_: remote.Remote, one: execution.Execution, timeout: float | None = None) -> execution.Execution:
    """Show the nodes and what tasks write, until the execution has ended.

    Raises:
        TimedOutError: A time in seconds is over.
        Exit: Ctrl-C was pressed; the execution goes on.
    """
    return _detachable(one, lambda: _Watch(platform_, one).run(timeout))


def wait(one: execution.Execution, timeout: float | None = None) -> execution.Execution:
    """Wait without showing anything."""
    return _detachable(one, lambda: one.wait(timeout))


def _detachable(one: execution.Execution, run: Callable[[], execution.Execution]) -> execution.Execution:
    try:
        return run()
    except KeyboardInterrupt as cause:
        platform.progress(
            f"\nNo longer watched; {one.name} goes on.  See it again: volant watch {one.name}   "
            f"End it: volant abort {one.name}"
        )
        raise click.exceptions.Exit(130) from cause


def rest() -> None:
    """Wait until it is worth looking again."""
    time.sleep(_LONGEST_PAUSE_S / 2)


class _Watch:
    def __init__(self, platform_: remote.Remote, one: execution.Execution) -> None:
        self._execution = one
        self._tree = tree.Tree(platform_, one)
        self._live = live.Live()
        self._said: dict[str, str] = {}
        self._tick = 0

    def run(self, timeout: float | None) -> execution.Execution:
        ends = None if timeout is None else time.monotonic() + timeout
        pause = _PAUSE_S
        try:
            while True:
                items = self._tree.look()
                above = self._logs() if self._live.is_live else [*self._changes(items), *self._logs()]
                self._draw(items, above)
                if self._execution.is_done:
                    return self._execution
                if ends is not None and time.monotonic() > ends:
                    raise errors.TimedOutError(
                        f"execution {self._execution.name} is still {self._execution.phase} after {timeout:g} s; it "
                        f"goes on: volant watch {self._execution.name}"
                    )
                self._rest(items, pause)
                pause = min(pause * 1.05, _LONGEST_PAUSE_S)
        finally:
            self._live.end()

    def _rest(self, items: list[tree.Item], pause: float) -> None:
        """Wait; the clocks on a terminal go on meanwhile."""
        if not self._live.is_live:
            time.sleep(pause)
            return
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _DRAW_S))
            _grow(items, min(left, _DRAW_S))
            self._draw(items, [])

    def _logs(self) -> list[str]:
        lines = self._tree.new_lines()
        shown = [f"{live.paint(f'{one.node} {one.label} │', dim=True)} {one.text}" for one in lines[:_LOG_LINES]]
        if len(lines) > _LOG_LINES:
            shown.append(f"… {len(lines) - _LOG_LINES} lines more: volant logs {self._execution.name}")
        return shown

    def _changes(self, items: list[tree.Item]) -> list[str]:
        lines: list[str] = []
        for item, _ in _flat(items, 0):
            if item.phase and self._said.get(item.id) != item.phase:
                self._said[item.id] = item.phase
                if item.phase not in {"QUEUED", "SUCCEEDING", "FAILING"}:
                    lines += _lines_of(item, "", 0)
        return lines

    def _draw(self, items: list[tree.Item], above: list[str]) -> None:
        self._tick += 1
        counts = tree.counted(items)
        ended = sum(count for phase, count in counts.items() if phase in {"SUCCEEDED", "RECOVERED", "SKIPPED"})
        total = sum(counts.values())
        phase = self._execution.phase
        sign = live.spinner(self._tick) if not self._execution.is_done else _mark(phase)
        head = f"{sign} {live.paint(self._execution.name, bold=True)}  {phase.lower()}  {ended}/{total}"
        shown: list[str] = []
        flat = _flat(items, 0)
        for item, depth in _shortened(flat):
            indent, width = "  " * depth + "  ", _width(flat, depth)
            shown += _lines_of(item, indent, self._tick, width) if item is not None else ["    …"]
        self._live.draw([head, *shown], above)


def rows(items: list[tree.Item]) -> list[str]:
    """The whole tree, a node a line."""
    flat = _flat(items, 0)
    return [line for item, depth in flat for line in _lines_of(item, "  " * depth, 0, _width(flat, depth))]


def _width(flat: list[tuple[tree.Item, int]], depth: int) -> int:
    """The columns for ids at a depth."""
    return max((len(item.id) for item, at in flat if at == depth), default=0)


def _flat(items: list[tree.Item], depth: int) -> list[tuple[tree.Item, int]]:
    found = []
    for item in items:
        found.append((item, depth))
        found += _flat(item.children, depth + 1)
    return found


def _shortened(flat: list[tuple[tree.Item, int]]) -> list[tuple[tree.Item | None, int]]:
    """What fits on the screen: what runs or has failed first."""
    room = max(shutil.get_terminal_size().lines - 4, 5)
    if len(flat) <= room:
        return list(flat)
    urgent = [pair for pair in flat if pair[0].phase in {"RUNNING", "FAILED", "FAILING", "DYNAMIC_RUNNING"}]
    kept = {id(item) for item, _ in (urgent or flat)[: room - 1]}
    chosen: list[tuple[tree.Item | None, int]] = [pair for pair in flat if id(pair[0]) in kept]
    return [*chosen, (None, 2)]


def _lines_of(item: tree.Item, indent: str, tick: int, width: int = 0) -> list[str]:
    mark = _mark(item.phase) if item.phase in _MARKS else live.paint(live.spinner(tick), fg="blue")
    words = [f"{indent}{mark} {item.id:<{width}} {item.label}"]
    if item.elements:
        words.append(f"{item.elements_done}/{item.elements}")
        if item.elements_failed:
            words.append(live.paint(f"{item.elements_failed} failed", fg="red"))
    if item.attempt:
        words.append(live.paint(f"attempt {item.attempt + 1}", fg="yellow"))
    if item.is_cached:
        words.append(live.paint("from the cache", fg="green"))
    elif item.phase == "RECOVERED":
        words.append(live.paint("recovered", fg="green"))
    elif item.seconds:
        words.append(live.paint(live.duration(item.seconds), dim=True))
    if item.phase not in {"", "SUCCEEDED", "RECOVERED", "RUNNING"}:
        words.append(item.phase.lower().replace("_", " "))
    if item.hint:
        words.append(live.paint(item.hint, fg="yellow"))
    lines = ["  ".join(words)]
    if item.error:
        lines.append(f"{indent}       {live.paint(item.error, fg='red')}")
    return lines


def _mark(phase: str) -> str:
    mark, colour = _MARKS.get(phase, ("●", "blue"))
    return live.paint(mark, fg=colour, dim=colour == "white")


def _grow(items: list[tree.Item], seconds: float) -> None:
    for item, _ in _flat(items, 0):
        if item.phase in {"RUNNING", "DYNAMIC_RUNNING"}:
            item.seconds += seconds
