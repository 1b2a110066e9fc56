"""One connector: its calls, under Flyte's names, which are the only ones that it knows."""

import urllib.parse
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from volant_core import errors, rpc
from volant_core.rpc import client, names
from volant_engine.launchers.connectors import settings as connector_settings
from volantidl.admin import agent_pb2
from volantidl.core import literals_pb2
from volantidl.service import agent_pb2 as services_pb2


def _path(method: MethodDescriptor) -> str:
    service = method.containing_service.full_name
    return f"/{names.flyte_name(service) or service}/{method.name}"


def _calls(channel: grpc.aio.Channel) -> dict[str, Any]:
    calls: dict[str, Any] = {}
    for service in services_pb2.DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            kind = (
                f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
            )
            response = message_factory.GetMessageClass(method.output_type)
            calls[method.name] = getattr(channel, kind)(
                _path(method),
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response.FromString,
            )
    return calls


class Peer:
    """A connector at an address."""

    def __init__(self, endpoint: str, settings: connector_settings.ConnectorSettings) -> None:
        """Speak to `endpoint`; connects when first used."""
        self.endpoint = endpoint
        self._settings = settings
        url = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        credentials = grpc.ssl_channel_credentials() if url.scheme == "https" else None
        # Servers that have not been told otherwise hang up on clients that ping them.
        self._channel = rpc.connect(url.netloc, credentials=credentials, pings=False)
        self._calls = _calls(self._channel)

    async def list(self) -> Iterable[agent_pb2.Agent]:
        """What it serves."""
        response: agent_pb2.ListAgentsResponse = await self._unary("ListAgents", agent_pb2.ListAgentsRequest())
        return response.agents

    async def create(self, request: agent_pb2.CreateTaskRequest) -> bytes:
        """Create a job; what comes back names it, to the connector alone."""
        response: agent_pb2.CreateTaskResponse = await self._unary("CreateTask", request)
        return response.resource_meta

    async def look(self, request: agent_pb2.GetTaskRequest) -> agent_pb2.Resource:
        """How a job is."""
        response: agent_pb2.GetTaskResponse = await self._unary("GetTask", request)
        return response.resource

    async def delete(self, request: agent_pb2.DeleteTaskRequest) -> None:
        """End a job."""
        await self._unary("DeleteTask", request)

    async def execute(
        self, header: agent_pb2.CreateRequestHeader, inputs: literals_pb2.LiteralMap
    ) -> agent_pb2.Resource:
        """Run a task within the call."""

        async def parts() -> AsyncIterator[agent_pb2.ExecuteTaskSyncRequest]:
            yield agent_pb2.ExecuteTaskSyncRequest(header=header)
            yield agent_pb2.ExecuteTaskSyncRequest(inputs=inputs)

        resource: agent_pb2.Resource | None = None
        with client.peer_errors():
            call = self._calls["ExecuteTaskSync"](parts(), timeout=self._settings.sync_seconds)
            async for response in call:
                match response.WhichOneof("res"):
                    case "header" if resource is None:
                        resource = response.header.resource
                    case "outputs" if resource is not None:
                        resource.outputs.CopyFrom(response.outputs)
                    case _:
                        pass
        if resource is None:
            raise errors.InternalError(f"the connector at {self.endpoint} answered nothing")
        return resource

    async def _unary(self, method: str, request: object) -> Any:
        return await client.call(self._calls[method](request, timeout=self._settings.call_seconds))

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()
