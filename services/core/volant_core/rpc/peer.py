"""Calling a Flyte peer: a service of the contract under Flyte's names, which our generated stubs do not use."""

from typing import Any

import grpc.aio
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from volant_core.rpc import names


class FlyteStub:
    """A method for every method of a service, called as those of a generated stub are, with our messages."""

    def __init__(self, service: ServiceDescriptor, channel: grpc.aio.Channel) -> None:
        """Make the callables; see `flyte_stub`."""
        flytes = names.flyte_name(service.full_name)
        if flytes is None:
            raise ValueError(f"Flyte has no service like {service.full_name}")
        for method in service.methods:
            setattr(self, method.name, _callable(channel, f"/{flytes}/{method.name}", method))

    def __getattr__(self, name: str) -> Any:
        """Only reached for a name that the service has no method of."""
        raise AttributeError(f"the service has no method {name}")


def flyte_stub(service: ServiceDescriptor, channel: grpc.aio.Channel) -> FlyteStub:
    """A stub for `service` (one of ours, by its descriptor) where the other side knows only Flyte's name for it."""
    return FlyteStub(service, channel)


def _callable(channel: grpc.aio.Channel, path: str, method: MethodDescriptor) -> Any:
    make = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[method.client_streaming, method.server_streaming]
    request = message_factory.GetMessageClass(method.input_type)
    response = message_factory.GetMessageClass(method.output_type)
    return make(path, request_serializer=request.SerializeToString, response_deserializer=response.FromString)
