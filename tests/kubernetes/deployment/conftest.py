"""The chart, installed on a real cluster by tests/kubernetes/run.sh, which says where by VOLANT_TEST_…."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("KUBECONFIG", "VOLANT_TEST_ENDPOINT", "VOLANT_TEST_NAMESPACE", "VOLANT_TEST_HELM")


def pytest_collection_modifyitems(items):
    missing = [name for name in NEEDED if not os.environ.get(name)]
    for item in items:
        if missing and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"no installed chart: {missing[0]} is not set"))


class Installed:
    """The installation."""

    def __init__(self) -> None:
        self.endpoint = os.environ["VOLANT_TEST_ENDPOINT"]
        self.namespace = os.environ["VOLANT_TEST_NAMESPACE"]
        self.helm = os.environ["VOLANT_TEST_HELM"]
        self.task_image = os.environ["VOLANT_TEST_TASK_IMAGE"]
        self.flytekit_image = os.environ["VOLANT_TEST_FLYTEKIT_IMAGE"]

    def run(self, *line: str, seconds: float = 300) -> str:
        done = subprocess.run(line, capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def kubectl(self, *arguments: str) -> str:
        return self.run("kubectl", *arguments)

    def pods(self, selector: str, namespace: str | None = None) -> list[dict[str, Any]]:
        where = ("--namespace", namespace or self.namespace)
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", *where, "-l", selector, "-o", "json"))[
            "items"
        ]
        return found

    def of(self, service: str) -> list[str]:
        """Names of a service's pods that are ready and stay."""
        found = self.pods(f"app.kubernetes.io/component={service}")
        return [
            pod["metadata"]["name"]
            for pod in found
            if "deletionTimestamp" not in pod["metadata"]
            and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
        ]


@pytest.fixture
def installed() -> Installed:
    return Installed()
