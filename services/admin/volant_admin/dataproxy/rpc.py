"""DataProxyService."""

from volant_admin.dataproxy import downloads, uploads
from volant_core import rpc
from volantidl.service import dataproxy_pb2


class DataProxyServicer:
    """Uploads and downloads."""

    def __init__(self, uploads: uploads.Uploads, downloads: downloads.Downloads) -> None:
        """Keep the dependencies."""
        self._uploads = uploads
        self._downloads = downloads

    async def CreateUploadLocation(
        self, request: dataproxy_pb2.CreateUploadLocationRequest, context: rpc.RpcContext
    ) -> dataproxy_pb2.CreateUploadLocationResponse:
        """A URL for one upload."""
        return await self._uploads.create(request)

    async def CreateDownloadLocation(
        self, request: dataproxy_pb2.CreateDownloadLocationRequest, context: rpc.RpcContext
    ) -> dataproxy_pb2.CreateDownloadLocationResponse:
        """A URL for anything in the store."""
        return self._downloads.location(request)

    async def CreateDownloadLink(
        self, request: dataproxy_pb2.CreateDownloadLinkRequest, context: rpc.RpcContext
    ) -> dataproxy_pb2.CreateDownloadLinkResponse:
        """A URL for a node's deck."""
        return await self._downloads.link(request)

    async def GetData(
        self, request: dataproxy_pb2.GetDataRequest, context: rpc.RpcContext
    ) -> dataproxy_pb2.GetDataResponse:
        """What a flyte:// address names."""
        return await self._downloads.data(request.flyte_url)
