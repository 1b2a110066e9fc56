"""From a servicer's methods to gRPC handlers: parsing, limits, time, errors and observation, in one wrapper a call.

The wrapper is made at registration, not an interceptor: grpc.aio would walk its interceptors on every call.
"""

import asyncio
import contextlib
import contextvars
import dataclasses
import inspect
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from volant_core import errors
from volant_core.rpc import names, statuses, wellformed

if TYPE_CHECKING:
    # Generic only for the type checker.
    RpcContext: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    MethodHandler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    RpcContext = grpc.aio.ServicerContext
    MethodHandler = grpc.RpcMethodHandler

# What a call is aborted with: status, text, trailing metadata.
_Refusal: TypeAlias = tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]

_REQUEST_ID_KEY = "x-request-id"


class Observer(Protocol):
    """Told of every call when it has ended."""

    def __call__(self, method: str, code: str, seconds: float) -> None:
        """Take note.

        Args:
            method: Our name, such as "/volantidl.service.AdminService/GetTask", whichever was called.
            code: The status, such as "NOT_FOUND".
            seconds: From the request's arrival to its end.
        """
        ...


class Scope(Protocol):
    """Entered around every call, in its task: for a trace's span or values bound for logging."""

    def __call__(self, method: str, context: RpcContext) -> contextlib.AbstractContextManager[object]:
        """Make the context manager of one call."""
        ...


@dataclasses.dataclass(frozen=True)
class Registration:
    """A servicer and the service that it serves.

    Methods of the service that the servicer does not define are answered with UNIMPLEMENTED.
    """

    servicer: object
    """Has an async method (an async generator for streamed responses) named as each method of the service."""
    service: ServiceDescriptor
    """Of a generated module, such as `admin_pb2.DESCRIPTOR.services_by_name["AdminService"]`."""
    endless: frozenset[str] | None = None
    """Methods whose calls end only when a side leaves: at shutdown they are ended first. None: the two-way streams."""
    check_requests: bool = True
    """Whether requests are checked for what no service can keep (see `wellformed`). Off for peers of our own."""
    extra_names: tuple[str, ...] = ()
    """Full names to serve it under besides its own and Flyte's."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one call may take."""

    unary_seconds: float
    """Seconds until a call without streams is refused with DEADLINE_EXCEEDED, whatever deadline the client gave."""
    message_bytes: int
    """Bytes of a response."""


class Watchdog:
    """Cancels calls that take too long, with one timer for all of them: `asyncio.timeout` would cost 6 µs a call."""

    def __init__(self, seconds: float) -> None:
        """Give every call `seconds`."""
        self.seconds = seconds
        self._since: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Watch a call, by its task."""
        loop = task.get_loop()
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._look, loop)

    def end(self, task: asyncio.Task[Any]) -> bool:
        """Forget a call; True when it was cancelled for taking too long."""
        self._since.pop(task, None)
        if task not in self._late:
            return False
        self._late.discard(task)
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        # The oldest come first: dictionaries keep the order of insertion.
        for task, since in tuple(self._since.items()):
            left = since + self.seconds - now
            if left > 0:
                self._timer = loop.call_later(left, self._look, loop)
                return
            del self._since[task]
            self._late.add(task)
            task.cancel()


@dataclasses.dataclass
class CallTable:
    """Everything that the server's calls share."""

    limits: Limits
    watchdog: Watchdog
    observer: Observer | None
    scope: Scope | None
    closing: bool = False
    endless: set[asyncio.Task[Any]] = dataclasses.field(default_factory=set)
    writing: set[asyncio.Task[Any]] = dataclasses.field(default_factory=set)

    def end_streams(self) -> None:
        """Cancel the calls that would not end by themselves; their clients see UNAVAILABLE."""
        self.closing = True
        # A call that is cancelled within a write cannot be aborted: grpc still holds the write. It ends after it.
        for task in self.endless - self.writing:
            task.cancel()


class _Call:
    """What is known of the call that a task is serving."""

    __slots__ = ("_id", "context")

    def __init__(self, context: RpcContext) -> None:
        self.context = context
        self._id: str | None = None

    def request_id(self) -> str:
        if self._id is None:
            for key, value in self.context.invocation_metadata() or ():
                if key == _REQUEST_ID_KEY:
                    self._id = str(value)[:200]
                    break
            else:
                self._id = "a-" + secrets.token_hex(10)
        return self._id


_current: contextvars.ContextVar[_Call | None] = contextvars.ContextVar("volant_rpc_call", default=None)


def current_request_id() -> str | None:
    """The request id of the call that is being served here: the client's x-request-id, or one made up. None outside."""
    call = _current.get()
    return call.request_id() if call else None


class Handlers(grpc.GenericRpcHandler):
    """All methods of all services under all their names: one dictionary look-up a call."""

    def __init__(self, registrations: Iterable[Registration], table: CallTable) -> None:
        """Wrap every method of `registrations`."""
        self._handlers: dict[str, MethodHandler] = {}
        for registration in registrations:
            for method in registration.service.methods:
                handler = _Method(registration, method, table).handler()
                for service in served_names(registration):
                    self._handlers[f"/{service}/{method.name}"] = handler

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MethodHandler | None:
        """The handler of a call, or None for one that is not served."""
        return self._handlers.get(handler_call_details.method)


def served_names(registration: Registration) -> tuple[str, ...]:
    """The full names that a registration is served under: ours, Flyte's where it has one, and its extra ones."""
    ours = registration.service.full_name
    flytes = names.flyte_name(ours)
    return (ours, *([flytes] if flytes else []), *registration.extra_names)


class _Method:
    """One method of a servicer, wrapped."""

    def __init__(self, registration: Registration, method: MethodDescriptor, table: CallTable) -> None:
        self.path = f"/{registration.service.full_name}/{method.name}"
        self.table = table
        self.limits = table.limits
        self.method = method
        self.request_class = message_factory.GetMessageClass(method.input_type)
        self.behaviour = self._behaviour(registration.servicer)
        self.writes = not inspect.isasyncgenfunction(self.behaviour)
        self.check = wellformed.checker(method.input_type) if registration.check_requests else None
        two_way = method.client_streaming and method.server_streaming
        self.endless = two_way if registration.endless is None else method.name in registration.endless

    def _behaviour(self, servicer: object) -> Callable[..., Any]:
        found: Callable[..., Any] | None = getattr(servicer, self.method.name, None)
        # The generated base class has a method for everything, which only refuses.
        if found is None or str(getattr(found, "__module__", "")).endswith("_pb2_grpc"):
            return self._not_offered
        return found

    async def _not_offered(self, _request: object, _context: RpcContext) -> Message:
        raise errors.UnimplementedError(f"this server does not offer {self.path.removeprefix('/')}")

    def handler(self) -> MethodHandler:
        """The handler for grpc. Bytes go in and out of it: a message that does not parse is the client's fault."""
        if self.method.client_streaming:
            if self.method.server_streaming:
                return grpc.stream_stream_rpc_method_handler(self._streaming)
            return grpc.stream_unary_rpc_method_handler(self._stream_unary)
        if self.method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._streaming)
        return grpc.unary_unary_rpc_method_handler(self._unary_unary)

    def _parse(self, data: bytes) -> Message:
        try:
            request = self.request_class.FromString(data)
        except DecodeError as error:
            name = self.request_class.DESCRIPTOR.full_name
            raise errors.InvalidArgumentError(f"the request is not a valid {name} message: {error}") from error
        if self.check is not None:
            self.check(request, data)
        return request

    def _serialize(self, response: Message) -> bytes:
        data: bytes = response.SerializeToString()
        if len(data) > self.limits.message_bytes:
            raise errors.ResourceExhaustedError(
                f"the response has {len(data)} bytes, more than the {self.limits.message_bytes} that this server sends;"
                " ask for less at once"
            )
        return data

    async def _unary_unary(self, data: bytes, context: RpcContext) -> bytes:
        # The hot path: as `_observed`, in one coroutine, and watched.
        table = self.table
        call = _Call(context)
        _current.set(call)
        started = time.perf_counter()
        code = "OK"
        task = asyncio.current_task()
        assert task is not None
        table.watchdog.begin(task)
        try:
            request = self._parse(data)
            if table.scope is None:
                response = await self.behaviour(request, context)
            else:
                with table.scope(self.path, context):
                    response = await self.behaviour(request, context)
            return self._serialize(response)
        except BaseException as error:
            late = table.watchdog.end(task)
            code, refusal = self._verdict(error, call, endless=None, late=task if late else None)
            if refusal is not None:
                await context.abort(*refusal)
            raise
        finally:
            table.watchdog.end(task)
            if table.observer is not None:
                table.observer(self.path, code, time.perf_counter() - started)

    async def _stream_unary(self, requests: AsyncIterator[bytes], context: RpcContext) -> bytes:
        async def answer() -> bytes:
            return self._serialize(await self.behaviour(self._requests(requests), context))

        data: bytes = await self._observed(context, answer)
        return data

    async def _streaming(self, given: Any, context: RpcContext) -> None:
        writer = _Writer(context, self._serialize, self.table)

        async def answer() -> None:
            requests = self._requests(given) if self.method.client_streaming else self._parse(given)
            if self.writes:
                # Servicers of grpc's own packages write to the context instead of yielding.
                await self.behaviour(requests, writer)
                return
            async with contextlib.aclosing(self.behaviour(requests, context)) as responses:
                async for response in responses:
                    await writer.write(response)

        await self._observed(context, answer)

    async def _requests(self, stream: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        async for data in stream:
            yield self._parse(data)

    async def _observed(self, context: RpcContext, answer: Callable[[], Awaitable[Any]]) -> Any:
        """Give the answer to a call with streams, turn what it raises into a status, and tell the observer."""
        table = self.table
        call = _Call(context)
        _current.set(call)
        started = time.perf_counter()
        code = "OK"
        task = asyncio.current_task() if self.endless else None
        if task is not None:
            table.endless.add(task)
        try:
            with table.scope(self.path, context) if table.scope else contextlib.nullcontext():
                return await answer()
        except BaseException as error:
            code, refusal = self._verdict(error, call, endless=task, late=None)
            if refusal is not None:
                await context.abort(*refusal)
            raise
        finally:
            if task is not None:
                table.endless.discard(task)
            if table.observer is not None:
                table.observer(self.path, code, time.perf_counter() - started)

    def _verdict(
        self,
        error: BaseException,
        call: _Call,
        *,
        endless: asyncio.Task[Any] | None,
        late: asyncio.Task[Any] | None,
    ) -> tuple[str, _Refusal | None]:
        """The name of the status that an exception ends a call with, and what to abort it with if it is still open."""
        refusal: errors.VolantError
        if isinstance(error, grpc.aio.AbortError):
            return _code_name(call.context), None
        if isinstance(error, asyncio.CancelledError):
            if late is not None:
                late.uncancel()
                refusal = errors.DeadlineExceededError(f"{self.path} took longer than {self.limits.unary_seconds:g} s")
            elif self._cancelled_by_us(endless):
                refusal = errors.UnavailableError("the server is shutting down; try again")
            else:
                return "CANCELLED", None
        elif isinstance(error, Exception):
            refusal = statuses.refused(error, self.path, call.request_id())
        else:
            return "ABORTED", None
        status = statuses.code_of(refusal)
        text, trailers = statuses.to_trailers(refusal)
        return status.name, (status, text, (*trailers, (_REQUEST_ID_KEY, call.request_id())))

    def _cancelled_by_us(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether the cancellation is our shutdown's, so that the call is still there to be answered."""
        if task is not None and self.table.closing:
            task.uncancel()
            return True
        current = asyncio.current_task()
        # Something that the handler awaited was cancelled, not the call.
        return current is not None and current.cancelling() == 0


class _Writer:
    """A context whose `write` takes messages."""

    def __init__(self, context: RpcContext, serialize: Callable[[Message], bytes], table: CallTable) -> None:
        self._context = context
        self._serialize = serialize
        self._table = table

    async def write(self, message: Message) -> None:
        data = self._serialize(message)
        task = asyncio.current_task()
        assert task is not None
        self._table.writing.add(task)
        try:
            await self._context.write(data)
        finally:
            self._table.writing.discard(task)
        if self._table.closing and task in self._table.endless:
            raise asyncio.CancelledError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _code_name(context: RpcContext) -> str:
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((member.name for member in grpc.StatusCode if member.value[0] == code), "UNKNOWN")
