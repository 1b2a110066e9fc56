"""AdminService's GetVersion."""

import importlib.metadata

from volant_core import rpc
from volantidl.admin import version_pb2

PAGES = "volant-pages"


class VersionMethods:
    """The version."""

    def __init__(self, pages_url: str) -> None:
        """Find it out once. Clients are told of `pages_url` in the answer's metadata: Flyte's message has no place."""
        self._metadata = ((PAGES, pages_url),) if pages_url else ()
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
        await context.send_initial_metadata(self._metadata)
        return self._response
