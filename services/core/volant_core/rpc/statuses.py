"""Errors and gRPC statuses, there and back: the only table of it."""

from collections.abc import Iterator, Sequence

import grpc
import structlog
from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2

from volant_core import errors
from volant_core.rpc import names

# Texts longer than this are cut, and their details dropped, as Flyte does it.
MAX_TEXT_BYTES = 32_000
# Text and details travel in trailing metadata, for which stock clients allow 32 KiB in all.
_MAX_DETAILS_BYTES = 22_000
_DETAILS_KEY = "grpc-status-details-bin"
_TYPE_URL = "type.googleapis.com/"
_CUT = " … (cut)"

_log = structlog.get_logger(__name__)


def code_of(error: errors.VolantError) -> grpc.StatusCode:
    """The status that an error travels as. Never UNKNOWN: stock clients would start to log in."""
    code = grpc.StatusCode.__members__.get(error.code, grpc.StatusCode.INTERNAL)
    return grpc.StatusCode.INTERNAL if code is grpc.StatusCode.UNKNOWN else code


def to_trailers(error: errors.VolantError) -> tuple[str, tuple[tuple[str, str | bytes], ...]]:
    """The status text of an error, and the trailing metadata with its typed details."""
    text = _cut(error.message)
    if not error.details or text != error.message:
        return text, ()
    status = status_pb2.Status(code=code_of(error).value[0], message=text, details=map(_pack, error.details))
    data = status.SerializeToString()
    if len(data) > _MAX_DETAILS_BYTES:
        return text, ()
    return text, ((_DETAILS_KEY, data),)


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= MAX_TEXT_BYTES:
        return data.decode()
    return data[: MAX_TEXT_BYTES - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def _pack(detail: Message) -> any_pb2.Any:
    """`detail` in an Any that names its type as stock Flyte clients know it."""
    name = detail.DESCRIPTOR.full_name
    return any_pb2.Any(type_url=_TYPE_URL + (names.flyte_name(name) or name), value=detail.SerializeToString())


def from_rpc_error(error: grpc.aio.AioRpcError) -> errors.VolantError:
    """The error that the other side meant, with the details whose types this process knows."""
    code = error.code().name
    found = errors.of_code(code, error.details() or code)
    found.details = tuple(_details(error))
    return found


def _details(error: grpc.aio.AioRpcError) -> Iterator[Message]:
    trailers: Sequence[tuple[str, str | bytes]] = tuple(error.trailing_metadata() or ())
    for key, value in trailers:
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            packed = status_pb2.Status.FromString(value).details
        except DecodeError:
            return
        for detail in packed:
            yield _unpack(detail)


def _unpack(detail: any_pb2.Any) -> Message:
    name = names.our_name(detail.type_url.rpartition("/")[2])
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
        return message_factory.GetMessageClass(descriptor).FromString(detail.value)
    except (KeyError, DecodeError):
        return detail


def meant(error: BaseException) -> errors.VolantError | None:
    """The error of ours that an exception is, or that a task group wrapped; None when it is a fault."""
    if isinstance(error, errors.VolantError):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = [meant(inner) for inner in error.exceptions]
        if found and all(found):
            return found[0]
    return None


def refused(error: Exception, method: str, request_id: str) -> errors.VolantError:
    """What the caller is told of any exception. A fault of ours is logged with its traceback, and told without."""
    known = meant(error)
    if known is not None and not isinstance(known, errors.InternalError):
        return known
    _log.error("rpc failed", method=method, request_id=request_id, exc_info=error)
    return known or errors.InternalError(f"internal error (request {request_id}); the server's log has the cause")
