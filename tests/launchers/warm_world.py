"""The Kubernetes launcher with warm workers on the cluster of KUBECONFIG."""

import json
import pathlib
import threading
from typing import Any

from kubernetes_world import IMAGE, KubernetesWorld, kubectl
from launcher_worlds import HERE, attempt

from volant_engine.launchers import port
from volantidl.core import tasks_pb2


class WarmWorld(KubernetesWorld):
    """The launcher with a pool; attempts run what stands for the SDK's entry point (scripts/warm_words.py)."""

    kind = "warm"

    def __init__(self, folder: pathlib.Path, *, slots: int = 0, **more: Any) -> None:
        told = {"warm_pods": 2, "warm_idle_seconds": 60.0, "log_after_seconds": 0.3, **more}
        tasks, scripts = str(HERE / "tasks"), str(HERE / "scripts")
        pod = {
            "volumes": [{"name": name, "hostPath": {"path": path}} for name, path in self._mounts(folder)],
            "containers": [
                {
                    "name": "default",
                    "volumeMounts": [{"name": name, "mountPath": path} for name, path in self._mounts(folder)],
                }
            ],
        }
        told.setdefault("pod", pod)
        told.setdefault("environment", {"PYTHONPATH": f"{tasks}:{scripts}"})
        super().__init__(folder, slots=slots, **told)

    @staticmethod
    def _mounts(folder: pathlib.Path) -> list[tuple[str, str]]:
        return [("marks", str(folder)), ("tasks", str(HERE / "tasks")), ("scripts", str(HERE / "scripts"))]

    def attempt(self, name: str, behaviour: str, *, is_eager: bool = False) -> port.Attempt:
        return self.entry(name, behaviour, str(self.marks), name, is_eager=is_eager)

    def entry(self, name: str, *words: str, is_eager: bool = False, memory: str = "100Mi", **more: Any) -> port.Attempt:
        """An attempt that runs the entry point with these words."""
        made = attempt(name, ["volant-execute", *words], is_eager=is_eager, **more)
        made.task.type = "python-task"
        made.task.container.image = IMAGE
        made.task.container.args.extend(made.arguments)
        if is_eager:  # it gets a pod of its own, where there is no such script
            code = f"import launcher_acts as acts; acts.{words[0]}({words[1]!r}, {words[2]!r})"
            return self.run(name, ["python3", "-c", code], is_eager=True)
        resources, entry = tasks_pb2.Resources, tasks_pb2.Resources.ResourceEntry
        made.task.container.resources.CopyFrom(
            tasks_pb2.Resources(
                requests=[entry(name=resources.CPU, value="50m"), entry(name=resources.MEMORY, value=memory)],
                limits=[entry(name=resources.CPU, value="1"), entry(name=resources.MEMORY, value=memory)],
            )
        )
        return made

    def release(self, name: str) -> None:
        # Who opens a gate waits for the attempt to be there, and that needs this loop.
        threading.Thread(target=super().release, args=(name,), daemon=True).start()

    def pods(self) -> list[dict[str, Any]]:
        """All pods of the namespace."""
        found: list[dict[str, Any]] = json.loads(kubectl("-n", self.namespace, "get", "pods", "-o", "json"))["items"]
        return found

    def workers(self) -> list[str]:
        """Names of the worker pods that are not being deleted."""
        return sorted(
            pod["metadata"]["name"]
            for pod in self.pods()
            if pod["metadata"]["name"].startswith("volant-worker-") and "deletionTimestamp" not in pod["metadata"]
        )
