"""What can be asked for in the name of a driver."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from volant_admin import validation
from volant_admin.dispatch import dispatcher
from volant_admin.driver import store, targets
from volant_admin.executions import inputs
from volant_admin.executions.settings import ExecutionSettings
from volant_core import blobstore, clock, errors, postgres
from volant_core.model import driver_tokens, layout, naming
from volantidl.driver import driver_pb2

_LONGEST_KEY = 100
_MOST_CHILDREN = 1000
_SLICE = 50
"""Children that are checked before others get the event loop."""
_PAGE = 100
"""Results in one message: with outputs of the largest size that is kept in a row, some 2 MB."""


class Drivers:
    """Drivers and what they add."""

    def __init__(
        self,
        database: postgres.Database,
        blobs: blobstore.BlobStore,
        dispatcher: dispatcher.Dispatcher,
        targets: targets.Targets,
        settings: ExecutionSettings,
        clock: clock.Clock,
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._blobs = blobs
        self._dispatcher = dispatcher
        self._targets = targets
        self._settings = settings
        self._clock = clock
        self._bucket = blobs.join("x").removesuffix("/x")

    async def add_children(self, request: driver_pb2.AddChildrenRequest) -> list[str]:
        """Add nodes below the driver's, and tell the engine; their unique ids, in the order of the request.

        Raises:
            UnauthenticatedError: The token is not that of any attempt.
            FailedPreconditionError: The attempt, or its execution, is over.
            InvalidArgumentError, NotFoundError: A child cannot be run; the text says which and why.
        """
        claim = self._claim(request.token)
        if len(request.children) > _MOST_CHILDREN:
            raise errors.InvalidArgumentError(f"children cannot exceed {_MOST_CHILDREN} in one call")
        node_ids = [naming.driven_node_id(claim.node_id, child.key) for child in request.children]
        driver = await self._driver(claim, node_ids)
        known = set(driver["known"])
        new: dict[str, store.NewNode] = {}
        for number, (child, node_id) in enumerate(zip(request.children, node_ids, strict=True)):
            if node_id not in known and node_id not in new:
                new[node_id] = await self._new_node(child, node_id, driver)
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        if new:
            nodes = list(new.values())
            added = await store.add(self._database, claim.execution, claim.node_id, nodes, self._clock.now())
            self._dispatcher.news.children_added(claim.execution, added)
        return node_ids

    async def watch_children(self, token: str) -> AsyncIterator[list[driver_pb2.ChildResult]]:
        """The results of all children that have ended, then of each that ends, for ever. Errors as `add_children`."""
        claim = self._claim(token)
        if await store.driver(self._database, claim) is None:
            raise _no_execution(claim)
        sent: set[str] = set()
        with self._dispatcher.watchers.watch(claim.execution, claim.node_id) as watcher:
            while True:
                async for rows in self._results(claim, watcher.take()):
                    new = [row for row in rows if row["node_id"] not in sent]
                    sent.update(row["node_id"] for row in new)
                    for page in _pages(new):
                        yield [store.result_of(row) for row in page]
                await watcher.changed()

    async def _results(
        self, claim: driver_tokens.Claim, wanted: set[str] | None
    ) -> AsyncIterator[Sequence[postgres.Record]]:
        """What the wanted ones came to; all where that is None."""
        if wanted is not None:
            yield await store.some_results(self._database, claim.execution, claim.node_id, list(wanted))
            return
        after = ""
        while True:
            rows = await store.all_results(self._database, claim.execution, claim.node_id, after, _PAGE)
            yield rows
            if len(rows) < _PAGE:
                return
            after = rows[-1]["node_id"]

    def _claim(self, token: str) -> driver_tokens.Claim:
        """What a token says, if it is true."""
        if not token:
            raise errors.UnauthenticatedError("missing token: a driver finds its own in VOLANT_DRIVER_TOKEN")
        claim = driver_tokens.parse(token)
        if claim is None or not driver_tokens.is_true(self._dispatcher.driver_key(claim.execution), claim):
            raise errors.UnauthenticatedError("the token is that of no driver of this platform")
        return claim

    async def _driver(self, claim: driver_tokens.Claim, node_ids: Sequence[str]) -> postgres.Record:
        driver = await store.driver(self._database, claim, node_ids)
        if driver is None:
            raise _no_execution(claim)
        if driver["is_over"]:
            raise errors.FailedPreconditionError(f"execution {driver['execution_name']} is over: nothing can be added")
        if driver["has_ended"]:
            raise errors.FailedPreconditionError(
                f"attempt {claim.attempt} of node {claim.node_id} has ended: nothing can be added to it"
            )
        return driver

    async def _new_node(self, child: driver_pb2.Child, node_id: str, driver: postgres.Record) -> store.NewNode:
        validation.require(child.key, "key of a child")
        validation.max_length(child.key, f"key {child.key[:20]}…", _LONGEST_KEY)
        project, domain = driver["execution_project"], driver["execution_domain"]
        try:
            target = await self._targets.of(child.node, project, domain)
            inputs.check_literals(child.inputs, "inputs")
            if target.expected is not None:
                inputs.effective(child.inputs, target.expected, target.fixed)
        except (errors.InvalidArgumentError, errors.NotFoundError) as wrong:
            raise type(wrong)(f"child {child.key}: {wrong.message}") from wrong
        data = child.inputs.SerializeToString()
        if len(data) <= self._settings.inline_bytes:
            return store.NewNode(node_id, child.key, target.closure_uri, data, None)
        root = layout.execution_root(self._bucket, project, domain, driver["execution_name"])
        uri = layout.driven_inputs_uri(root, node_id)
        await self._blobs.put(uri, data)
        return store.NewNode(node_id, child.key, target.closure_uri, None, uri)


def _no_execution(claim: driver_tokens.Claim) -> errors.NotFoundError:
    return errors.NotFoundError(f"execution {claim.execution}, whose driver the token names, does not exist")


def _pages(rows: Sequence[postgres.Record]) -> Iterator[Sequence[postgres.Record]]:
    for start in range(0, len(rows), _PAGE):
        yield rows[start : start + _PAGE]
