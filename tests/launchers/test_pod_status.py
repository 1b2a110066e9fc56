"""What pods' states mean. The states are what kubelets of Kubernetes 1.34 write."""

import datetime

import pytest

from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kinds, pod_status, settings
from volantidl.core import execution_pb2

SETTINGS = settings.KubernetesSettings()
START = datetime.datetime(2026, 11, 23, 17, 0, tzinfo=datetime.UTC)
USER, SYSTEM = execution_pb2.ExecutionError.USER, execution_pb2.ExecutionError.SYSTEM
PHASE = port.AttemptPhase


def later(seconds: float) -> datetime.datetime:
    return START + datetime.timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    return later(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def terminated(code: int, reason: str = "", message: str = "", name: str = "main") -> dict:
    reason = reason or ("Completed" if code == 0 else "Error")
    end = {"exitCode": code, "reason": reason, "startedAt": stamp(5), "finishedAt": stamp(9)}
    return {"name": name, "state": {"terminated": {**end, **({"message": message} if message else {})}}}


def running(name: str = "main") -> dict:
    return {"name": name, "state": {"running": {"startedAt": stamp(5)}}}


def waiting(reason: str, message: str = "", name: str = "main") -> dict:
    return {"name": name, "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}


UNREADY = {
    "type": "Ready",
    "status": "False",
    "reason": "ContainersNotReady",
    "message": "containers with unready status: [main]",
    "lastTransitionTime": stamp(0),
}


def pod(phase: str, *containers: dict, primary: str = "main", leaving: float | None = None, **status) -> dict:
    metadata: dict = {"name": "p", "namespace": "ns", "annotations": {"primary_container_name": primary}}
    if not primary:
        metadata["annotations"] = {}
    if leaving is not None:
        metadata["deletionTimestamp"] = stamp(leaving)
    return {"metadata": metadata, "status": {"phase": phase, "containerStatuses": list(containers), **status}}


def judged(given: dict, at: float = 10, told: settings.KubernetesSettings = SETTINGS) -> pod_status.Verdict:
    return pod_status.judge(given, later(at), told)


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient memory.",
    "lastTransitionTime": stamp(0),
}
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "preempted"}
BEYOND_OWN = "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. "
BEYOND_NODE = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "


@pytest.mark.parametrize(
    ("given", "phase", "reason"),
    [
        (pod("Pending"), PHASE.QUEUED, "Scheduling"),
        (pod("Pending", conditions=[UNSCHEDULABLE]), PHASE.QUEUED, "Unschedulable:0/1 nodes are available"),
        (pod("Pending", waiting("ContainerCreating"), conditions=[UNREADY]), PHASE.INITIALIZING, "ContainerCreating"),
        (pod("Pending", waiting("ErrImagePull"), conditions=[UNREADY]), PHASE.INITIALIZING, "ErrImagePull"),
        (pod("Pending", waiting("ImagePullBackOff"), conditions=[UNREADY]), PHASE.INITIALIZING, "ImagePullBackOff"),
        (pod("Pending", waiting("CreateContainerError"), conditions=[UNREADY]), PHASE.INITIALIZING, "CreateContainer"),
        (pod("Running", running()), PHASE.RUNNING, ""),
        (pod("Running", running(), terminated(0, name="beside")), PHASE.RUNNING, ""),
        (pod("Running", running(), terminated(1, name="beside"), primary=""), PHASE.RUNNING, ""),
        (pod("Running", running(), leaving=40), PHASE.RUNNING, ""),
    ],
)
def test_under_way(given, phase, reason):
    verdict = judged(given)
    assert verdict.phase is phase
    assert reason in verdict.reason
    assert not verdict.is_end


@pytest.mark.parametrize(
    "given",
    [
        pod("Succeeded", terminated(0)),
        pod("Running", terminated(0)),
        pod("Running", terminated(0), running("beside")),
        pod("Failed", terminated(0), terminated(1, name="beside")),
        pod("Running", terminated(0), terminated(0, name="beside"), primary=""),
        pod("Succeeded", terminated(0), leaving=8),
    ],
)
def test_well_ended(given):
    verdict = judged(given)
    assert verdict.phase is PHASE.SUCCEEDED
    assert verdict.at == later(9)
    assert verdict.started_at == later(5)


@pytest.mark.parametrize(
    ("given", "kind", "code", "retryable", "words"),
    [
        (pod("Failed", terminated(3, message="a traceback")), USER, "Error", True, "exit code (3)"),
        (pod("Running", terminated(3, message="a traceback")), USER, "Error", True, "a traceback"),
        (pod("Failed", terminated(128, "StartError", "no such file")), USER, "StartError", True, "no such file"),
        (pod("Failed", terminated(137, "OOMKilled")), USER, "OOMKilled", True, "OOMKilled"),
        (pod("Running", terminated(137, "OOMKilled")), USER, "OOMKilled", True, "OOMKilled"),
        (pod("Succeeded", terminated(0, "OOMKilled")), USER, "OOMKilled", True, "despite being OOMKilled"),
        (pod("Failed", terminated(137)), SYSTEM, "Interrupted", True, "137"),
        (pod("Running", terminated(247)), SYSTEM, "Error", True, "247"),
        (pod("Failed", terminated(137), primary=""), SYSTEM, "Interrupted", True, "137"),
        (pod("Failed", running(), terminated(137, name="beside")), USER, "Error", True, "[beside]"),
        (pod("Failed"), SYSTEM, "Interrupted", True, "No message received"),
        (pod("Failed", reason="Shutdown", message="the node went"), SYSTEM, "Interrupted", True, "the node went"),
        (pod("Failed", reason="NodeAffinity", message="no"), SYSTEM, "Interrupted", True, "no"),
        (pod("Failed", reason="OutOfcpu", message="full"), SYSTEM, "OutOfcpu", True, "full"),
        (pod("Failed", terminated(137), reason="Evicted", message=BEYOND_NODE), SYSTEM, "Evicted", True, "low on"),
        (pod("Failed", terminated(137), reason="Evicted", message=BEYOND_OWN), USER, "Evicted", True, "exceeds"),
        (pod("Failed", terminated(137), reason="DeadlineExceeded"), USER, "DeadlineExceeded", True, "137"),
        (pod("Failed", terminated(143), conditions=[DISRUPTED]), SYSTEM, "Interrupted", True, "143"),
        (
            pod(
                "Failed", waiting("PodInitializing"), initContainerStatuses=[terminated(2, message="no disk", name="i")]
            ),
            USER,
            "Error",
            True,
            "no disk",
        ),
        (
            pod("Pending", waiting("InvalidImageName", "bad"), conditions=[UNREADY]),
            USER,
            "ContainersNotReady|InvalidImageName",
            False,
            "bad",
        ),
        (
            pod("Pending", waiting("CreateContainerConfigError", "no secret"), conditions=[UNREADY]),
            USER,
            "ContainersNotReady|CreateContainerConfigError",
            False,
            "Grace period [0s] exceeded",
        ),
        (
            pod("Pending", waiting("ErrImageNeverPull", "absent"), conditions=[UNREADY]),
            SYSTEM,
            "ContainersNotReady|ErrImageNeverPull",
            True,
            "absent",
        ),
        (
            pod("Pending", initContainerStatuses=[waiting("InvalidImageName", "bad", "i")], conditions=[UNREADY]),
            USER,
            "ContainersNotReady|InvalidImageName",
            False,
            "bad",
        ),
        (pod("Failed", terminated(143), leaving=8), SYSTEM, "UnexpectedObjectDeletion", True, "143"),
        (pod("Failed", terminated(137, "OOMKilled"), leaving=8), SYSTEM, "UnexpectedObjectDeletion", True, "manually"),
        (
            pod("Failed", terminated(143), leaving=8, conditions=[DISRUPTED]),
            SYSTEM,
            "UnexpectedObjectDeletion",
            True,
            "PreemptionByScheduler",
        ),
    ],
)
def test_badly_ended(given, kind, code, retryable, words):
    verdict = judged(given)
    assert verdict.phase is PHASE.FAILED
    assert verdict.error is not None
    assert (verdict.error.kind, verdict.error.code, verdict.retryable) == (kind, code, retryable)
    assert words in verdict.error.message


@pytest.mark.parametrize(
    ("reason", "seconds", "retryable"), [("ImagePullBackOff", 180, True), ("CreateContainerError", 180, False)]
)
def test_patience_with_what_may_mend(reason, seconds, retryable):
    given = pod("Pending", waiting(reason, "why"), conditions=[UNREADY])
    before = judged(given, at=seconds - 1)
    assert before.phase is PHASE.INITIALIZING
    assert before.again == later(seconds)
    after = judged(given, at=seconds)
    assert after.phase is PHASE.FAILED
    assert after.error is not None
    assert after.error.message.startswith("Grace period [180s] exceeded|")
    assert (after.error.kind, after.retryable) == (USER, retryable)


def test_pending_for_too_long():
    told = settings.KubernetesSettings(pending_seconds=60)
    given = pod("Pending", conditions=[UNSCHEDULABLE])
    assert judged(given, 59, told).again == later(60)
    verdict = judged(given, 60, told)
    assert verdict.error is not None
    assert (verdict.error.code, verdict.error.kind, verdict.retryable) == ("PodPendingTimeout", USER, True)
    assert "Insufficient memory" in verdict.error.message


def test_a_pod_on_a_lost_node_is_given_up_in_the_end():
    given = pod("Running", running(), leaving=40)
    assert judged(given, 99).again == later(100)
    verdict = judged(given, 100)
    assert verdict.error is not None
    assert (verdict.error.code, verdict.error.kind) == ("UnexpectedObjectDeletion", SYSTEM)


def test_gone():
    assert kinds.PODS.gone(pod("Succeeded", terminated(0), leaving=8), later(10), SETTINGS).phase is PHASE.SUCCEEDED
    verdict = kinds.PODS.gone(pod("Running", running(), leaving=40), later(10), SETTINGS)
    assert verdict.error is not None
    assert (verdict.error.code, verdict.error.kind) == ("ResourceDeletedExternally", SYSTEM)


def test_a_failure_without_last_words_is_mute():
    assert judged(pod("Running", terminated(1))).is_mute
    assert judged(pod("Failed", terminated(1))).is_mute
    assert not judged(pod("Failed", terminated(1, message="said"))).is_mute
    assert not judged(pod("Failed", terminated(137))).is_mute


def test_what_was_never_started_began_never():
    end = terminated(128, "StartError", "no such file")
    end["state"]["terminated"]["startedAt"] = "1970-01-01T00:00:00Z"
    assert judged(pod("Failed", end)).started_at is None


def by_files(phase: str, main: dict, upload: dict, download: dict | None = None, **status) -> dict:
    """A pod whose inputs and outputs are files."""
    begun = [upload, download or terminated(0, name="volant-download")]
    return pod(phase, main, primary="", initContainerStatuses=begun, **status)


UPLOADING = running("volant-upload")


def test_outputs_that_are_being_stored():
    verdict = judged(by_files("Running", terminated(0), UPLOADING))
    assert (verdict.phase, verdict.started_at) == (PHASE.RUNNING, later(5))
    assert judged(by_files("Running", running(), UPLOADING)).phase is PHASE.RUNNING
    assert judged(by_files("Succeeded", terminated(0), terminated(0, name="volant-upload"))).phase is PHASE.SUCCEEDED


NO_OUTPUT = terminated(65, message="the output 'y' is missing\n", name="volant-upload")
NOT_STORED = terminated(75, message="PUT s3://b/y failed 6 times", name="volant-upload")
NO_INPUT = terminated(65, message="there is no object s3://b/x", name="volant-download")
DONE = terminated(0, name="volant-upload")


@pytest.mark.parametrize(
    ("given", "kind", "code", "words"),
    [
        (by_files("Succeeded", terminated(0), NO_OUTPUT), USER, "OutputUploadFailed", "the output 'y' is missing"),
        (by_files("Succeeded", terminated(0), NOT_STORED), SYSTEM, "OutputUploadFailed", "failed 6 times"),
        (
            by_files("Succeeded", terminated(0), terminated(137, "OOMKilled", name="volant-upload")),
            SYSTEM,
            "OutputUploadFailed",
            "OOMKilled",
        ),
        (by_files("Failed", terminated(3), NO_OUTPUT), USER, "Error", "exit code (3)"),
        (by_files("Failed", waiting("PodInitializing"), DONE, NO_INPUT), USER, "InputDownloadFailed", "s3://b/x"),
        (
            by_files("Failed", waiting("PodInitializing"), DONE, terminated(128, "StartError", "x", "volant-download")),
            SYSTEM,
            "InputDownloadFailed",
            "StartError",
        ),
        (
            by_files("Failed", terminated(137), NO_OUTPUT, reason="Evicted", message=BEYOND_NODE),
            SYSTEM,
            "Evicted",
            "low on resource",
        ),
        (
            by_files("Failed", terminated(143), NO_OUTPUT, conditions=[DISRUPTED]),
            SYSTEM,
            "Interrupted",
            "exit code (143)",
        ),
    ],
)
def test_data_in_files_that_failed(given, kind, code, words):
    verdict = judged(given)
    assert verdict.error is not None
    assert (verdict.error.kind, verdict.error.code) == (kind, code)
    assert words in verdict.error.message
    assert verdict.retryable
    assert not verdict.is_mute or not verdict.error.message.strip() or code == "Error"
    assert "the output 'y'" not in verdict.error.message or code == "OutputUploadFailed"
