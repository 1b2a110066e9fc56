"""What tasks are told of the platform."""

import dataclasses

from volant_core import sockets
from volant_server import parts
from volant_server.settings import ServerSettings, TaskSettings

ADDRESSES = parts.Addresses(
    grpc=("0.0.0.0:8089",),
    http=("127.0.0.1:8088",),
    s3=("0.0.0.0:8087",),
    internal="unix:/run/grpc.sock",
    here="127.0.0.1:8089",
    s3_here="127.0.0.1:8087",
)


def environment(**inherited: str) -> dict[str, str]:
    settings = dataclasses.replace(ServerSettings(), tasks=TaskSettings(environment=inherited))
    return parts._task_environment(settings, ADDRESSES)


def test_where_the_platform_is() -> None:
    told = environment()
    assert told["FLYTE_PLATFORM_URL"] == "127.0.0.1:8089"
    assert told["FLYTE_AWS_ENDPOINT"] == "http://127.0.0.1:8087"
    assert "NO_PROXY" not in told


def test_a_proxy_is_not_asked_for_this_machine() -> None:
    told = environment(HTTPS_PROXY="http://proxy:3128", NO_PROXY="example.org")
    assert told["NO_PROXY"] == told["no_proxy"] == "example.org,127.0.0.1,::1,localhost"


def test_addresses_that_mean_all() -> None:
    everywhere = sockets.Address("0.0.0.0", 80)
    assert str(everywhere.here) == "127.0.0.1:80"
    assert everywhere.outside.host != "0.0.0.0"
    assert str(sockets.Address("::", 80).here) == "[::1]:80"
    assert sockets.Address("192.0.2.7", 80).outside.host == "192.0.2.7"
