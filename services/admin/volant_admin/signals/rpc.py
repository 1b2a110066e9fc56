"""SignalService."""

from volant_admin.signals import operations
from volant_core import rpc
from volantidl.admin import signal_pb2


class SignalServicer:
    """Signals."""

    def __init__(self, signals: operations.Signals) -> None:
        """Keep the operations."""
        self._signals = signals

    async def GetOrCreateSignal(
        self, request: signal_pb2.SignalGetOrCreateRequest, context: rpc.RpcContext
    ) -> signal_pb2.Signal:
        """The signal, made where it is not there."""
        return await self._signals.get_or_create(request)

    async def ListSignals(
        self, request: signal_pb2.SignalListRequest, context: rpc.RpcContext
    ) -> signal_pb2.SignalList:
        """A page of the signals of an execution."""
        return await self._signals.list_page(request)

    async def SetSignal(
        self, request: signal_pb2.SignalSetRequest, context: rpc.RpcContext
    ) -> signal_pb2.SignalSetResponse:
        """Give a signal a value."""
        await self._signals.set_value(request)
        return signal_pb2.SignalSetResponse()
