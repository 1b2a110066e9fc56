"""The stream to admin: hello, heartbeats, what admin pushes; attached again whenever it breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc.aio
import structlog

from volant_core import errors
from volant_core.rpc import client
from volant_engine import settings as engine_settings
from volant_engine.reactor import patience
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc

_log = structlog.get_logger(__name__)


class Session:
    """An engine's attachment to admin, over as many streams as it takes."""

    def __init__(
        self,
        stub: "dispatch_pb2_grpc.DispatchServiceAsyncStub",
        session: str,
        settings: engine_settings.EngineSettings,
        waiting: patience.Patience,
        told: Callable[[dispatch_pb2.AttachResponse], None],
    ) -> None:
        """Attach as `session`; `told` hears what admin pushes, in order."""
        self._stub = stub
        self._id = session
        self._settings = settings
        self._patience = waiting
        self._told = told
        self._leaving = asyncio.Event()
        self.welcomed = asyncio.Event()
        """Set once admin has accepted the session."""
        self.is_attached = False
        """Whether the stream stands now."""

    def leave(self) -> None:
        """End the leases: nothing more is assigned."""
        self._leaving.set()

    async def run(self) -> None:
        """Stay attached, until `leave` or until cancelled."""
        pause, longest = self._settings.retry_seconds
        while not self._leaving.is_set():
            try:
                await self._attach()
                pause = self._settings.retry_seconds[0]
            except errors.VolantError as broken:
                _log.warning("the stream to admin broke; attaching again", error=broken.message)
            if not self._leaving.is_set():
                await self._patience.rest(pause)
                pause = min(2 * pause, longest)

    async def _attach(self) -> None:
        lease: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        with client.peer_errors():
            call = self._stub.Attach(self._requests(lease))
            try:
                async for message in call:
                    if message.WhichOneof("message") == "welcome":
                        if not lease.done():
                            lease.set_result(message.welcome.lease.ToTimedelta().total_seconds())
                        self.welcomed.set()
                        self.is_attached = True
                    else:
                        self._told(message)
            except grpc.aio.UsageError as misuse:
                raise errors.UnavailableError(f"the stream to admin ended: {misuse}") from misuse
            finally:
                self.is_attached = False
                call.cancel()

    async def _requests(self, lease: "asyncio.Future[float]") -> AsyncIterator[dispatch_pb2.AttachRequest]:
        hello = dispatch_pb2.Hello(engine=self._settings.name, session=self._id, capacity=self._settings.capacity)
        yield dispatch_pb2.AttachRequest(hello=hello)
        seconds = await lease
        while True:
            try:
                async with asyncio.timeout(seconds / 3):
                    await self._leaving.wait()
            except TimeoutError:
                yield dispatch_pb2.AttachRequest(heartbeat=dispatch_pb2.Heartbeat())
            else:
                yield dispatch_pb2.AttachRequest(detach=dispatch_pb2.Detach())
                return
