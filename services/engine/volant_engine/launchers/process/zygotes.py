"""The launcher's side of the zygotes: starts the tree, grows it on demand, replaces what dies, bounds what is kept."""

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import logging
import os
import pathlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from volant_core import aio, errors
from volant_engine.launchers.process import commands, link
from volant_engine.launchers.process import settings as process_settings

_log = logging.getLogger(__name__)
_PROGRAM = pathlib.Path(__file__).parent / "zygote.py"


class Watcher(Protocol):
    """Who asked for an attempt, and hears what becomes of it."""

    def started(self, pid: int, at: float) -> None:
        """It was forked."""

    def ended(self, status: int, at: float) -> None:
        """It ended with this wait status."""

    def existed(self) -> None:
        """It was not forked, because it was before."""

    def refused(self, why: str) -> None:
        """It could not be forked."""

    def abandoned(self) -> None:
        """The zygote is gone; the attempt may run on."""


class Node:
    """One zygote."""

    def __init__(self, title: str, tasks: aio.Tasks) -> None:
        """Describe a zygote that is about to be forked; `attach` it to its socket."""
        self.title = title
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.watchers: dict[str, Watcher] = {}
        self.modules: dict[str, asyncio.Future[str]] = {}
        self.facts: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._tasks = tasks
        self._link: link.Link | None = None
        self.spoilt = ""
        """Why it can't fork, where it said so itself."""
        self._pids: dict[str, int] = {}
        self._has_spare = False
        self._handlers: dict[str, Callable[[Any, dict[str, Any]], None]] = {
            "ended": self._ended,
            "started": self._started,
            "exists": self._existed,
            "refused": self._refused,
            "imported": lambda module, message: _resolve(self.modules.get(module), message.get("why", "")),
            "ready": lambda _, __: _resolve(self.ready, None),
            "facts": lambda found, _: _resolve(self.facts, found),
            "spoilt": self._was_spoilt,
        }
        for future in (self.ready, self.facts):
            future.add_done_callback(_seen)

    @property
    def is_open(self) -> bool:
        """Whether it may still fork."""
        return self._link is not None and self._link.is_open

    def attach(self, end: socket.socket) -> None:
        """Start to listen to it."""
        self._link = link.Link(end, self._heard, self._lost)

    def fork(self, title: str, **request: Any) -> "Node":
        """Ask for a zygote of the next level."""
        node = Node(title, self._tasks)
        ours, theirs = _pair()
        node.attach(ours)
        self._send({"op": "zygote", **request}, theirs)
        return node

    def ask_facts(self) -> None:
        """Ask what the interpreter is; the answer is `facts`."""
        self._send({"op": "facts"})

    async def load(self, module: str) -> str:
        """Import a module of the user's; returns why attempts must do that themselves, or nothing."""
        loading = self.modules.get(module)
        if loading is None:
            loading = self.modules[module] = asyncio.get_running_loop().create_future()
            loading.add_done_callback(_seen)
            self._has_spare = False
            self._send({"op": "import", "module": module})
        return await asyncio.shield(loading)

    def run(self, name: str, request: Mapping[str, Any], watcher: Watcher) -> None:
        """Fork an attempt."""
        self.watchers[name] = watcher
        self._has_spare = False
        self._send({"op": "run", "name": name, **request})

    def keep_spare(self) -> None:
        """Have the next attempt forked ahead of its time."""
        if self.is_open and not self._has_spare:
            self._has_spare = True
            self._send({"op": "spare"})

    def drop_spare(self) -> None:
        """Have no attempt forked ahead."""
        if self.is_open and self._has_spare:
            self._has_spare = False
            self._send({"op": "no spare"})

    def close(self) -> None:
        """Let it end; attempts live on and are watched in another way."""
        if self._link is not None and self._link.is_open:
            self._link.close()
            self._lost()

    def _send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        if self._link is None or not self._link.is_open:
            if descriptor is not None:
                os.close(descriptor)
            raise errors.UnavailableError(f"the {self.title} zygote is gone")
        self._link.send(message, descriptor)

    def _heard(self, message: dict[str, Any]) -> None:
        for kind, handle in self._handlers.items():
            if kind in message:
                handle(message[kind], message)
                return

    def _started(self, name: str, message: dict[str, Any]) -> None:
        if (watcher := self.watchers.get(name)) is not None:
            self._pids[name] = message["pid"]
            watcher.started(message["pid"], message["at"])

    def _ended(self, name: str, message: dict[str, Any]) -> None:
        # Not so the end of a fork that found that it was not wanted: that has been told in another way.
        if self._pids.get(name) == message["pid"] and (watcher := self._dismiss(name)) is not None:
            watcher.ended(message["status"], message["at"])

    def _existed(self, name: str, _: dict[str, Any]) -> None:
        if (watcher := self._dismiss(name)) is not None:
            watcher.existed()

    def _refused(self, name: str, message: dict[str, Any]) -> None:
        if (watcher := self._dismiss(name)) is not None:
            watcher.refused(message["why"])

    def _dismiss(self, name: str) -> Watcher | None:
        self._pids.pop(name, None)
        return self.watchers.pop(name, None)

    def _was_spoilt(self, why: str, _: dict[str, Any]) -> None:
        self.spoilt = why

    def _lost(self) -> None:
        gone = errors.UnavailableError(f"the {self.title} zygote ended; its log is in the data folder's zygotes/")
        futures: list[asyncio.Future[Any]] = [self.ready, self.facts, *self.modules.values()]
        for future in futures:
            if not future.done():
                future.set_exception(gone)
        watchers, self.watchers = list(self.watchers.values()), {}
        for watcher in watchers:
            watcher.abandoned()


@dataclasses.dataclass
class _Tree:
    """A bare interpreter and the SDKs loaded from it."""

    bare: Node
    process: subprocess.Popen[bytes]
    sdks: dict[str, Node] = dataclasses.field(default_factory=dict)


_VersionKey = tuple[tuple[tuple[str, str], ...], str, str, tuple[tuple[str, str], ...], tuple[str, ...]]


class Zygotes:
    """All zygotes of a launcher."""

    def __init__(self, settings: process_settings.ProcessSettings, environment: Mapping[str, str]) -> None:
        """`environment` is what every zygote starts with."""
        self._settings = settings
        self._environment = environment
        self._tasks = aio.Tasks("zygotes")
        self._trees: dict[tuple[tuple[str, str], ...], asyncio.Task[_Tree | errors.UnavailableError]] = {}
        self._versions: collections.OrderedDict[_VersionKey, Node] = collections.OrderedDict()
        self._not_here: dict[_VersionKey, set[str]] = {}
        self._spare: Node | None = None
        self._unrehearsed: set[str] = set()
        self._cold: set[str] = set()
        self.facts: dict[str, str] = {}
        self.scripts: dict[str, str] = {}

    async def start(self) -> None:
        """Start the interpreter, and the SDKs that it has behind the scenes. UnavailableError if it won't run."""
        await asyncio.to_thread(_make_folders, self._settings.zygotes)
        tree = await self._tree({})
        self._tasks.start("keep warm", self._keep_warm(tree))

    async def close(self) -> None:
        """Let all zygotes go."""
        await self._tasks.cancel()
        for version in self._versions.values():
            version.close()
        trees = [tree for tree in (_result(task) for task in self._trees.values()) if tree is not None]
        self._trees.clear()
        for tree in trees:
            for sdk in tree.sdks.values():
                sdk.close()
            tree.bare.close()
        for tree in trees:
            await asyncio.to_thread(_wait, tree.process)

    async def bare(self) -> Node:
        """The zygote for cold commands: a bare interpreter."""
        return (await self._tree({})).bare

    def keep_spare(self, node: Node) -> None:
        """Fork an attempt of this version ahead; only the version used last has one."""
        if self._spare is not None and self._spare is not node:
            self._spare.drop_spare()
        self._spare = node
        node.keep_spare()

    async def sdk(self, kit: str, interpreter: Mapping[str, str]) -> Node | None:
        """The zygote with an SDK loaded; None when what the SDK does to a process can't be forked."""
        tree = await self._tree(interpreter)
        while kit not in self._cold:
            node = tree.sdks.get(kit)
            if node is None or not node.is_open:
                node = tree.sdks[kit] = self._fork_sdk(tree, kit)
            try:
                await asyncio.shield(node.ready)
            except errors.UnavailableError:
                if not node.spoilt:
                    raise
                self._distrust(kit, node.spoilt)
            else:
                return node
        return None

    def _fork_sdk(self, tree: _Tree, kit: str) -> Node:
        has = commands.KITS[kit]
        entries = {self.scripts[script].partition(":")[0] for script in has.scripts if script in self.scripts}
        return tree.bare.fork(
            kit,
            preload=[*sorted(entries), *has.preload],
            load_files={**has.files, **({} if kit in self._unrehearsed else has.rehearsal)},
            log=str(self._settings.zygotes / f"{kit}.log"),
        )

    def _distrust(self, kit: str, why: str) -> None:
        """Do without a rehearsal; and when that doesn't help either, without forks of this SDK."""
        if kit not in self._unrehearsed and commands.KITS[kit].rehearsal:
            self._unrehearsed.add(kit)
            _log.info("%s is forked without a rehearsal: %s", kit, why)
        elif kit not in self._cold:
            self._cold.add(kit)
            _log.warning("%s is started anew for each attempt, which is slow, because it can't be forked: %s", kit, why)

    async def version(
        self, kit: str, environment: commands.Environment, code: pathlib.Path | None, modules: tuple[str, ...]
    ) -> Node | None:
        """The zygote that has the user's modules loaded in that environment, as far as they can be shared.

        None when the SDK can't be forked here.
        """
        python_path = environment.python_path
        if python_path is None:
            given = self._environment.get("PYTHONPATH", "")
            python_path = tuple(part for part in given.split(os.pathsep) if part)
        path = (*python_path, str(code)) if code else python_path
        key: _VersionKey = (_frozen(environment.interpreter), kit, str(code or ""), _frozen(environment.declared), path)
        while True:
            node = self._versions.get(key)
            if node is None or not node.is_open:
                sdk = await self.sdk(kit, environment.interpreter)
                if sdk is None:
                    return None
                node = self._versions.get(key)
                if node is None or not node.is_open:
                    node = self._versions[key] = self._fork_version(sdk, key)
                    self._evict(key)
            self._versions.move_to_end(key)
            if await self._loaded(node, key, modules):
                return node

    async def _loaded(self, node: Node, key: _VersionKey, modules: tuple[str, ...]) -> bool:
        """Have the modules imported that can be; False when that cost the zygote and another one is needed."""
        await asyncio.shield(node.ready)
        for module in modules:
            if module in self._not_here.get(key, ()):
                continue
            try:
                why = await node.load(module)
            except errors.UnavailableError:
                why = "it ends the interpreter"
            if why:
                known = self._not_here.setdefault(key, set())
                if module not in known:
                    known.add(module)
                    _log.warning(
                        "%s is imported by each attempt itself, which is slower: when it is imported, %s", module, why
                    )
                node.close()
                return False
        return True

    def _fork_version(self, sdk: Node, key: _VersionKey) -> Node:
        _, kit, code, declared, path = key
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return sdk.fork(
            f"{kit} {digest}",
            environment={**dict(declared), "PYTHONPATH": os.pathsep.join(path)} if path else dict(declared),
            path=list(path),
            folder=code or str(self._settings.zygotes),
            log=str(self._settings.zygotes / f"{kit}-{digest}.log"),
        )

    def _evict(self, kept: _VersionKey) -> None:
        """End what was used least recently, over the bound; busy zygotes are spared as long as there are others."""
        for key in [key for key, node in self._versions.items() if not node.is_open and key != kept]:
            del self._versions[key]
        idle = [key for key, node in self._versions.items() if not node.watchers and key != kept]
        while len(self._versions) > self._settings.versions and idle:
            self._versions.pop(idle.pop(0)).close()

    async def _tree(self, interpreter: Mapping[str, str]) -> _Tree:
        key = _frozen(interpreter)
        task = self._trees.get(key)
        if task is not None and task.done() and ((tree := _result(task)) is None or not tree.bare.is_open):
            if tree is not None:
                self._tasks.start("reap", asyncio.to_thread(_wait, tree.process))
            task = None
        if task is None:
            task = self._trees[key] = self._tasks.start("start an interpreter", self._try_tree(interpreter))
        started = await asyncio.shield(task)
        if isinstance(started, errors.UnavailableError):
            raise started
        return started

    async def _try_tree(self, interpreter: Mapping[str, str]) -> _Tree | errors.UnavailableError:
        """Start an interpreter; the failure is for all who wait for it, so it is a value."""
        try:
            return await self._start_tree(interpreter)
        except errors.UnavailableError as error:
            return error

    async def _start_tree(self, interpreter: Mapping[str, str]) -> _Tree:
        ours, theirs = _pair()
        environment = {**self._environment, **interpreter}
        if len(str(self._settings.zygotes)) < process_settings.SHORT_PATH:
            environment["TMPDIR"] = f"{self._settings.zygotes}/tmp"  # noqa: S108 (our own)
        log = self._settings.zygotes / "bare.log"
        try:
            process = await asyncio.to_thread(
                _spawn, self._settings.python, theirs, environment, log, self._settings.zygotes
            )
        except OSError as error:
            ours.close()
            raise errors.UnavailableError(
                f"the interpreter for tasks can't be started: {self._settings.python}: {error.strerror}; "
                "name another one with --task-python"
            ) from error
        finally:
            os.close(theirs)
        bare = Node("bare", self._tasks)
        bare.attach(ours)
        try:
            bare.ask_facts()
            await bare.ready
            facts = await bare.facts
        except errors.UnavailableError as error:
            await asyncio.to_thread(_wait, process)
            said = await asyncio.to_thread(log.read_text, errors="replace")
            raise errors.UnavailableError(
                f"the interpreter for tasks ended when it was started ({self._settings.python}): "
                f"{said[-500:].strip() or 'it said nothing'}; "
                "name another one with --task-python"
            ) from error
        self.scripts = facts.pop("scripts")
        self.facts = facts
        return _Tree(bare, process)

    async def _keep_warm(self, tree: _Tree) -> None:
        """Load the SDKs before they are asked for; who asks meets the failure, if there is one."""
        for kit in self._settings.warm:
            if any(script in self.scripts for script in commands.KITS[kit].scripts) and tree.bare.is_open:
                with contextlib.suppress(errors.UnavailableError):
                    await self.sdk(kit, {})


def _make_folders(zygotes: pathlib.Path) -> None:
    """Make the zygotes' folder; what earlier ones left in their temporary folder goes."""
    shutil.rmtree(zygotes / "tmp", ignore_errors=True)
    for log in zygotes.glob("*-*.log"):
        log.unlink(missing_ok=True)
    (zygotes / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)  # one that is just ending may still write there


def _result(task: asyncio.Task[_Tree | errors.UnavailableError]) -> _Tree | None:
    """The tree that a task has started, if it has."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return None
    started = task.result()
    return started if isinstance(started, _Tree) else None


def _frozen(variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(variables.items()))


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _resolve(future: asyncio.Future[Any] | None, value: object) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _pair() -> tuple[socket.socket, int]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours, theirs.detach()


def _spawn(
    python: pathlib.Path, descriptor: int, environment: Mapping[str, str], log: pathlib.Path, folder: pathlib.Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        # Its own session: a Ctrl-C meant for the server must not reach it, nor the attempts that outlive the server.
        return subprocess.Popen(  # noqa: S603 (the interpreter that the operator named)
            [str(python), str(_PROGRAM), str(descriptor)],
            pass_fds=[descriptor],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
