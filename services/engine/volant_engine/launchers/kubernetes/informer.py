"""All objects of a kind and an installation, as they are: listed once, then watched, resumed where the stream broke.

There is no queue between the stream and who listens: an event is handed on before the next is read, so that a slow
listener slows the stream down, and the API server keeps what is not read yet.
"""

import asyncio
import collections
import random
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from volant_core import aio, errors
from volant_engine.launchers.kubernetes import cluster, data_containers, kinds, pod_spec
from volant_engine.launchers.kubernetes import settings as kubernetes_settings

_log = structlog.get_logger(__name__)
_GONE = 410
_UNKNOWN = 404
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_NOTED = (pod_spec.PRIMARY, data_containers.STOP_SECONDS)
Object = dict[str, Any]
Changed = Callable[[str, Object, bool], None]
"""An attempt's name, its object, and whether that is there (else it was, and this is its last state)."""


class Informer:
    """Knows the objects of a kind, and tells of each change, in order for each object."""

    def __init__(
        self,
        kind: kinds.Kind,
        api: cluster.Cluster,
        settings: kubernetes_settings.KubernetesSettings,
        chance: random.Random,
        changed: Changed,
        selector: str = "",
    ) -> None:
        """Nothing is asked before `start`. `selector`: the labels, if not those of the installation's attempts."""
        self._kind = kind
        # With one namespace for all, nothing has to be seen beyond it.
        self._path = kind.path("" if "{" in settings.namespace else settings.namespace)
        self._api = api
        self._settings = settings
        self._chance = chance
        self._changed = changed
        self._selector = selector or f"{pod_spec.INSTALLATION}={settings.installation}"
        self._version = ""
        self.objects: dict[str, Object] = {}
        """By the attempt's name, without what nobody reads."""

    async def start(self) -> None:
        """Know what is there. A busy server is asked again for a while: of a kind that is new it can't tell at once."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.call_seconds
        pause, longest = self._settings.retry_seconds
        while True:
            try:
                return await self._list()
            except cluster.RefusedError as refused:
                if not refused.is_away:
                    raise
                if loop.time() > until:
                    raise errors.UnavailableError(
                        f"the Kubernetes API server does not list {self._kind.plural}: {refused.message}"
                    ) from refused
                await asyncio.sleep(max(pause, refused.retry_after))
                pause = min(2 * pause, longest)

    async def run(self) -> None:
        """Follow, until cancelled."""
        pause, longest = self._settings.retry_seconds
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause = self._settings.retry_seconds[0]
                continue
            except cluster.RefusedError as refused:
                if refused.status == _GONE:
                    _log.info("the watch is too far behind; all are listed anew", kind=self._kind.name)
                    self._version = ""
                    continue
                _log.warning("the API server refuses to tell", kind=self._kind.name, error=refused.message)
            except errors.UnavailableError as away:
                _log.info("the watch broke and is resumed", kind=self._kind.name, error=away.message)
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)

    async def _list(self) -> None:
        found, version = await self._api.list_objects(self._path, self._selector)
        there = set()
        for one in found:
            there.add(attempt_of(one))
            self.see(one)
        for name, one in list(self.objects.items()):
            # One made since then is not in the list, but will be in the watch.
            if name not in there and _version_of(one) <= int(version):
                self._lose(one)
        self._version = version

    async def _watch(self) -> None:
        async for event in self._api.watch(self._path, self._selector, self._version):
            found = event["object"]
            if event["type"] == "DELETED":
                self._lose(found)
            elif event["type"] in {"ADDED", "MODIFIED"}:
                self.see(found)
            self._version = found["metadata"]["resourceVersion"]

    def see(self, told: Mapping[str, Any]) -> None:
        """Take an object's state in, from wherever it comes; older ones change nothing."""
        name = attempt_of(told)
        known = self.objects.get(name)
        if not name or (known is not None and _version_of(known) >= _version_of(told)):
            return
        light = self.objects[name] = self._lightened(told)
        self._tell(name, light, is_there=True)

    def _lose(self, told: Mapping[str, Any]) -> None:
        name = attempt_of(told)
        known = self.objects.get(name)
        if known is not None and known["metadata"]["uid"] == told["metadata"]["uid"]:
            del self.objects[name]
            self._tell(name, self._lightened(told), is_there=False)

    def _tell(self, name: str, told: Object, *, is_there: bool) -> None:
        try:
            self._changed(name, told, is_there)
        except Exception:  # noqa: BLE001 -- the supervisor of objects: one that is odd must not blind us for others
            _log.exception("what an object says is not understood", kind=self._kind.name, attempt=name)

    def _lightened(self, told: Mapping[str, Any]) -> Object:
        """An object without its spec and what servers note in it: of thousands, that is most of the memory."""
        metadata = told["metadata"]
        light: Object = {
            "kind": self._kind.name,  # in lists, the API server leaves it out
            "metadata": {key: metadata[key] for key in _KEPT if key in metadata},
            "status": told.get("status"),
            "changed": told.get("changed") or _changed_at(metadata),
        }
        light["metadata"]["labels"] = {pod_spec.ATTEMPT: attempt_of(told)}
        noted = metadata.get("annotations") or {}
        light["metadata"]["annotations"] = {key: noted[key] for key in _NOTED if key in noted}
        return light


class Informers:
    """An informer for each kind that attempts are here: pods, and what the settings name operators of."""

    def __init__(
        self,
        api: cluster.Cluster,
        settings: kubernetes_settings.KubernetesSettings,
        chance: random.Random,
        changed: Changed,
    ) -> None:
        """Nothing is asked before `start`."""
        self._api = api
        self._settings = settings
        self._chance = chance
        self._changed = changed
        self._tasks = aio.Tasks("watches")
        self._informers: dict[str, Informer] = {}
        self.objects: collections.ChainMap[str, Object] = collections.ChainMap()
        """Of all kinds, by the attempt's name."""

    async def start(self) -> None:
        """Know what is there. FailedPreconditionError where we may not."""
        for kind in kinds.of_operators(self._settings.operators):
            try:
                await self._begin(kind)
            except cluster.RefusedError as refused:
                if refused.status != _UNKNOWN or kind is kinds.PODS:
                    raise _not_told(kind, refused) from refused
                _log.warning("the cluster does not have what an operator runs", kind=kind.name, group=kind.group)

    async def watch(self, kind: kinds.Kind) -> None:
        """Have a kind watched, whose operator may have come after us. FailedPreconditionError where it has not."""
        try:
            await self._begin(kind)
        except cluster.RefusedError as refused:
            raise _not_told(kind, refused) from refused

    async def close(self) -> None:
        """Watch no more."""
        await self._tasks.cancel()

    def see(self, kind: kinds.Kind, told: Mapping[str, Any]) -> None:
        """Take in what an object's maker was told."""
        self._informers[kind.name].see(told)

    async def _begin(self, kind: kinds.Kind) -> None:
        if kind.name in self._informers:
            return
        informer = Informer(kind, self._api, self._settings, self._chance, self._changed)
        await informer.start()
        if kind.name not in self._informers:  # nor meanwhile
            self._informers[kind.name] = informer
            self.objects.maps.append(informer.objects)
            self._tasks.start(f"watch {kind.plural}", informer.run())


def _not_told(kind: kinds.Kind, refused: cluster.RefusedError) -> errors.FailedPreconditionError:
    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    if refused.status == _UNKNOWN:
        return errors.FailedPreconditionError(
            f"the cluster has no {resource}: the operator that the setting kubernetes.operators names is not installed"
        )
    return errors.FailedPreconditionError(
        f"the Kubernetes API server refuses to list {kind.plural}: {refused.message}; the engine's account needs get, "
        f"list, watch, create and delete on {resource}{'' if kind.group else ', and get on pods/log'}, in all "
        "namespaces of tasks"
    )


def attempt_of(told: Mapping[str, Any]) -> str:
    """The name of the attempt that an object is; empty where it is none."""
    name: str = (told["metadata"].get("labels") or {}).get(pod_spec.ATTEMPT, "")
    return name


def _changed_at(metadata: Mapping[str, Any]) -> str:
    """When it was last written to: not every operator says since when a status holds."""
    return max((one.get("time") or "" for one in metadata.get("managedFields") or ()), default="")


def _version_of(told: Mapping[str, Any]) -> int:
    return int(told["metadata"]["resourceVersion"])
