"""What functions' signatures say: tuples, missing annotations, and the hints that are given about pickles."""

import typing

import pytest

from volant import dynamic, task, workflow
from volant.authoring import hints
from volant.types import engine


class Pair(typing.NamedTuple):
    left: int
    right: str


@task
def bare(n: int) -> tuple:
    return n, [n]


@task
def unannotated(thing):
    return {"got": thing}


@task
def named(n: int) -> Pair:
    return Pair(n, "x")


@task
def takes(text: str, items: list) -> str:
    return f"{text} {items}"


@workflow
def of_tuples(n: int) -> tuple[int, str, str]:
    first, second = bare(n=n)
    pair = named(n=n)
    return first, takes(text=pair.right, items=second), pair.right


@dynamic
def passed(n: int) -> dict:
    return unannotated(thing=bare(n=n)[1])


def test_tuples_are_outputs() -> None:
    """A bare tuple's length comes from the function's returns."""
    assert list(bare.interface.outputs) == ["o0", "o1"]
    assert list(named.interface.outputs) == ["left", "right"]
    assert of_tuples(n=3) == (3, "x [3]", "x")


def test_without_annotations() -> None:
    assert unannotated(thing={1, 2}) == {"got": {1, 2}}
    assert passed(n=2) == {"got": [2]}


def test_pickling_gives_a_hint(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="volant.types")
    engine.literal_type(type("Fresh", (), {}))
    assert "travels as a pickle; a type that is known by name travels better" in caplog.text


class Own:
    """Nobody knows how it travels."""


@task
def makes_own() -> Own:
    return Own()


@workflow
def hinting(n: int) -> int:
    makes_own()
    makes_own()
    bare(n=n)
    return n


def test_hints() -> None:
    found = list(hints.hints_for(hinting))
    assert len(found) == len(set(found)) == 3
    assert all(text.startswith(f"{__file__}:") for text in found)
    assert any("output 'o0' travels as a pickle" in text and "Own is not known" in text for text in found)
    assert any("bare: the output 'o1' has no type" in text for text in found)
    assert not list(hints.hints_for(takes))
