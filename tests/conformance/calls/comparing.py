"""Holds what Volant answers against what Flyte answered. Pure, but for reading the recordings."""

import dataclasses
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from recorder import canonical, compare, recordings, rows

from calls import playing, reading, texts

# Scenarios leave these out, for they are of whatever runs tasks. Here it is the sender of an event who says them.
_SAID = frozenset(
    {
        "flyteidl.admin.TaskExecutionClosure.reason",
        "flyteidl.admin.TaskExecutionClosure.reasons",
        "flyteidl.admin.TaskExecutionClosure.custom_info",
        "flyteidl.event.ExternalResourceInfo.logs",
    }
)
RECORDINGS = Path(__file__).parent.parent / "recordings" / "calls"


def load(group: reading.Group) -> recordings.Recording:
    """What Flyte answered to a group's calls."""
    return recordings.load(RECORDINGS / f"{group.name}.json")


def differences(
    group: reading.Group, theirs: recordings.Recording, ours: recordings.Recording
) -> list[compare.Difference]:
    """Where the answers to a group's calls differ from the recorded ones, in the calls' order."""
    return [found for each in by_call(group, theirs, ours).values() for found in each]


def by_call(
    group: reading.Group, theirs: recordings.Recording, ours: recordings.Recording
) -> dict[str, list[compare.Difference]]:
    """The same for each call, by its name; none for those that are answered alike."""
    names = _names(theirs), _names(ours)
    return {
        call.name: list(
            _of_call(f"calls/{group.name}", call, (theirs.answers.get(call.name), ours.answers.get(call.name)), names)
        )
        for call in group.calls
    }


def _of_call(
    case: str,
    call: reading.Call,
    answers: tuple[recordings.Answer | None, recordings.Answer | None],
    names: tuple[dict[str, str], dict[str, str]],
) -> Iterator[compare.Difference]:
    theirs, ours = (_unsigned(answer) for answer in answers)
    name = call.name
    if theirs is None or ours is None:
        yield compare.Difference(case, name, _outcome(theirs), _outcome(ours))
    elif _outcome(theirs) != _outcome(ours):
        yield compare.Difference(case, name, _told(theirs, names[0]), _told(ours, names[1]))
    else:
        if isinstance(theirs, recordings.Refusal) and isinstance(ours, recordings.Refusal):
            said = canonical.Names(names[0]).text(theirs.text), canonical.Names(names[1]).text(ours.text)
            if texts.alike(*said, playing.request_of(call, case.partition("/")[2], "<run>")):
                # What people read tells the same: what is left to compare is what programs read.
                theirs, ours = dataclasses.replace(theirs, text=""), dataclasses.replace(ours, text="")
        yield from compare.differences(case, {name: theirs}, {name: ours}, rows.ignored_fields() - _SAID, names)


def _unsigned(answer: recordings.Answer | None) -> recordings.Answer | None:
    """The answer with a signed URL reduced to what both may have in common: the object's key, and for how long."""
    if not hasattr(answer, "signed_url"):
        return answer
    copy = type(answer)()
    copy.CopyFrom(answer)
    signed = copy.signed_url
    if isinstance(signed, str):
        copy.signed_url = _essence(signed)
    else:
        signed[:] = [_essence(url) for url in signed]
    return copy


def _essence(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    key = urllib.parse.unquote(parts.path).removeprefix("/").partition("/")[2]
    given = urllib.parse.parse_qs(parts.query)
    return f"{key} for {given.get('X-Amz-Expires')} s with {given.get('X-Amz-SignedHeaders')}"


def _outcome(answer: recordings.Answer | None) -> str:
    if answer is None:
        return "(not asked)"
    return answer.code if isinstance(answer, recordings.Refusal) else "OK"


def _told(answer: recordings.Answer, names: dict[str, str]) -> str:
    if isinstance(answer, recordings.Refusal):
        return f"{answer.code}: {canonical.Names(names).text(answer.text)}"
    return f"OK: {canonical.value(answer, canonical.Names(names))}"


def _names(recording: recordings.Recording) -> dict[str, str]:
    """Placeholders: of the run, and of executions, which calls name with the run's word."""
    known = dict(recording.names)
    for name in canonical.Names.of(recording.answers.values()).placeholders:
        known[name] = canonical.Names(recording.names).text(name)
    return known
