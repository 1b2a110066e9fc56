"""When two refusals tell the same in other words. Pure.

Clients read a status' code and details, people read its text. So ours need not be Flyte's word for word (Flyte's are often Go's way
to print a structure), but it must tell what Flyte's tells: every *fact* of Flyte's text must be in ours. Facts are

- the words of the request's values that the text names: identifiers, versions, numbers (those of one character when they stand in
  brackets or quotes);
- types, resource types, phases, resources: names of the API's enums (INTEGER, LAUNCH_PLAN, RUNNING, CPU);
- what is missing or has an invalid value: the field that the text names;
- the codes of a compiler's errors, as many of each as Flyte's. Left out is that something is not bound, beside another error: it
  then only follows from that one.

A text without any fact must at least speak of the same: a quarter of its words must be in ours.

Of what is registered again with another structure only the first line counts: the paths below it are of Go's fields, and name whole
graphs that do not differ.
"""

import collections
import re
from collections.abc import Iterable, Iterator, Mapping

from flyteidl.core import execution_pb2, identifier_pb2, tasks_pb2, types_pb2
from google.protobuf import message

_WORD = re.compile(r"[\w.-]*\w")
_QUOTED = re.compile(r"[\"'\[](\w)[\"'\]]")
_ENUMS = (
    types_pb2.SimpleType,
    identifier_pb2.ResourceType,
    execution_pb2.WorkflowExecution.Phase,
    execution_pb2.NodeExecution.Phase,
    execution_pb2.TaskExecution.Phase,
    tasks_pb2.Resources.ResourceName,
)
_NAMES = {name for enum in _ENUMS for name, _ in enum.items()} - {"UNSPECIFIED", "UNDEFINED", "UNKNOWN", "ERROR"}
_ERROR = re.compile(r"Error \d+: Code: (\w+)")
_LACKING = re.compile(r"\b(?:missing|invalid value for|invalid parameters:) (?!entity\b|and\b)(\w+)")
_TELLING = re.compile(r"[a-z_]{4,}")
_ABSENT = {"entry not found": "missing entity"}  # it says the one of some entities, the other of the rest
_UNKNOWN_SERVICE = "unknown service"  # each library for gRPC has words of its own for that
_LONGEST = 1000  # characters of a value; no text repeats more
_FOLLOWS = "ParameterNotBound"
_OTHERWISE = "different structure already exists"


def alike(theirs: str, ours: str, request: message.Message) -> bool:
    """Whether our refusal of a request tells what Flyte's tells."""
    if theirs == ours:
        return True
    if errors(theirs) != errors(ours):
        return False
    wanted = facts(_essence(theirs), set(words(request)))
    if not wanted and not theirs.startswith(_UNKNOWN_SERVICE):
        return _akin(_ABSENT.get(theirs, theirs), ours)
    return all(_stands(fact, ours, re.IGNORECASE if fact in _NAMES else 0) for fact in wanted)


def facts(text: str, asked: Iterable[str]) -> set[str]:
    """What a text tells of what was asked."""
    short = set(_QUOTED.findall(text))
    named = {word for word in asked if (word in short if len(word) == 1 else _stands(word, text))}
    return named | {name for name in _NAMES if _stands(name, text)} | set(_LACKING.findall(text))


def words(request: message.Message) -> Iterator[str]:
    """The words of a request's values; a map's keys are values too."""
    for field, content in request.ListFields():
        entries = content if field.label == field.LABEL_REPEATED else [content]
        for entry in entries:
            if isinstance(entry, message.Message):
                yield from words(entry)
            else:
                yield from _WORD.findall(str(entry)[:_LONGEST])
                if isinstance(content, Mapping):
                    value = content[entry]
                    yield from words(value) if isinstance(value, message.Message) else _WORD.findall(str(value))


def errors(text: str) -> collections.Counter[str]:
    """The codes of a compiler's report."""
    codes = collections.Counter(_ERROR.findall(text))
    if set(codes) - {_FOLLOWS}:
        del codes[_FOLLOWS]
    return codes


def _akin(theirs: str, ours: str) -> bool:
    """Whether a text that names nothing has words in common with ours."""
    telling = set(_TELLING.findall(theirs.partition("\n")[0].lower()))
    return 4 * len(telling & set(_TELLING.findall(ours.lower()))) >= max(1, len(telling))


def _essence(text: str) -> str:
    if _OTHERWISE in text:
        return text.partition("\n")[0]
    if set(_ERROR.findall(text)) - {_FOLLOWS}:
        return "\n".join(line for line in text.split("\n") if f"Code: {_FOLLOWS}," not in line)
    return text


def _stands(word: str, text: str, flags: int = 0) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags) is not None
