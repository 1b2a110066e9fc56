"""Taking a report: write it, refuse what must be refused, and tell whom it concerns."""

import itertools

from volant_admin.dispatch import dispatcher, reports, store
from volant_core import errors, postgres
from volantidl.dispatch import dispatch_pb2


class Recorder:
    """Takes reports."""

    def __init__(self, database: postgres.Database, dispatcher: dispatcher.Dispatcher) -> None:
        """Keep the dependencies."""
        self._database = database
        self._dispatcher = dispatcher

    async def report(self, request: dispatch_pb2.ReportRequest) -> dispatch_pb2.ReportResponse:
        """Record a report, the parts of each execution by itself.

        Raises:
            InvalidArgumentError: No part of it can be recorded.
        """
        if not request.session or "\x00" in request.session:
            raise errors.InvalidArgumentError("missing session: a report says whose it is")
        columns, refused = reports.columns_of(request)
        executions, epochs = columns.leases
        held: set[int] = set()
        if executions:
            for execution, has_ended, parent in await store.record(self._database, request.session, columns):
                held.add(execution)
                if has_ended and parent is not None:
                    self._dispatcher.news.child_ended(execution)
            for number, node_id, driver in columns.awaited:
                if number in held:
                    self._dispatcher.news.child_result(number, node_id, driver)
            numbers, _, ended, *_ = columns.executions
            if any(ended):
                # Also those that had ended before: a repeated report.
                self._dispatcher.ended(request.session, held.intersection(itertools.compress(numbers, ended)))
        if len(held) < len(executions):
            refused += await self._refusals(
                [pair for pair in zip(executions, epochs, strict=True) if pair[0] not in held]
            )
        if refused and not held and all(refusal.unfit for refusal in refused):
            raise errors.InvalidArgumentError(f"nothing of the report can be recorded: {refused[0].reason}")
        return dispatch_pb2.ReportResponse(refused=refused)

    async def _refusals(self, pairs: list[tuple[int, int]]) -> list[dispatch_pb2.Refusal]:
        known = await store.known(self._database, [execution for execution, _ in pairs])
        return [
            dispatch_pb2.Refusal(
                execution=execution,
                epoch=epoch,
                reason=(
                    f"execution {execution}: the session does not lease it by epoch {epoch}"
                    if execution in known
                    else f"execution {execution} does not exist"
                ),
                unfit=execution not in known,
            )
            for execution, epoch in pairs
        ]
