"""The comparison of calls: what is asked is whole and recorded, and one changed value makes it fail.

That Volant answers as recorded is tested by `test_conformance.py` beside this folder.
"""

import copy
import dataclasses
import sys
from pathlib import Path

import pytest
from google.protobuf import message

sys.path.insert(0, str(Path(__file__).parent.parent))

from recorder import compare, recordings, rows

from calls import comparing, playing, reading, texts

GROUPS = {group.name: group for group in reading.load_all()}
FLYTES = {name: comparing.load(group) for name, group in GROUPS.items()}
ACCEPTED = rows.accepted()
# Placed by each endpoint as it likes, or compared by what they are made of.
_PLACES = ("timestamp", "_uri", "uuid", "signed_url", "created_at", "updated_at", "started_at", "occurred_at", "url")
_EVENTS_TIME = 1_893_456_000  # 2030, when all events of the group `events` happen


def different(group: str, name: str, ours: recordings.Answer) -> tuple[compare.Difference, ...]:
    """What nobody accepted, when one call is answered otherwise than recorded."""
    (call,) = [call for call in GROUPS[group].calls if call.name == name]
    theirs = dataclasses.replace(FLYTES[group], answers={name: FLYTES[group].answers[name]})
    told = dataclasses.replace(theirs, answers={name: ours})
    found = comparing.differences(dataclasses.replace(GROUPS[group], calls=(call,)), theirs, told)
    return compare.sort_out(found, ACCEPTED).different


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_is_recorded_whole(name):
    theirs = FLYTES[name]
    assert list(theirs.answers) == [call.name for call in GROUPS[name].calls]
    assert theirs.version.control_plane_version.BuildTime
    assert comparing.differences(GROUPS[name], theirs, theirs) == []
    for call in GROUPS[name].calls:
        playing.request_of(call, name, "run")


def test_there_are_enough():
    assert sum(len(group.calls) for group in GROUPS.values()) >= 1200
    wrong = [one for one in FLYTES["wrong-workflows"].answers.values() if isinstance(one, recordings.Refusal)]
    assert len(wrong) >= 80
    asked = {(call.service, call.method) for group in GROUPS.values() for call in group.calls}
    methods = {(name, method.name) for name, service in playing.SERVICES.items() for method in service.methods}
    # The one is in every recording, the other would show what its neighbour shows.
    assert methods - asked == {("AdminService", "GetVersion"), ("AuthMetadataService", "GetPublicClientConfig")}


def values_of(answer: message.Message, path=()):
    """The way to every value of a message, such as `("id", "name")`; entries of lists and maps by their place."""
    for field, content in answer.ListFields():
        if field.name.endswith(_PLACES) or (
            field.message_type and field.message_type.name in {"Timestamp", "Duration"}
        ):
            continue
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        keys = sorted(content) if is_map else range(len(content)) if field.label == field.LABEL_REPEATED else [None]
        for key in keys:
            here = (*path, field.name) if key is None else (*path, field.name, key)
            value = content if key is None else content[key]
            if isinstance(value, message.Message):
                yield from values_of(value, here)
            else:
                yield here, value


def with_other(answer: message.Message, path: tuple[str | int, ...]) -> message.Message:
    """A copy in which the value at the end of a path is another."""
    changed = copy.deepcopy(answer)
    at = changed
    for step in path[:-1]:
        at = getattr(at, step) if isinstance(at, message.Message) else at[step]
    last = path[-1]
    old = getattr(at, last) if isinstance(at, message.Message) else at[last]
    new = (
        not old
        if isinstance(old, bool)
        else f"{old}~"
        if isinstance(old, str)
        else old + (b"~" if isinstance(old, bytes) else 1)
    )
    if isinstance(at, message.Message):
        setattr(at, last, new)
    else:
        at[last] = new
    return changed


def first_of_each_kind():
    """One recorded answer of each message type, with the group and call that it is of: the longest."""
    found = {}
    for group, recording in FLYTES.items():
        for name, answer in recording.answers.items():
            if isinstance(answer, message.Message) and answer.ByteSize():
                kind = answer.DESCRIPTOR.full_name
                if kind not in found or answer.ByteSize() > found[kind][2].ByteSize():
                    found[kind] = group, name, answer
    return found


KINDS = first_of_each_kind()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_changed_value_of_an_answer_makes_it_fail(kind):
    group, name, answer = KINDS[kind]
    ignored = {field.rpartition(".")[2] for field in rows.ignored_fields()}
    paths = [path for path, _ in values_of(answer) if not ignored & set(path)]
    assert paths or kind.endswith("CreateDownloadLocationResponse")
    for path in paths[:: max(1, len(paths) // 15)]:
        assert different(group, name, with_other(answer, path)), path
    assert different(group, name, type(answer)())
    assert different(group, name, recordings.Refusal("NOT_FOUND", "it is gone"))


def refusals_by_code():
    found = {}
    for group, recording in FLYTES.items():
        for name, answer in recording.answers.items():
            if isinstance(answer, recordings.Refusal):
                found.setdefault(answer.code, (group, name, answer))
    return found


REFUSALS = refusals_by_code()


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_another_code_makes_it_fail(code):
    group, name, said = REFUSALS[code]
    assert different(group, name, dataclasses.replace(said, code="PERMISSION_DENIED"))


def test_a_detail_and_a_fact_that_is_missing_make_it_fail():
    said = FLYTES["events"].answers["flow failed again"]
    assert different("events", "flow failed again", dataclasses.replace(said, text="recorded already"))
    said = FLYTES["workflows"].answers["create the same again"]
    assert said.details
    assert different("workflows", "create the same again", dataclasses.replace(said, details=()))


def test_what_an_event_said_makes_it_fail_when_it_is_lost():
    shown = FLYTES["events"].answers["get task running"]
    changes = {
        "reason": lambda closure: setattr(closure, "reason", "other"),
        "reasons": lambda closure: closure.reasons.pop(),
        "custom_info": lambda closure: closure.custom_info.update({"b": "other"}),
        "created_at": lambda closure: closure.created_at.FromSeconds(_EVENTS_TIME + 9),
    }
    for change in changes.values():
        answer = copy.deepcopy(shown)
        change(answer.closure)
        assert different("events", "get task running", answer)


TASK = 'missing entity of type TASK with identifier project:"p" domain:"development" name:"add" version:"v9"'


@pytest.mark.parametrize(
    ("theirs", "ours", "same"),
    [
        (TASK.replace('"p"', '"tasks-<run>"'), "no task add, version v9, in tasks-<run>, development", True),
        (TASK.replace('"p"', '"tasks-<run>"'), "no task add in tasks-<run>, development", False),
        ("missing name", "no name is given", True),
        ("missing name", "missing version", False),
        ("invalid value for limit", "bad value", False),
        ("task with identical structure already exists", "such a task already exists", True),
        ("task with identical structure already exists", "no", False),
        ("entry not found", "missing entity of type TASK", True),
        ("entry not found", "", False),
        (TASK.replace('"p"', '"tasks-<run>"'), "no workflow add, version v9, in tasks-<run>, development", False),
        (
            "Collected Errors: 1\n\tError 0: Code: A, Node Id: n0",
            "Collected Errors: 1\n\tError 0: Code: B, Node",
            False,
        ),
        (
            "Collected Errors: 2\n\tError 0: Code: A, Node Id: n0, …\n\tError 1: Code: ParameterNotBound, …",
            "Collected Errors: 1\n\tError 0: Code: A, Node Id: n0, …",
            True,
        ),
    ],
)
def test_texts_tell_the_same_by_their_facts(theirs, ours, same):
    (call,) = [call for call in GROUPS["tasks"].calls if call.name == "get what is not there"]
    assert texts.alike(theirs, ours, playing.request_of(call, "tasks", "<run>")) is same
