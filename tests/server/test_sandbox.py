"""`--sandbox`: where Flyte's tutorials expect it, gRPC and HTTP/1.1 on one port."""

import http.client
import socket
import urllib.request
from collections.abc import Callable

import grpc
import pytest
from tests.server.conftest import Up
from tests.server.test_commands import projects


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.skipif(not (is_free(30080) and is_free(30002)), reason="something else listens at the sandbox's ports")
def test_the_sandbox(up: Callable[..., Up]) -> None:
    server = up("--sandbox").ready()
    assert "flytesnacks" in projects("localhost:30080")
    with urllib.request.urlopen("http://localhost:30080/healthcheck") as answer:
        assert answer.status == 200
    with urllib.request.urlopen("http://127.0.0.1:30080/metrics") as answer:
        assert b"volant_rpc_seconds" in answer.read()
    # A connection that is kept: the second request comes by aiohttp's own reading.
    connection = http.client.HTTPConnection("localhost", 30080)
    for _ in range(2):
        connection.request("GET", "/healthcheck")
        assert connection.getresponse().read() == b"ok\n"
    connection.close()

    import minio

    store = minio.Minio("localhost:30002", "minio", "miniostorage", secure=False)
    assert store.bucket_exists("my-s3-bucket")
    assert not (server.data / "keys.json").exists(), "well-known keys are not kept as its own"
    said = server.stop()
    assert server.process.returncode == 0, said


@pytest.mark.skipif(not is_free(30080), reason="something else listens at the sandbox's port")
def test_clients_see_unavailable_after_the_end(up: Callable[..., Up]) -> None:
    server = up("--sandbox").ready()
    with grpc.insecure_channel("localhost:30080") as channel:
        grpc.channel_ready_future(channel).result(10)
        server.stop()
        list_projects = channel.unary_unary("/flyteidl.service.AdminService/ListProjects")
        with pytest.raises(grpc.RpcError) as caught:
            list_projects(b"", timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
