"""Converters of plain data are built once, however many threads meet a type at the same moment."""

import concurrent.futures
import dataclasses
import threading

from volant.types import plain


@dataclasses.dataclass
class Tree:
    value: int
    below: list["Tree"] = dataclasses.field(default_factory=list)


def test_a_type_that_is_met_while_its_converter_is_built():
    cache, begun, go_on = {}, threading.Event(), threading.Event()

    def build(kind):
        inner = plain._cached(cache, kind, build)  # it contains itself
        begun.set()
        assert go_on.wait(10)
        return lambda value: [value, inner] if value == "outer" else value

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(plain._cached, cache, int, build)
        assert begun.wait(10)
        second = pool.submit(lambda: plain._cached(cache, int, build)("x"))
        go_on.set()
        assert second.result(10) == "x"
        _, inner = first.result(10)("outer")
        assert inner("y") == "y"


def test_classes_that_contain_themselves():
    tree = Tree(1, [Tree(2), Tree(3, [Tree(4)])])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        data = list(pool.map(lambda _: plain.to_plain(tree, Tree), range(16)))
        assert all(one == data[0] for one in data)
        assert list(pool.map(lambda one: plain.from_plain(one, Tree), data)) == [tree] * 16
