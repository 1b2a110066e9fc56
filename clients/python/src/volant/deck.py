"""Decks: pages of HTML that a task shows beside its outputs."""

from __future__ import annotations

import enum
import html as escaping
from collections.abc import Sequence

from volant import context


class DeckField(enum.Enum):
    """What a task can show without its code asking for it: `@task(enable_deck=True, deck_fields=[DeckField.INPUT])`."""

    SOURCE_CODE = "Source Code"
    DEPENDENCIES = "Dependencies"
    TIMELINE = "Timeline"
    INPUT = "Input"
    OUTPUT = "Output"


class Deck:
    """One page; making one inside a task adds it to what the task shows.

    Args:
        name: The page's title.
        html: Its content, which `append` continues.
        attach: Add it to the running task's decks.
    """

    def __init__(self, name: str, html: str = "", *, attach: bool = True) -> None:
        self.name = name
        self._parts = [html] if html else []
        if attach:
            context.current_context().decks.append(self)

    def append(self, html: str) -> Deck:
        """Continue the page."""
        self._parts.append(html)
        return self

    @property
    def html(self) -> str:
        """The page's content."""
        return "\n".join(self._parts)

    @staticmethod
    def publish() -> None:
        """Write the decks of the running task now, not only when it ends."""
        current = context.current_context()
        if current.enable_deck and current.output_metadata_prefix:
            from volant.storage import router  # noqa: PLC0415 - decks are loaded with every context, stores need not be

            router.write(f"{current.output_metadata_prefix.rstrip('/')}/deck.html", render(current.decks).encode())


def render(decks: Sequence[Deck]) -> str:
    """One HTML page with a tab for each deck."""
    tabs = "".join(f"<li><a href='#deck-{n}'>{escaping.escape(deck.name)}</a></li>" for n, deck in enumerate(decks))
    pages = "".join(
        f"<section id='deck-{n}'><h2>{escaping.escape(deck.name)}</h2>{deck.html}</section>"
        for n, deck in enumerate(decks)
    )
    style = (
        "body{font-family:sans-serif;margin:1.5em}nav ul{display:flex;gap:1em;list-style:none;padding:0}"
        "section{border-top:1px solid #ddd;padding:.5em 0}table{border-collapse:collapse}"
        "td,th{border:1px solid #ccc;padding:.2em .6em}"
    )
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><title>Deck</title><style>{style}</style></head>"
        f"<body><nav><ul>{tabs}</ul></nav>{pages}</body></html>"
    )
