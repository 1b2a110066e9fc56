"""AuthMetadataService: how clients log in."""

from volant_core import rpc
from volantidl.service import auth_pb2


class AuthMetadataServicer:
    """Answers that nothing has to be done.

    Clients that are configured with a secret or a command (`authType: ClientSecret`, each eager task of flytekit before
    1.15) ask before their first call, and give up where nobody answers. No call is ever refused for want of a token, so
    none of them goes on to ask for one.
    """

    async def GetOAuth2Metadata(
        self, request: auth_pb2.OAuth2MetadataRequest, context: rpc.RpcContext
    ) -> auth_pb2.OAuth2MetadataResponse:
        """No authorization server."""
        return auth_pb2.OAuth2MetadataResponse()

    async def GetPublicClientConfig(
        self, request: auth_pb2.PublicClientAuthConfigRequest, context: rpc.RpcContext
    ) -> auth_pb2.PublicClientAuthConfigResponse:
        """No client of it."""
        return auth_pb2.PublicClientAuthConfigResponse()
