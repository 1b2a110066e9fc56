"""How services of one installation prove to one another that they belong to it: a token that goes with each call."""

import functools
import hmac
from typing import TypeVar

from volant_core import errors
from volant_core.rpc import handlers

_KEY = "volant-peer-token-bin"  # bytes, so that any token will do
_WAY_OUT = "give every service of this installation the same peers.token (VOLANT_PEERS__TOKEN)"

_StubT = TypeVar("_StubT")


def proving(stub: _StubT, token: str) -> _StubT:
    """A generated stub whose calls carry the token, if there is one.

    Not an interceptor, which costs grpc.aio a task for each call.
    """
    if token:
        metadata = ((_KEY, token.encode()),)
        for name, method in vars(stub).items():
            setattr(stub, name, functools.partial(method, metadata=metadata))
    return stub


def check(token: str, context: handlers.RpcContext) -> None:
    """UnauthenticatedError unless the call that is being served came with the token."""
    given = [value for key, value in context.invocation_metadata() or () if key == _KEY and isinstance(value, bytes)]
    if not given:
        raise errors.UnauthenticatedError(f"this service is for Volant's own engines, and no token came: {_WAY_OUT}")
    if not all(hmac.compare_digest(value, token.encode()) for value in given):
        raise errors.UnauthenticatedError(f"the token of this engine is not that of this server: {_WAY_OUT}")
