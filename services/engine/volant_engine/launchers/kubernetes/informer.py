"""All pods of an installation, as they are: listed once, then watched, resumed where the stream broke.

There is no queue between the stream and who listens: an event is handed on before the next is read, so that a slow
listener slows the stream down, and the API server keeps what is not read yet.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from volant_core import errors
from volant_engine.launchers.kubernetes import cluster, pod_spec
from volant_engine.launchers.kubernetes import settings as kubernetes_settings

_log = structlog.get_logger(__name__)
_GONE = 410
Pod = dict[str, Any]
Changed = Callable[[str, Pod, bool], None]
"""An attempt's name, its pod, and whether that is there (else it was, and this is its last state)."""


class Informer:
    """Knows the pods, and tells of each change, in order for each pod."""

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
        self._selector = f"{pod_spec.INSTALLATION}={settings.installation}"
        self._version = ""
        self.pods: dict[str, Pod] = {}
        """By the attempt's name, without what nobody reads."""

    async def start(self) -> None:
        """Know what is there."""
        await self._list()

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
                    _log.info("the watch is too far behind; the pods are listed anew")
                    self._version = ""
                    continue
                _log.warning("the API server refuses to tell of pods", error=refused.message)
            except errors.UnavailableError as away:
                _log.info("the watch broke and is resumed", error=away.message)
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)

    async def _list(self) -> None:
        pods, version = await self._api.list_pods(self._selector)
        there = set()
        for pod in pods:
            there.add(_attempt_of(pod))
            self.see(pod)
        for name, pod in list(self.pods.items()):
            # One made since then is not in the list, but will be in the watch.
            if name not in there and _version_of(pod) <= int(version):
                self._lose(pod)
        self._version = version

    async def _watch(self) -> None:
        async for event in self._api.watch_pods(self._selector, self._version):
            found = event["object"]
            if event["type"] == "DELETED":
                self._lose(found)
            elif event["type"] in {"ADDED", "MODIFIED"}:
                self.see(found)
            self._version = found["metadata"]["resourceVersion"]

    def see(self, pod: Mapping[str, Any]) -> None:
        """Take a pod's state in, from wherever it comes; older ones change nothing."""
        name = _attempt_of(pod)
        known = self.pods.get(name)
        if not name or (known is not None and _version_of(known) >= _version_of(pod)):
            return
        light = self.pods[name] = _lightened(pod)
        self._tell(name, light, is_there=True)

    def _lose(self, pod: Mapping[str, Any]) -> None:
        name = _attempt_of(pod)
        known = self.pods.get(name)
        if known is not None and known["metadata"]["uid"] == pod["metadata"]["uid"]:
            del self.pods[name]
            self._tell(name, _lightened(pod), is_there=False)

    def _tell(self, name: str, pod: Pod, *, is_there: bool) -> None:
        try:
            self._changed(name, pod, is_there)
        except Exception:  # noqa: BLE001 -- the supervisor of pods: one that is odd must not blind us for others
            _log.exception("what a pod says is not understood", attempt=name)


def _attempt_of(pod: Mapping[str, Any]) -> str:
    name: str = (pod["metadata"].get("labels") or {}).get(pod_spec.ATTEMPT, "")
    return name


def _version_of(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"]["resourceVersion"])


def _lightened(pod: Mapping[str, Any]) -> Pod:
    """A pod without its spec and what servers note in it: of thousands, that is most of the memory."""
    metadata = pod["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp")
    light: Pod = {"metadata": {key: metadata[key] for key in kept if key in metadata}, "status": pod.get("status")}
    light["metadata"]["labels"] = {pod_spec.ATTEMPT: _attempt_of(pod)}
    primary = (metadata.get("annotations") or {}).get(pod_spec.PRIMARY)
    if primary:
        light["metadata"]["annotations"] = {pod_spec.PRIMARY: primary}
    return light
