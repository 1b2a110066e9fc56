"""flytekitplugins-deck-standard."""

import flytekit
import pandas
from flytekit import Deck, task, workflow
from flytekitplugins.deck.renderer import BoxRenderer, MarkdownRenderer


@task(enable_deck=True)
def check(rows: int) -> str:
    table = pandas.DataFrame({"n": list(range(rows))})
    Deck("box", BoxRenderer("n").to_html(table))
    Deck("text", MarkdownRenderer().to_html("# Title"))
    flytekit.current_context().default_deck.append("<b>default</b>")
    return "right"


@workflow
def wf() -> str:
    return check(rows=5)
