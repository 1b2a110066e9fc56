"""The gate in front of the services: at shutdown clients are refused while our own parts still talk to one another."""

import contextlib

from volant_core import errors, rpc, telemetry

# What the engine says while it leaves: its last reports, and what it gives back.
_INNER = ("/volantidl.dispatch.", "/volantidl.catalog.")


class Gate:
    """Open until it is closed. Entered around every call."""

    def __init__(self) -> None:
        """Open it."""
        self.closed = False

    def __call__(self, method: str, context: rpc.RpcContext) -> contextlib.AbstractContextManager[object]:
        """The scope of a call (see `volant_core.rpc.Scope`), or UnavailableError."""
        if self.closed and not method.startswith(_INNER):
            raise errors.UnavailableError("the server is shutting down; try again in a moment")
        return telemetry.rpc_scope(method, context)
