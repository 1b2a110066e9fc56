"""The comparison itself: recordings are equal to themselves, and each class of answer counts."""

import copy
import fnmatch
import pathlib
import sys

import pytest
from flyteidl.core import catalog_pb2, execution_pb2

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import conform  # noqa: E402 - beside this file
from recorder import compare, recordings, rows  # noqa: E402

SCENARIOS = sorted((HERE / "recordings" / "scenarios").glob("*.json"))
CALLS = sorted((HERE / "recordings" / "calls").glob("*.json"))
NodePhase = execution_pb2.NodeExecution
KINDS = execution_pb2.ExecutionError


def load(scenario):
    return recordings.load(HERE / "recordings" / "scenarios" / f"{scenario}.json")


def found(theirs, answers, scenario="x"):
    ours = recordings.Recording(theirs.version, answers, theirs.names)
    fields, known = rows.ignored_fields(), (theirs.names, ours.names)
    return compare.differences(f"scenarios/{scenario}", theirs.answers, ours.answers, fields, known)


@pytest.mark.parametrize("path", [*SCENARIOS, *CALLS], ids=lambda path: path.stem)
def test_a_recording_is_flytes_and_equal_to_itself(path):
    theirs = recordings.load(path)
    assert theirs.version.DESCRIPTOR.full_name == "flyteidl.admin.GetVersionResponse"
    assert theirs.version.control_plane_version.BuildTime
    assert theirs.answers
    assert found(theirs, theirs.answers) == []


def test_there_are_enough():
    assert len(SCENARIOS) >= 60
    assert sum(len(recordings.load(path).answers) for path in CALLS) >= 250


def test_what_is_left_out_is_short_and_never_what_counts():
    ignored = rows.ignored()
    assert len(ignored) <= 25
    assert len(rows.accepted()) <= 20
    assert all(row.reason for row in ignored)
    for row in ignored:
        name = row.field.rpartition(".")[2]
        assert name not in {
            "phase",
            "code",
            "kind",
            "cache_status",
            "retry_attempt",
            "literals",
            "full_inputs",
            "full_outputs",
        }


def set_to(*path_and_value):
    """A change of one field of a message."""
    *path, name, new = path_and_value

    def change(answer):
        for step in path:
            answer = answer[step] if isinstance(step, int) or not hasattr(answer, step) else getattr(answer, step)
        assert getattr(answer, name) != new
        setattr(answer, name, new)

    return change


def integer(of, name, new):
    def change(answer):
        getattr(answer, of).literals[name].scalar.primitive.integer = new

    return change


def reverse(answer):
    nodes = [copy.deepcopy(node) for node in reversed(answer.node_executions)]
    del answer.node_executions[:]
    answer.node_executions.extend(nodes)


def lose_a_node(answer):
    del answer.dynamic_workflow.compiled_workflow.primary.template.nodes[-1]


def other_bytes(answer):
    literal = answer.full_outputs.literals["o0"]
    literal.scalar.binary.value = b"\x81\xa1x\x01"


CHANGES = {
    "an execution's phase": ("user_error", "1", set_to("closure", "phase", 4)),
    "an error's code": ("user_error", "1", set_to("closure", "error", "code", "Other")),
    "an error's kind": ("user_error", "1", set_to("closure", "error", "kind", KINDS.SYSTEM)),
    "an error's message": ("user_error", "1", set_to("closure", "error", "message", "no luck with 2")),
    "a node's phase": ("user_error", "1/n0", set_to("closure", "phase", NodePhase.SUCCEEDED)),
    "a node's error": ("user_error", "1/n0", set_to("closure", "error", "code", "Other")),
    "an attempt's phase": ("user_error", "1/n0/task flows.small.raises 0", set_to("closure", "phase", 3)),
    "an attempt's error": ("user_error", "1/n0/task flows.small.raises 0", set_to("closure", "error", "kind", 0)),
    "an element's phase": (
        "map_fails",
        "1/n0/task {map} 0",
        set_to("closure", "metadata", "external_resources", 0, "phase", 1),
    ),
    "a cache state": (
        "cache_miss_and_hit",
        "2/n0",
        set_to("closure", "task_node_metadata", "cache_status", catalog_pb2.CACHE_MISS),
    ),
    "an input": ("chain", "1/n0/data", integer("full_inputs", "x", 8)),
    "an output": ("chain", "1/data", integer("full_outputs", "o0", 8)),
    "a value in a message of bytes": ("values_dataclass_attributes", "1/n0/data", other_bytes),
    "the order of a list": ("chain", "1/nodes by created_at ASCENDING", reverse),
    "the graph that a dynamic node made": ("dynamic", "1/n0/data", lose_a_node),
    "how an execution was asked for": ("labels", "1", set_to("spec", "max_parallelism", 7)),
    "why it was aborted": ("abort_task", "1", set_to("closure", "abort_metadata", "cause", "other")),
    "a child's phase": ("plan_node", "1/n0/execution/n0", set_to("closure", "phase", NodePhase.FAILED)),
    # Beside what is accepted of them.
    "an aborted failure node's phase": ("abort_failure_node", "1/fn0", set_to("closure", "phase", NodePhase.FAILED)),
    "a container's kind of error": (
        "container_fails",
        "1/n0/n0-n1/task flows.failures.shell_exit 0",
        set_to("closure", "error", "kind", KINDS.UNKNOWN),
    ),
    "a recovered child's phase": ("recover_plan_failure", "2/n0/execution", set_to("closure", "phase", 4)),
    "an output of what was recovered": ("recover_success", "2/data", integer("full_outputs", "o0", 8)),
    "the name of a graph, in one of its places": (
        "dynamic",
        "1/n0/data",
        set_to("dynamic_workflow", "id", "version", "x"),
    ),
    "the name of a graph, in the other": (
        "dynamic",
        "1/n0/data",
        set_to("dynamic_workflow", "compiled_workflow", "primary", "template", "id", "version", ""),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_changed_value_makes_it_fail(what):
    scenario, key, change = CHANGES[what]
    theirs = load(scenario)
    key = next(one for one in theirs.answers if one == key or ("{map}" in key and "-arraynode 0" in one))
    ours = copy.deepcopy(dict(theirs.answers))
    change(ours[key])
    seen = found(theirs, ours, scenario)
    assert any(one.path.startswith(key[:4]) for one in seen), key
    assert compare.sort_out(seen, rows.accepted()).different


@pytest.mark.parametrize("lost", ["1/n0/task flows.failures.never_recovers 1", "1/n0", "1/data"])
def test_an_answer_that_is_missing_or_too_much_makes_it_fail(lost):
    theirs = load("recoverable_exhausted")
    fewer = {key: answer for key, answer in theirs.answers.items() if key != lost}
    assert [one.path for one in found(theirs, fewer)] == [lost]
    more = recordings.Recording(theirs.version, fewer, theirs.names)
    assert [one.path for one in found(more, theirs.answers)] == [lost]


@pytest.mark.parametrize("change", [{"code": "INTERNAL"}, {"text": "no"}, {"details": ()}])
def test_a_refusal_counts_with_code_text_and_details(change):
    theirs = load("abort_ended")
    said = theirs.answers["step 2"]
    told = {name: getattr(said, name) for name in ("code", "text", "details")}
    assert found(theirs, {**theirs.answers, "step 2": recordings.Refusal(**{**told, **change})})


def test_a_refusal_instead_of_an_answer_makes_it_fail():
    theirs = load("chain")
    assert found(theirs, {**theirs.answers, "1/data": recordings.Refusal("NOT_FOUND", "gone")})


@pytest.mark.parametrize("row", rows.accepted(), ids=lambda row: f"{row.cases[0]} {row.places[0].path}")
def test_a_row_is_of_one_case_and_can_fail(row):
    assert not any("*" in case for case in row.cases)
    for place in row.places:
        for answer in ("another", "OK: {}", "INTERNAL: another", '{"closure": {"phase": "RUNNING"}}'):
            assert not (fnmatch.fnmatchcase(answer, place.theirs) and fnmatch.fnmatchcase(answer, place.ours))
            assert answer in (place.theirs, place.ours) or not fnmatch.fnmatchcase(answer, place.ours), place


@pytest.mark.parametrize(("cases", "fails"), [(20, False), (21, True)])
def test_more_than_twenty_accepted_cases_fail(cases, fails):
    row = rows.Accepted(("scenarios/x",), (rows.Place("1 closure.phase", "FAILED", "SUCCEEDED"),), "it is better")
    tally = conform.Tally((row,))
    for _ in range(cases):
        tally.case("scenarios", [compare.Difference("scenarios/x", "1 closure.phase", "FAILED", "SUCCEEDED")])
    assert tally.fails(whole=True) is fails
    assert f"accepted: {cases} cases, of 20 at most; 1 rows" in str(tally)
    assert "accepted, it is better:" in tally.explained()


@pytest.mark.parametrize("whole", [True, False])
def test_a_row_that_explains_nothing_fails_the_whole(whole):
    row = rows.Accepted(("scenarios/x",), (rows.Place("1", "a", "b"),), "it is better")
    assert conform.Tally((row,)).fails(whole=whole) is whole


def test_a_difference_reads_as_a_line():
    theirs = load("user_error")
    ours = copy.deepcopy(dict(theirs.answers))
    ours["1/n0"].closure.phase = NodePhase.SUCCEEDED
    [line] = map(str, found(theirs, ours))
    assert line == 'scenarios/x: 1/n0 closure.phase: Flyte "FAILED", Volant "SUCCEEDED"'
