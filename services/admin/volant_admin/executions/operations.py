"""What can be done with executions."""

from volant_admin import validation
from volant_admin.dispatch import dispatcher
from volant_admin.executions import launch, shown, store, values
from volant_admin.node_executions import store as node_store
from volant_core import blobstore, clock, errors, postgres
from volant_core.model import naming
from volantidl.admin import common_pb2, event_pb2, execution_pb2
from volantidl.core import identifier_pb2, literals_pb2

_Mode = execution_pb2.ExecutionMetadata
_NOBODY = ""
"""Who asks, as long as nobody is authenticated."""


class Executions:
    """Executions."""

    def __init__(
        self,
        database: postgres.Database,
        blobs: blobstore.BlobStore,
        launching: launch.Launching,
        dispatcher: dispatcher.Dispatcher,
        values: values.Values,
        clock: clock.Clock,
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._blobs = blobs
        self._launching = launching
        self._dispatcher = dispatcher
        self._values = values
        self._clock = clock

    async def create(self, request: execution_pb2.ExecutionCreateRequest) -> identifier_pb2.WorkflowExecutionIdentifier:
        """Start an execution."""
        metadata = request.spec.metadata
        if metadata.HasField("parent_node_execution") and metadata.mode != _Mode.CHILD_WORKFLOW:
            # What an engine starts is another matter: its report on the node comes after.
            await node_store.row_of(self._database, metadata.parent_node_execution)
        return await self._launching.launch(request)

    async def relaunch(
        self, request: execution_pb2.ExecutionRelaunchRequest
    ) -> identifier_pb2.WorkflowExecutionIdentifier:
        """Start one again with the same inputs."""
        check_id(request.id)
        source, again = await self._repeat(request.id, request.name)
        metadata = again.spec.metadata
        metadata.mode = execution_pb2.ExecutionMetadata.RELAUNCH
        # It answers to nobody: the parent's node has its child already.
        metadata.ClearField("parent_node_execution")
        again.spec.overwrite_cache = request.overwrite_cache
        return await self._launching.launch(again, source=source)

    async def recover(
        self, request: execution_pb2.ExecutionRecoverRequest
    ) -> identifier_pb2.WorkflowExecutionIdentifier:
        """Start one again, keeping what succeeded of it."""
        check_id(request.id)
        source, again = await self._repeat(request.id, request.name)
        metadata = again.spec.metadata
        metadata.mode = execution_pb2.ExecutionMetadata.RECOVERED
        metadata.ClearField("parent_node_execution")
        if request.metadata.HasField("parent_node_execution"):
            metadata.parent_node_execution.CopyFrom(request.metadata.parent_node_execution)
            if naming.EXECUTION_LABEL in again.spec.labels.values:
                parent = metadata.parent_node_execution.execution_id.name
                again.spec.labels.values[naming.EXECUTION_LABEL] = parent
        return await self._launching.launch(again, source=source)

    async def _repeat(
        self, id_: identifier_pb2.WorkflowExecutionIdentifier, name: str
    ) -> tuple[int, execution_pb2.ExecutionCreateRequest]:
        row = await store.row_of(self._database, "get_source", id_)
        given = row["user_inputs"]
        if given is None:
            given = await self._blobs.get(row["user_inputs_uri"])
        spec = execution_pb2.Execution.FromString(row["head"]).spec
        spec.metadata.reference_execution.CopyFrom(id_)
        return row["id"], execution_pb2.ExecutionCreateRequest(
            project=id_.project,
            domain=id_.domain,
            name=name,
            spec=spec,
            inputs=literals_pb2.LiteralMap.FromString(given),
        )

    async def get(self, id_: identifier_pb2.WorkflowExecutionIdentifier) -> execution_pb2.Execution:
        """One execution."""
        check_given(id_)
        return shown.execution_of(await store.row_of(self._database, "get_execution", id_))

    async def list_page(self, request: common_pb2.ResourceListRequest) -> execution_pb2.ExecutionList:
        """A page of executions."""
        if not request.HasField("id"):
            raise validation.missing("id")
        validation.list_scope(request.id.project, request.id.domain, request.id.name)
        return await store.list_page(self._database, request)

    async def data(
        self, id_: identifier_pb2.WorkflowExecutionIdentifier
    ) -> execution_pb2.WorkflowExecutionGetDataResponse:
        """Inputs and outputs."""
        check_id(id_)
        row = await store.row_of(self._database, "get_values", id_)
        given, made = await self._values.read_both(row["inputs"], row["inputs_uri"], row["outputs"], row["output_uri"])
        return execution_pb2.WorkflowExecutionGetDataResponse(
            inputs=given.blob, outputs=made.blob, full_inputs=given.full, full_outputs=made.full
        )

    async def terminate(self, id_: identifier_pb2.WorkflowExecutionIdentifier, cause: str) -> None:
        """Have an execution ended by its engine.

        Raises:
            FailedPreconditionError: It has ended; with an EventFailureReason detail.
        """
        check_given(id_)
        number = await store.abort(self._database, id_, cause, _NOBODY, self._clock.now())
        if number is None:
            phase = (await store.row_of(self._database, "phase_of", id_))[0]
            raise errors.FailedPreconditionError(
                "Cannot abort an already terminated workflow execution", already_terminal(phase)
            )
        self._dispatcher.news.abort(number)
        # One that nobody leases may have been passed over by a claim while its row was changed.
        self._dispatcher.claim_soon()

    async def update(self, request: execution_pb2.ExecutionUpdateRequest) -> None:
        """Archive an execution, or bring it back."""
        check_given(request.id)
        touched = await self._database.execute(
            store.QUERIES["update_state"], *store.key(request.id), request.state, self._clock.now(), _NOBODY
        )
        if not touched:
            raise store.missing(request.id)


def check_given(id_: identifier_pb2.WorkflowExecutionIdentifier) -> None:
    """Refuse a request's identifier that is not there, or has an empty field."""
    if not id_.ByteSize():
        raise validation.missing("id")
    check_id(id_)


def check_id(id_: identifier_pb2.WorkflowExecutionIdentifier) -> None:
    """Refuse an identifier with an empty field."""
    if not (id_.project and id_.domain and id_.name):
        validation.require(id_.project, "project")
        validation.require(id_.domain, "domain")
        validation.require(id_.name, "name")


def already_terminal(phase: str) -> event_pb2.EventFailureReason:
    """The detail that tells clients that something has ended."""
    return event_pb2.EventFailureReason(
        already_in_terminal_state=event_pb2.EventErrorAlreadyInTerminalState(current_phase=phase)
    )
