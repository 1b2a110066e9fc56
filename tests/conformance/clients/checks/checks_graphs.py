"""Each kind of node."""

from absent import Absent
from flytekit.models.core.execution import WorkflowExecutionPhase as Phase
from session import FLYTEKIT, equal, until


def check_map_task(s):
    done = s.run("graphs.mapped", {"numbers": [1, 2, 3, 4]}, nodes=True)
    equal(done.outputs["o0"], [2, 4, 6, 8])
    equal(s.run("graphs.mapped", {"numbers": []}).outputs["o0"], [])
    return "container_array" if FLYTEKIT < (1, 12) else "array node"


def check_map_task_partial(s):
    equal(s.run("graphs.mapped_partly", {"numbers": [1, 2, 3]}).outputs["o0"], 36)


def check_map_task_ratio(s):
    equal(s.run("graphs.mapped_ratio", {"numbers": [1, 2, 3]}).outputs["o0"], [1, None, 3])
    done = s.wait(s.start("graphs.mapped_ratio", {"numbers": [2, 2, 3]}), nodes=True)
    equal(done.closure.phase, Phase.FAILED)
    assert "not two" in done.closure.error.message, done.closure.error.message


def check_map_task_other(s):
    # 1.10 does not know array nodes when it reads nodes.
    done = s.run("graphs.mapped_otherwise", {"numbers": [1, 2, 3]}, nodes=FLYTEKIT >= (1, 12))
    equal(done.outputs["o0"], [2, 4, 6])
    return "experimental array node" if FLYTEKIT < (1, 12) else "container_array"


def check_dynamic(s):
    done = s.run("graphs.dynamics", {"n": 4}, nodes=True)
    equal(done.outputs["o0"], 12)
    equal(s.run("graphs.dynamics", {"n": 0}).outputs["o0"], 0)


def check_conditional(s):
    for x, expected in ((200, 400), (20, 41), (3, 6)):
        equal(s.run("graphs.branches", {"x": x}, nodes=True).outputs["o0"], expected)


def check_ordering(s):
    equal(s.run("graphs.ordered", {"x": 2}, nodes=True).outputs["o0"], 4)


def check_sub_workflow(s):
    equal(s.run("graphs.nested", {"x": 2}, nodes=True).outputs["o0"], 11)


def check_launch_plan_nodes(s):
    equal(s.run("graphs.launches", {"x": 2}, nodes=True).outputs["o0"], 18)


def _signals(s, execution):
    return {signal.id.signal_id for signal in s.remote.list_signals(execution.id.name)}


def check_gates(s):
    execution = s.start("graphs.gates")
    until(lambda: "number" in _signals(s, execution), "the first gate")
    if hasattr(s.remote, "set_input"):
        s.remote.set_input("number", execution.id.name, 4)
    else:
        s.remote.set_signal("number", execution.id.name, 4)
    until(lambda: "good" in _signals(s, execution), "the second gate")
    if hasattr(s.remote, "approve"):
        s.remote.approve("good", execution.id.name)
    else:
        s.remote.set_signal("good", execution.id.name, True)
    done = s.succeeded(s.wait(execution, nodes=True))
    equal((done.outputs["o0"], done.outputs["o1"]), (9, 4))
    return "set_input, approve" if hasattr(s.remote, "approve") else "set_signal"


def check_gate_refused(s):
    execution = s.start("graphs.gates")
    until(lambda: "number" in _signals(s, execution), "the first gate")
    s.remote.set_signal("number", execution.id.name, 4)
    until(lambda: "good" in _signals(s, execution), "the second gate")
    if hasattr(s.remote, "reject"):
        s.remote.reject("good", execution.id.name)
    else:
        s.remote.set_signal("good", execution.id.name, False)
    equal(s.wait(execution).closure.phase, Phase.FAILED)


def check_failure_node(s):
    if FLYTEKIT < (1, 11):
        raise Absent("from 1.11")
    # Up to 1.15 they do not know such nodes when they read nodes.
    done = s.wait(s.start("graphs.with_failure_node", {"x": 3}), nodes=FLYTEKIT >= (1, 16))
    equal(done.closure.phase, Phase.FAILED)
    assert "3 is wrong" in done.closure.error.message, done.closure.error.message
    if FLYTEKIT < (1, 16):
        return ""
    handlers = [node for name, node in done.node_executions.items() if name.startswith(("fn", "efn"))]
    equal([node.closure.phase for node in handlers], [3])
    return "read by the client"


def check_attribute_access(s):
    equal(s.run("values.dataclass_values", {"x": 1}).outputs["o1"], "0.5 a-b a")
