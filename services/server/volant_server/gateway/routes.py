"""One aiohttp route a rule."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import aiohttp.web
import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from volant_core import errors, rpc
from volant_server.gateway import messages, rules

T = TypeVar("T")

_BINARY = "application/octet-stream"
_TIMEOUT_S = 60.0
# Converting more takes the event loop longer than other calls should wait.
_INLINE_BYTES = 16 * 1024
_FORWARDED = ("authorization", "flyte-authorization", "x-request-id", "traceparent")

_STATUS = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}


def routes(services: Sequence[ServiceDescriptor], channel: grpc.aio.Channel) -> list[aiohttp.web.RouteDef]:
    """Routes for all methods of `services` that have a rule, called over `channel`."""
    return [
        aiohttp.web.route(rule.verb, rule.path, _Route(rule, channel).answer) for rule in rules.of_services(services)
    ]


class _Route:
    def __init__(self, rule: rules.Rule, channel: grpc.aio.Channel) -> None:
        self._rule = rule
        method = rule.method
        self._request = message_factory.GetMessageClass(method.input_type)
        self._response = message_factory.GetMessageClass(method.output_type)
        service = method.containing_service.full_name
        # Without a deserializer: a binary answer goes through as it came.
        self._call: grpc.aio.UnaryUnaryMultiCallable[Message, bytes] = channel.unary_unary(
            f"/{service}/{method.name}", request_serializer=self._request.SerializeToString
        )

    async def answer(self, http: aiohttp.web.Request) -> aiohttp.web.Response:
        """Ask over gRPC, and tell in the form that was asked for."""
        try:
            request = self._request()
            if self._rule.body:
                binary = http.content_type == _BINARY and http.body_exists
                body = await http.read()
                await _converted(len(body), lambda: messages.read_body(request, self._rule.body, body, binary=binary))
            messages.set_fields(request, http.query.items(), strict=False)
            variables = ((name, http.match_info[f"v{n}"]) for n, name in enumerate(self._rule.variables))
            messages.set_fields(request, variables, strict=True)
            metadata = [(name, http.headers[name]) for name in _FORWARDED if name in http.headers]
            data = await rpc.call(self._call(request, timeout=_TIMEOUT_S, metadata=metadata))
        except errors.VolantError as error:
            return _refused(error)
        if _BINARY in http.headers.get("Accept", ""):
            return aiohttp.web.Response(body=data, content_type=_BINARY)
        text = await _converted(len(data), lambda: messages.to_json(self._response.FromString(data)))
        return aiohttp.web.Response(body=text, content_type="application/json")


async def _converted(size: int, work: Callable[[], T]) -> T:
    """Convert `size` bytes, in a thread where they are many."""
    return work() if size <= _INLINE_BYTES else await asyncio.to_thread(work)


def _refused(error: errors.VolantError) -> aiohttp.web.Response:
    code = grpc.StatusCode[error.code]
    told = {"error": error.message, "code": code.value[0], "message": error.message, "details": []}
    return aiohttp.web.Response(
        status=_STATUS[error.code], body=json.dumps(told).encode(), content_type="application/json"
    )
