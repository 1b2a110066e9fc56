"""One servicer, two names: our stubs and stock Flyte's reach the same methods."""

import grpc
import pytest
from contract_server import Served
from flyteidl.admin import common_pb2 as flytes_common
from flyteidl.admin import version_pb2 as flytes_version
from flyteidl.datacatalog import datacatalog_pb2 as flytes_datacatalog
from flyteidl.datacatalog import datacatalog_pb2_grpc as flytes_datacatalog_grpc
from flyteidl.service import admin_pb2_grpc as flytes_admin_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from volant_core import rpc
from volant_core.rpc import names
from volantidl.admin import version_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.service import admin_pb2, admin_pb2_grpc


@pytest.mark.parametrize(
    ("ours", "flytes"),
    [
        ("volantidl.service.AdminService", "flyteidl.service.AdminService"),
        ("volantidl.core.Literal", "flyteidl.core.Literal"),
        ("volantidl.cacheservice.CacheService", "flyteidl.cacheservice.CacheService"),
        ("volantidl.plugins.kubeflow.RunPolicy", "flyteidl.plugins.kubeflow.RunPolicy"),
        ("volantidl.datacatalog.Tag", "datacatalog.Tag"),
        ("volantidl.datacatalog", "datacatalog"),
        ("volantidl.dispatch.Hello", None),
        ("volantidl.catalog.Anything", None),
        ("volantidlx.core.Literal", None),
        ("google.protobuf.Timestamp", None),
    ],
)
def test_flyte_name(ours: str, flytes: str | None) -> None:
    assert rpc.flyte_name(ours) == flytes
    if flytes is not None:
        assert names.our_name(flytes) == ours


async def test_our_stub_and_flytes_reach_the_same(served: Served, channel: grpc.aio.Channel) -> None:
    ours = await admin_pb2_grpc.AdminServiceStub(channel).GetVersion(version_pb2.GetVersionRequest())
    flytes = await flytes_admin_grpc.AdminServiceStub(channel).GetVersion(flytes_version.GetVersionRequest())
    assert ours.SerializeToString() == flytes.SerializeToString()
    assert flytes.control_plane_version.Version == "test"
    assert await served.saw(2) == [("/volantidl.service.AdminService/GetVersion", "OK")] * 2
    assert served.scopes == ["/volantidl.service.AdminService/GetVersion"] * 2


async def test_datacatalog_has_flytes_package(channel: grpc.aio.Channel) -> None:
    stub = flytes_datacatalog_grpc.DataCatalogStub(channel)
    request = flytes_datacatalog.GetDatasetRequest(dataset=flytes_datacatalog.DatasetID(name="d"))
    assert (await stub.GetDataset(request)).dataset.id.name == "d"


async def test_what_is_ours_is_served_under_our_name_only(served: Served, channel: grpc.aio.Channel) -> None:
    ours = channel.unary_stream("/volantidl.dispatch.DispatchService/LoadExecution")
    assert len([part async for part in ours(b"")]) == 3
    flytes = channel.unary_stream("/flyteidl.dispatch.DispatchService/LoadExecution")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(aiter(flytes(b"")))
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_every_method_is_there_under_both_names(served: Served, channel: grpc.aio.Channel) -> None:
    not_found = set()
    for registration in served.registrations():
        ours = registration.service.full_name
        for service in filter(None, (ours, rpc.flyte_name(ours))):
            for method in registration.service.methods:
                if method.client_streaming or method.server_streaming:
                    continue
                call = channel.unary_unary(f"/{service}/{method.name}")(b"", timeout=5)
                # A method that is known, but that the servicer lacks, says so; grpc itself says "Method not found!".
                if "not found!" in str(await call.details()):
                    not_found.add(f"{service}/{method.name}")
    assert not_found == set()


async def test_a_flyte_peer_is_called_under_flytes_name(served: Served, channel: grpc.aio.Channel) -> None:
    stub = rpc.flyte_stub(admin_pb2.DESCRIPTOR.services_by_name["AdminService"], channel)
    call = stub.GetVersion(version_pb2.GetVersionRequest())
    assert isinstance(await call, version_pb2.GetVersionResponse)
    with pytest.raises(AttributeError, match="no method Nothing"):
        _ = stub.Nothing
    with pytest.raises(ValueError, match="Flyte has no service"):
        rpc.flyte_stub(dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"], channel)


async def test_stock_stubs_send_what_we_parse(channel: grpc.aio.Channel) -> None:
    request = flytes_common.ObjectGetRequest()
    request.id.name, request.id.project = "echo", "p"
    task = await flytes_admin_grpc.AdminServiceStub(channel).GetTask(request)
    assert task.id == request.id


@pytest.mark.parametrize(
    "name",
    ["", "flyteadmin", "volantidl.service.AdminService", "flyteidl.service.AdminService", "datacatalog.DataCatalog"],
)
async def test_health(channel: grpc.aio.Channel, name: str) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_health_of_what_is_not_there(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
