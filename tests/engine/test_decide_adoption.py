"""What an engine that takes an execution over says of attempts: whether the one before had seen them run."""

import engine_graphs as g
import engine_kinds as kinds
from engine_world import World


def said(world: World, since: int) -> list[bool]:
    return [command.was_running for command in world.launches[since:]]


def test_what_was_recorded_as_running_is_launched_as_such():
    world = World(g.chain(2, g.PLAIN), g.literal_map(a=1), seconds=lambda command: 10.0)
    world.finish(until=1005)
    assert said(world, 0) == [False]
    world.crash()
    assert said(world, 1) == [True]
    world.finish(until=1015)
    assert said(world, 2) == [False]  # the second task, which is new
    world.finish()


def test_what_was_not_recorded_is_new():
    world = World(g.chain(1, g.PLAIN), g.literal_map(a=1), seconds=lambda command: 10.0)
    world.finish(until=1005, report=False)
    world.crash()
    assert said(world, 1) == [False]


def test_elements_of_an_array():
    world = World(kinds.mapped_closure(None), kinds.listed_inputs(3), seconds=lambda command: 10.0)
    world.outcome = lambda command: g.literal_map(o0=command.index)
    world.finish(until=1005)
    assert said(world, 0) == [False] * 3
    world.crash()
    world.finish(until=1006)
    assert said(world, 3) == [True] * 3
    world.finish()
