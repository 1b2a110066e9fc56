"""Tokens of drivers: they say which attempt of which node one is, and prove it.

A token is made of a key that only admin and the execution's engine know, so it is the same whoever makes it: an attempt
that outlives its engine keeps a good one.
"""

import base64
import dataclasses
import hashlib
import hmac

_MOST_DIGITS = 18


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What a token says, true or not."""

    execution: int
    """The execution's number in admin's tables."""
    attempt: int
    node_id: str
    """The node's unique id."""
    proof: str


def execution_key(platform_key: bytes, execution: int) -> bytes:
    """The key of an execution's tokens."""
    return hmac.digest(platform_key, str(execution).encode(), hashlib.sha256)


def make(key: bytes, execution: int, node_id: str, attempt: int) -> str:
    """The token of an attempt."""
    said = f"{execution}:{attempt}:{node_id}"
    return f"{said}:{_proof(key, said)}"


def parse(token: str) -> Claim | None:
    """What a token says; None when it is none."""
    execution, _, rest = token.partition(":")
    attempt, _, rest = rest.partition(":")
    node_id, _, proof = rest.rpartition(":")
    if not node_id or not all(part.isascii() and part.isdigit() for part in (execution, attempt)):
        return None
    if max(len(execution), len(attempt)) > _MOST_DIGITS:
        return None
    return Claim(int(execution), int(attempt), node_id, proof)


def is_true(key: bytes, claim: Claim) -> bool:
    """Whether a claim was made with the execution's key."""
    proof = _proof(key, f"{claim.execution}:{claim.attempt}:{claim.node_id}")
    return hmac.compare_digest(proof.encode(), claim.proof.encode(errors="replace"))


def _proof(key: bytes, said: str) -> str:
    digest = hmac.digest(key, said.encode(errors="surrogatepass"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
