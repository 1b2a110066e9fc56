"""What a new node runs, made ready for the engine: a compiled workflow of that one node, stored by its content."""

import collections
import dataclasses
import hashlib

from volant_admin import validation
from volant_admin.launch_plans import operations as launch_plan_operations
from volant_admin.settings import AdminSettings
from volant_admin.tasks import operations as task_operations
from volant_admin.workflows import operations as workflow_operations
from volant_core import blobstore, compiler, errors
from volant_core.compiler import interfaces, report
from volantidl.core import compiler_pb2, identifier_pb2, interface_pb2, literals_pb2, workflow_pb2

_KEPT = 1000
_NODE_ID = "n0"


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a node runs."""

    closure_uri: str
    expected: interface_pb2.ParameterMap | None
    """What it takes; None for a gate that passes on whatever it is given."""
    fixed: literals_pb2.LiteralMap
    """What it cannot be given."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Needed:
    """What a node refers to."""

    expected: interface_pb2.ParameterMap | None
    fixed: literals_pb2.LiteralMap = dataclasses.field(default_factory=literals_pb2.LiteralMap)
    tasks: tuple[compiler_pb2.CompiledTask, ...] = ()
    workflows: tuple[compiler_pb2.CompiledWorkflow, ...] = ()


class Targets:
    """Targets of nodes; what was asked for lately is kept, because nothing that is registered ever changes."""

    def __init__(
        self,
        blobs: blobstore.BlobStore,
        tasks: task_operations.Tasks,
        workflows: workflow_operations.Workflows,
        plans: launch_plan_operations.LaunchPlans,
        settings: AdminSettings,
    ) -> None:
        """Keep the dependencies."""
        self._blobs = blobs
        self._tasks = tasks
        self._workflows = workflows
        self._plans = plans
        self._settings = settings
        self._known: collections.OrderedDict[tuple[str, str, bytes], Target] = collections.OrderedDict()

    async def of(self, node: workflow_pb2.Node, project: str, domain: str) -> Target:
        """The target of a node for executions of a project and domain.

        Raises:
            InvalidArgumentError: It cannot be run by a driver; the text says why.
            NotFoundError: What it refers to is not registered.
        """
        bare = workflow_pb2.Node()
        bare.CopyFrom(node)
        bare.id = _NODE_ID
        for field in ("inputs", "upstream_node_ids", "output_aliases"):
            bare.ClearField(field)
        key = (project, domain, bare.SerializeToString(deterministic=True))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = await self._make(bare, project, domain)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found

    async def _make(self, node: workflow_pb2.Node, project: str, domain: str) -> Target:
        needed = await self._needed(node)
        closure = compiler_pb2.CompiledWorkflowClosure(tasks=needed.tasks, sub_workflows=needed.workflows)
        closure.primary.template.nodes.append(node)
        data = closure.SerializeToString(deterministic=True)
        digest = hashlib.sha256(data).hexdigest()[:32]
        uri = self._blobs.join(*self._settings.metadata_prefix, project, domain, ".driven", digest)
        await self._blobs.put(uri, data)
        return Target(uri, needed.expected, needed.fixed)

    async def _needed(self, node: workflow_pb2.Node) -> _Needed:
        match node.WhichOneof("target"):
            case "task_node" if node.task_node.HasField("reference_id"):
                return await self._task(node.task_node.reference_id)
            case "workflow_node" if node.workflow_node.WhichOneof("reference") == "launchplan_ref":
                return await self._plan(node.workflow_node.launchplan_ref)
            case "workflow_node" if node.workflow_node.WhichOneof("reference") == "sub_workflow_ref":
                return await self._workflow(node.workflow_node.sub_workflow_ref)
            case "array_node":
                return await self._array(node.array_node)
            case "gate_node":
                return _gate(node)
            case _:
                raise errors.InvalidArgumentError(
                    "invalid node: it must refer to a task, a workflow or a launch plan, or be an array of tasks or"
                    " launch plans, or a gate"
                )

    async def _task(self, id_: identifier_pb2.Identifier) -> _Needed:
        validation.identifier(id_, identifier_pb2.TASK)
        found = await self._tasks.get_compiled([id_])
        if not found:
            raise validation.no_entity("TASK", id_)
        return _Needed(_required(found[0].template.interface.inputs), tasks=tuple(found))

    async def _plan(self, id_: identifier_pb2.Identifier) -> _Needed:
        plan = await self._plans.get(id_)
        return _Needed(plan.closure.expected_inputs, plan.spec.fixed_inputs)

    async def _workflow(self, id_: identifier_pb2.Identifier) -> _Needed:
        compiled = (await self._workflows.get(id_)).closure.compiled_workflow
        return _Needed(
            _required(compiled.primary.template.interface.inputs),
            tasks=tuple(compiled.tasks),
            workflows=(compiled.primary, *compiled.sub_workflows),
        )

    async def _array(self, array: workflow_pb2.ArrayNode) -> _Needed:
        if array.node.WhichOneof("target") not in {"task_node", "workflow_node"}:
            raise errors.InvalidArgumentError("invalid array_node.node: it must refer to a task or a launch plan")
        below = await self._needed(array.node)
        if below.workflows or below.expected is None:
            raise errors.InvalidArgumentError("invalid array_node.node: it must refer to a task or a launch plan")
        types = {name: parameter.var.type for name, parameter in below.expected.parameters.items()}
        mapped = interfaces.mapped(interfaces.Interface(types, {}), array)
        expected = interface_pb2.ParameterMap()
        for name, type_ in mapped.inputs.items():
            expected.parameters[name].CopyFrom(below.expected.parameters[name])
            expected.parameters[name].var.type.CopyFrom(type_)
        return dataclasses.replace(below, expected=expected)


def _gate(node: workflow_pb2.Node) -> _Needed:
    gate = node.gate_node
    if gate.HasField("approve"):
        validation.require(gate.approve.signal_id, "gate_node.approve.signal_id")
        return _Needed(None)
    found = report.Report()
    interfaces.gate_interface(node, found)
    try:
        found.raise_any()
    except compiler.CompileErrors as wrong:
        raise errors.InvalidArgumentError(f"invalid gate_node: {wrong}") from wrong
    if gate.HasField("signal"):
        validation.require(gate.signal.signal_id, "gate_node.signal.signal_id")
    return _Needed(interface_pb2.ParameterMap())


def _required(variables: interface_pb2.VariableMap) -> interface_pb2.ParameterMap:
    """All inputs of a task or workflow have to be given."""
    return interface_pb2.ParameterMap(
        parameters={
            name: interface_pb2.Parameter(var=variable, required=True) for name, variable in variables.variables.items()
        }
    )
