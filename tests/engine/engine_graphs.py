"""Small compiled workflows, made by hand."""

from collections.abc import Sequence
from typing import Any

from volant_core import compiler
from volantidl.core import (
    compiler_pb2,
    condition_pb2,
    identifier_pb2,
    interface_pb2,
    literals_pb2,
    tasks_pb2,
    types_pb2,
    workflow_pb2,
)

INT = types_pb2.LiteralType(simple=types_pb2.INTEGER)
BOOL = types_pb2.LiteralType(simple=types_pb2.BOOLEAN)
INTS = types_pb2.LiteralType(collection_type=INT)


def identifier(name: str, kind: int = identifier_pb2.TASK) -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(resource_type=kind, project="p", domain="d", name=name, version="1")


def interface(inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None):
    result = interface_pb2.TypedInterface()
    for target, given in ((result.inputs, inputs), (result.outputs, outputs)):
        target.SetInParent()
        for name, type_ in (given or {}).items():
            target.variables[name].type.CopyFrom(type_)
    return result


def task(name: str, inputs=None, outputs=None, *, type_="python-task", **metadata) -> tasks_pb2.TaskTemplate:
    template = tasks_pb2.TaskTemplate(id=identifier(name), type=type_, interface=interface(inputs, outputs))
    template.metadata.runtime.version = "1"
    retries = metadata.pop("retries", 0)
    template.metadata.retries.retries = retries
    for key, value in metadata.items():
        setattr(template.metadata, key, value)
    if type_ != "echo":
        template.container.image = "none"
        template.container.args.extend(
            ["pyflyte-execute", "--inputs", "{{.input}}", "--output-prefix", "{{.outputPrefix}}"]
        )
    return template


ECHO = task("echo", {"a": INT}, {"o0": INT}, type_="echo")
ADD = task("add", {"a": INT, "b": INT}, {"o0": INT})
PLAIN = task("plain", {"a": INT}, {"o0": INT})
SILENT = task("silent", {}, {})


def integer(value: int) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value)))


def integers(*values: int) -> literals_pb2.Literal:
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[integer(v) for v in values]))


def literal_map(**values) -> literals_pb2.LiteralMap:
    return literals_pb2.LiteralMap(literals={k: integer(v) if isinstance(v, int) else v for k, v in values.items()})


def binding(source) -> literals_pb2.BindingData:
    """An int is a constant, "node.var" a promise, ".var" or "var" a workflow input, a list a collection."""
    if isinstance(source, literals_pb2.BindingData):
        return source
    if isinstance(source, int):
        return literals_pb2.BindingData(scalar=integer(source).scalar)
    if isinstance(source, list):
        return literals_pb2.BindingData(
            collection=literals_pb2.BindingDataCollection(bindings=[binding(item) for item in source])
        )
    node, _, var = source.rpartition(".")
    return literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id=node, var=var))


def bindings(**sources) -> list[literals_pb2.Binding]:
    return [literals_pb2.Binding(var=var, binding=binding(source)) for var, source in sources.items()]


def node(node_id: str, template: tasks_pb2.TaskTemplate, after: Sequence[str] = (), **sources) -> workflow_pb2.Node:
    result = workflow_pb2.Node(id=node_id, inputs=bindings(**sources), upstream_node_ids=after)
    result.metadata.name = template.id.name
    result.task_node.reference_id.CopyFrom(template.id)
    return result


def sub_node(node_id: str, workflow: workflow_pb2.WorkflowTemplate, after: Sequence[str] = (), **sources):
    result = workflow_pb2.Node(id=node_id, inputs=bindings(**sources), upstream_node_ids=after)
    result.workflow_node.sub_workflow_ref.CopyFrom(workflow.id)
    return result


def greater(var: str, than: int) -> condition_pb2.BooleanExpression:
    return condition_pb2.BooleanExpression(
        comparison=condition_pb2.ComparisonExpression(
            operator=condition_pb2.ComparisonExpression.GT,
            left_value=condition_pb2.Operand(var=var),
            right_value=condition_pb2.Operand(primitive=literals_pb2.Primitive(integer=than)),
        )
    )


def branch_node(node_id: str, cases, default=None, message: str = "", **sources) -> workflow_pb2.Node:
    result = workflow_pb2.Node(id=node_id, inputs=bindings(**sources))
    block = result.branch_node.if_else
    (first, then), *others = cases
    block.case.condition.CopyFrom(first)
    block.case.then_node.CopyFrom(then)
    for condition, then in others:
        block.other.add(condition=condition, then_node=then)
    if default is not None:
        block.else_node.CopyFrom(default)
    elif message:
        block.error.CopyFrom(types_pb2.Error(message=message, failed_node_id="x"))
    return result


def workflow(
    name: str,
    nodes: Sequence[workflow_pb2.Node],
    inputs=None,
    outputs=None,
    results=None,
    failure: workflow_pb2.Node | None = None,
    *,
    keep_going: bool = False,
) -> workflow_pb2.WorkflowTemplate:
    template = workflow_pb2.WorkflowTemplate(
        id=identifier(name, identifier_pb2.WORKFLOW),
        interface=interface(inputs, outputs),
        nodes=nodes,
        outputs=bindings(**(results or {})),
    )
    template.metadata.on_failure = 1 if keep_going else 0
    if failure is not None:
        template.failure_node.CopyFrom(failure)
    return template


def closure(template, *tasks, subs: Sequence[workflow_pb2.WorkflowTemplate] = (), plans=None):
    compiled = [compiler_pb2.CompiledTask(template=t) for t in tasks]
    try:
        return compiler.compile_workflow(template, subs, compiled, plans or {})
    except compiler.CompileErrors as errors:
        raise AssertionError([str(error) for error in errors.errors]) from errors


def chain(size: int, template: tasks_pb2.TaskTemplate = ECHO) -> compiler_pb2.CompiledWorkflowClosure:
    nodes = [node(f"n{i}", template, a=f"n{i - 1}.o0" if i else "a") for i in range(size)]
    return closure(workflow("chain", nodes, {"a": INT}, {"o0": INT}, {"o0": f"n{size - 1}.o0"}), template)


def fan_out(size: int, template: tasks_pb2.TaskTemplate = ECHO) -> compiler_pb2.CompiledWorkflowClosure:
    nodes = [node(f"n{i}", template, a="a") for i in range(size)]
    return closure(workflow("fan", nodes, {"a": INT}), template)
