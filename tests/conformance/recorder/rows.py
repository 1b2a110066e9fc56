"""The two files that say what a comparison leaves out (`ignored.toml`) and which differences are wanted (`accepted.toml`)."""

import dataclasses
import tomllib
from pathlib import Path

_HERE = Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True, slots=True)
class Ignored:
    """A field that two endpoints can't have in common."""

    field: str
    """Message and field: `flyteidl.admin.TaskExecutionClosure.reasons`."""
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a difference is seen, and both answers. Shell patterns."""

    path: str
    """Key and way to the value, as differences are printed."""
    theirs: str
    ours: str


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """A difference that users are better off with."""

    cases: tuple[str, ...]
    """Shell patterns."""
    places: tuple[Place, ...]
    """All that it is seen by."""
    why: str
    """Why a user is better off with ours."""


def ignored(path: Path = _HERE / "ignored.toml") -> tuple[Ignored, ...]:
    """The rows of ignored.toml."""
    return tuple(Ignored(**row) for row in tomllib.loads(path.read_text()).get("ignored", ()))


def ignored_fields() -> frozenset[str]:
    """The fields that a comparison leaves out."""
    return frozenset(row.field for row in ignored())


def accepted(path: Path = _HERE / "accepted.toml") -> tuple[Accepted, ...]:
    """The rows of accepted.toml."""
    found = []
    for row in tomllib.loads(path.read_text()).get("accepted", ()):
        seen = [Place(row["path"], row["theirs"], row["ours"]), *(Place(**place) for place in row.get("also", ()))]
        cases = (row["case"],) if isinstance(row["case"], str) else tuple(row["case"])
        found.append(Accepted(cases, tuple(seen), row["why"]))
    return tuple(found)
