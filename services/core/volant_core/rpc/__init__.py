"""gRPC as every service needs it: serving under two names, refusing in one way, calling.

Here lives what is true of any RPC. What one service means by a request does not.
"""

from volant_core.rpc.client import call, connect, peer_errors, stream
from volant_core.rpc.handlers import Observer, Registration, RpcContext, Scope, current_request_id
from volant_core.rpc.names import flyte_name
from volant_core.rpc.peer import flyte_stub
from volant_core.rpc.proof import check as check_proof
from volant_core.rpc.proof import proving
from volant_core.rpc.server import RunningServer, ServerSettings, serve

__all__ = [
    "Observer",
    "Registration",
    "RpcContext",
    "RunningServer",
    "Scope",
    "ServerSettings",
    "call",
    "check_proof",
    "connect",
    "current_request_id",
    "flyte_name",
    "flyte_stub",
    "peer_errors",
    "proving",
    "serve",
    "stream",
]
