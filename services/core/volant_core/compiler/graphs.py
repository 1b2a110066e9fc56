"""Graphs of node ids: cycles and reachability, without recursion."""

from collections.abc import Iterable, Mapping


def find_cycle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """A cycle, its first node repeated at the end; empty when there is none. Deterministic."""
    incoming: dict[str, int] = {}
    for source, targets in edges.items():
        incoming.setdefault(source, 0)
        for target in targets:
            incoming[target] = incoming.get(target, 0) + 1
    free = [node for node, count in incoming.items() if count == 0]
    left = len(incoming)
    while free:
        left -= 1
        for target in edges.get(free.pop(), ()):
            incoming[target] -= 1
            if incoming[target] == 0:
                free.append(target)
    if left == 0:
        return []
    # Every node that is left has a predecessor that is left: walking backwards must meet itself.
    rest = {node for node, count in incoming.items() if count > 0}
    before: dict[str, str] = {}
    for source in sorted(rest, reverse=True):
        for target in edges.get(source, ()):
            if target in rest:
                before[target] = source
    node = min(rest)
    path: list[str] = []
    place: dict[str, int] = {}
    while node not in place:
        place[node] = len(path)
        path.append(node)
        node = before[node]
    cycle = path[place[node] :][::-1]
    first = cycle.index(min(cycle))
    cycle = cycle[first:] + cycle[:first]
    return [*cycle, cycle[0]]


def reachable(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """All nodes that can be reached."""
    seen = {start}
    open_ = [start]
    while open_:
        for target in edges.get(open_.pop(), ()):
            if target not in seen:
                seen.add(target)
                open_.append(target)
    return seen
