"""The control plane as one object: what the composition root opens.

Each noun's `rpc.py` has a class with the methods of its own RPCs. `compose` makes one servicer of them, so that no
class grows with the number of nouns; a method that no noun has answers UNIMPLEMENTED, as gRPC's base class does.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp.web

from volant_admin.projects import operations as project_operations
from volant_admin.projects import rpc as project_rpc
from volant_admin.settings import AdminSettings
from volant_core import blobstore, clock, postgres, rpc
from volantidl.service import admin_pb2, admin_pb2_grpc


@dataclasses.dataclass(frozen=True, slots=True)
class Admin:
    """The open control plane."""

    servicers: list[rpc.Registration]
    routes: list[aiohttp.web.RouteDef]


@contextlib.asynccontextmanager
async def open_admin(
    *,
    database: postgres.Database,
    blobs: blobstore.BlobStore,
    settings: AdminSettings,
    clock: clock.Clock,
) -> AsyncIterator[Admin]:
    """Open the control plane on a migrated database.

    Args:
        database: Where schema `admin` is.
        blobs: Where closures and large values go.
        settings: See there.
        clock: The time.
    """
    projects = project_operations.Projects(database, settings, clock)
    await projects.seed()
    admin_servicer = compose(
        admin_pb2_grpc.AdminServiceServicer,
        [
            project_rpc.ProjectMethods(projects),
        ],
    )
    yield Admin(
        servicers=[
            rpc.Registration(admin_servicer, admin_pb2.DESCRIPTOR.services_by_name["AdminService"]),
        ],
        routes=[],
    )


def compose(servicer: type, nouns: Iterable[object]) -> Any:
    """One servicer of a generated servicer class whose methods are those of the nouns.

    Raises:
        ValueError: Two nouns have the same method, or one has a public method that the service does not know.
    """
    methods: dict[str, Any] = {}
    for noun in nouns:
        for name in (name for name in dir(noun) if not name.startswith("_")):
            if name in methods or not hasattr(servicer, name):
                raise ValueError(f"{type(noun).__name__}.{name}: taken, or not a method of {servicer.__name__}")
            methods[name] = staticmethod(getattr(noun, name))
    return type(f"Composed{servicer.__name__}", (servicer,), methods)()
