"""The HTTP front: health, metrics, the services' pages, and who may ask.

A browser on this machine reaches loopback for any web page that it shows; so a request whose Host or Origin is not ours
is refused (DNS rebinding, cross-site requests).
"""

import asyncio
import dataclasses
import ipaddress
import socket
import urllib.parse
from collections.abc import Iterable, Sequence

import aiohttp.web
from aiohttp.typedefs import Handler, Middleware

from volant_core import sockets, telemetry
from volant_core.telemetry import metrics
from volant_server import health

_CONSOLE = "/console"
_MAX_BODY_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True, slots=True)
class Hosts:
    """The names that this server goes by."""

    names: frozenset[str]
    """In lower case, without port."""
    any_address: bool
    """Whether any IP address is one of them (it listens on all, or on one that is not loopback)."""

    @classmethod
    def of(cls, addresses: Iterable[sockets.Address], extra: Iterable[str] = ()) -> "Hosts":
        """Loopback's names, those of the addresses, and what settings add."""
        listed = tuple(addresses)
        outside = any(not address.is_loopback for address in listed)
        names = {"localhost", "127.0.0.1", "::1", *(name.lower() for name in extra)}
        names.update(address.host for address in listed)
        if outside:
            names.update({socket.gethostname().lower(), socket.getfqdn().lower()})
        return cls(frozenset(names), any_address=outside)

    def knows(self, authority: str) -> bool:
        """Whether `host[:port]`, of a Host or Origin header, is ours."""
        try:
            name = (urllib.parse.urlsplit(f"//{authority}").hostname or "").lower()
        except ValueError:
            return False
        if name in self.names:
            return True
        if not self.any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def make_app(
    routes: Sequence[aiohttp.web.AbstractRouteDef], state: health.Health, hosts: Hosts
) -> aiohttp.web.Application:
    """The application: fixed pages, then the services' routes."""
    app = aiohttp.web.Application(middlewares=[_guard(hosts)], client_max_size=_MAX_BODY_BYTES)
    app.router.add_get("/healthcheck", state.answer)
    app.router.add_get("/alive", state.alive)
    app.router.add_get("/metrics", _metrics)
    app.router.add_routes(routes)
    if any(isinstance(route, aiohttp.web.RouteDef) and route.path == _CONSOLE for route in routes):
        app.router.add_get("/", _to_console)
    return app


async def _to_console(_request: aiohttp.web.Request) -> aiohttp.web.Response:
    raise aiohttp.web.HTTPFound(_CONSOLE)


async def _metrics(_request: aiohttp.web.Request) -> aiohttp.web.Response:
    text = await asyncio.to_thread(telemetry.render)  # it reads /proc
    return aiohttp.web.Response(body=text, headers={"Content-Type": metrics.CONTENT_TYPE})


def _guard(hosts: Hosts) -> Middleware:
    @aiohttp.web.middleware
    async def guard(request: aiohttp.web.Request, handler: Handler) -> aiohttp.web.StreamResponse:
        host = request.headers.get("Host", "")
        if not hosts.knows(host):
            return _refused(f"this server is not {host[:200]!r}; add the name to listen.hosts if it should be")
        origin = request.headers.get("Origin")
        if origin is not None:
            scheme, _, authority = origin.partition("://")
            if scheme not in {"http", "https"} or not hosts.knows(authority):
                return _refused(f"requests from pages of {origin[:200]!r} are refused")
        return await handler(request)

    return guard


def _refused(text: str) -> aiohttp.web.Response:
    return aiohttp.web.Response(status=403, text=text + "\n")
