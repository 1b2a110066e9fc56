"""When two refusals tell the same in other words. Pure.

Clients read a status' code and details, people read its text. So ours need not be Flyte's word for word (Flyte's are often Go's way
to print a structure), but it must tell what Flyte's tells: every *fact* of Flyte's text must be in ours. Facts are

- the words of the request's values that the text names: identifiers, versions, numbers (those of one character when they stand in
  brackets or quotes);
- types, resource types, phases, resources: names of the API's enums (INTEGER, LAUNCH_PLAN, RUNNING, CPU);
- the codes of a compiler's errors, as many of each as Flyte's. Left out is that something is not bound, beside another error: it
  then only follows from that one.
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
_NAMES = {name for enum in _ENUMS for name in enum.keys()} - {"UNSPECIFIED", "UNDEFINED", "UNKNOWN"}
_ERROR = re.compile(r"Error \d+: Code: (\w+)")
_FOLLOWS = "ParameterNotBound"


def alike(theirs: str, ours: str, request: message.Message) -> bool:
    """Whether our refusal of a request tells what Flyte's tells."""
    if theirs == ours:
        return True
    wanted = facts(theirs, set(words(request)))
    return wanted <= facts(ours, wanted) and errors(theirs) == errors(ours)


def facts(text: str, asked: Iterable[str]) -> set[str]:
    """What a text tells of what was asked."""
    said = set(re.findall(r"\w+", text))
    named = {word for word in asked if set(re.findall(r"\w+", word)) <= said and _stands(word, text)}
    return named | (_NAMES & said)


def words(request: message.Message) -> Iterator[str]:
    """The words of a request's values; a map's keys are values too."""
    for field, content in request.ListFields():
        entries = content if field.label == field.LABEL_REPEATED else [content]
        for entry in entries:
            if isinstance(entry, message.Message):
                yield from words(entry)
            else:
                yield from _WORD.findall(str(entry))
                if isinstance(content, Mapping):
                    value = content[entry]
                    yield from words(value) if isinstance(value, message.Message) else _WORD.findall(str(value))


def errors(text: str) -> collections.Counter[str]:
    """The codes of a compiler's report."""
    codes = collections.Counter(_ERROR.findall(text))
    if set(codes) - {_FOLLOWS}:
        del codes[_FOLLOWS]
    return codes


def _stands(word: str, text: str) -> bool:
    if len(word) == 1:
        return word in _QUOTED.findall(text)
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
