"""What the state of a pod means for its attempt. Pure: the same pod at the same time gives the same verdict.

The classes are Flyte's (contract rows 2.130 to 2.136), but for these, where its verdict hangs on which of two updates
it sees first, or blames the user for what the cluster did: a container that ends with a code is the user's failure also
when the pod as a whole has failed by then; a pod that a node turned away before anything ran, and one evicted because
its node was short of something, are the system's.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from volant_engine.launchers import copilot, port
from volant_engine.launchers.kubernetes import data_containers, pod_spec
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volantidl.core import execution_pb2

Pod = Mapping[str, Any]

_USER = execution_pb2.ExecutionError.USER
_SYSTEM = execution_pb2.ExecutionError.SYSTEM
_Kind: TypeAlias = execution_pb2.ExecutionError.ErrorKind.ValueType
_Phase = port.AttemptPhase

_OOM = "OOMKilled"
INTERRUPTED = "Interrupted"
DELETED = "UnexpectedObjectDeletion"
VANISHED = "ResourceDeletedExternally"
# 128 + SIGKILL, and the same as an unsigned byte's -9, as some runtimes give it.
_KILLED = (137, 247)
_NODE_WENT = frozenset({"Shutdown", "Terminated", "NodeShutdown", "NodeAffinity", "NodeLost", "Preempting"})
"""Reasons of a failed pod that speak of its node."""
_STARTING = frozenset({"ContainerCreating", "PodInitializing", "ErrImagePull"})
_FILES = {
    data_containers.DOWNLOADER: copilot.DOWNLOAD_FAILED,
    data_containers.UPLOADER: copilot.UPLOAD_FAILED,
}
"""The containers for inputs and outputs that are files, and the code of their failure."""
_OVER_OWN_LIMIT = ("exceeds the total limit", "exceeded its local ephemeral storage limit", "exceeds the limit")


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Where an attempt is, as far as its pod says."""

    phase: port.AttemptPhase
    at: datetime.datetime
    reason: str = ""
    started_at: datetime.datetime | None = None
    error: execution_pb2.ExecutionError | None = None
    retryable: bool = False
    again: datetime.datetime | None = None
    """When time alone may change this."""
    is_mute: bool = False
    """It failed, and what it last said is not in the error: its log may hold it."""

    @property
    def is_end(self) -> bool:
        """Whether the attempt has ended."""
        return self.phase in {_Phase.SUCCEEDED, _Phase.FAILED}


def judge(pod: Pod, now: datetime.datetime, settings: kubernetes_settings.KubernetesSettings) -> Verdict:
    """The verdict on a pod that is there."""
    status = pod.get("status") or {}
    phase = status.get("phase", "Pending")
    primary = (pod["metadata"].get("annotations") or {}).get(pod_spec.PRIMARY, "")
    leaving = pod["metadata"].get("deletionTimestamp")
    if phase == "Succeeded":
        verdict = _of_files(status, now) or _succeeded(status, primary, now)
    elif phase == "Failed":
        verdict = _of_files(status, now) or _failed(status, primary, now)
    elif phase == "Pending":
        verdict = _pending(status, now, settings)
    else:
        verdict = _running(status, primary, now)
    if leaving and verdict.phase is not _Phase.SUCCEEDED:
        return when_leaving(pod, verdict, now, settings)
    return verdict


def vanished(name: str, now: datetime.datetime) -> Verdict:
    """The verdict on an attempt that ran and of which nothing is left."""
    message = (
        f"resource not found, name [{name}]: the pod was deleted from outside, or its node is gone, before the engine "
        "had seen its end"
    )
    return _failure(now, VANISHED, message, _SYSTEM)


# Alive


def _pending(
    status: Mapping[str, Any], now: datetime.datetime, settings: kubernetes_settings.KubernetesSettings
) -> Verdict:
    since = now
    for condition in status.get("conditions") or ():
        since = moment_of(condition.get("lastTransitionTime")) or since
        unmet = condition.get("status") == "False"
        if condition.get("type") == "PodScheduled" and unmet:
            reason = f"{condition.get('reason', '')}:{condition.get('message', '')}"
            return limited(Verdict(_Phase.QUEUED, since, reason), since, now, settings)
    ready = _condition(status, "Ready")
    verdict = None
    for one in _statuses(status):
        waiting = (one.get("state") or {}).get("waiting")
        if waiting:
            since = (moment_of(ready.get("lastTransitionTime")) if ready else None) or since
            found = _waiting(one, waiting, ready or {}, since, now, settings)
            if found.is_end:
                return found
            if verdict is None or (verdict.again is None and found.again is not None):
                verdict = found
    if verdict is None:
        phase = _Phase.INITIALIZING if status.get("conditions") else _Phase.QUEUED
        verdict = Verdict(phase, since, "Scheduling" if phase is _Phase.QUEUED else "")
    return limited(verdict, since, now, settings)


def _waiting(
    container: Mapping[str, Any],
    waiting: Mapping[str, Any],
    ready: Mapping[str, Any],
    since: datetime.datetime,
    now: datetime.datetime,
    settings: kubernetes_settings.KubernetesSettings,
) -> Verdict:
    """What it means that a container has not been started."""
    reason = waiting.get("reason", "")
    code = f"{ready.get('reason', 'ContainersNotReady')}|{reason}"
    message = f"{ready.get('message', container.get('name', ''))}|{waiting.get('message', '')}"
    patience = {
        "ImagePullBackOff": settings.image_seconds,
        "CreateContainerError": settings.create_error_seconds,
        "CreateContainerConfigError": settings.config_error_seconds,
    }.get(reason)
    if patience is not None:
        until = since + datetime.timedelta(seconds=patience)
        if now < until:
            return Verdict(_Phase.INITIALIZING, since, f"[{code}]: {message}", again=until)
        message = f"Grace period [{patience:g}s] exceeded|{message}"
        return _failure(now, code, message, _USER, retryable=reason == "ImagePullBackOff")
    if reason in _STARTING or not reason:
        return Verdict(_Phase.INITIALIZING, since, f"[{code}]: {message}")
    if reason == "InvalidImageName":
        return _failure(now, code, message, _USER, retryable=False)
    return _failure(now, code, message, _SYSTEM)


def limited(
    verdict: Verdict,
    since: datetime.datetime,
    now: datetime.datetime,
    settings: kubernetes_settings.KubernetesSettings,
) -> Verdict:
    """Bounded by how long a pod may be pending."""
    if verdict.is_end or not settings.pending_seconds:
        return verdict
    until = since + datetime.timedelta(seconds=settings.pending_seconds)
    if now >= until:
        return _failure(now, "PodPendingTimeout", verdict.reason or "the pod was not started in time", _USER)
    soonest = until if verdict.again is None else min(until, verdict.again)
    return dataclasses.replace(verdict, again=soonest)


def _running(status: Mapping[str, Any], primary: str, now: datetime.datetime) -> Verdict:
    containers = list(status.get("containerStatuses") or ())
    main = next((one for one in containers if one.get("name") == primary), None)
    if main is not None and _terminated(main):
        return _of_container(main, now, is_primary=True)
    if not primary and containers:
        ends = [_terminated(one) for one in (*containers, *(status.get("initContainerStatuses") or ()))]
        if all(end is not None and end.get("exitCode") == 0 for end in ends):
            return _succeeded(status, primary, now)
    uploader = next((one for one in _statuses(status) if one.get("name") == data_containers.UPLOADER), None)
    if uploader is not None and containers and all(_terminated(one) for one in containers):
        # What it ends with is known when its outputs are stored.
        return Verdict(_Phase.RUNNING, _begun(containers) or now, started_at=_begun(containers))
    begun = _begun([main] if main is not None else containers) or moment_of(status.get("startTime"))
    if begun is None or not any("running" in (one.get("state") or {}) for one in containers):
        return Verdict(_Phase.INITIALIZING, begun or now)
    return Verdict(_Phase.RUNNING, begun, started_at=begun)


def when_leaving(
    pod: Pod, verdict: Verdict, now: datetime.datetime, settings: kubernetes_settings.KubernetesSettings
) -> Verdict:
    """Someone deletes the pod. Whatever it ends with comes of that; where no end comes, its node may be lost."""
    due = moment_of(pod["metadata"]["deletionTimestamp"]) or now
    until = due + datetime.timedelta(seconds=settings.gone_seconds)
    if not verdict.is_end and now < until:
        return dataclasses.replace(verdict, again=until)
    disruption = _condition(pod.get("status") or {}, "DisruptionTarget")
    why = f" ({disruption.get('reason')}: {disruption.get('message')})" if disruption else ""
    message = f"object [{_name(pod)}] terminated in the background, manually{why}"
    if verdict.error is not None:
        message = f"{message}. {verdict.error.message}"
    return _failure(verdict.at if verdict.is_end else now, DELETED, message, _SYSTEM, started_at=verdict.started_at)


# Ended


def _succeeded(status: Mapping[str, Any], primary: str, now: datetime.datetime) -> Verdict:
    for one in _statuses(status):
        end = _terminated(one)
        if end and _OOM in end.get("reason", "") and primary in {"", one.get("name")}:
            message = f"Pod reported success despite being OOMKilled: {_said(one, end)}"
            return _failure(_ended(status, now), _OOM, message, _USER, started_at=_begun(_statuses(status)))
    return Verdict(_Phase.SUCCEEDED, _ended(status, now), started_at=_begun(status.get("containerStatuses") or ()))


def _failed(status: Mapping[str, Any], primary: str, now: datetime.datetime) -> Verdict:
    main = next((one for one in status.get("containerStatuses") or () if one.get("name") == primary), None)
    if main is not None and (_terminated(main) or {}).get("exitCode") == 0:
        return _of_container(main, now, is_primary=True)  # a companion failed
    reason, message = status.get("reason", ""), status.get("message", "")
    ends = [(one, end) for one in _statuses(status) if (end := _terminated(one)) and one.get("name") not in _FILES]
    told = message + "".join(_said(one, end) for one, end in ends)
    begun = _begun(status.get("containerStatuses") or ())
    at = _ended(status, now)

    def failure(code: str, kind: _Kind) -> Verdict:
        text = told or "Pod failed. No message received from kubernetes."
        is_mute = kind == _USER and not any(end.get("message") for _, end in ends)
        return _failure(at, code, text, kind, started_at=begun, is_mute=is_mute)

    if reason == "Evicted" and any(words in message for words in _OVER_OWN_LIMIT):
        return failure("Evicted", _USER)
    if reason == "DeadlineExceeded":
        return failure(reason, _USER)
    if reason in _NODE_WENT or _condition(status, "DisruptionTarget"):
        return failure(INTERRUPTED, _SYSTEM)
    if reason == "Evicted" or (reason and not ends):
        return failure(reason, _SYSTEM)
    bad = [(one, end) for one, end in ends if end.get("exitCode") != 0 or _OOM in end.get("reason", "")]
    if any(_OOM in end.get("reason", "") for _, end in bad):
        return failure(_OOM, _USER)
    if any(end.get("exitCode") in _KILLED and one.get("name") in {primary, ""} for one, end in bad):
        return failure(INTERRUPTED, _SYSTEM)
    if bad and not primary and any(end.get("exitCode") in _KILLED for _, end in bad):
        return failure(INTERRUPTED, _SYSTEM)
    if bad:
        return failure(bad[0][1].get("reason") or "Error", _USER)
    return failure(INTERRUPTED, _SYSTEM)


def _of_files(status: Mapping[str, Any], now: datetime.datetime) -> Verdict | None:
    """What became of inputs and outputs that are files; None where that's no failure, or not what the pod failed by."""
    own = [_terminated(one) for one in status.get("containerStatuses") or ()]
    went = status.get("reason") or _condition(status, "DisruptionTarget")
    if went or any(end is not None and end.get("exitCode") != 0 for end in own):
        return None
    for one in status.get("initContainerStatuses") or ():
        end = _terminated(one)
        if end is None or one.get("name") not in _FILES or end.get("exitCode") == 0:
            continue
        kind = _USER if end.get("exitCode") == copilot.USERS_FAULT else _SYSTEM
        text = (end.get("message") or "").strip() if kind == _USER else _said(one, end)
        begun = _begun(status.get("containerStatuses") or ())
        return _failure(_ended(status, now), _FILES[one["name"]], text, kind, started_at=begun, is_mute=not text)
    return None


def _of_container(container: Mapping[str, Any], now: datetime.datetime, *, is_primary: bool) -> Verdict:
    """The end of the container whose end is the attempt's."""
    end = _terminated(container) or {}
    at, begun = moment_of(end.get("finishedAt")) or now, moment_of(end.get("startedAt"))
    code, reason = end.get("exitCode"), end.get("reason", "")
    is_mute = not end.get("message")
    if _OOM in reason:
        return _failure(at, _OOM, _said(container, end), _USER, started_at=begun, is_mute=is_mute)
    if code == 0:
        return Verdict(_Phase.SUCCEEDED, at, started_at=begun)
    if code in _KILLED and is_primary:
        return _failure(at, reason or "Error", _said(container, end), _SYSTEM, started_at=begun)
    return _failure(at, reason or "Error", _said(container, end), _USER, started_at=begun, is_mute=is_mute)


def _failure(
    at: datetime.datetime,
    code: str,
    message: str,
    kind: _Kind,
    *,
    retryable: bool = True,
    started_at: datetime.datetime | None = None,
    is_mute: bool = False,
) -> Verdict:
    error = execution_pb2.ExecutionError(code=code, message=message, kind=kind)
    return Verdict(_Phase.FAILED, at, started_at=started_at, error=error, retryable=retryable, is_mute=is_mute)


# Reading


def _name(pod: Pod) -> str:
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata'].get('name', '')}"


def _statuses(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        yield from status.get(kind) or ()


def _terminated(container: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = (container.get("state") or {}).get("terminated")
    return found


def _said(container: Mapping[str, Any], end: Mapping[str, Any]) -> str:
    return (
        f"\r\n[{container.get('name')}] terminated with exit code ({end.get('exitCode')}). "
        f"Reason [{end.get('reason', '')}]. Message: \n{end.get('message', '')}."
    )


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The condition, where it is one that tells something: a disruption that is meant, a readiness that is missing."""
    wanted = "False" if kind == "Ready" else "True"
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == wanted:
            found: Mapping[str, Any] = condition
            return found
    return None


def _begun(containers: Iterable[Mapping[str, Any]]) -> datetime.datetime | None:
    moments = []
    for one in containers:
        state = one.get("state") or {}
        text = (state.get("running") or state.get("terminated") or {}).get("startedAt")
        moment = moment_of(text)
        if moment is not None:
            moments.append(moment)
    return min(moments, default=None)


def _ended(status: Mapping[str, Any], now: datetime.datetime) -> datetime.datetime:
    moments = [
        moment
        for one in status.get("containerStatuses") or ()
        if (moment := moment_of((_terminated(one) or {}).get("finishedAt"))) is not None
    ]
    return max(moments, default=now)


def moment_of(text: str | None) -> datetime.datetime | None:
    """A time as Kubernetes writes it; None where it says nothing."""
    moment = datetime.datetime.fromisoformat(text) if text else None
    # What was never started is said to have been in 1970.
    return moment if moment is not None and moment.year > 1970 else None
