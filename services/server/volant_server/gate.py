"""The gate in front of the services.

What only our own engines may call asks for their token. At shutdown clients are refused while engines still report.
"""

import contextlib

from volant_core import errors, rpc, telemetry

# Services for our own engines alone.
_INNER = ("/volantidl.dispatch.", "/volantidl.catalog.")


class Gate:
    """Open until it is closed. Entered around every call."""

    def __init__(self, token: str) -> None:
        """Open it; engines prove themselves by `token`."""
        self._token = token
        self.closed = False

    def __call__(self, method: str, context: rpc.RpcContext) -> contextlib.AbstractContextManager[object]:
        """The scope of a call (see `volant_core.rpc.Scope`), UnavailableError or UnauthenticatedError."""
        if method.startswith(_INNER):
            rpc.check_proof(self._token, context)
        elif self.closed:
            raise errors.UnavailableError("the server is shutting down; try again in a moment")
        return telemetry.rpc_scope(method, context)
