"""Launchers of each kind, behind one face: what the conformance suite talks to."""

import asyncio
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from volant_core import clock, errors
from volant_core.blobstore import FolderStore
from volant_engine.launchers import fake, port
from volant_engine.launchers.process import launcher, settings
from volantidl.core import execution_pb2, identifier_pb2, literals_pb2, tasks_pb2

TERMINAL = (port.AttemptPhase.SUCCEEDED, port.AttemptPhase.FAILED)
HERE = pathlib.Path(__file__).parent


class News:
    """What a launcher told, and a way to wait for more."""

    def __init__(self, patience: float = 30.0) -> None:
        self.patience = patience
        """How long to wait for one, in seconds."""
        self.all: list[port.AttemptUpdate] = []
        self._more = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def heard(self, update: port.AttemptUpdate) -> None:
        self.all.append(update)
        task = asyncio.get_running_loop().create_task(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        async with self._more:
            self._more.notify_all()

    def of(self, name: str) -> list[port.AttemptUpdate]:
        return [update for update in self.all if update.name == name]

    def phases(self, name: str) -> list[port.AttemptPhase]:
        return [update.phase for update in self.of(name)]

    def ends(self, name: str) -> list[port.AttemptUpdate]:
        return [update for update in self.of(name) if update.phase in TERMINAL]

    async def until(
        self, name: str, *phases: port.AttemptPhase, count: int = 1, patience: float = 0.0
    ) -> port.AttemptUpdate:
        async with asyncio.timeout(patience or self.patience), self._more:
            while len(found := [update for update in self.of(name) if update.phase in phases]) < count:
                await self._more.wait()
        return found[-1]

    async def reason(self, name: str, words: str, patience: float = 0.0) -> None:
        """Until news of an attempt gives these words as its reason."""
        async with asyncio.timeout(patience or self.patience), self._more:
            while not any(words in update.reason for update in self.of(name)):
                await self._more.wait()

    async def end(self, name: str, count: int = 1, patience: float = 0.0) -> port.AttemptUpdate:
        return await self.until(name, *TERMINAL, count=count, patience=patience)


def attempt(
    name: str,
    words: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    task: tasks_pb2.TaskTemplate | None = None,
    is_eager: bool = False,
    prefix: str = "",
) -> port.Attempt:
    prefix = prefix or f"s3://volant/metadata/{name}/n0/data/0"
    return port.Attempt(
        name=name,
        execution=identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="e"),
        node_id="n0",
        number=0,
        task=task or tasks_pb2.TaskTemplate(id=identifier_pb2.Identifier(name="t")),
        arguments=list(words),
        environment={"FLYTE_INTERNAL_EXECUTION_ID": name, **(environment or {})},
        input_uri="s3://volant/metadata/inputs.pb",
        output_prefix=prefix,
        raw_output_prefix=f"s3://volant/data/zz/{name}",
        is_eager=is_eager,
    )


class ProcessWorld:
    """The process launcher on a folder of its own."""

    kind = "process"

    def __init__(self, folder: pathlib.Path, *, slots: int = 4, **more: object) -> None:
        self.folder = folder
        self.marks = folder / "marks"
        self.marks.mkdir(exist_ok=True)
        told: dict[str, object] = {
            "data": folder / "data",
            "python": pathlib.Path(sys.executable),
            "slots": slots,
            "store_root": folder / "data" / "objects",
            "inherited": {**os.environ, "PYTHONPATH": str(HERE / "tasks")},
            "warm": (),
            "grace": 2.0,
            **more,
        }
        self.settings = settings.ProcessSettings(**told)  # type: ignore[arg-type]
        (folder / "data" / "objects" / "volant").mkdir(parents=True, exist_ok=True)
        self.blobs = FolderStore(folder / "data" / "objects", "volant")
        self.news = News()
        self.launcher = launcher.ProcessLauncher(self.settings, clock.SystemClock(), blobs=self.blobs)

    async def open(self) -> None:
        await self.launcher.start(self.news.heard)

    async def close(self, *, end_attempts: bool = True) -> None:
        await self.launcher.close(end_attempts=end_attempts)

    async def reopen(self) -> None:
        """Another launcher on the same folder, as after a restart."""
        self.news = News()
        self.launcher = launcher.ProcessLauncher(self.settings, clock.SystemClock(), blobs=self.blobs)
        await self.open()

    def attempt(self, name: str, behaviour: str, *, is_eager: bool = False) -> port.Attempt:
        code = f"import launcher_acts as acts; acts.{behaviour}({str(self.marks)!r}, {name!r})"
        return attempt(name, [sys.executable, "-c", code], is_eager=is_eager)

    def release(self, name: str) -> None:
        """Let an attempt that waits go on."""
        descriptor = os.open(self.marks / f"{name}.gate", os.O_WRONLY)
        os.write(descriptor, b"x")
        os.close(descriptor)

    def prepare(self, name: str) -> None:
        """Make the gate that a waiting attempt waits at."""
        os.mkfifo(self.marks / f"{name}.gate")

    def runs(self, name: str) -> int:
        try:
            return len((self.marks / f"{name}.runs").read_text().split())
        except FileNotFoundError:
            return 0

    async def put_inputs(self, **values: literals_pb2.Literal) -> None:
        data = literals_pb2.LiteralMap(literals=values).SerializeToString()
        await self.blobs.put("s3://volant/metadata/inputs.pb", data)

    async def outputs(self, name: str) -> Mapping[str, literals_pb2.Literal]:
        try:
            data = await self.blobs.get(f"s3://volant/metadata/{name}/n0/data/0/outputs.pb")
        except errors.NotFoundError as error:
            raise AssertionError(await self.said(name)) from error
        return literals_pb2.LiteralMap.FromString(data).literals

    async def said(self, name: str) -> str:
        try:
            return (await self.blobs.get(f"s3://volant/metadata/{name}/n0/data/0/log.txt")).decode()
        except Exception as error:  # noqa: BLE001 - for messages only
            return f"no log: {error}"

    def process(self, name: str) -> int:
        return int((self.settings.attempts / name / "pid").read_text().split()[0])


class FakeWorld:
    """The launcher in memory."""

    kind = "fake"

    def __init__(self, folder: pathlib.Path, *, slots: int = 4) -> None:
        del folder
        self.news = News()
        self.gates: dict[str, asyncio.Event] = {}
        self.launcher = fake.FakeLauncher(self._act, time=clock.SystemClock(), slots=slots)

    async def _act(self, given: port.Attempt) -> fake.Ending:
        behaviour = given.arguments[0]
        if behaviour == "wait":
            await self.gates[given.name].wait()
        if behaviour == "fail":
            error = execution_pb2.ExecutionError(code="Error", message="3", kind=execution_pb2.ExecutionError.USER)
            return fake.Ending(error)
        return fake.Ending()

    async def open(self) -> None:
        await self.launcher.start(self.news.heard)

    async def close(self, *, end_attempts: bool = True) -> None:
        await self.launcher.close(end_attempts=end_attempts)

    async def reopen(self) -> None:
        self.news = News()
        await self.launcher.start(self.news.heard)

    def attempt(self, name: str, behaviour: str, *, is_eager: bool = False) -> port.Attempt:
        return attempt(name, [behaviour], is_eager=is_eager)

    def prepare(self, name: str) -> None:
        self.gates[name] = asyncio.Event()

    def release(self, name: str) -> None:
        self.gates[name].set()

    def runs(self, name: str) -> int:
        return self.launcher.runs.get(name, 0)
