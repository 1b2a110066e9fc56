"""Putting pages together. Text becomes `Markup` only by being escaped."""

import html
from collections.abc import Iterable, Sequence


class Markup(str):
    """HTML. Anything else is text, and is escaped."""

    __slots__ = ()


Content = str | Markup | Sequence["str | Markup"] | None

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.number { text-align: right; white-space: nowrap; }
pre { background: var(--soft); padding: .6rem; margin: 0; overflow-x: auto; white-space: pre-wrap; }
pre { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; } dt { opacity: .7; } dd { margin: 0; }
.phase { border-radius: .6rem; padding: .05rem .6rem; font-size: .85em; background: #8883; white-space: nowrap; }
.SUCCEEDED, .RECOVERED { background: #2a93; } .FAILED, .TIMED_OUT { background: #d334; }
.RUNNING, .DYNAMIC_RUNNING, .QUEUED { background: #27d3; } .ABORTED, .ABORTING, .FAILING { background: #d803; }
nav { opacity: .8; } a { color: inherit; }
"""


def content(given: Content) -> Markup:
    """What is markup as it is, text escaped, sequences one after another."""
    if given is None:
        return Markup()
    if isinstance(given, Markup):
        return given
    if isinstance(given, str):
        return Markup(html.escape(given))
    return Markup("".join(content(part) for part in given))


def tag(name: str, inner: Content = None, **attributes: str) -> Markup:
    """An element. A trailing underscore of an attribute's name is dropped: class_."""
    rendered = "".join(f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{rendered}>{content(inner)}</{name}>")


def link(address: str, inner: Content) -> Markup:
    """A link; an address that is neither a path nor http(s) is shown as text."""
    if not address.startswith(("/", "http://", "https://")):
        return content(inner)
    return tag("a", inner, href=address)


def phase(name: str) -> Markup:
    """A phase with its colour."""
    return tag("span", name, class_=f"phase {name}")


def table(heads: Iterable[str], rows: Iterable[Iterable[Content]]) -> Markup:
    """A table."""
    head = tag("tr", [tag("th", name) for name in heads])
    body = [tag("tr", [_cell(cell) for cell in row]) for row in rows]
    return tag("table", [tag("thead", head), tag("tbody", body)])


def _cell(inner: Content) -> Markup:
    if isinstance(inner, Markup) and inner.startswith("<td"):
        return inner
    return tag("td", inner)


def number(text: str) -> Markup:
    """A cell aligned to the right."""
    return tag("td", text, class_="number")


def facts(pairs: Iterable[tuple[str, Content]]) -> Markup:
    """Names with what they stand for; those without are left out."""
    items = [[tag("dt", name), tag("dd", value)] for name, value in pairs if value]
    return tag("dl", [part for item in items for part in item])


def page(title: str, trail: Iterable[Markup], body: Content, *, refresh: int = 0) -> str:
    """A whole page; with `refresh`, one that loads itself anew after as many seconds."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    nav = tag("nav", Markup(" / ".join(trail)))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        f'<meta name="viewport" content="width=device-width">{tag("title", title)}<style>{_STYLE}</style></head>'
        f"<body>{nav}{tag('h1', title)}{content(body)}</body></html>"
    )
