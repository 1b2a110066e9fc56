"""Everything recorded of an execution, in pieces."""

from collections.abc import AsyncIterator

from volant_admin.dispatch import store
from volant_admin.dispatch.settings import DispatchSettings
from volant_core import errors, postgres
from volantidl.core import identifier_pb2
from volantidl.dispatch import dispatch_pb2


def node_of(record: bytes, inputs: bytes | None, outputs: bytes | None) -> dispatch_pb2.NodeRecord:
    """A node's record, put together from its columns."""
    node = dispatch_pb2.NodeRecord.FromString(record)
    if inputs:
        node.inputs = inputs
    if outputs:
        node.outputs = outputs
    return node


def task_of(record: bytes, added: bytes, outputs: bytes | None = None) -> dispatch_pb2.TaskRecord:
    """An attempt's record, with the logs and reasons of all reports."""
    task = dispatch_pb2.TaskRecord.FromString(record)
    task.MergeFromString(added)  # concatenated messages are one: repeated fields add up
    if outputs:
        task.outputs = outputs
    return task


def element_of(row: postgres.Record) -> dispatch_pb2.ArrayElement:
    """An array element's record."""
    element = dispatch_pb2.ArrayElement.FromString(row["record"])
    element.node_id = row["node_id"]
    return element


class _Pieces:
    """Gathers records into messages below a size."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._message = dispatch_pb2.LoadExecutionResponse()

    def add(
        self,
        kind: str,
        item: dispatch_pb2.NodeRecord | dispatch_pb2.TaskRecord | dispatch_pb2.ArrayElement | dispatch_pb2.DriverChild,
    ) -> dispatch_pb2.LoadExecutionResponse | None:
        """Take a record; the message that is full because of it."""
        size = item.ByteSize() + 8
        full = self.rest() if self._size and self._size + size > self._limit else None
        getattr(self._message, kind).append(item)
        self._size += size
        return full

    def rest(self) -> dispatch_pb2.LoadExecutionResponse | None:
        """What is gathered so far, if anything."""
        if not self._size:
            return None
        message, self._message, self._size = self._message, dispatch_pb2.LoadExecutionResponse(), 0
        return message


class Loader:
    """Reads recorded executions."""

    def __init__(self, database: postgres.Database, settings: DispatchSettings) -> None:
        """Keep the dependencies."""
        self._database = database
        self._settings = settings

    async def load(
        self, id_: identifier_pb2.WorkflowExecutionIdentifier
    ) -> AsyncIterator[dispatch_pb2.LoadExecutionResponse]:
        """Everything recorded of an execution. NotFoundError when it does not exist."""
        if "\x00" in id_.project + id_.domain + id_.name:
            raise errors.InvalidArgumentError("id must not contain NUL characters")
        execution = await self._database.fetch_value(store.QUERIES["find_execution"], id_.project, id_.domain, id_.name)
        if execution is None:
            raise errors.NotFoundError(
                f'missing entity of type execution with identifier project:"{id_.project}" domain:"{id_.domain}"'
                f' name:"{id_.name}"'
            )
        pieces = _Pieces(self._settings.load_bytes)
        async for row in self._rows("load_nodes", execution, ("node_id",), ("",)):
            if full := pieces.add("nodes", node_of(row["record"], row["inputs"], row["outputs"])):
                yield full
        async for row in self._rows("load_tasks", execution, ("node_id", "retry_attempt"), ("", -1)):
            if full := pieces.add("tasks", task_of(row["record"], row["added"], row["outputs"])):
                yield full
        key = ("node_id", "element", "attempt")
        async for row in self._rows("load_elements", execution, key, ("", -1, -1)):
            if full := pieces.add("elements", element_of(row)):
                yield full
        async for row in self._rows("load_driven", execution, ("node_id",), ("",)):
            if full := pieces.add("children", store.driven_of(row)):
                yield full
        if rest := pieces.rest():
            yield rest

    async def _rows(
        self, query: str, execution: int, key: tuple[str, ...], start: tuple[str | int, ...]
    ) -> AsyncIterator[postgres.Record]:
        limit = self._settings.load_rows
        while True:
            rows = await self._database.fetch(store.QUERIES[query], execution, *start, limit)
            for row in rows:
                yield row
            if len(rows) < limit:
                return
            start = tuple(rows[-1][name] for name in key)
