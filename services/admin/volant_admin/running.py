"""What runs, wired together: executions and everything below them, with the engines that drive them."""

import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator

import aiohttp.web

from volant_admin import pages
from volant_admin.dataproxy import downloads, uploads
from volant_admin.dataproxy import rpc as dataproxy_rpc
from volant_admin.dispatch import dispatcher, loading, recorder
from volant_admin.dispatch import rpc as dispatch_rpc
from volant_admin.driver import operations as driver_operations
from volant_admin.driver import rpc as driver_rpc
from volant_admin.driver import targets
from volant_admin.events import operations as event_operations
from volant_admin.events import rpc as event_rpc
from volant_admin.executions import launch, metrics, operations, single_task, values
from volant_admin.executions import rpc as execution_rpc
from volant_admin.launch_plans import operations as launch_plan_operations
from volant_admin.node_executions import operations as node_operations
from volant_admin.node_executions import rpc as node_rpc
from volant_admin.projects import operations as project_operations
from volant_admin.settings import AdminSettings
from volant_admin.signals import operations as signal_operations
from volant_admin.signals import rpc as signal_rpc
from volant_admin.task_executions import operations as task_operations
from volant_admin.task_executions import rpc as task_rpc
from volant_admin.tasks import operations as registered_tasks
from volant_admin.version import rpc as version_rpc
from volant_admin.workflows import operations as workflow_operations
from volant_core import blobstore, clock, postgres, rpc
from volantidl.dispatch import dispatch_pb2
from volantidl.driver import driver_pb2
from volantidl.service import dataproxy_pb2, signal_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """The open part of the control plane that knows what runs."""

    admin_methods: list[object]
    """For AdminService."""
    servicers: list[rpc.Registration]
    routes: list[aiohttp.web.RouteDef]


@contextlib.asynccontextmanager
async def open_running(
    database: postgres.Database,
    blobs: blobstore.BlobStore,
    projects: project_operations.Projects,
    tasks: registered_tasks.Tasks,
    workflows: workflow_operations.Workflows,
    launch_plans: launch_plan_operations.LaunchPlans,
    settings: AdminSettings,
    clock: clock.Clock,
) -> AsyncIterator[Running]:
    """Open it, under a name that no other replica has."""
    replica = secrets.token_hex(8)
    async with dispatcher.open_dispatcher(database, settings.dispatch, clock, replica) as dispatch:
        read = values.Values(blobs, settings.executions)
        alone = single_task.SingleTasks(database, workflows, launch_plans)
        launching = launch.Launching(database, blobs, projects, dispatch, alone, settings.executions, clock)
        executions = operations.Executions(database, blobs, launching, dispatch, read, clock)
        nodes = node_operations.NodeExecutions(database, blobs, read)
        attempts = task_operations.TaskExecutions(database, read, settings.executions)
        spans = metrics.Metrics(database, executions, nodes, workflows)
        signals = signal_operations.Signals(database, dispatch, clock)
        uploading = uploads.Uploads(blobs, projects, settings.dataproxy, clock)
        downloading = downloads.Downloads(blobs, nodes, attempts, settings.dataproxy, clock)
        run_by_drivers = targets.Targets(blobs, tasks, workflows, launch_plans, settings)
        drivers = driver_operations.Drivers(database, blobs, dispatch, run_by_drivers, settings.executions, clock)
        events = event_operations.Events(database, blobs, dispatch, clock)
        yield Running(
            admin_methods=[
                execution_rpc.ExecutionMethods(executions, spans),
                node_rpc.NodeExecutionMethods(nodes),
                task_rpc.TaskExecutionMethods(attempts),
                event_rpc.EventMethods(events),
                version_rpc.VersionMethods(settings.pages_url),
            ],
            servicers=[
                rpc.Registration(
                    signal_rpc.SignalServicer(signals), signal_pb2.DESCRIPTOR.services_by_name["SignalService"]
                ),
                rpc.Registration(
                    dataproxy_rpc.DataProxyServicer(uploading, downloading),
                    dataproxy_pb2.DESCRIPTOR.services_by_name["DataProxyService"],
                ),
                rpc.Registration(
                    driver_rpc.DriverServicer(drivers),
                    driver_pb2.DESCRIPTOR.services_by_name["DriverService"],
                    endless=frozenset({"WatchChildren"}),
                ),
                rpc.Registration(
                    dispatch_rpc.DispatchServicer(
                        dispatch,
                        recorder.Recorder(database, dispatch),
                        loading.Loader(database, settings.dispatch),
                    ),
                    dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"],
                    # Reports are checked as they are taken apart, and by part.
                    check_requests=False,
                ),
            ],
            routes=pages.routes(projects, executions, nodes, attempts, downloading),
        )
