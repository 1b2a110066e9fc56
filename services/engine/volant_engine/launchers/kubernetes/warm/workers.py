"""One worker: its pod, the connection to it, and the zygotes that it hosts."""

import asyncio
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from volant_core import clock, errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kinds, pod_status
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.kubernetes.warm import connection, worker_pod
from volant_engine.launchers.process import commands, link, zygotes
from volant_engine.launchers.process import settings as process_settings

_PATIENCE = 5.0
"""Seconds for which an answer to the first words is waited for."""
PYTHON = pathlib.Path("python3")
"""What stands for the interpreter that an SDK's scripts have there."""
_PAUSES = (0.05, 1.0)


class EndedError(Exception):
    """The worker's pod has ended, or will never start; `verdict` is as for an attempt's own pod."""

    def __init__(self, verdict: pod_status.Verdict, *, is_gone: bool) -> None:
        """`is_gone`: nothing is left of the pod."""
        super().__init__(verdict.error.message if verdict.error else "it ended by itself")
        self.verdict = verdict
        self.is_gone = is_gone


class Worker:
    """One worker."""

    def __init__(
        self,
        name: str,
        namespace: str,
        token: str,
        settings: kubernetes_settings.KubernetesSettings,
        time: clock.Clock,
    ) -> None:
        """Describe it; `reach` makes it usable."""
        self.name = name
        self.namespace = namespace
        self.token = token
        self.pod: Mapping[str, Any] | None = None
        self.is_gone = False
        self.connection: connection.Connection | None = None
        self.zygotes: zygotes.Zygotes | None = None
        self.attempt = ""
        """The attempt that it runs."""
        self.rest: asyncio.TimerHandle | None = None
        """Its end, while it has nothing to do."""
        self._settings = settings
        self._clock = time
        self._news = asyncio.Event()
        self._codes: set[str] = set()

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self.connection is not None and self.connection.is_open and not self.is_leaving

    @property
    def is_ours(self) -> bool:
        """Whether it runs what this engine gives it, and nobody else's."""
        return self.connection is not None and bool(self.connection.welcome["owned"])

    @property
    def is_leaving(self) -> bool:
        """Whether its pod ends or has ended."""
        return self.is_gone or (self.pod is not None and "deletionTimestamp" in self.pod["metadata"])

    def seen(self, pod: Mapping[str, Any], *, is_there: bool) -> None:
        """News of its pod."""
        self.pod = pod
        self.is_gone = not is_there
        self._news.set()
        if self.connection is not None and (self.is_gone or self._judge().is_end):
            self.connection.close()

    def _judge(self) -> pod_status.Verdict:
        now = self._clock.now()
        if self.pod is None:
            return pod_status.Verdict(port.AttemptPhase.QUEUED, now)
        if self.is_gone:
            return kinds.PODS.gone(self.pod, now, self._settings)
        return pod_status.judge(self.pod, now, self._settings)

    async def reach(self, say: Callable[[str], None], *, own: bool = True) -> connection.Connection:
        """The connection to it, as soon as it can be had. EndedError when it never can."""
        pause = _PAUSES[0]
        while True:
            if self.connection is not None and self.connection.is_open:
                return self.connection
            self._news.clear()
            verdict = self._judge()
            if verdict.is_end:
                if verdict.error is None:
                    verdict = pod_status.vanished(f"{self.namespace}/{self.name}", self._clock.now())
                raise EndedError(verdict, is_gone=self.is_gone)
            address = ((self.pod or {}).get("status") or {}).get("podIP")
            if verdict.phase is port.AttemptPhase.RUNNING and address:
                try:
                    return await self._open(address, own=own)
                except errors.UnavailableError:
                    pause = min(2 * pause, _PAUSES[1])
            elif verdict.phase is not port.AttemptPhase.RUNNING:
                say(verdict.reason)
                pause = 60.0
                if verdict.again is not None:
                    pause = max(0.05, (verdict.again - self._clock.now()).total_seconds())
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _open(self, address: str, *, own: bool) -> connection.Connection:
        told = self._settings
        made = await connection.Connection.open(address, told.warm_port, self.token, own=own, patience=_PATIENCE)
        welcome = made.welcome
        if welcome["program"] != worker_pod.program_digest():
            files = worker_pod.program()
            sizes = [(name, len(content)) for name, content in files.items()]
            head = {"op": "program", "digest": worker_pod.program_digest(), "files": sizes}
            made.send(head, b"".join(files.values()))
        self._codes = set(welcome["codes"])
        self.connection = made
        if self.zygotes is not None:
            await self.zygotes.close()
            self.zygotes = None
        return made

    async def warm(self, kit: str) -> zygotes.Zygotes:
        """Its zygotes, with an SDK loaded as far as that has come. UnavailableError when its Python won't run."""
        assert self.connection is not None, "reached before"
        if self.zygotes is None:
            folder = pathlib.Path(worker_pod.FOLDER)
            told = process_settings.ProcessSettings(data=folder, python=PYTHON, slots=1, warm=(kit,))
            base = {"VOLANT_STORE_ROOT": f"{worker_pod.FOLDER}/objects", "VOLANT_STORE_BUCKET": "none"}
            if self.connection.welcome["python_path"]:
                base["PYTHONPATH"] = self.connection.welcome["python_path"]
            self.zygotes = zygotes.Zygotes(told, base, _Host(self.connection, commands.KITS[kit].scripts))
            await self.zygotes.start()
        return self.zygotes

    async def has_code(self, key: str, name: str, archive: Callable[[], Any]) -> pathlib.Path:
        """The folder with code there. InvalidArgumentError when that can't be unpacked."""
        assert self.connection is not None, "reached before"
        if key not in self._codes:
            why = await self.connection.code(key, name, await archive())
            if why:
                raise errors.InvalidArgumentError(
                    f"the code archive {name} can't be unpacked: {why}; register the code again"
                )
            self._codes.add(key)
        return pathlib.Path(worker_pod.FOLDER, "code", key)

    async def close(self) -> None:
        """Hang up."""
        if self.rest is not None:
            self.rest.cancel()
            self.rest = None
        if self.connection is not None:
            self.connection.close()
        if self.zygotes is not None:
            await self.zygotes.close()


class _Host:
    """The worker as the host of interpreters."""

    advice = "the worker's image must have a Python of its own"

    def __init__(self, link_to: connection.Connection, scripts: tuple[str, ...]) -> None:
        self._connection = link_to
        self._scripts = scripts

    async def prepare(self) -> None:
        """The worker has made its folders."""

    async def start(self, python: pathlib.Path, environment: Mapping[str, str], log: pathlib.Path) -> "_Root":
        """Start a bare interpreter: that of the SDK's scripts."""
        del python
        head = {"op": "spawn", "scripts": self._scripts, "environment": dict(environment), "log": str(log)}
        return _Root(self._connection, head)

    def place(self, path: str) -> str:
        """Where one of our own files is there."""
        return f"{worker_pod.FOLDER}/program/{pathlib.Path(path).name}"


class _Root:
    """A bare interpreter of a worker."""

    def __init__(self, link_to: connection.Connection, head: Mapping[str, Any]) -> None:
        self._connection = link_to
        self._head = head

    def link(self, heard: link.Heard, lost: link.Lost) -> link.Link:
        """The way to it."""
        return self._connection.channel(self._head, heard, lost)

    async def said(self) -> str:
        """What it wrote."""
        return f"see {self._head['log']} in the worker's pod"

    async def gone(self) -> None:
        """The worker sees to that."""
