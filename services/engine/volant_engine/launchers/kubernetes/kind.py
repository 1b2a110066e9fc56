"""A kind of objects that attempts are in a cluster, as the launcher sees it. Pure."""

import abc
import dataclasses
import datetime
import hashlib
from collections.abc import Mapping
from typing import Any

from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import pod_spec, pod_status
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volantidl.core import execution_pb2

_DIGEST = 8
Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class LogPlace:
    """Whose log is an attempt's."""

    pod: str
    container: str
    selector: str = ""
    """Labels of the pod, where its name is not known."""


class Kind(abc.ABC):
    """What has to be known of a kind, to run attempts as its objects."""

    name: str
    """Such as Pod."""
    api: str
    """Group and version, such as ray.io/v1; the core's is v1."""
    plural: str
    """What it is called in paths, such as pods."""
    longest_name: int
    """Characters that an object's name may have."""

    @property
    def group(self) -> str:
        """Empty for the core's."""
        return self.api.rpartition("/")[0]

    def path(self, namespace: str = "", name: str = "") -> str:
        """Where the API server has an object, or all of a namespace, or all."""
        words = ["/apis" if self.group else "/api", self.api]
        if namespace:
            words += ["namespaces", namespace]
        words.append(self.plural)
        return "/".join([*words, name] if name else words)

    def name_of(self, attempt: str) -> str:
        """The name of an attempt's object: the attempt's own, where it is short enough."""
        if len(attempt) <= self.longest_name:
            return attempt
        digest = hashlib.sha256(attempt.encode()).hexdigest()[:_DIGEST]
        return f"{attempt[: self.longest_name - _DIGEST - 1].rstrip('-')}-{digest}"

    def gone(
        self, told: Mapping[str, Any], now: datetime.datetime, settings: kubernetes_settings.KubernetesSettings
    ) -> pod_status.Verdict:
        """The verdict on an object that is not there any more, from the last that was seen of it."""
        verdict = self.judge(told, now, settings)
        if verdict.is_end:
            return verdict
        metadata = told["metadata"]
        return pod_status.vanished(f"{metadata.get('namespace', '')}/{metadata.get('name', '')}", now)

    def links(self, told: Mapping[str, Any]) -> tuple[execution_pb2.TaskLog, ...]:
        """Pages about an object, besides its log."""
        del told
        return ()

    @abc.abstractmethod
    def build(
        self,
        attempt: port.Attempt,
        settings: kubernetes_settings.KubernetesSettings,
        template: Mapping[str, Any] | None,
        memory: str,
    ) -> Object:
        """The object of an attempt, as `pod_spec.build` says it. InvalidArgumentError where it can't be one."""

    @abc.abstractmethod
    def judge(
        self, told: Mapping[str, Any], now: datetime.datetime, settings: kubernetes_settings.KubernetesSettings
    ) -> pod_status.Verdict:
        """The verdict on an object that is there."""

    @abc.abstractmethod
    def is_over(self, told: Mapping[str, Any]) -> bool:
        """Whether nothing of it runs any more, so that it may be kept for a look."""

    @abc.abstractmethod
    def log_place(self, attempt: port.Attempt, told: Mapping[str, Any] | None) -> LogPlace:
        """Whose log is the attempt's, as far as its object says."""


class Pods(Kind):
    """An attempt is a pod."""

    name = "Pod"
    api = "v1"
    plural = "pods"
    longest_name = 63

    def build(
        self,
        attempt: port.Attempt,
        settings: kubernetes_settings.KubernetesSettings,
        template: Mapping[str, Any] | None,
        memory: str,
    ) -> Object:
        """The attempt's pod."""
        return pod_spec.build(attempt, settings, template, memory)

    def judge(
        self, told: Mapping[str, Any], now: datetime.datetime, settings: kubernetes_settings.KubernetesSettings
    ) -> pod_status.Verdict:
        """What its state means."""
        return pod_status.judge(told, now, settings)

    def is_over(self, told: Mapping[str, Any]) -> bool:
        """Whether all its containers have ended, though the pod's own phase may not say so yet."""
        status = told.get("status") or {}
        containers = status.get("containerStatuses") or []
        return status.get("phase") in {"Succeeded", "Failed"} or (
            bool(containers) and all("terminated" in (one.get("state") or {}) for one in containers)
        )

    def log_place(self, attempt: port.Attempt, told: Mapping[str, Any] | None) -> LogPlace:
        """Its main container's."""
        del told
        return LogPlace(attempt.name, pod_spec.main_container(attempt))
