"""AdminService's GetVersion."""

import importlib.metadata

from volant_core import rpc
from volantidl.admin import version_pb2


class VersionMethods:
    """The version."""

    def __init__(self) -> None:
        """Find it out once."""
        try:
            version = f"v{importlib.metadata.version('volant-server')}"
        except importlib.metadata.PackageNotFoundError:  # run from the source tree
            version = "unknown"
        self._response = version_pb2.GetVersionResponse(
            control_plane_version=version_pb2.Version(Version=version, Build=version, BuildTime="")
        )

    async def GetVersion(
        self, request: version_pb2.GetVersionRequest, context: rpc.RpcContext
    ) -> version_pb2.GetVersionResponse:
        return self._response
