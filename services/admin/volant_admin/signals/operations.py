"""What can be done with signals."""

from google.protobuf import text_format

from volant_admin import listing, validation
from volant_admin.dispatch import dispatcher
from volant_admin.executions import inputs
from volant_admin.executions import operations as executions_operations
from volant_admin.executions import store as executions_store
from volant_admin.node_executions import store as node_store
from volant_core import clock, compiler, errors, postgres
from volantidl.admin import signal_pb2
from volantidl.core import identifier_pb2, literals_pb2, types_pb2

QUERIES = postgres.load_queries(__package__)
_LONGEST_ID = 255
_LONGEST_SHOWN = 200  # characters
_TIME = listing.Kind.TIMESTAMP

LISTING = listing.Listing(
    entity="signal",
    order="g.signal_id",
    columns={
        **node_store.execution_part("g"),
        "signal_id": listing.Column("g.signal_id"),
        "created_at": listing.Column("g.created_at", _TIME),
        "updated_at": listing.Column("g.updated_at", _TIME),
        "type": listing.Column("g.type", listing.Kind.BYTES),
        "value": listing.Column("g.value", listing.Kind.BYTES),
    },
)


class Signals:
    """Signals."""

    def __init__(self, database: postgres.Database, dispatcher: dispatcher.Dispatcher, clock: clock.Clock) -> None:
        """Keep the dependencies."""
        self._database = database
        self._dispatcher = dispatcher
        self._clock = clock

    async def get_or_create(self, request: signal_pb2.SignalGetOrCreateRequest) -> signal_pb2.Signal:
        """The signal, made without a value where it is not there. AlreadyExistsError when it is of another type."""
        self._check(request.id)
        if not request.HasField("type"):
            raise validation.missing("type")
        execution = await executions_store.number_of(self._database, request.id.execution_id)
        row = await self._database.fetch_row(QUERIES["get_signal"], execution, request.id.signal_id)
        if row is None:
            await self._database.execute(
                QUERIES["create_signal"],
                execution,
                request.id.signal_id,
                request.type.SerializeToString(),
                self._clock.now(),
            )
            row = await self._database.fetch_row(QUERIES["get_signal"], execution, request.id.signal_id)
            assert row is not None
        there = types_pb2.LiteralType.FromString(row["type"])
        if there != request.type:
            raise errors.AlreadyExistsError(
                f"signal [{request.id.signal_id}] with matching already exists, of type [{compiler.describe(there)}]"
                f" instead of [{compiler.describe(request.type)}]"
            )
        return _signal(request.id.execution_id, row)

    async def set_value(self, request: signal_pb2.SignalSetRequest) -> None:
        """Give a signal a value, and tell the engine.

        Raises:
            InvalidArgumentError: There is no such signal (yet), or the value is not of its type.
        """
        self._check(request.id)
        if not request.HasField("value"):
            raise validation.missing("value")
        inputs.check_literal(request.value, "value")
        id_ = request.id
        row = await self._database.fetch_row(
            QUERIES["find_signal"], *executions_store.key(id_.execution_id), id_.signal_id
        )
        if row is None:
            raise errors.InvalidArgumentError(
                f"failed to validate that signal [{id_.signal_id}] of execution"
                f" [{executions_store.named(id_.execution_id)}] exists: it does when its gate is reached"
            )
        wanted = types_pb2.LiteralType.FromString(row["type"])
        given = compiler.type_of_literal(request.value)
        if given is None or not compiler.castable(wanted, given):
            raise errors.InvalidArgumentError(
                f"requested signal value [{_shown(request.value)}] of type [{compiler.describe(given)}] is not castable"
                f" to existing signal type [{compiler.describe(wanted)}]"
            )
        await self._database.execute(
            QUERIES["set_signal"],
            row["execution_id"],
            id_.signal_id,
            request.value.SerializeToString(),
            self._clock.now(),
        )
        self._dispatcher.news.signal(row["execution_id"], id_.signal_id)

    async def list_page(self, request: signal_pb2.SignalListRequest) -> signal_pb2.SignalList:
        """A page of the signals of an execution."""
        id_ = request.workflow_execution_id
        if not request.HasField("workflow_execution_id"):
            raise validation.missing("execution_id")
        executions_operations.check_id(id_)
        statement = LISTING.statement(
            QUERIES["list_signals"],
            executions_store.key(id_),
            method="ListSignals",
            limit=request.limit,
            token=request.token,
            filters=request.filters,
            sort_by=request.sort_by if request.HasField("sort_by") else None,
        )
        rows = await self._database.fetch(statement.sql, *statement.arguments)
        return signal_pb2.SignalList(signals=[_signal(id_, row) for row in rows], token=statement.next_token(len(rows)))

    @staticmethod
    def _check(id_: identifier_pb2.SignalIdentifier) -> None:
        if not id_.ByteSize():
            raise validation.missing("id")
        if not id_.HasField("execution_id"):
            raise validation.missing("execution_id")
        validation.require(id_.signal_id, "signal_id")
        validation.max_length(id_.signal_id, "signal_id", _LONGEST_ID)
        executions_operations.check_id(id_.execution_id)


def _shown(value: literals_pb2.Literal) -> str:
    """A value for people, cut where it is long."""
    text = text_format.MessageToString(value, as_one_line=True)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _signal(id_: identifier_pb2.WorkflowExecutionIdentifier, row: postgres.Record) -> signal_pb2.Signal:
    value = row["value"]
    return signal_pb2.Signal(
        id=identifier_pb2.SignalIdentifier(signal_id=row["signal_id"], execution_id=id_),
        type=types_pb2.LiteralType.FromString(row["type"]),
        value=literals_pb2.Literal.FromString(value) if value is not None else None,
    )
