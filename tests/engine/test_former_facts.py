"""A relaunched or recovered execution says what its tasks run with that was otherwise before."""

import engine_graphs as g
from engine_world import World

from volant_engine.decide import events

FACTS = {"python": "3.11.7", "distributions": "aaaa"}


def reasons(former: dict[str, dict[str, str]]) -> list[str]:
    world = World(g.chain(1, g.PLAIN), g.literal_map(a=1))
    news = world._news
    world._news = lambda *told, **fields: news(*told, **fields, facts=FACTS)
    world.start = lambda: world.feed(events.Began(world.now, world.store.load(), (), former))
    store = world.finish()
    [task] = store.tasks.values()
    assert task.custom_info["python"] == "3.11.7"
    return [reason.reason for reason in task.reasons]


def test_what_differs_is_named_once() -> None:
    [reason] = reasons({"n0": {"python": "3.12.1", "distributions": "aaaa"}})
    assert "python 3.11.7 (was 3.12.1)" in reason
    assert "distributions" not in reason


def test_nothing_is_said_where_nothing_differs_or_is_known() -> None:
    assert reasons({"n0": FACTS}) == []
    assert reasons({}) == []
    assert reasons({"other": {"python": "2.7"}}) == []
