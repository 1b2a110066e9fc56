"""The launcher of what connectors run, beside a connector in this process whose jobs are scripts."""

import asyncio
import collections
import itertools
import pathlib

import grpc.aio
from flyteidl.admin import agent_pb2 as flyte_agent_pb2
from flyteidl.core import execution_pb2 as flyte_execution_pb2
from flyteidl.service import agent_pb2_grpc as flyte_agent_pb2_grpc
from launcher_worlds import News, attempt

from volant_core import clock
from volant_core.blobstore import FolderStore
from volant_engine.launchers import port
from volant_engine.launchers.connectors import launcher, settings
from volantidl.core import identifier_pb2, tasks_pb2

PHASE = flyte_execution_pb2.TaskExecution


class _Job:
    def __init__(self, name: str, behaviour: str, *, waits_for_slot: bool) -> None:
        self.name = name
        self.behaviour = behaviour
        self.waits_for_slot = waits_for_slot
        self.phase = PHASE.QUEUED
        self.work: asyncio.Task[None] | None = None


class ScriptedConnector(
    flyte_agent_pb2_grpc.AsyncAgentServiceServicer, flyte_agent_pb2_grpc.AgentMetadataServiceServicer
):
    """Serves the task type "scripted", `slots` jobs at a time, under Flyte's own generated code."""

    def __init__(self, slots: int) -> None:
        self.slots = asyncio.Semaphore(slots)
        self.jobs: dict[bytes, _Job] = {}
        self.gates: dict[str, asyncio.Event] = collections.defaultdict(asyncio.Event)
        self.runs: collections.Counter[str] = collections.Counter()
        self.created: list[flyte_agent_pb2.CreateTaskRequest] = []
        self._ids = itertools.count()

    async def ListAgents(self, request, context):  # noqa: N802 - grpc's
        agent = flyte_agent_pb2.Agent(name="scripted")
        agent.supported_task_categories.add(name="scripted", version=0)
        return flyte_agent_pb2.ListAgentsResponse(agents=[agent])

    async def CreateTask(self, request, context):  # noqa: N802 - grpc's
        self.created.append(request)
        name, behaviour, slot = request.template.container.args
        meta = str(next(self._ids)).encode()
        job = self.jobs[meta] = _Job(name, behaviour, waits_for_slot=slot == "slot")
        job.work = asyncio.get_running_loop().create_task(self._work(job))
        return flyte_agent_pb2.CreateTaskResponse(resource_meta=meta)

    async def _work(self, job):
        if job.waits_for_slot:
            async with self.slots:
                await self._act(job)
        else:
            await self._act(job)

    async def _act(self, job):
        self.runs[job.name] += 1
        job.phase = PHASE.RUNNING
        if job.behaviour == "wait":
            await self.gates[job.name].wait()
        job.phase = PHASE.RETRYABLE_FAILED if job.behaviour == "fail" else PHASE.SUCCEEDED

    async def GetTask(self, request, context):  # noqa: N802 - grpc's
        job = self.jobs.get(request.resource_meta)
        if job is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such job")
        resource = flyte_agent_pb2.Resource(phase=job.phase)
        if job.phase == PHASE.RETRYABLE_FAILED:
            resource.message = "the script says so"
        return flyte_agent_pb2.GetTaskResponse(resource=resource)

    async def DeleteTask(self, request, context):  # noqa: N802 - grpc's
        job = self.jobs.pop(request.resource_meta)
        job.work.cancel()
        return flyte_agent_pb2.DeleteTaskResponse()

    async def close(self):
        for job in self.jobs.values():
            job.work.cancel()


class ConnectorWorld:
    """The launcher under test and its connector."""

    kind = "connectors"

    def __init__(self, folder: pathlib.Path, *, slots: int = 4) -> None:
        (folder / "objects").mkdir(exist_ok=True)
        self.blobs = FolderStore(folder / "objects", "volant")
        self.connector = ScriptedConnector(slots)
        self.server = grpc.aio.server()
        flyte_agent_pb2_grpc.add_AsyncAgentServiceServicer_to_server(self.connector, self.server)
        flyte_agent_pb2_grpc.add_AgentMetadataServiceServicer_to_server(self.connector, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.is_up = False

    async def open(self) -> None:
        if not self.is_up:
            await self.server.start()
            self.is_up = True
        self.news = News()
        told = settings.ConnectorSettings(endpoints=(f"127.0.0.1:{self.port}",), poll_seconds=(0.01, 0.02))
        self.launcher = launcher.ConnectorLauncher(told, clock.SystemClock(), blobs=self.blobs)
        await self.launcher.start(self.news.heard)

    async def close(self, *, end_attempts: bool = True) -> None:
        await self.launcher.close(end_attempts=end_attempts)
        if end_attempts:
            await self.connector.close()
            await self.server.stop(None)

    async def reopen(self) -> None:
        await self.open()

    def attempt(self, name: str, behaviour: str, *, is_eager: bool = False) -> port.Attempt:
        words = [name, behaviour, "free" if is_eager else "slot"]
        task = tasks_pb2.TaskTemplate(id=identifier_pb2.Identifier(name="t"), type="scripted")
        task.container.args.extend(["{{.name}}", "{{.behaviour}}", "{{.slot}}"])
        return attempt(name, words, task=task, is_eager=is_eager)

    def prepare(self, name: str) -> None:
        self.connector.gates[name].clear()

    def release(self, name: str) -> None:
        self.connector.gates[name].set()

    def runs(self, name: str) -> int:
        return self.connector.runs[name]
