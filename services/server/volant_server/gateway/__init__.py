"""JSON over HTTP for the gRPC services: transcoding by the google.api.http rules in the contract, for any method.

Nothing here knows a service. A call goes out over gRPC like any other client's, so that every rule holds for it too.
"""

from volant_server.gateway.routes import routes

__all__ = ["routes"]
