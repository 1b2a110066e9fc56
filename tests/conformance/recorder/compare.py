"""What differs between two recordings, as lines that people read. Pure."""

import dataclasses
import fnmatch
import json
from collections.abc import Collection, Iterable, Iterator, Mapping

from recorder import canonical, recordings, rows

_ABSENT = "(absent)"


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not the same."""

    case: str
    """The scenario or the group of calls."""
    path: str
    """The answer's key, then the way to the value: `1/n0/task 0 closure.phase`."""
    theirs: canonical.Json
    """What Flyte says; "(absent)" where it says nothing."""
    ours: canonical.Json

    def __str__(self) -> str:
        return f"{self.case}: {self.path}: Flyte {_short(self.theirs)}, Volant {_short(self.ours)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the differences."""

    different: tuple[Difference, ...]
    """Those that nobody accepted."""
    accepted: Mapping[int, tuple[Difference, ...]]
    """The others, by the place of the row that accepts them."""


def differences(
    case: str,
    theirs: Mapping[str, recordings.Answer],
    ours: Mapping[str, recordings.Answer],
    ignored: Collection[str] = (),
    known: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> list[Difference]:
    """Where two recordings of a case differ.

    Args:
        case: how the case is called in what is printed.
        theirs: the recorded answers.
        ours: the answers that are held against them.
        ignored: fields to leave out, as `flyteidl.admin.TaskExecutionClosure.reasons`.
        known: placeholders for names that are not of executions, for each side.
    """
    sides = []
    for answers, told in zip((theirs, ours), known, strict=True):
        names = canonical.Names.of(answers.values(), told)
        sides.append({names.text(key): canonical.of_answer(answer, names, ignored) for key, answer in answers.items()})
    found = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        for path, first, second in _unequal(sides[0].get(key, _ABSENT), sides[1].get(key, _ABSENT), ""):
            found.append(Difference(case, f"{key} {path}".rstrip(), first, second))
    return found


def sort_out(found: Iterable[Difference], accepted: tuple[rows.Accepted, ...]) -> Verdict:
    """Which differences a row of `accepted` explains."""
    different = []
    by_row: dict[int, tuple[Difference, ...]] = {}
    for difference in found:
        row = next((place for place, row in enumerate(accepted) if _explains(row, difference)), None)
        if row is None:
            different.append(difference)
        else:
            by_row[row] = (*by_row.get(row, ()), difference)
    return Verdict(tuple(different), by_row)


def _explains(row: rows.Accepted, difference: Difference) -> bool:
    if not any(fnmatch.fnmatchcase(difference.case, case) for case in row.cases):
        return False
    seen = (difference.path, _whole(difference.theirs), _whole(difference.ours))
    return any(all(map(fnmatch.fnmatchcase, seen, (place.path, place.theirs, place.ours))) for place in row.places)


def _unequal(
    theirs: canonical.Json, ours: canonical.Json, path: str
) -> Iterator[tuple[str, canonical.Json, canonical.Json]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in dict.fromkeys([*theirs, *ours]):
            below = f"{path}.{key}" if path else str(key)
            yield from _unequal(theirs.get(key, _ABSENT), ours.get(key, _ABSENT), below)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (first, second) in enumerate(zip(theirs, ours, strict=True)):
            yield from _unequal(first, second, f"{path}[{index}]")
    elif type(theirs) is not type(ours) or theirs != ours:
        yield path, theirs, ours


def _whole(content: canonical.Json) -> str:
    return content if isinstance(content, str) else json.dumps(content, sort_keys=True)


def _short(content: canonical.Json) -> str:
    text = json.dumps(content, sort_keys=True) if content != _ABSENT else _ABSENT
    return text if len(text) <= 600 else f"{text[:300]} … {text[-300:]}"
