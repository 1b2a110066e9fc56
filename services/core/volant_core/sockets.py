"""Addresses to listen on, and private folders for unix sockets, whose paths must be short."""

import contextlib
import dataclasses
import hashlib
import ipaddress
import os
import re
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from volant_core import errors

_TRIES = 20
_BACKLOG = 128
_FOLDER_BYTES = 80  # a socket's path has 107 at most
_ADDRESS = re.compile(r"^(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\[\]:]*)):(?P<port>\d{1,5})$")


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on."""

    host: str
    """An IP address; of IPv6 without brackets."""
    port: int
    """0 for any that is free."""

    def __str__(self) -> str:
        """As gRPC and URLs write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def here(self) -> "Address":
        """How this machine reaches it."""
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        return Address(loopback.get(self.host, self.host), self.port)

    @property
    def outside(self) -> "Address":
        """How other machines reach it, as far as it can be told from here."""
        if not ipaddress.ip_address(self.host).is_unspecified:
            return self
        return Address(_outward(socket.AF_INET6 if ":" in self.host else socket.AF_INET) or self.here.host, self.port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.host).is_loopback


def parse(text: str, *, what: str) -> tuple[Address, ...]:
    """The addresses that `host:port` means; `localhost` and 127.0.0.1 mean both loopbacks, for clients take either.

    FailedPreconditionError, which names `what`, for anything else.
    """
    match = _ADDRESS.match(text)
    if match is None or int(match["port"]) > 65535:
        raise errors.FailedPreconditionError(f"{what}: {text!r} is not host:port, such as 127.0.0.1:8088 or [::1]:8088")
    host, port = match["six"] or match["host"], int(match["port"])
    if host in {"", "localhost", "127.0.0.1"}:
        six = (Address("::1", port),) if has_ipv6_loopback() else ()
        return (Address("127.0.0.1", port), *six)
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise errors.FailedPreconditionError(
            f"{what}: {host!r} is not an IP address; listen on one of this machine's, or on 0.0.0.0 for all"
        ) from error
    return (Address(host, port),)


def _outward(family: socket.AddressFamily) -> str:
    """This machine's address on the way to others; empty if there is none. Nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return ""


def has_ipv6_loopback() -> bool:
    """Whether ::1 can be listened on (in many containers it can't)."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def hold(addresses: Sequence[Address], *, what: str) -> tuple[socket.socket, ...]:
    """Listen on all, on the same free port where it is left open; whoever connects waits until they are served.

    FailedPreconditionError, with a sentence that names `what`, when one is taken. The sockets are yours to close.
    """
    is_open = any(address.port == 0 for address in addresses)
    for last in range(_TRIES) if is_open else (_TRIES - 1,):
        with contextlib.ExitStack() as stack:
            held: list[socket.socket] = []
            try:
                for address in addresses:
                    port = address.port or (held[0].getsockname()[1] if held else 0)
                    held.append(stack.enter_context(_listening(Address(address.host, port), what)))
            except errors.FailedPreconditionError:
                if last == _TRIES - 1 or not held:
                    raise
                continue
            stack.pop_all()
            return tuple(held)
    raise AssertionError("the last try returns or raises")


def claim(addresses: Sequence[Address], *, what: str) -> tuple[Address, ...]:
    """As `hold`, for who can't be given sockets: the ports are let go again, so listen at once."""
    held = hold(addresses, what=what)
    found = addresses_of(held)
    for one in held:
        one.close()
    return found


def addresses_of(held: Sequence[socket.socket]) -> tuple[Address, ...]:
    """Where sockets listen."""
    return tuple(Address(*one.getsockname()[:2]) for one in held)


def _listening(address: Address, what: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # With its protocol, for asyncio sets TCP_NODELAY only where that is said.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise errors.FailedPreconditionError(
            f"{what} can't listen on {address}: {(error.strerror or str(error)).lower()}; end what uses that port,"
            " or choose another"
        ) from error
    return listener


def private_folder(wanted: Path) -> Path:
    """`wanted`, mode 0700, or where its path is too long for a socket a short one in its place."""
    if len(os.fsencode(wanted)) <= _FOLDER_BYTES:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        return wanted
    digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"volant-{os.getuid()}-{digest}"
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
    status = short.lstat()
    if not short.is_dir() or short.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix="volant-"))  # somebody else made it: leave it to them
    return short
