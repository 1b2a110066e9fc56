"""The control plane as one object: what the composition root opens.

Each noun's `rpc.py` has a class with the methods of its own RPCs. `compose` makes one servicer of them, so that no
class grows with the number of nouns; a method that no noun has answers UNIMPLEMENTED, as gRPC's base class does.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp.web

from volant_admin import running
from volant_admin.attributes import operations as attribute_operations
from volant_admin.attributes import rpc as attribute_rpc
from volant_admin.description_entities import operations as description_operations
from volant_admin.description_entities import rpc as description_rpc
from volant_admin.launch_plans import operations as launch_plan_operations
from volant_admin.launch_plans import rpc as launch_plan_rpc
from volant_admin.login import rpc as login_rpc
from volant_admin.named_entities import operations as named_entity_operations
from volant_admin.named_entities import rpc as named_entity_rpc
from volant_admin.projects import operations as project_operations
from volant_admin.projects import rpc as project_rpc
from volant_admin.settings import AdminSettings
from volant_admin.tasks import operations as task_operations
from volant_admin.tasks import rpc as task_rpc
from volant_admin.workflows import operations as workflow_operations
from volant_admin.workflows import rpc as workflow_rpc
from volant_core import blobstore, clock, postgres, rpc
from volantidl.service import admin_pb2, admin_pb2_grpc, auth_pb2


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
    attributes = attribute_operations.Attributes(database, projects, settings, clock)
    tasks = task_operations.Tasks(database, projects, attributes, clock)
    workflows = workflow_operations.Workflows(database, blobs, projects, tasks, settings, clock)
    launch_plans = launch_plan_operations.LaunchPlans(database, projects, clock)
    await projects.seed()
    async with running.open_running(database, blobs, projects, tasks, workflows, launch_plans, settings, clock) as runs:
        admin_servicer = compose(
            admin_pb2_grpc.AdminServiceServicer,
            [
                project_rpc.ProjectMethods(projects),
                attribute_rpc.AttributeMethods(attributes),
                task_rpc.TaskMethods(tasks),
                workflow_rpc.WorkflowMethods(workflows),
                launch_plan_rpc.LaunchPlanMethods(launch_plans),
                named_entity_rpc.NamedEntityMethods(named_entity_operations.NamedEntities(database, clock)),
                description_rpc.DescriptionEntityMethods(description_operations.DescriptionEntities(database)),
                *runs.admin_methods,
            ],
        )
        yield Admin(
            servicers=[
                rpc.Registration(admin_servicer, admin_pb2.DESCRIPTOR.services_by_name["AdminService"]),
                rpc.Registration(
                    login_rpc.AuthMetadataServicer(), auth_pb2.DESCRIPTOR.services_by_name["AuthMetadataService"]
                ),
                *runs.servicers,
            ],
            routes=runs.routes,
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
