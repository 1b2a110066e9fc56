"""Values: attribute paths, conditions, templates, names, cache keys, environment, what attempts leave."""

import contextlib
import datetime
import struct as struct_module

import engine_graphs as g
import msgpack
import pytest
from engine_world import World
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from volant_core import blobstore
from volant_core.model import cache_keys, layout, literals, naming
from volant_engine.decide import attributes, conditions, events
from volant_engine.decide.kinds import elements
from volant_engine.launchers import port
from volant_engine.reactor import environment, outcomes, templates
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.core import (
    condition_pb2,
    errors_pb2,
    execution_pb2,
    identifier_pb2,
    literals_pb2,
    tasks_pb2,
    types_pb2,
)
from volantidl.core import execution_pb2 as core_execution_pb2

# --- attribute paths --------------------------------------------------------------------------------------------------


def path(*steps) -> list[types_pb2.PromiseAttribute]:
    return [
        types_pb2.PromiseAttribute(int_value=step)
        if isinstance(step, int)
        else types_pb2.PromiseAttribute(string_value=step)
        for step in steps
    ]


def packed(value) -> literals_pb2.Literal:
    return literals_pb2.Literal(
        scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=msgpack.packb(value), tag="msgpack"))
    )


def struct(value) -> literals_pb2.Literal:
    message = struct_pb2.Struct()
    json_format.ParseDict(value, message)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=message))


VALUE = {"a": [1, 2.5, "x", True], "b": {"c": {"d": 7}}}


def test_paths_in_msgpack_keep_types():
    assert attributes.resolve(packed(VALUE), path("a", 0), {}).scalar.primitive.integer == 1
    assert attributes.resolve(packed(VALUE), path("a", 1), {}).scalar.primitive.float_value == 2.5
    assert attributes.resolve(packed(VALUE), path("a", 2), {}).scalar.primitive.string_value == "x"
    assert attributes.resolve(packed(VALUE), path("a", 3), {}).scalar.primitive.boolean
    inner = attributes.resolve(packed(VALUE), path("b", "c"), {}).scalar.binary
    assert (msgpack.unpackb(inner.value), inner.tag) == ({"d": 7}, "msgpack")
    items = attributes.resolve(packed(VALUE), path("a"), {}).collection.literals
    assert [msgpack.unpackb(item.scalar.binary.value) for item in items] == VALUE["a"]


def test_paths_in_structs_make_floats():
    assert attributes.resolve(struct(VALUE), path("a", 0), {}).scalar.primitive.float_value == 1.0
    assert attributes.resolve(struct(VALUE), path("b", "c"), {}).scalar.generic.fields["d"].number_value == 7
    items = attributes.resolve(struct(VALUE), path("a"), {}).collection.literals
    assert items[2].scalar.primitive.string_value == "x"


def test_paths_in_maps_and_lists():
    literal = literals_pb2.Literal()
    literal.map.literals["k"].CopyFrom(g.integers(4, 5))
    assert attributes.resolve(literal, path("k", 1), {}).scalar.primitive.integer == 5
    mixed = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[packed(VALUE)]))
    assert attributes.resolve(mixed, path(0, "b", "c", "d"), {}).scalar.primitive.integer == 7


@pytest.mark.parametrize(
    ("literal", "steps"),
    [
        (packed(VALUE), ("nothing",)),
        (packed(VALUE), ("a", 9)),
        (packed(VALUE), ("a", -1)),
        (packed(VALUE), ("a", "x")),
        (packed(VALUE), ("a", 0, "deeper")),
        (struct(VALUE), ("nothing",)),
        (g.integers(1), (5,)),
        (g.integer(1), ("x",)),
        (literals_pb2.Literal(), ("x",)),
        (
            literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=b"\xc1", tag="msgpack"))),
            ("a",),
        ),
        (literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=b"", tag="json"))), ("a",)),
    ],
)
def test_paths_to_nothing_are_errors(literal, steps):
    with pytest.raises(attributes.PathError):
        attributes.resolve(literal, path(*steps), {})


@given(st.binary(max_size=50), st.lists(st.one_of(st.integers(-2, 3), st.text(max_size=3)), min_size=1, max_size=3))
def test_no_bytes_make_a_path_fail_otherwise(data, steps):
    literal = literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=data, tag="msgpack")))
    with contextlib.suppress(attributes.PathError):
        attributes.resolve(literal, path(*steps), {})


def test_a_path_through_an_offloaded_literal_asks_for_it():
    literal = literals_pb2.Literal()
    literal.offloaded_metadata.uri = "s3://b/x"
    with pytest.raises(attributes.OffloadedError):
        attributes.resolve(literal, path(0), {})
    assert attributes.resolve(literal, path(0), {"s3://b/x": g.integers(3)}).scalar.primitive.integer == 3


# --- conditions -------------------------------------------------------------------------------------------------------


def primitive(value) -> literals_pb2.Primitive:
    if isinstance(value, bool):
        return literals_pb2.Primitive(boolean=value)
    if isinstance(value, int):
        return literals_pb2.Primitive(integer=value)
    if isinstance(value, float):
        return literals_pb2.Primitive(float_value=value)
    if isinstance(value, datetime.timedelta):
        result = literals_pb2.Primitive()
        result.duration.FromTimedelta(value)
        return result
    return literals_pb2.Primitive(string_value=value)


def compare(left, operator: str, right) -> bool:
    expression = condition_pb2.BooleanExpression(
        comparison=condition_pb2.ComparisonExpression(
            operator=condition_pb2.ComparisonExpression.Operator.Value(operator),
            left_value=condition_pb2.Operand(primitive=primitive(left)),
            right_value=condition_pb2.Operand(primitive=primitive(right)),
        )
    )
    return conditions.holds(expression, literals_pb2.LiteralMap())


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_integers_compare_as_in_python(left, right):
    assert compare(left, "EQ", right) == (left == right)
    assert compare(left, "NEQ", right) == (left != right)
    assert compare(left, "GT", right) == (left > right)
    assert compare(left, "GTE", right) == (left >= right)
    assert compare(left, "LT", right) == (left < right)
    assert compare(left, "LTE", right) == (left <= right)


def test_what_cannot_be_compared():
    assert compare("a", "LT", "b")
    assert compare(datetime.timedelta(seconds=1, milliseconds=900), "EQ", datetime.timedelta(seconds=1))
    assert compare(True, "NEQ", False)
    with pytest.raises(conditions.MalformedError, match="boolean"):
        compare(True, "GT", False)
    with pytest.raises(conditions.MalformedError, match="different primitives"):
        compare(1, "EQ", 1.0)


# --- templates --------------------------------------------------------------------------------------------------------

VARIABLES = templates.Variables(
    input="IN",
    input_prefix="INP",
    output_prefix="OUT",
    raw_output_data_prefix="RAW",
    generated_name="9a-b.c",
    task_template_path="TASK",
    prev_checkpoint_prefix="",
    checkpoint_output_prefix="CHECK",
    namespace="p-d",
)


def test_templates_are_replaced_whatever_their_case():
    command = [
        "--inputs",
        "{{.input}}",
        "{{ .OutputPrefix }}/x",
        "{{$rawOutputDataPrefix}}",
        "{{.PERRETRYUNIQUEKEY}}",
        "{{.prevCheckpointPrefix}}",
        "{{.checkpointOutputPrefix}}",
        "{{ .Namespace }}",
        "{{.taskTemplatePath}}",
        "{{.unknown}}",
        "{ not one }",
    ]
    assert templates.render(command, VARIABLES, None) == [
        "--inputs",
        "IN",
        "OUT/x",
        "RAW",
        "aa_b_c",
        '""',
        "CHECK",
        "p-d",
        "TASK",
        "{{.unknown}}",
        "{ not one }",
    ]


def literal_of(value) -> literals_pb2.Literal:
    if isinstance(value, list):
        return literals_pb2.Literal(
            collection=literals_pb2.LiteralCollection(literals=[literal_of(item) for item in value])
        )
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=primitive(value)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (1e21, "1e+21"),
        (1e-7, "1e-07"),
        (123456789012345680000.0, "123456789012345680000"),
        (True, "true"),
        ("two words", "two words"),
        ([1, 2], "[1,2]"),
        (datetime.timedelta(minutes=1, seconds=30), "1m30s"),
    ],
)
def test_inputs_in_a_command(value, text):
    inputs = literals_pb2.LiteralMap(literals={"x": literal_of(value)})
    assert templates.render(["{{ .Inputs.x }}"], VARIABLES, inputs) == [text]


def test_inputs_that_fit_no_command():
    inputs = literals_pb2.LiteralMap(literals={"m": literals_pb2.Literal(map=literals_pb2.LiteralMap())})
    for command in (["{{.inputs.m}}"], ["{{.inputs.other}}"]):
        with pytest.raises(templates.TemplateError):
            templates.render(command, VARIABLES, inputs)


def test_the_command_of_a_pod_is_its_primary_containers():
    task = tasks_pb2.TaskTemplate(config={"primary_container_name": "main"})
    json_format.ParseDict(
        {"containers": [{"name": "side", "args": ["no"]}, {"name": "main", "command": ["a"], "args": ["b"]}]},
        task.k8s_pod.pod_spec,
    )
    assert templates.command_of(task) == ["a", "b"]


def test_the_environment_of_an_element():
    task = tasks_pb2.TaskTemplate(id=g.identifier("t"))
    task.container.env.add(key="A", value="task")
    task.container.env.add(key="B", value="task")
    spec = admin_execution_pb2.ExecutionSpec()
    spec.envs.values.add(key="B", value="execution")
    found = environment.of_attempt(
        execution=identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="e"),
        workflow=g.identifier("w"),
        spec=spec,
        task=task,
        attempt=2,
        index=4,
    )
    assert (found["A"], found["B"]) == ("task", "execution")
    assert found["FLYTE_INTERNAL_EXECUTION_WORKFLOW"] == "p:d:w"
    assert found["FLYTE_ATTEMPT_NUMBER"] == "2"
    assert found[found["BATCH_JOB_ARRAY_INDEX_VAR_NAME"]] == "4"


def test_every_container_of_a_pod_is_rendered():
    words = {"name": "main", "command": ["run"], "args": ["{{.input}}"]}
    beside = {"name": "beside", "command": ["tail", "{{ .outputPrefix }}/log"]}
    pod = json_format.ParseDict({"containers": [words, beside], "initContainers": [beside]}, struct_pb2.Struct())
    task = tasks_pb2.TaskTemplate(k8s_pod=tasks_pb2.K8sPod(pod_spec=pod))
    variables = templates.Variables("in", "prefix", "out", "raw", "name", "task", "", "check", "p-d")
    rendered = json_format.MessageToDict(templates.with_companions_rendered(task, variables, None).k8s_pod.pod_spec)
    assert rendered["containers"][0]["args"] == ["in"]
    assert rendered["containers"][1]["command"] == ["tail", "out/log"]
    assert rendered["initContainers"][0]["command"] == ["tail", "out/log"]
    assert "{{.input}}" in templates.companions(task)
    plain = tasks_pb2.TaskTemplate(container=tasks_pb2.Container(args=["{{.input}}"]))
    assert templates.with_companions_rendered(plain, variables, None) is plain


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_are_flytes():
    assert naming.unique_node_id("", 0, "n0") == "n0"
    assert naming.unique_node_id("n1", 0, "n0") == "n1-0-n0"
    long = naming.unique_node_id("n0-0-dn0-0-something", 0, "n1")
    assert long[0] == "f"
    assert len(long) == 8
    assert set(long) <= set("abcdefghijklmnopqrstuvwxyz123456")
    assert naming.fnv1a_32(b"a") == 0xE40C292C
    assert naming.fnv1a_64(b"a") == 0xAF63DC4C8601EC8C
    assert len(naming.child_execution_name("a" * 20, "n0", 0)) == 14
    assert naming.generated_name("exec", "n0", 1) == "exec-n0-1"
    assert naming.per_retry_unique_key("0a-b") == "aa_b"


@given(st.from_regex(r"[a-z][a-z\-0-9]{0,62}", fullmatch=True), st.text(max_size=30), st.integers(0, 99))
def test_attempt_names_fit_a_label_and_know_their_execution(name, node_id, attempt):
    execution = identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name=name)
    other = identifier_pb2.WorkflowExecutionIdentifier(project="p2", domain="d", name=name)
    found = naming.attempt_name(execution, node_id, str(attempt))
    assert len(found) <= naming.ATTEMPT_NAME_LENGTH
    assert naming.dns_label(found) == found
    assert naming.is_attempt_of(found, execution)
    assert not naming.is_attempt_of(found, other)
    assert found != naming.attempt_name(other, node_id, str(attempt))


def test_ids_that_collide_are_told_apart():
    """Of 32 bits, some hundred thousand ids suffice for a collision: within an execution, the second gets 64."""

    world = World(g.chain(1), g.literal_map(a=1))
    run = world.run
    run.nodes["f2ngjfda"] = run.nodes
    taken = naming.unique_node_id("parent-that-is-long", 0, "n0")
    parent = type("Parent", (), {"id": "parent-that-is-long", "attempt": 0})()
    assert run.new_id(parent, "n0") == taken
    run.nodes[taken] = None
    assert len(run.new_id(parent, "n0")) == 14


# --- cache keys -------------------------------------------------------------------------------------------------------


def test_hashed_literals_stand_for_their_hash():
    hashed, other = g.integer(1), g.integer(2)
    hashed.hash = other.hash = "h"
    assert cache_keys.tag(g.literal_map(a=hashed), ()) == cache_keys.tag(g.literal_map(a=other), ())
    nested = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[hashed]))
    nested_other = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[other]))
    assert cache_keys.tag(g.literal_map(a=nested), ()) == cache_keys.tag(g.literal_map(a=nested_other), ())
    assert cache_keys.tag(g.literal_map(a=1), ()) != cache_keys.tag(g.literal_map(a=2), ())
    assert cache_keys.tag(g.literal_map(a=1, b=1), {"b"}) == cache_keys.tag(g.literal_map(a=1, b=2), {"b"})


def test_descriptions_do_not_change_the_version_but_types_do():
    first = g.task("t", {"a": g.INT}, {"o0": g.INT}, discovery_version="1")
    second = g.task("t", {"a": g.INT}, {"o0": g.INT}, discovery_version="1")
    second.interface.inputs.variables["a"].description = "a number"
    second.interface.inputs.variables["a"].type.metadata.update({"x": "y"})
    third = g.task("t", {"a": g.BOOL}, {"o0": g.INT}, discovery_version="1")
    assert cache_keys.dataset_version(first) == cache_keys.dataset_version(second)
    assert cache_keys.dataset_version(first) != cache_keys.dataset_version(third)


# --- what attempts leave ----------------------------------------------------------------------------------------------

SYSTEM, USER = execution_pb2.ExecutionError.SYSTEM, execution_pb2.ExecutionError.USER
PREFIX = "s3://bucket/n0/0"


async def read(tmp_path, files, *, task=None, phase=port.AttemptPhase.SUCCEEDED, **update):
    blobs = blobstore.FolderStore(tmp_path, "bucket")
    for name, data in files.items():
        await blobs.put(f"{PREFIX}/{name}", data)
    news = port.AttemptUpdate("a", phase, datetime.datetime.now(datetime.UTC), **update)
    return await outcomes.read(blobs, task or g.PLAIN, PREFIX, news, 1000)


def document(kind: int, origin: int) -> bytes:
    error = errors_pb2.ContainerError(code="C", message="m", kind=kind, origin=origin)
    return errors_pb2.ErrorDocument(error=error).SerializeToString()


@pytest.mark.parametrize(("kind", "origin"), [(0, USER), (1, SYSTEM)])
async def test_an_error_counts_for_more_than_outputs(tmp_path, kind, origin):
    files = {layout.ERROR: document(kind, origin), layout.OUTPUTS: g.literal_map(o0=1).SerializeToString()}
    found = await read(tmp_path, files)
    assert found.state is events.AttemptState.FAILED
    assert (found.error.code, found.error.kind, found.retryable) == ("C", origin, kind == 1)


@pytest.mark.parametrize(
    ("files", "state", "code", "retryable"),
    [
        ({}, events.AttemptState.FAILED, "OutputsNotFound", True),
        ({layout.FUTURES: b""}, events.AttemptState.DYNAMIC, "", False),
        ({layout.OUTPUTS: b"x" * 2000}, events.AttemptState.FAILED, "OutputSizeExceeded", False),
        ({layout.OUTPUTS: b"\xff\xff"}, events.AttemptState.FAILED, "OutputsBadFormat", True),
        ({layout.ERROR: b""}, events.AttemptState.FAILED, "ErrorFileBadFormat", True),
        ({layout.ERROR: b"\xff\xff"}, events.AttemptState.FAILED, "ErrorFileBadFormat", True),
    ],
)
async def test_what_files_mean(tmp_path, files, state, code, retryable):
    found = await read(tmp_path, files)
    assert found.state is state
    assert (found.error.code if found.error else "") == code
    if code == "OutputsNotFound":  # the user's retries count
        assert found.error.kind == core_execution_pb2.ExecutionError.UNKNOWN
    assert found.retryable == retryable


async def test_a_task_without_outputs_need_not_write_any(tmp_path):
    found = await read(tmp_path, {}, task=g.SILENT)
    assert found.state is events.AttemptState.SUCCEEDED


async def test_outputs_of_a_failed_process_do_not_count(tmp_path):
    files = {layout.OUTPUTS: g.literal_map(o0=1).SerializeToString()}
    error = execution_pb2.ExecutionError(code="OOMKilled", kind=USER)
    found = await read(tmp_path, files, phase=port.AttemptPhase.FAILED, error=error, retryable=True)
    assert (found.state, found.error.code, found.retryable) == (events.AttemptState.FAILED, "OOMKilled", True)


# --- elements ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "minimum", "ratio", "least"),
    [
        (10, None, None, 10),
        (10, 3, None, 3),
        (10, None, 0.75, 8),
        (10, None, 0.1, 1),
        (3, None, 1.0, 3),
        (7, None, 0.0, 0),
    ],
)
def test_how_many_elements_must_succeed(size, minimum, ratio, least):
    if ratio is not None:
        ratio = struct_module.unpack("f", struct_module.pack("f", ratio))[0]  # as it comes over the wire
    assert elements.least_successes(size, minimum=minimum, ratio=ratio) == least


@given(st.lists(st.one_of(st.none(), st.binary(max_size=300)), max_size=40))
def test_outputs_put_together_as_bytes_are_what_they_were(values):
    outputs = elements.Outputs(len(values), 10_000)
    for index, value in enumerate(values):
        if value is not None:
            literal = literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=value)))
            outputs.keep(index, literals_pb2.LiteralMap(literals={"o0": literal}), "s3://x")
    found = outputs.gather(["o0"], {}).literals["o0"].collection.literals
    assert [item.scalar.binary.value if item.scalar.HasField("binary") else None for item in found] == values


def test_errors_of_elements_are_summed_up():
    errors = elements.Errors()
    for index in (0, 1, 2, 5, 7, 8):
        errors.add(index, execution_pb2.ExecutionError(message="same"))
    errors.add(3, execution_pb2.ExecutionError(message="other"))
    assert errors.summary() == "[0-2][5][7-8]: same\n[3]: other\n"
    assert len(errors.summary(10)) == 10


def test_go_durations():
    assert [literals.go_duration(s) for s in (0, 0.5, 20, 60, 90, 3600, 7261.5)] == [
        "0s",
        "500ms",
        "20s",
        "1m0s",
        "1m30s",
        "1h0m0s",
        "2h1m1.5s",
    ]


def test_the_environment_of_a_pod_is_its_primary_containers():
    task = tasks_pb2.TaskTemplate(config={"primary_container_name": "main"})
    env = [{"name": "A", "value": "b"}, {"name": "EMPTY"}, {"name": "FROM", "valueFrom": {"fieldRef": {}}}]
    json_format.ParseDict(
        {"containers": [{"name": "other", "env": [{"name": "NOT", "value": "mine"}]}, {"name": "main", "env": env}]},
        task.k8s_pod.pod_spec,
    )
    assert templates.environment_of(task) == {"A": "b", "EMPTY": ""}
    plain = tasks_pb2.TaskTemplate()
    plain.container.env.add(key="A", value="c")
    assert templates.environment_of(plain) == {"A": "c"}
