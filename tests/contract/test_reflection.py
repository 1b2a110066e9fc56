"""Reflection shows both names to real clients, also where the real flyteidl is loaded."""

import json
import pathlib
import shlex
import shutil
import subprocess
import sys

import grpc
import pytest
from contract_server import Served
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

BUF = pathlib.Path(sys.executable).parent / "buf"
BOTH = ["volantidl.service.AdminService", "flyteidl.service.AdminService"]
HERE = pathlib.Path(__file__).parent


@pytest.fixture(params=[(), ("flyteidl.service.admin_pb2", "flyteidl.datacatalog.datacatalog_pb2")])
def process(request: pytest.FixtureRequest):
    """The test server in a process of its own, with these modules imported first: its address."""
    command = [sys.executable, str(HERE / "serve_alone.py"), *request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        child.stdin.close()
        assert child.wait(10) == 0


def test_a_client_without_protos_can_call(process: str) -> None:
    with grpc.insecure_channel(process) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        services = set(database.get_services())
        assert services == {
            *BOTH,
            "volantidl.dispatch.DispatchService",
            "volantidl.datacatalog.DataCatalog",
            "datacatalog.DataCatalog",
            "volantidl.service.SyncAgentService",
            "flyteidl.service.SyncAgentService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        pool = descriptor_pool.DescriptorPool(database)
        for name in BOTH:
            service = pool.FindServiceByName(name)
            assert len(service.methods) == 56
            method = service.FindMethodByName("GetTask")
            package = name.partition(".")[0]
            assert method.input_type.full_name == f"{package}.admin.ObjectGetRequest"
            request = message_factory.GetMessageClass(method.input_type)()
            json_format.ParseDict({"id": {"name": "echo", "resourceType": "TASK"}}, request)
            answer = channel.unary_unary(
                f"/{name}/GetTask",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
            )(request)
            assert answer.id.name == "echo"
        # Nothing of a renamed file points back at ours.
        pending = [pool.FindServiceByName("flyteidl.service.AdminService").file]
        seen = set()
        while pending:
            file = pending.pop()
            seen.add(file.name)
            pending.extend(dependency for dependency in file.dependencies if dependency.name not in seen)
        assert not [name for name in seen if name.startswith("volantidl/")]
        assert "google/api/annotations.proto" in seen


def documented(program: str) -> list[list[str]]:
    """The commands of docs/contract.md that begin with `program`."""
    lines = (HERE.parents[1] / "docs" / "contract.md").read_text().splitlines()
    return [shlex.split(line[2:])[1:] for line in lines if line.startswith(f"$ {program} ")]


def run(program: str | pathlib.Path, arguments: list[str], address: str) -> str:
    told = [argument.replace("127.0.0.1:8089", address) for argument in arguments]
    done = subprocess.run([program, *told], check=False, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not BUF.exists(), reason="buf is not in this environment")
def test_buf_curl_as_the_documentation_says(process: str) -> None:
    listed, *answers = [run(BUF, arguments, process) for arguments in documented("buf")]
    assert [f"{name}/GetTask" in listed for name in BOTH] == [True, True]
    assert json.loads(answers[0])["controlPlaneVersion"] == {"Version": "test"}
    assert json.loads(answers[1]) == {"id": {"project": "flytesnacks"}}
    assert json.loads(answers[2]) == {"status": "SERVING"}


@pytest.mark.skipif(shutil.which("grpcurl") is None, reason="grpcurl is not installed")
def test_grpcurl_as_the_documentation_says(process: str) -> None:
    listed, described, answer = [run("grpcurl", arguments, process) for arguments in documented("grpcurl")]
    assert set(BOTH) <= set(listed.split())
    assert "/api/v1/tasks/{id.project}" in described
    assert json.loads(answer)["controlPlaneVersion"] == {"Version": "test"}


async def test_the_graduated_service_answers_too(served: Served, channel: grpc.aio.Channel) -> None:
    from grpc_reflection.v1alpha import reflection_pb2

    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    assert BOTH[1] in {service.name for service in answer.list_services_response.service}
    call.cancel()
