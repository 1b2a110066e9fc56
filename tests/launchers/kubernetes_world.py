"""The Kubernetes launcher on the cluster of KUBECONFIG, for the conformance suite and its own tests.

The node must be this machine (pods see the test's folder), and have the image of VOLANT_TEST_IMAGE, a Debian or the like
with python3.
"""

import asyncio
import os
import pathlib
import random
import subprocess
import uuid
from collections.abc import Sequence
from typing import Any

from launcher_worlds import HERE, News, attempt

from volant_core import clock
from volant_core.blobstore import FolderStore
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import settings

KUBECONFIG = os.environ.get("KUBECONFIG", "")
IMAGE = os.environ.get("VOLANT_TEST_IMAGE", "localhost/python:3.11")


def kubectl(*words: str, check: bool = True, given: str | None = None) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *words], check=False, capture_output=True, text=True, input=given
    )
    if check and done.returncode:
        raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
    return done.stdout


class KubernetesWorld:
    """The Kubernetes launcher in a namespace of its own."""

    kind = "kubernetes"

    def __init__(self, folder: pathlib.Path, *, slots: int = 0, **more: object) -> None:
        self.folder = folder
        self.marks = folder / "marks"
        self.marks.mkdir(exist_ok=True)
        self.namespace = f"kube-a-{uuid.uuid4().hex[:8]}"
        folder.chmod(0o755)
        mounts = [{"name": "marks", "mountPath": str(folder)}, {"name": "tasks", "mountPath": str(HERE / "tasks")}]
        told: dict[str, Any] = {
            "kubeconfig": pathlib.Path(KUBECONFIG),
            "installation": self.namespace,
            "namespace": self.namespace,
            "pods": slots,
            "default_image": IMAGE,
            "cpu": "20m",
            "memory": "64Mi",
            "stop_seconds": 0,
            "keep_succeeded_seconds": 0.0,
            "keep_failed_seconds": 0.0,
            "log_flush_seconds": 0.5,
            "log_after_seconds": 0.5,
            "environment": {"PYTHONPATH": str(HERE / "tasks")},
            "pod": {
                "volumes": [
                    {"name": "marks", "hostPath": {"path": str(folder)}},
                    {"name": "tasks", "hostPath": {"path": str(HERE / "tasks")}},
                ],
                "containers": [{"name": "default", "volumeMounts": mounts}],
            },
            **more,
        }
        self.settings = settings.KubernetesSettings(**told)
        (folder / "objects" / "volant").mkdir(parents=True, exist_ok=True)
        self.blobs = FolderStore(folder / "objects", "volant")
        self.renew()

    def renew(self) -> None:
        """Another launcher, which knows nothing."""
        # Imported here: it costs seconds, and nobody without a cluster needs it.
        from volant_engine.launchers.kubernetes import launcher

        self.news = News(patience=300.0)  # a busy node is slow
        self.launcher = launcher.KubernetesLauncher(
            self.settings, clock.SystemClock(), blobs=self.blobs, chance=random.Random(1)
        )

    async def open(self) -> None:
        await self.launcher.start(self.news.heard)

    async def close(self, *, end_attempts: bool = True) -> None:
        await self.launcher.close(end_attempts=end_attempts)
        if end_attempts:
            await asyncio.to_thread(kubectl, "delete", "namespace", self.namespace, "--wait=false", check=False)

    async def reopen(self) -> None:
        self.renew()
        await self.open()

    def attempt(self, name: str, behaviour: str, *, is_eager: bool = False) -> port.Attempt:
        code = f"import launcher_acts as acts; acts.{behaviour}({str(self.marks)!r}, {name!r})"
        return self.run(name, ["python3", "-c", code], is_eager=is_eager)

    def run(self, name: str, words: Sequence[str], **more: Any) -> port.Attempt:
        """An attempt that runs any words."""
        made = attempt(name, words, **more)
        if not made.task.WhichOneof("target"):
            made.task.container.image = IMAGE
            made.task.container.args.extend(words)
            del made.task.container.command[:]
            made.task.container.command.append(words[0])
        return made

    def prepare(self, name: str) -> None:
        os.mkfifo(self.marks / f"{name}.gate")

    def release(self, name: str) -> None:
        descriptor = os.open(self.marks / f"{name}.gate", os.O_WRONLY)
        os.write(descriptor, b"x")
        os.close(descriptor)

    def runs(self, name: str) -> int:
        try:
            return len((self.marks / f"{name}.runs").read_text().split())
        except FileNotFoundError:
            return 0
