"""Each kind of node, decided in virtual time."""

import gc
import weakref

import engine_graphs as g
import engine_kinds as kinds
import pytest
from engine_kinds import failure, output
from engine_world import World

from volant_engine.decide import events, graphs
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.core import catalog_pb2, execution_pb2, literals_pb2

_Execution = execution_pb2.WorkflowExecution
_Task = execution_pb2.TaskExecution
SYSTEM = execution_pb2.ExecutionError.SYSTEM
USER = execution_pb2.ExecutionError.USER


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_a_chain_passes_values_on():
    store = World(g.chain(4, g.PLAIN), g.literal_map(a=1)).finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert output(store) == 5
    assert store.phase("start-node") == store.phase("end-node") == "SUCCEEDED"


def test_a_sub_workflow_runs_under_its_node():
    inner = g.workflow("inner", [g.node("n0", g.PLAIN, a="a")], {"a": g.INT}, {"o0": g.INT}, {"o0": "n0.o0"})
    outer = g.workflow(
        "outer",
        [g.node("n0", g.PLAIN, a="a"), g.sub_node("n1", inner, a="n0.o0")],
        {"a": g.INT},
        {"o0": g.INT},
        {"o0": "n1.o0"},
    )
    world = World(g.closure(outer, g.PLAIN, subs=[inner]), g.literal_map(a=1))
    store = world.finish()
    assert output(store) == 3
    child = store.nodes["n1-0-n0"]
    assert (child.spec_node_id, child.parent_node_id, child.retry_group) == ("n0", "n1", "0")
    assert store.nodes["n1"].is_parent
    assert store.nodes["n1-0-start-node"].phase == execution_pb2.NodeExecution.SUCCEEDED
    assert child.input_uri == "s3://b/metadata/propeller/p-d-exec/n1/data/0/n0/inputs.pb"


def branch(value: int, **options):
    cases = [
        (g.greater(".a", 10), g.node("n0", g.PLAIN, a="a")),
        (g.greater(".a", 5), g.node("n1", g.ADD, a="n0.o0", b=1)),
    ]
    then = g.branch_node("n1", cases, **options, **{".a": "a"})
    template = g.workflow(
        "branchy",
        [g.node("n0", g.PLAIN, a="a"), then, g.node("n2", g.PLAIN, a="n1.o0")],
        {"a": g.INT},
        {"o0": g.INT},
        {"o0": "n2.o0"},
    )
    return World(g.closure(template, g.PLAIN, g.ADD), g.literal_map(a=value))


def test_a_branch_takes_one_case():
    store = branch(20, default=g.node("n3", g.PLAIN, a=0)).finish()
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    assert output(store) == 22
    assert {"n1", "n1-0-n1-n0"} <= set(store.nodes)
    assert not any(node_id.endswith("n1-n1") for node_id in store.nodes)


def test_a_case_waits_for_nodes_that_its_branch_does_not_know():
    store = branch(7, default=g.node("n3", g.PLAIN, a=0)).finish()
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    assert output(store) == 11


def test_a_branch_without_a_case_fails_with_the_users_words():
    store = branch(1, message="out of range").finish()
    assert store.execution.phase == _Execution.FAILED
    assert (store.execution.error.code, store.execution.error.message) == (
        "UserProvidedError",
        "[UserProvidedError] out of range",
    )


def test_unequal_types_cannot_be_compared():
    world = branch(1, message="x")
    world.inputs.literals["a"].scalar.primitive.string_value = "one"
    error = world.finish().execution.error
    assert (error.code, error.kind) == ("MalformedBranchUserError", USER)


# --- failures ---------------------------------------------------------------------------------------------------------


def pair(*, keep_going: bool, failing: graphs.Spec | None = None):
    """Two chains side by side; the first node of the first one fails."""
    nodes = [
        g.node("bad", g.PLAIN, a="a"),
        g.node("after", g.PLAIN, a="bad.o0"),
        g.node("good", g.PLAIN, a="a"),
        g.node("next", g.PLAIN, a="good.o0"),
    ]
    template = g.workflow("pair", nodes, {"a": g.INT}, failure=failing, keep_going=keep_going)
    world = World(g.closure(template, g.PLAIN), g.literal_map(a=1))
    world.outcome = lambda command: failure() if command.node_id == "bad" else g.literal_map(o0=1)
    world.seconds = lambda command: 1.0 if command.node_id == "bad" else 5.0
    return world


def test_fail_immediately_stops_the_others():
    store = pair(keep_going=False).finish()
    assert store.execution.phase == _Execution.FAILED
    assert store.execution.error.code == "Bad"
    assert store.phase("good") == "ABORTED"
    assert "after" not in store.nodes
    assert store.tasks["good", 0].phase == _Task.ABORTED


def test_keep_going_runs_what_does_not_depend_on_the_failed():
    store = pair(keep_going=True).finish()
    assert store.execution.phase == _Execution.FAILED
    assert [store.phase(n) for n in ("bad", "after", "good", "next", "end-node")] == [
        "FAILED",
        "SKIPPED",
        "SUCCEEDED",
        "SUCCEEDED",
        "SKIPPED",
    ]


def test_the_failure_node_gets_the_error_and_changes_nothing():
    cleanup = g.task("cleanup", {"a": g.INT, "err": g.INT}, {})
    handler = g.node("fn0", cleanup, a="a", err=0)
    nodes = [g.node("bad", g.PLAIN, a="a")]
    template = g.workflow("handled", nodes, {"a": g.INT}, failure=handler)
    world = World(g.closure(template, g.PLAIN, cleanup), g.literal_map(a=1))
    seen = []

    def outcome(command):
        if command.node_id == "bad":
            return failure("it broke")
        seen.append(literals_pb2.LiteralMap.FromString(world.blobs[command.input_uri]))
        return g.literal_map()

    world.outcome = outcome
    store = world.finish()
    assert store.execution.phase == _Execution.FAILED
    assert store.execution.error.message == "it broke"
    assert store.phase("fn0") == "SUCCEEDED"
    union = seen[0].literals["err"].scalar.union
    assert union.type.structure.tag == "FlyteError"
    assert union.value.scalar.error.message == "it broke"
    assert union.value.scalar.error.failed_node_id == "fn0"


def test_a_failed_failure_node_replaces_the_error():
    handler = g.node("fn0", g.PLAIN, a="a")
    template = g.workflow("handled", [g.node("bad", g.PLAIN, a="a")], {"a": g.INT}, failure=handler)
    world = World(g.closure(template, g.PLAIN), g.literal_map(a=1))
    world.outcome = lambda command: failure(command.node_id)
    assert world.finish().execution.error.message == "fn0"


@pytest.mark.parametrize(("kind", "tries", "counts"), [(USER, 3, "[3/3]"), (SYSTEM, 4, "[3/3]")])
def test_two_retry_budgets(kind, tries, counts):
    task = g.task("twice", {"a": g.INT}, {"o0": g.INT}, retries=2)
    world = World(g.chain(1, task), g.literal_map(a=1))
    world.outcome = lambda _: failure("again", kind=kind, retryable=True)
    store = world.finish()
    assert len(world.launches) == tries
    error = store.execution.error
    name = execution_pb2.ExecutionError.ErrorKind.Name(kind)
    assert error.code == "RetriesExhausted|Bad"
    assert error.kind == USER
    assert error.message == f"{counts} currentAttempt done. Last Error: {name}::again"
    assert [store.tasks["n0", n].phase for n in range(tries)] == [_Task.FAILED] * tries


def test_system_failures_do_not_use_up_the_users_budget():
    task = g.task("once", {"a": g.INT}, {"o0": g.INT}, retries=1)
    blame = [SYSTEM, USER, SYSTEM]

    def outcome(command):
        if command.number < len(blame):
            return failure("x", kind=blame[command.number], retryable=True)
        return g.literal_map(o0=9)

    world = World(g.chain(1, task), g.literal_map(a=1), outcome=outcome)
    assert output(world.finish()) == 9
    assert world.launches[1].prev_checkpoint.endswith("/exec-n0-0/_flytecheckpoints")


def test_what_the_platform_ended_costs_no_budget():
    stopped = failure(code="PlatformStopped", kind=SYSTEM, retryable=True)
    world = World(g.chain(1, g.PLAIN), g.literal_map(a=1))
    world.outcome = lambda command: stopped if command.number < 6 else g.literal_map(o0=9)
    assert output(world.finish()) == 9
    world = World(g.chain(1, g.PLAIN), g.literal_map(a=1))
    world.outcome = lambda command: stopped if command.number < 6 else failure(kind=SYSTEM, retryable=True)
    error = world.finish().execution.error
    assert error.code == "RetriesExhausted|Bad"
    assert len(world.launches) == 6 + 4


def test_the_last_system_attempt_is_not_interruptible():
    spec = admin_execution_pb2.ExecutionSpec()
    spec.interruptible.value = True
    world = World(g.chain(1, g.PLAIN), g.literal_map(a=1), spec=spec)
    world.outcome = lambda _: failure(kind=SYSTEM, retryable=True)
    world.finish()
    assert [launch.interruptible for launch in world.launches] == [True, True, True, False]


def timed(seconds: int, retries: int):
    task = g.task("slow", {"a": g.INT}, {"o0": g.INT}, retries=retries)
    task.metadata.timeout.seconds = seconds
    return World(g.chain(1, task), g.literal_map(a=1), seconds=lambda _: 1000.0)


def test_an_attempt_that_takes_too_long_is_tried_again_until_the_active_deadline():
    world = timed(10, retries=5)
    store = world.finish()
    assert len(world.launches) == 2
    assert store.phase("n0") == "TIMED_OUT"
    assert (store.execution.error.code, store.execution.error.kind) == ("Timeout", USER)
    assert store.tasks["n0", 0].phase == execution_pb2.TaskExecution.ABORTED
    assert store.nodes["n0"].updated_at.seconds == pytest.approx(1020, abs=1)


def test_a_time_out_without_retries_exhausts_them():
    store = timed(10, retries=0).finish()
    assert store.execution.error.code == "RetriesExhausted|TimeoutExpired"
    assert "task execution timeout [10s] expired" in store.execution.error.message


def test_missing_outputs_of_a_node_before_fail_the_binding():
    world = World(g.chain(2, g.PLAIN), g.literal_map(a=1))
    world.outcome = lambda _: g.literal_map()
    error = world.finish().execution.error
    assert (error.code, error.kind) == ("BindingResolutionFailure", SYSTEM)
    assert "n0" in error.message


def test_max_parallelism_counts_tasks():
    spec = admin_execution_pb2.ExecutionSpec(max_parallelism=3)
    world = World(g.fan_out(20, g.PLAIN), g.literal_map(a=1), spec=spec)
    assert world.finish().execution.phase == _Execution.SUCCEEDED
    assert world.peak == 3


# --- abort ------------------------------------------------------------------------------------------------------------


def test_abort_reaches_into_sub_workflows():
    inner = g.workflow("inner", [g.node("n0", g.PLAIN, a="a")], {"a": g.INT}, {"o0": g.INT}, {"o0": "n0.o0"})
    outer = g.workflow("outer", [g.sub_node("n1", inner, a="a")], {"a": g.INT})
    world = World(g.closure(outer, g.PLAIN, subs=[inner]), g.literal_map(a=1), seconds=lambda _: 100.0)
    world.finish(until=1010)
    world.feed(events.AbortWanted(world.now, "enough"))
    store = world.finish()
    assert store.execution.phase == _Execution.ABORTED
    assert store.phase("n1") == store.phase("n1-0-n0") == "ABORTED"
    assert len(world.stopped) == 1
    assert not world.run.slots


def test_what_is_dismantled_needs_no_garbage_collector():
    inner = g.workflow("inner", [g.node("n0", g.PLAIN, a="a")], {"a": g.INT}, {"o0": g.INT}, {"o0": "n0.o0"})
    outer = g.workflow("outer", [g.node("n0", g.PLAIN, a="a"), g.sub_node("n1", inner, a="a")], {"a": g.INT})
    world = World(g.closure(outer, g.PLAIN, subs=[inner]), g.literal_map(a=1))
    gc.disable()
    try:
        world.finish(until=1000.5)
        watched = weakref.ref(world.run.limits)
        world.queue.clear()
        world.run.dismantle()
        world.run = world.limits = None
        assert watched() is None
    finally:
        gc.enable()


# --- gates ------------------------------------------------------------------------------------------------------------


def gated(kind: str):
    return World(kinds.gated_closure(kind), g.literal_map(a=1))


def test_a_sleep_passes():
    world = gated("sleep")
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert world.now == pytest.approx(1031, abs=0.5)


def test_a_signal_gives_a_value():
    world = gated("signal")
    world.finish(until=2000)
    assert world.waiting_signals == {"sig"}
    world.set_signal("sig", g.integer(40))
    assert output(world.finish()) == 41


def boolean(value: bool) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(boolean=value)))


def test_an_approval_passes_its_inputs_on():
    world = gated("approve")
    world.finish(until=2000)
    world.set_signal("ok", boolean(True))
    assert output(world.finish()) == 3


def test_a_rejection_fails():
    world = gated("approve")
    world.finish(until=2000)
    world.set_signal("ok", boolean(False))
    error = world.finish().execution.error
    assert (error.code, error.kind) == ("ReceivedRejectSignal", USER)


# --- launch plans -----------------------------------------------------------------------------------------------------


def launching():
    return World(kinds.launching_closure(), g.literal_map(a=1))


def test_a_launch_plan_node_waits_for_its_child():
    world = launching()
    world.child_outcome = lambda command: g.literal_map(o0=command.inputs.literals["a"].scalar.primitive.integer + 1)
    store = world.finish()
    assert output(store) == 2
    assert store.nodes["n0"].child_execution.name in world.children


def test_a_child_may_end_before_its_start_is_heard_of():
    world = launching()
    world.child_outcome = lambda _: None
    world.start()
    (name,) = world.children
    world.feed(events.ChildEnded(world.now, "n0", name, _Execution.SUCCEEDED, outputs=g.literal_map(o0=3)))
    store = world.finish()
    assert output(store) == 3
    assert store.nodes["n0"].child_execution.name == name


def test_the_childs_error_is_the_nodes():
    world = launching()
    error = execution_pb2.ExecutionError(code="Deep", message="down there", kind=USER)
    world.child_outcome = lambda _: {"phase": _Execution.FAILED, "error": error}
    assert world.finish().execution.error.code == "Deep"
    world = launching()
    world.child_outcome = lambda _: {"phase": _Execution.ABORTED}
    assert world.finish().execution.error.code == "RemoteChildWorkflowExecutionFailed"


def test_abort_cascades_to_the_child():
    world = launching()
    world.child_outcome = lambda _: None
    world.finish()
    world.feed(events.AbortWanted(world.now, "enough"))
    store = world.finish()
    assert store.execution.phase == _Execution.ABORTED
    assert world.stopped == [store.nodes["n0"].child_execution.name]


# --- dynamic ----------------------------------------------------------------------------------------------------------


def dynamic(*, failing: bool = False):
    inner = g.workflow(
        "made",
        [g.node("dn0", g.PLAIN, a=5), g.node("dn1", g.PLAIN, a="dn0.o0")],
        {},
        {"o0": g.INT},
        {"o0": "dn1.o0"},
    )
    made = graphs.Library(g.closure(inner, g.PLAIN)).primary
    world = World(g.chain(2, g.PLAIN), g.literal_map(a=1))

    def outcome(command):
        if command.node_id == "n0":
            return made
        if failing and command.node_id == "n0-0-dn1":
            return failure("child")
        return g.literal_map(o0=10)

    world.outcome = outcome
    return world


def test_a_dynamic_node_runs_the_graph_that_its_task_made():
    world = dynamic()
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    record = store.nodes["n0"]
    assert record.is_dynamic
    assert record.is_parent
    assert record.dynamic_closure_uri
    assert record.dynamic_job_spec_uri.endswith("/n0/data/0/futures.pb")
    assert record.output_uri.endswith("/n0/data/0/outputs.pb")
    assert record.output_uri in world.blobs
    child = store.nodes["n0-0-dn0"]
    assert child.parent_node_id == "n0"
    assert "/n0/data/0/dynamic-node/dn0/" in child.input_uri


def test_a_dynamic_node_and_its_children_share_one_place():
    world = dynamic()
    world.run.identity.max_parallelism = 1
    assert world.finish().execution.phase == _Execution.SUCCEEDED
    assert world.peak == 1


def test_a_failing_child_fails_the_dynamic_node_for_good():
    store = dynamic(failing=True).finish()
    assert store.execution.phase == _Execution.FAILED
    assert store.execution.error.message == "child"


# --- cache ------------------------------------------------------------------------------------------------------------


def cached(**metadata):
    return g.task("cached", {"a": g.INT}, {"o0": g.INT}, discoverable=True, discovery_version="1", **metadata)


def test_a_second_run_finds_the_outputs():
    first = World(g.chain(1, cached()), g.literal_map(a=1))
    store = first.finish()
    assert store.nodes["n0"].cache_status == catalog_pb2.CACHE_POPULATED
    second = World(g.chain(1, cached()), g.literal_map(a=1))
    second.cache = first.cache
    store = second.finish()
    assert not second.launches
    assert store.nodes["n0"].cache_status == catalog_pb2.CACHE_HIT
    assert not store.tasks
    assert output(store) == 2
    third = World(g.chain(1, cached()), g.literal_map(a=2))
    third.cache = first.cache
    third.finish()
    assert len(third.launches) == 1


def test_overwrite_runs_anyway():
    spec = admin_execution_pb2.ExecutionSpec(overwrite_cache=True)
    first = World(g.chain(1, cached()), g.literal_map(a=1))
    first.finish()
    second = World(g.chain(1, cached()), g.literal_map(a=1), spec=spec)
    second.cache = first.cache
    store = second.finish()
    assert len(second.launches) == 1
    assert store.nodes["n0"].cache_status == catalog_pb2.CACHE_POPULATED


def test_serialized_nodes_compute_once():
    task = cached(cache_serializable=True)
    world = World(g.fan_out(5, task), g.literal_map(a=1), seconds=lambda _: 3.5)
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert len(world.launches) == 1
    assert not world.reservations


def test_ignored_inputs_do_not_count():
    task = g.task("ign", {"a": g.INT, "b": g.INT}, {"o0": g.INT}, discoverable=True, discovery_version="1")
    task.metadata.cache_ignore_input_vars.append("b")
    nodes = [g.node("n0", task, a="a", b=1), g.node("n1", task, ["n0"], a="a", b=2)]
    world = World(g.closure(g.workflow("w", nodes, {"a": g.INT}), task), g.literal_map(a=1))
    world.finish()
    assert len(world.launches) == 1


# --- recovery ---------------------------------------------------------------------------------------------------------


def test_recovery_keeps_what_succeeded():
    first = World(g.chain(3, g.PLAIN), g.literal_map(a=1))
    first.outcome = lambda command: failure() if command.node_id == "n2" else g.literal_map(o0=5)
    assert first.finish().execution.phase == _Execution.FAILED
    second = World(g.chain(3, g.PLAIN), g.literal_map(a=1))
    second.blobs = dict(first.blobs)
    second.source = list(first.store.nodes.values())
    store = second.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert [store.phase(f"n{i}") for i in range(3)] == ["RECOVERED", "RECOVERED", "SUCCEEDED"]
    assert [launch.node_id for launch in second.launches] == ["n2"]
    assert second.launches[0].prev_checkpoint == first.launches[2].raw_output_prefix + "/_flytecheckpoints"
