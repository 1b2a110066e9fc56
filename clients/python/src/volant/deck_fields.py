"""The pages that `deck_fields=` asks for: source, packages, times, inputs and outputs of a task."""

from __future__ import annotations

import html
import importlib.metadata
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from volant import deck
from volant.types import transformer

if TYPE_CHECKING:
    from volant.authoring import task

_LONGEST = 2000


def add(one: task.Task, inputs: Mapping[str, Any], result: Any, seconds: Mapping[str, float]) -> None:
    """Add the pages that a task's settings ask for.

    Args:
        one: The task.
        inputs: What its function was given.
        result: What it returned.
        seconds: How long each step took.
    """
    pages: Mapping[deck.DeckField, Callable[[], str]] = {
        deck.DeckField.SOURCE_CODE: lambda: _source(one),
        deck.DeckField.DEPENDENCIES: _dependencies,
        deck.DeckField.TIMELINE: lambda: _table({step: f"{took:.3f} s" for step, took in seconds.items()}),
        deck.DeckField.INPUT: lambda: _table({name: _shown(value) for name, value in inputs.items()}),
        deck.DeckField.OUTPUT: lambda: _table(
            {name: _shown(value) for name, value in one.interface.unwrap_outputs(result).items()}
        ),
    }
    for field in one.settings.deck_fields:
        deck.Deck(field.value, pages[field]())


def _source(one: task.Task) -> str:
    try:
        return f"<pre>{html.escape(inspect.getsource(getattr(one, 'function', type(one))))}</pre>"
    except (OSError, TypeError):
        return "<p>The source is not here.</p>"


def _dependencies() -> str:
    found = {str(one.metadata["Name"]): one.version for one in importlib.metadata.distributions()}
    return _table(dict(sorted(found.items())))


def _shown(value: Any) -> str:
    drawn = getattr(value, "_repr_html_", None)
    if callable(drawn) and (text := drawn()) is not None:
        return str(text)
    return f"<code>{html.escape(transformer.excerpt(value, _LONGEST))}</code>"


def _table(rows: Mapping[str, str]) -> str:
    lines = [f"<tr><th>{html.escape(name)}</th><td>{cell}</td></tr>" for name, cell in rows.items()]
    return f"<table>{''.join(lines)}</table>"
