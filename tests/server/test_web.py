"""Who may ask over HTTP."""

import aiohttp

from volant_core import sockets
from volant_server import embedded, web

CASES: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"Host": "localhost:1"}, 200),
    ({"Host": "[::1]:8088"}, 200),
    ({"Host": "LOCALHOST"}, 200),
    ({"Host": "evil.example"}, 403),
    ({"Host": "localhost.evil.example"}, 403),
    ({"Host": "192.168.1.5"}, 403),
    ({"Host": "["}, 403),
    ({"Origin": "http://localhost:8088"}, 200),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "file://localhost"}, 403),
]


async def test_foreign_hosts_and_origins_are_refused(running: embedded.Running) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/healthcheck", "/metrics"):
            for headers, status in CASES:
                async with session.get(f"http://{running.addresses.http[0]}{path}", headers=headers) as answer:
                    assert answer.status == status, headers


async def test_the_root_leads_to_the_pages(running: embedded.Running) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://{running.addresses.http[0]}/") as answer:
        assert (answer.status, answer.url.path) == (200, "/console")


def test_names_of_a_server_that_others_reach() -> None:
    hosts = web.Hosts.of([sockets.Address("0.0.0.0", 8088)], ["volant.example"])
    assert all(hosts.knows(name) for name in ("192.168.1.5:8088", "[fe80::1]:8088", "volant.example", "localhost"))
    assert not any(hosts.knows(name) for name in ("evil.example", "volant.example.evil", ""))
