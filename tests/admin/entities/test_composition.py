"""One servicer of many nouns, and the settings that bind registrations."""

import dataclasses

import pytest
from entity_requests import refused, task, workflow

from volant_admin import service, settings
from volant_core import blobstore, clock, rpc
from volantidl.service import admin_pb2, admin_pb2_grpc


class One:
    async def GetTask(self, request, context) -> str:  # noqa: N802 - the wire's
        return "one"


class Two(One):
    pass


class Stranger:
    async def Fly(self, request, context) -> None: ...  # noqa: N802 - the wire's


async def test_a_composed_servicer_answers_with_its_nouns():
    made = service.compose(admin_pb2_grpc.AdminServiceServicer, [One()])
    assert isinstance(made, admin_pb2_grpc.AdminServiceServicer)
    assert await made.GetTask(None, None) == "one"


@pytest.mark.parametrize("nouns", [[One(), Two()], [Stranger()]])
def test_a_method_has_one_noun_and_every_method_is_the_services(nouns):
    with pytest.raises(ValueError, match="taken, or not a method of AdminServiceServicer"):
        service.compose(admin_pb2_grpc.AdminServiceServicer, nouns)


async def test_every_method_of_the_service_has_a_noun(database, tmp_path):
    blobs = blobstore.FolderStore(tmp_path, "volant")
    async with service.open_admin(
        database=database, blobs=blobs, settings=settings.AdminSettings(), clock=clock.SystemClock()
    ) as admin:
        (composed,) = (one.servicer for one in admin.servicers if one.service.name == "AdminService")
        plain = admin_pb2_grpc.AdminServiceServicer
        for method in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods:
            assert getattr(type(composed), method.name) is not getattr(plain, method.name), method.name
    await blobs.close()


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"workflow_nodes_limit": 3}, "exceeds limit (4 > 3)"),
        ({"workflow_bytes_limit": 100}, "Workflow closure size exceeds max limit [100]"),
    ],
)
async def test_limits_of_workflows(database, tmp_path, limit, text):
    blobs = blobstore.FolderStore(tmp_path, "volant")
    limited = dataclasses.replace(settings.AdminSettings(), **limit)
    async with (
        service.open_admin(database=database, blobs=blobs, settings=limited, clock=clock.SystemClock()) as admin,
        await rpc.serve(admin.servicers, ["127.0.0.1:0"]) as server,
        rpc.connect(server.addresses[0]) as channel,
    ):
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        await stub.CreateTask(task())
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.CreateWorkflow(workflow(nodes=4))
        assert text in refusal.text
    await blobs.close()
