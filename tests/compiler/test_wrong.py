"""What is wrong with a graph is refused with its code, its node and a text that names what was expected and found."""

from collections.abc import Callable

import pytest
from google.protobuf import text_format
from graph_text import TASKS, binding, branch, case, id_of, interface, node, template, then

from volant_core import compiler
from volantidl.core import identifier_pb2, tasks_pb2, workflow_pb2

ONE, WORD, X = "primitive { integer: 1 }", 'primitive { string_value: "a" }', 'var: "x"'
DEFAULT = 'error { message: "none fits" }'
OUTPUT = 'outputs { var: "o" binding { promise { node_id: "n0" var: "o" } } }'
FIRST = node("n0", "add", "x=1")
WRONG: dict[str, tuple[workflow_pb2.WorkflowTemplate, list[tuple[str, str, str]]]] = {
    "no nodes": (template(), [("NoNodesFound", "workflow p:d:w:v", "Can't find any nodes in workflow")]),
    "no id": (template(node("", "alone")), [("ValueRequired", "<node>", "Value required [Id].")]),
    "no target": (template('nodes { id: "n0" }'), [("ValueRequired", "n0", "Value required [Target].")]),
    "no task reference": (
        template('nodes { id: "n0" task_node { } }'),
        [("ValueRequired", "n0", "Value required [TaskNode.ReferenceId].")],
    ),
    "same id twice": (
        template(node("n0", "alone"), node("n0", "alone")),
        [("DuplicateId", "n0", "Trying to insert two nodes with the same id.")],
    ),
    "unknown task": (
        template(node("n0", "other")),
        [("TaskReferenceNotFound", "n0", "Referenced Task [task p:d:other:v] not found.")],
    ),
    "no workflow reference": (
        template('nodes { id: "n0" workflow_node { } }'),
        [("WorkflowReferenceNotFound", "n0", "not found")],
    ),
    "input not bound": (
        template(node("n0", "add")),
        [("ParameterNotBound", "n0", "Parameter not bound [x]. It expects [INTEGER].")],
    ),
    "output not bound": (
        template(FIRST, outputs="o:int"),
        [("ParameterNotBound", "end-node", "Parameter not bound [o]. It expects [INTEGER].")],
    ),
    "unknown input": (
        template(node("n0", "add", "x=1 y=2")),
        [("VariableNameNotFound", "n0", "Variable [y] not found on node [n0].")],
    ),
    "unknown workflow output": (
        template(FIRST, OUTPUT),
        [("VariableNameNotFound", "end-node", "Variable [o] not found on node [end-node].")],
    ),
    "bound twice": (
        template(node("n0", "add", "x=1 x=2")),
        [("ParameterBoundMoreThanOnce", "n0", "Input [x] is bound more than once.")],
    ),
    "empty binding": (
        template(node("n0", "add").replace("task_node", 'inputs { var: "x" } task_node', 1)),
        [("ValueRequired", "n0", "Value required [Binding] of input [x]."), ("ParameterNotBound", "n0", "[x]")],
    ),
    "unknown node": (
        template(node("n0", "add", "x=n7.o")),
        [("NodeReferenceNotFound", "n0", "Referenced node [n7] not found: input [x] is bound to its output [o].")],
    ),
    "unknown output": (
        template(FIRST, node("n1", "add", "x=n0.other")),
        [
            ("ParameterNotBound", "n1", "Parameter not bound [x]. Node [n0] has no output [other]."),
            ("VariableNameNotFound", "n0", "Variable [other] not found on node [n0]."),
        ],
    ),
    "unknown workflow input": (
        template(node("n0", "add", "x=.a")),
        [("ParameterNotBound", "n0", "[x]"), ("VariableNameNotFound", "start-node", "Variable [a] not found")],
    ),
    "unknown upstream node": (
        template(node("n0", "alone", after="n9")),
        [
            (
                "UnreachableNodes",
                "start-node",
                "[n0]. Referenced node [n9] not found: it is in the upstream_node_ids of node [n0].",
            )
        ],
    ),
    "unknown upstream node beside one that is there": (
        template(FIRST, node("n1", "add", "x=n0.o", after="n9")),
        [("NodeReferenceNotFound", "n1", "Referenced node [n9] not found: it is in the upstream_node_ids")],
    ),
    "malformed output name": (
        template(FIRST, node("n1", "add", "x=n0.a-b")),
        [("SyntaxError", "n1", "Failed to parse element [a-b] of input [x].")],
    ),
    "wrong type of an output": (
        template(FIRST, node("n1", "text", "x=n0.o")),
        [
            (
                "MismatchingTypes",
                "n1",
                "The output variable 'n0.o' has type [INTEGER], but it's assigned to the input variable 'n1.x' which",
            )
        ],
    ),
    "wrong type of a workflow input": (
        template(node("n0", "add", "x=.a"), inputs="a:str"),
        [("MismatchingTypes", "n0", "'start-node.a' has type [STRING]")],
    ),
    "wrong type of a workflow output": (
        template(FIRST, OUTPUT, outputs="o:str"),
        [("MismatchingTypes", "end-node", "'n0.o' has type [INTEGER]")],
    ),
    "wrong type of a scalar": (
        template(node("n0", "add", "x='a'")),
        [("MismatchingTypes", "n0", "Variable [x] (type [STRING]) doesn't match expected type [INTEGER].")],
    ),
    "none where something is needed": (
        template(node("n0", "add", "x=none")),
        [("MismatchingTypes", "n0", "Variable [x] (type [NONE]) doesn't match expected type [INTEGER].")],
    ),
    "no integer for a float": (
        template(FIRST, node("n1", "take_float", "x=n0.o")),
        [
            (
                "MismatchingTypes",
                "n1",
                "[INTEGER], but it's assigned to the input variable 'n1.x' which has type [FLOAT]",
            )
        ],
    ),
    "empty scalar": (
        template(
            'nodes { id: "n0" inputs { var: "x" binding { scalar { } } } task_node { reference_id {'
            ' resource_type: TASK project: "p" domain: "d" name: "add" version: "v" } } }'
        ),
        [("UnrecognizedValue", "n0", "Unrecognized value [empty scalar] of input [x].")],
    ),
    "list for an integer": (
        template(node("n0", "add", "x=[1,2]")),
        [("MismatchingBindings", "n0", "expects bindings of type [INTEGER]. Received [a list of 2 bindings].")],
    ),
    "map for a list": (
        template(node("n0", "take_list", "x={a:1}")),
        [("MismatchingBindings", "n0", "expects bindings of type [list of INTEGER]. Received [a map of 1 bindings].")],
    ),
    "wrong element of a list": (
        template(node("n0", "take_list", "x=[1,'a']")),
        [("MismatchingTypes", "n0", "Variable [x] (type [STRING]) doesn't match expected type [INTEGER].")],
    ),
    "wrong value of a map": (
        template(node("n0", "make_str"), node("n1", "take_map", "x={a:1,b:n0.o}")),
        [("MismatchingTypes", "n1", "'n0.o' has type [STRING]")],
    ),
    "element of what is no list": (
        template(FIRST, node("n1", "add", "x=n0.o/0")),
        [("FieldNotFound", "n1", "Variable [n0.o[0]]: type [INTEGER] doesn't have field [0].")],
    ),
    "key of a list": (
        template(node("n0", "make_list"), node("n1", "add", "x=n0.o/a")),
        [("FieldNotFound", "n1", "type [list of INTEGER] doesn't have field [a].")],
    ),
    "unknown field of a dataclass": (
        template(node("n0", "make_row"), node("n1", "add", "x=n0.o/b")),
        [("FieldNotFound", "n1", "Variable [n0.o[b]]: type [struct {a: INTEGER}] doesn't have field [b].")],
    ),
    "wrong type of a field": (
        template(node("n0", "make_row"), node("n1", "text", "x=n0.o/a")),
        [("MismatchingTypes", "n1", "The output variable 'n0.o[a]' has type [INTEGER]")],
    ),
    "not a value of the enum": (
        template(node("n0", "take_color", "x='green'")),
        [("IllegalEnumValue", "n0", "expects value to be one of ['red', 'blue']. Received [green].")],
    ),
    "no variant of the union": (
        template(node("n0", "make_str"), node("n1", "take_optional", "x=n0.o")),
        [
            (
                "MismatchingTypes",
                "n1",
                "type [STRING], but it's assigned to the input variable 'n1.x' which has type [INTEGER or NONE]",
            )
        ],
    ),
    "a union where one variant is needed": (
        template(node("n0", "make_either"), node("n1", "add", "x=n0.o")),
        [("MismatchingTypes", "n1", "has type [INTEGER or STRING]")],
    ),
    "list for a union without lists": (
        template(node("n0", "take_either", "x=[1]")),
        [("IncompatibleBindingUnionValue", "n0", "Received [a list of 1 bindings] which does not match any of the")],
    ),
    "list for a union of lists": (
        template(node("n0", "take_lists", "x=[]")),
        [("AmbiguousBindingUnionValue", "n0", "both variants [list of INTEGER] and [list of STRING] match")],
    ),
    "another format of a file": (
        template(node("n0", "make_csv"), node("n1", "take_png", "x=n0.o")),
        [("MismatchingTypes", "n1", "has type [file of format csv]")],
    ),
    "columns that are not there": (
        template(node("n0", "make_frame"), node("n1", "take_wide", "x=n0.o")),
        [("MismatchingTypes", "n1", "has type [structured dataset with columns a: INTEGER]")],
    ),
    "a cycle": (
        template(node("n0", "add", "x=n1.o"), node("n1", "add", "x=n0.o")),
        [("UnreachableNodes", "start-node", "[n0,n1]. They wait for one another [n0>n1>n0].")],
    ),
    "a cycle of its own": (
        template(node("n0", "add", "x=n0.o")),
        [("UnreachableNodes", "start-node", "[n0]. They wait for one another [n0>n0].")],
    ),
    "a cycle that something leads to": (
        template(FIRST, node("n1", "add", "x=n2.o", after="n0"), node("n2", "add", "x=n1.o")),
        [("CycleDetected", "start-node", "[n1>n2>n1]")],
    ),
    "a cycle by order alone": (
        template(node("n0", "alone", after="n1"), node("n1", "alone", after="n2"), node("n2", "alone", after="n0")),
        [("UnreachableNodes", "start-node", "[n0,n1,n2]. They wait for one another [n0>n2>n1>n0].")],
    ),
    "a cycle through a branch": (
        template(
            branch("n0", case(ONE, ONE, then("c", "add", "x=n1.o")) + DEFAULT),
            node("n1", "add", "x=n0.o"),
        ),
        [("CycleDetected", "start-node", "[n0>n1>n0-c>n0]")],
    ),
    "a branch without anything": (
        template('nodes { id: "n0" branch_node { } }'),
        [
            ("BranchNodeHasNoCondition", "n0", "One of the branches on the node doesn't have a condition."),
            ("BranchNodeHasNoDefault", "n0", "must have either the else case set or a default error"),
            ("ValueRequired", "n0", "Value required [Branch.IfElse]."),
        ],
    ),
    "a branch without a default": (
        template(branch("n0", case(ONE, ONE, then("c", "alone")))),
        [("BranchNodeHasNoDefault", "n0", "must have either the else case set or a default error")],
    ),
    "a case without a node": (
        template(branch("n0", case(ONE, ONE, "") + DEFAULT)),
        [
            ("BranchNodeIdNotFound", "n0", "a case has no node to run"),
            ("ValueRequired", "n0", "Value required [Branch.IfElse.Case.ThenNode]."),
        ],
    ),
    "a case without a condition": (
        template(branch("n0", f"case {{ {then('c', 'alone')} }} {DEFAULT}")),
        [("BranchNodeHasNoCondition", "n0", "One of the branches on the node doesn't have a condition.")],
    ),
    "an empty condition": (
        template(branch("n0", f"case {{ condition {{ }} {then('c', 'alone')} }} {DEFAULT}")),
        [("ValueRequired", "n0", "Value required [Expr].")],
    ),
    "a condition on something unbound": (
        template(branch("n0", case(X, ONE, then("c", "alone")) + DEFAULT)),
        [("VariableNameNotFound", "n0", "Variable [x] not found on node [n0].")],
    ),
    "a condition on nothing": (
        template(branch("n0", case("", ONE, then("c", "alone")) + DEFAULT)),
        [("ValueRequired", "n0", "Value required [LeftValue.Val].")],
    ),
    "a condition on two types": (
        template(FIRST, branch("b", case(X, WORD, then("c", "alone")) + DEFAULT, "x=n0.o")),
        [("MismatchingTypes", "b", "Variable [RightValue] (type [STRING]) doesn't match expected type [INTEGER].")],
    ),
    "cases that give different types": (
        template(
            branch(
                "n0",
                case(ONE, ONE, then("c", "add", "x=1")) + then("e", "text", "x='a'", name="else_node"),
            )
        ),
        [("MismatchingTypes", "n0-e", "Variable [o] (type [STRING]) doesn't match expected type [INTEGER]")],
    ),
    "an error inside a case": (
        template(branch("n0", case(ONE, ONE, then("c", "add")) + DEFAULT)),
        [("ParameterNotBound", "n0-c", "Parameter not bound [x]. It expects [INTEGER].")],
    ),
    "an output that only some cases have": (
        template(
            branch("n0", case(ONE, ONE, then("c", "add", "x=1")) + then("e", "alone", name="else_node")),
            node("n1", "add", "x=n0.o"),
        ),
        [("ParameterNotBound", "n1", "[x]"), ("VariableNameNotFound", "n0", "Variable [o] not found on node [n0].")],
    ),
    "a gate that waits for nothing": (
        template('nodes { id: "n0" gate_node { } }'),
        [("NoConditionFound", "n0", "Can't find any condition in gate node [n0].")],
    ),
    "a signal without a type": (
        template('nodes { id: "n0" gate_node { signal { signal_id: "s" output_variable_name: "o" } } }'),
        [("ValueRequired", "n0", "Value required [GateNode.Signal.Type].")],
    ),
    "a signal without a name": (
        template('nodes { id: "n0" gate_node { signal { signal_id: "s" type { simple: INTEGER } } } }'),
        [("ValueRequired", "n0", "Value required [GateNode.Signal.OutputVariableName].")],
    ),
    "an array of nothing": (
        template('nodes { id: "n0" array_node { } }'),
        [("ValueRequired", "n0", "Value required [ArrayNode.Node].")],
    ),
    "a failure node that is wrong": (
        template(FIRST, then("f", "text", "x=.a", name="failure_node"), inputs="a:int"),
        [("MismatchingTypes", "f", "which has type [STRING]")],
    ),
    "a failure node with the id of another": (
        template(FIRST, then("n0", "alone", name="failure_node")),
        [("DuplicateId", "n0", "The failure node has the id of another node.")],
    ),
    "an alias that is used twice": (
        template(
            FIRST.replace(
                "task_node",
                'output_aliases { var: "o" alias: "a" } output_aliases { var: "o" alias: "b" } task_node',
                1,
            ),
            node("n1", "add", "x=n0.a"),
        ),
        [("DuplicateAlias", "n0", "Duplicate alias [b] of output [o].")],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_graphs(name):
    wrong, expected = WRONG[name]
    with pytest.raises(compiler.CompileErrors) as caught:
        compiler.compile_workflow(wrong, [], TASKS, {})
    found = [(str(error.code), error.node_id, error.description) for error in caught.value.errors]
    assert [one[:2] for one in found] == sorted(one[:2] for one in expected), caught.value
    for code, node_id, text in expected:
        assert any(one[:2] == (code, node_id) and text in one[2] for one in found), caught.value


def test_there_are_enough_of_them():
    assert len(WRONG) >= 40


def test_a_variable_needs_a_type():
    wrong = template(FIRST)
    wrong.interface.inputs.variables["a"].description = "without a type"
    with pytest.raises(compiler.CompileErrors, match=r"variable \[a\] has no type"):
        compiler.compile_workflow(wrong, [], TASKS, {})


def sub_workflow(name: str, *parts: str, inputs: str = "", outputs: str = "") -> workflow_pb2.WorkflowTemplate:
    made = template(*parts, inputs=inputs, outputs=outputs)
    made.id.name = name
    return made


def calls(id_: str, name: str, inputs: str = "") -> str:
    reference = text_format.MessageToString(id_of(name, identifier_pb2.WORKFLOW), as_one_line=True)
    bindings = " ".join(binding(one) for one in inputs.split())
    return f'nodes {{ id: "{id_}" workflow_node {{ sub_workflow_ref {{ {reference} }} }} {bindings} }}'


def refused(compile_: Callable[[], object]) -> list[tuple[str, str, str]]:
    with pytest.raises(compiler.CompileErrors) as caught:
        compile_()
    return [(str(error.code), error.node_id, error.description) for error in caught.value.errors]


def test_errors_in_sub_workflows_say_where():
    inner = sub_workflow("inner", node("n0", "add"))
    (found,) = refused(lambda: compiler.compile_workflow(template(calls("n0", "inner")), [inner], TASKS, {}))
    assert found == (
        "ParameterNotBound",
        "n0",
        "Parameter not bound [x]. It expects [INTEGER]. (in sub-workflow [workflow p:d:inner:v])",
    )


def test_sub_workflows_must_be_there_once_and_not_contain_themselves():
    outer = template(calls("n0", "inner"))
    assert [one[0] for one in refused(lambda: compiler.compile_workflow(outer, [], TASKS, {}))] == [
        "WorkflowReferenceNotFound"
    ]
    assert refused(lambda: compiler.required_entities(outer, [])) == refused(
        lambda: compiler.compile_workflow(outer, [], TASKS, {})
    )
    inner = sub_workflow("inner", node("n0", "alone"))
    assert refused(lambda: compiler.compile_workflow(outer, [inner, inner], TASKS, {}))[0][0] == "DuplicateId"
    for bad in (sub_workflow("inner", calls("n0", "inner")), sub_workflow("inner", calls("n0", "w"))):
        (found,) = refused(lambda bad=bad: compiler.compile_workflow(outer, [bad], TASKS, {}))
        assert found[0] == "CycleDetected"
        assert "A workflow can not contain itself" in found[2]


def test_unused_sub_workflows_are_left_alone():
    closure = compiler.compile_workflow(template(FIRST), [sub_workflow("unused", node("n0", "other"))], TASKS, {})
    assert [one.template.id.name for one in closure.sub_workflows] == ["unused"]
    assert not closure.sub_workflows[0].connections.upstream


def test_everything_wrong_is_told_at_once_and_in_order():
    wrong = template(node("n1", "text", "x=1"), node("n0", "add", "x='a' y=1"), node("n2", "other"))
    errors = refused(lambda: compiler.compile_workflow(wrong, [], TASKS, {}))
    assert [one[:2] for one in errors] == [
        ("MismatchingTypes", "n0"),
        ("MismatchingTypes", "n1"),
        ("TaskReferenceNotFound", "n2"),
        ("VariableNameNotFound", "n0"),
    ]
    again = refused(lambda: compiler.compile_workflow(wrong, [], TASKS, {}))
    assert again == errors


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.ClearField("id"), "Value required [Id]."),
        (lambda t: t.container.ClearField("image"), "Value required [image]."),
        (lambda t: t.container.ClearField("args"), "Value required [command]."),
        (lambda t: t.container.resources.limits.add(name=1, value="much"), "Node Id: resources.CPU"),
        (lambda t: t.k8s_pod.pod_spec.update({"containers": "none"}), "Invalid value [k8s pod spec]."),
        (lambda t: t.k8s_pod.pod_spec.update({"containers": [{"name": "A_b"}]}), "[k8s pod spec container name]"),
    ],
)
def test_wrong_tasks(change, text):
    made = tasks_pb2.TaskTemplate(id=id_of("t"), interface=interface("x:int", ""))
    made.container.image = "image"
    made.container.args.append("run")
    compiler.compile_task(made)
    change(made)
    with pytest.raises(compiler.CompileErrors) as caught:
        compiler.compile_task(made)
    assert text in str(caught.value)
