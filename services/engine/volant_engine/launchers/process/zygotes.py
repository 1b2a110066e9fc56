"""The launcher's side of the zygotes: starts the tree, grows it on demand, replaces what dies, bounds what is kept."""

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Protocol

from volant_core import aio, errors
from volant_engine.launchers.process import commands, link, zygote_node
from volant_engine.launchers.process import settings as process_settings

_log = logging.getLogger(__name__)


class Root(Protocol):
    """A bare interpreter that was started."""

    def link(self, heard: link.Heard, lost: link.Lost) -> link.Link:
        """The way to it."""
        ...

    async def said(self) -> str:
        """What it wrote."""
        ...

    async def gone(self) -> None:
        """Wait until it has ended, which it is about to do, and see to it that it does."""
        ...


class Host(Protocol):
    """The machine that interpreters run on."""

    advice: str
    """What to do about an interpreter that won't run."""

    async def prepare(self) -> None:
        """Make the folders that interpreters need."""
        ...

    async def start(self, python: pathlib.Path, environment: Mapping[str, str], log: pathlib.Path) -> Root:
        """Start a bare interpreter with these variables. UnavailableError when it can't be started."""
        ...

    def place(self, path: str) -> str:
        """Where one of our own files is there."""
        ...


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """What an interpreter has."""

    scripts: Mapping[str, str]
    """Console scripts and their targets."""
    facts: Mapping[str, str]
    """What it is, for the record."""


@dataclasses.dataclass
class _Tree:
    """A bare interpreter and the SDKs loaded from it."""

    bare: zygote_node.Node
    root: Root
    about: Interpreter
    sdks: dict[str, zygote_node.Node] = dataclasses.field(default_factory=dict)


_Variables = tuple[tuple[str, str], ...]
_TreeKey = tuple[pathlib.Path, _Variables]
_VersionKey = tuple[_TreeKey, str, str, _Variables, tuple[str, ...]]


class Zygotes:
    """All zygotes of a launcher."""

    def __init__(self, settings: process_settings.ProcessSettings, environment: Mapping[str, str], host: Host) -> None:
        """`environment` is what every zygote starts with."""
        self._settings = settings
        self._host = host
        self._environment = environment
        self._tasks = aio.Tasks("zygotes")
        self._trees: dict[_TreeKey, asyncio.Task[_Tree | errors.UnavailableError]] = {}
        self._used: collections.OrderedDict[pathlib.Path, None] = collections.OrderedDict()
        self._versions: collections.OrderedDict[_VersionKey, zygote_node.Node] = collections.OrderedDict()
        self._not_here: dict[_VersionKey, set[str]] = {}
        self._spare: zygote_node.Node | None = None
        self._unrehearsed: set[tuple[pathlib.Path, str]] = set()
        self._cold: set[tuple[pathlib.Path, str]] = set()
        self.facts: Mapping[str, str] = {}
        """Of the interpreter for tasks."""

    @property
    def pythons(self) -> set[pathlib.Path]:
        """The interpreters that have processes."""
        return {python for python, _ in self._trees}

    async def start(self) -> None:
        """Start the interpreter, and the SDKs that it has behind the scenes. UnavailableError if it won't run."""
        await self._host.prepare()
        tree = await self._tree(self._settings.python, {})
        self.facts = tree.about.facts
        self._tasks.start("keep warm", self._keep_warm(tree))

    async def close(self) -> None:
        """Let all zygotes go."""
        await self._tasks.cancel()
        for version in self._versions.values():
            version.close()
        trees = [tree for tree in (_result(task) for task in self._trees.values()) if tree is not None]
        self._trees.clear()
        for tree in trees:
            _close(tree)
        for tree in trees:
            await tree.root.gone()

    async def bare(self, python: pathlib.Path) -> zygote_node.Node:
        """The zygote for cold commands: a bare interpreter."""
        return (await self._tree(python, {})).bare

    async def about(self, python: pathlib.Path) -> Interpreter:
        """What an interpreter has."""
        return (await self._tree(python, {})).about

    def keep_spare(self, node: zygote_node.Node) -> None:
        """Fork an attempt of this version ahead; only the version used last has one."""
        if self._spare is not None and self._spare is not node:
            self._spare.drop_spare()
        self._spare = node
        node.keep_spare()

    async def sdk(self, kit: str, key: _TreeKey) -> zygote_node.Node | None:
        """The zygote with an SDK loaded; None when what the SDK does to a process can't be forked."""
        python, interpreter = key
        tree = await self._tree(python, dict(interpreter))
        while (python, kit) not in self._cold:
            node = tree.sdks.get(kit)
            if node is None or not node.is_open:
                node = tree.sdks[kit] = self._fork_sdk(tree, python, kit)
            try:
                await asyncio.shield(node.ready)
            except errors.UnavailableError:
                if not node.spoilt:
                    raise
                self._distrust(python, kit, node.spoilt)
            else:
                return node
        return None

    def _fork_sdk(self, tree: _Tree, python: pathlib.Path, kit: str) -> zygote_node.Node:
        has = commands.KITS[kit]
        scripts = tree.about.scripts
        entries = {scripts[script].partition(":")[0] for script in has.scripts if script in scripts}
        files = {**has.files, **({} if (python, kit) in self._unrehearsed else has.rehearsal)}
        return tree.bare.fork(
            kit,
            preload=[*sorted(entries), *has.preload],
            load_files={module: self._host.place(path) for module, path in files.items()},
            log=str(self._settings.zygotes / f"{self._title(python)}{kit}.log"),
        )

    def _title(self, python: pathlib.Path) -> str:
        """What the logs of an environment's zygotes begin with."""
        return "" if python == self._settings.python else f"{python.parent.parent.name[:12]}-"

    def _distrust(self, python: pathlib.Path, kit: str, why: str) -> None:
        """Do without a rehearsal; and when that doesn't help either, without forks of this SDK."""
        if (python, kit) not in self._unrehearsed and commands.KITS[kit].rehearsal:
            self._unrehearsed.add((python, kit))
            _log.info("%s is forked without a rehearsal: %s", kit, why)
        elif (python, kit) not in self._cold:
            self._cold.add((python, kit))
            _log.warning("%s is started anew for each attempt, which is slow, because it can't be forked: %s", kit, why)

    async def version(
        self,
        python: pathlib.Path,
        kit: str,
        environment: commands.Environment,
        code: pathlib.Path | None,
        modules: tuple[str, ...],
    ) -> zygote_node.Node | None:
        """The zygote that has the user's modules loaded in that environment, as far as they can be shared.

        None when the SDK can't be forked here.
        """
        python_path = environment.python_path
        if python_path is None:
            given = self._environment.get("PYTHONPATH", "")
            python_path = tuple(part for part in given.split(os.pathsep) if part)
        path = (*python_path, str(code)) if code else python_path
        tree: _TreeKey = (python, _frozen(environment.interpreter))
        key: _VersionKey = (tree, kit, str(code or ""), _frozen(environment.declared), path)
        while True:
            node = self._versions.get(key)
            if node is None or not node.is_open:
                sdk = await self.sdk(kit, tree)
                if sdk is None:
                    return None
                node = self._versions.get(key)
                if node is None or not node.is_open:
                    node = self._versions[key] = self._fork_version(sdk, key)
                    self._evict(key)
            self._versions.move_to_end(key)
            if await self._loaded(node, key, modules):
                return node

    async def _loaded(self, node: zygote_node.Node, key: _VersionKey, modules: tuple[str, ...]) -> bool:
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

    def _fork_version(self, sdk: zygote_node.Node, key: _VersionKey) -> zygote_node.Node:
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

    async def _tree(self, python: pathlib.Path, interpreter: Mapping[str, str]) -> _Tree:
        key = (python, _frozen(interpreter))
        task = self._trees.get(key)
        if task is not None and task.done() and ((tree := _result(task)) is None or not tree.bare.is_open):
            if tree is not None:
                self._tasks.start("reap", tree.root.gone())
            task = None
        if task is None:
            task = self._trees[key] = self._tasks.start("start an interpreter", self._try_tree(python, interpreter))
            self._evict_trees(python)
        if python != self._settings.python:
            self._used[python] = None
            self._used.move_to_end(python)
        started = await asyncio.shield(task)
        if isinstance(started, errors.UnavailableError):
            raise started
        return started

    def _evict_trees(self, kept: pathlib.Path) -> None:
        """End the zygotes of the environments used least recently, over the bound, but for busy ones."""
        for python in [python for python in self._used if python != kept]:
            if len(self._used) < self._settings.environments_warm:
                return
            tasks = {key: task for key, task in self._trees.items() if key[0] == python}
            trees = [_result(task) for task in tasks.values()]
            versions = {key: node for key, node in self._versions.items() if key[0][0] == python}
            if None in trees or any(node.watchers for node in versions.values()):
                continue
            if any(tree.bare.watchers for tree in trees if tree is not None):
                continue
            for version in versions:
                self._versions.pop(version).close()
            for key, tree in zip(tasks, trees, strict=True):
                assert tree is not None
                del self._trees[key]
                _close(tree)
                self._tasks.start("reap", tree.root.gone())
            del self._used[python]

    async def _try_tree(self, python: pathlib.Path, interpreter: Mapping[str, str]) -> _Tree | errors.UnavailableError:
        """Start an interpreter; the failure is for all who wait for it, so it is a value."""
        try:
            return await self._start_tree(python, interpreter)
        except errors.UnavailableError as error:
            return error

    async def _start_tree(self, python: pathlib.Path, interpreter: Mapping[str, str]) -> _Tree:
        environment = {**self._environment, **interpreter}
        if python != self._settings.python:
            environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH') or os.defpath}"
            environment["VIRTUAL_ENV"] = str(python.parent.parent)
        if len(str(self._settings.zygotes)) < process_settings.SHORT_PATH:
            environment["TMPDIR"] = f"{self._settings.zygotes}/tmp"  # noqa: S108 (our own)
        root = await self._host.start(python, environment, self._settings.zygotes / f"{self._title(python)}bare.log")
        bare = zygote_node.Node("bare", self._tasks)
        bare.attach(root.link)
        try:
            bare.ask_facts()
            await bare.ready
            facts = await bare.facts
        except errors.UnavailableError as error:
            await root.gone()
            said = (await root.said())[-500:].strip()
            raise errors.UnavailableError(
                f"the interpreter for tasks ended when it was started ({python}): {said or 'it said nothing'}; "
                f"{self._host.advice}"
            ) from error
        return _Tree(bare, root, Interpreter(scripts=facts.pop("scripts"), facts=facts))

    async def _keep_warm(self, tree: _Tree) -> None:
        """Load the SDKs before they are asked for; who asks meets the failure, if there is one."""
        for kit in self._settings.warm:
            if any(script in tree.about.scripts for script in commands.KITS[kit].scripts) and tree.bare.is_open:
                with contextlib.suppress(errors.UnavailableError):
                    await self.sdk(kit, (self._settings.python, ()))


def _close(tree: _Tree) -> None:
    for sdk in tree.sdks.values():
        sdk.close()
    tree.bare.close()


def _result(task: asyncio.Task[_Tree | errors.UnavailableError]) -> _Tree | None:
    """The tree that a task has started, if it has."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return None
    started = task.result()
    return started if isinstance(started, _Tree) else None


def _frozen(variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(variables.items()))
