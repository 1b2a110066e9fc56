"""Tasks as pods beside the same pods made by kubectl: `python -m bench.kubernetes`, on the cluster of KUBECONFIG.

The floor of each row is what `kubectl create` needs for pods of the same specs, with the same arguments and their
inputs in place, from the call until all have succeeded; tasks in warm workers have no such floor. The node must be this
machine (VOLANT_TEST_HOST is its address as pods see it) and have the images.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

from bench import graphs
from bench.platform import Client, Platform, free_port
from bench.rows import Row
from volantidl.admin import task_pb2
from volantidl.core import identifier_pb2, interface_pb2, tasks_pb2

HOST = os.environ.get("VOLANT_TEST_HOST", "172.30.0.1")
NAMESPACE = "bench-kubernetes"
PLAIN = os.environ.get("VOLANT_TEST_IMAGE", "localhost/python:3.11")
SDK = os.environ.get("VOLANT_TEST_TASK_IMAGE", "localhost/volant-task:test")
FLYTEKIT = os.environ.get("VOLANT_TEST_FLYTEKIT_IMAGE", "localhost/flytekit:1")
Manifest = dict[str, Any]


def kubectl(*words: str, given: str | None = None) -> str:
    """Run kubectl; what it prints."""
    done = subprocess.run(["kubectl", *words], check=True, capture_output=True, text=True, input=given)
    return done.stdout


def container_task(version: str) -> task_pb2.TaskCreateRequest:
    """A container that does nothing."""
    task = graphs.python_task(graphs.FLYTEKIT, version)
    template = task.spec.template
    template.type = "container"
    task.id.name = template.id.name = "bench.true"
    template.interface.outputs.CopyFrom(interface_pb2.VariableMap())
    template.container.CopyFrom(tasks_pb2.Container(image=PLAIN, command=["true"]))
    _small(template.container, "16Mi")
    return task


def flytekit_task(version: str) -> task_pb2.TaskCreateRequest:
    """A task of flytekit, whose module is in the pods' folder of tasks."""
    task = graphs.python_task(graphs.FLYTEKIT, version)
    task.spec.template.container.image = FLYTEKIT
    _small(task.spec.template.container, "200Mi")
    return task


def sdk_task(version: str) -> task_pb2.TaskCreateRequest:
    """The same of our SDK."""
    task = graphs.python_task(graphs.VOLANT, version)
    task.spec.template.container.image = SDK
    _small(task.spec.template.container, "100Mi")
    return task


def _small(container: tasks_pb2.Container, memory: str) -> None:
    entry = tasks_pb2.Resources.ResourceEntry
    amounts = ((tasks_pb2.Resources.CPU, "10m", "1"), (tasks_pb2.Resources.MEMORY, memory, "300Mi"))
    container.resources.CopyFrom(
        tasks_pb2.Resources(
            requests=[entry(name=name, value=request) for name, request, _ in amounts],
            limits=[entry(name=name, value=limit) for name, _, limit in amounts],
        )
    )


class Cluster:
    """A platform whose tasks are pods of a namespace of the benchmark's own."""

    def __init__(self, folder: pathlib.Path, *, warm_pods: int = 0) -> None:
        """Start it; with `warm_pods`, tasks of SDKs run in that many warm workers."""
        port, s3 = free_port(), free_port()
        tasks = str(pathlib.Path(__file__).parent / "tasks")
        pod = {
            "volumes": [{"name": "tasks", "hostPath": {"path": tasks}}],
            "containers": [{"name": "default", "volumeMounts": [{"name": "tasks", "mountPath": tasks}]}],
        }
        os.environ |= {
            "VOLANT_TASKS__LAUNCHER": "kubernetes",
            "VOLANT_KUBERNETES__KUBECONFIG": os.environ["KUBECONFIG"],
            "VOLANT_KUBERNETES__INSTALLATION": f"{NAMESPACE}-{uuid.uuid4().hex[:6]}",
            "VOLANT_KUBERNETES__NAMESPACE": NAMESPACE,
            "VOLANT_KUBERNETES__POD": json.dumps(pod),
            "VOLANT_KUBERNETES__ENVIRONMENT": json.dumps(
                {"FLYTE_AWS_ENDPOINT": f"http://{HOST}:{s3}", "PYTHONPATH": tasks}
            ),
            "VOLANT_KUBERNETES__KEEP_SUCCEEDED_SECONDS": "600",
            "VOLANT_KUBERNETES__WARM_PODS": str(warm_pods),
            "VOLANT_KUBERNETES__STOP_SECONDS": "1",
        }
        self.platform = Platform(folder / "data", more=("--s3", f"0.0.0.0:{s3}", "--grpc", f"127.0.0.1:{port}"))
        self.platform.start()
        self.client = Client(f"127.0.0.1:{port}")
        self.version = uuid.uuid4().hex[:8]

    def run(self, plan: identifier_pb2.Identifier) -> tuple[float, list[Manifest]]:
        """Seconds of one execution, and its pods as they could be made again."""
        begin = time.perf_counter()
        execution = self.client.start(plan)
        self.client.wait(execution, 0.01)
        took = time.perf_counter() - begin
        found = json.loads(
            kubectl("-n", NAMESPACE, "get", "pods", "-l", f"execution-id={execution.name}", "-o", "json")
        )
        return took, [_again(pod) for pod in found["items"]]


def _again(pod: Manifest) -> Manifest:
    """A pod like this one, as its author would write it."""
    spec = {
        key: pod["spec"][key] for key in ("containers", "restartPolicy", "serviceAccountName") if key in pod["spec"]
    }
    spec["volumes"] = [one for one in pod["spec"]["volumes"] if "projected" not in one]
    for container in spec["containers"]:
        container["volumeMounts"] = [
            one for one in container["volumeMounts"] if "serviceaccount" not in one["mountPath"]
        ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "", "namespace": NAMESPACE}, "spec": spec}


def bare(pods: list[Manifest], *, one_by_one: bool = False) -> float:
    """Seconds that kubectl needs for such pods, until all have succeeded; the pods are deleted again."""
    run = uuid.uuid4().hex[:6]
    items = []
    for index, pod in enumerate(pods):
        metadata = {"name": f"bare-{run}-{index}", "namespace": NAMESPACE, "labels": {"bare": run}}
        items.append({**pod, "metadata": metadata})
    begin = time.perf_counter()
    for batch in [[one] for one in items] if one_by_one else [items]:
        kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": batch}))
        _succeeded(run, sum(1 for one in items if items.index(one) <= items.index(batch[-1])))
    took = time.perf_counter() - begin
    kubectl("-n", NAMESPACE, "delete", "pods", "-l", f"bare={run}", "--wait=true", "--grace-period=1")
    return took


def _succeeded(run: str, count: int) -> None:
    """Wait until so many pods of a run have succeeded, told by a watch."""
    words = [
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "-l",
        f"bare={run}",
        "--watch",
        "-o",
        "jsonpath={.metadata.name} {.status.phase}{'\\n'}",
    ]
    watch = subprocess.Popen(["kubectl", *words], stdout=subprocess.PIPE, text=True)
    assert watch.stdout is not None
    ended = set()
    for line in watch.stdout:
        name, _, phase = line.strip().partition(" ")
        if phase == "Succeeded":
            ended.add(name)
        if len(ended) >= count:
            break
    watch.kill()
    watch.wait()


def rows(cluster: Cluster, *, width: int, length: int, runs: int) -> Iterator[Row]:
    """Each row: the platform's time over the floor's, in turns."""
    kinds = (("no-op container", container_task), ("flytekit task", flytekit_task), ("task of our SDK", sdk_task))
    for name, task in kinds:
        made = task(cluster.version)
        plan = cluster.client.register(graphs.side_by_side(made, 1, cluster.version))
        _, pods = cluster.run(plan)
        ours = statistics.median(cluster.run(plan)[0] for _ in range(runs))
        floor = statistics.median(bare(pods) for _ in range(runs))
        yield Row(f"one {name}", ours / floor, "x bare pod", 1.2, note=f"{ours:.2f} s, bare {floor:.2f} s")
    made = container_task(cluster.version)
    plan = cluster.client.register(graphs.side_by_side(made, width, cluster.version))
    ours, pods = cluster.run(plan)
    floor = bare(pods)
    yield Row(f"{width} no-op containers", ours / floor, "x bare pods", 1.2, note=f"{ours:.1f} s, bare {floor:.1f} s")
    made = flytekit_task(cluster.version)
    plan = cluster.client.register(graphs.chain(made, length, cluster.version))
    ours, pods = cluster.run(plan)
    floor = bare(pods, one_by_one=True)
    note = f"{ours / length:.2f} s a task, bare {floor / length:.2f} s"
    yield Row(f"chain of {length}, flytekit", ours / floor, "x bare pods", 1.2, note=note)


def warm_rows(cluster: Cluster, *, length: int, runs: int) -> Iterator[Row]:
    """Tasks in warm workers: alone, one after the other, and many side by side."""
    for name, task in (("task of our SDK", sdk_task), ("flytekit task", flytekit_task)):
        made = task(cluster.version)
        plan = cluster.client.register(graphs.side_by_side(made, 4, cluster.version))
        begin = time.perf_counter()
        cluster.client.seconds(plan)  # the pool grows
        first = time.perf_counter() - begin
        plan = cluster.client.register(graphs.side_by_side(made, 1, cluster.version))
        alone = sorted(1000 * cluster.client.seconds(plan) for _ in range(4 * runs))
        note = f"{alone[0]:.0f} to {alone[-1]:.0f} ms; the first four, which wait for their workers: {first:.1f} s"
        yield Row(f"one {name}, warm", statistics.median(alone), "ms", 100, note=note)
        plan = cluster.client.register(graphs.chain(made, length, cluster.version))
        yield Row(f"chain of {length}, {name}, warm", 1000 * cluster.client.seconds(plan) / length, "ms a task", 100)
        plan = cluster.client.register(graphs.side_by_side(made, 4 * length, cluster.version))
        rate = 4 * length / cluster.client.seconds(plan)
        yield Row(f"{4 * length} side by side, {name}, warm", rate, "tasks/s", 20, at_most=False)
    made = sdk_task(cluster.version)
    made.id.name += ".cached"
    made.spec.template.id.name = made.id.name
    made.spec.template.metadata.discoverable = True
    made.spec.template.metadata.discovery_version = "1"
    plan = cluster.client.register(graphs.side_by_side(made, 2 * length, cluster.version))
    cluster.client.seconds(plan)  # fills the cache
    seconds = statistics.median(cluster.client.seconds(plan) for _ in range(runs))
    yield Row(f"{2 * length} cached tasks", seconds, "s", 0.2)


def main() -> None:
    """Run the command."""
    from bench.__main__ import line  # noqa: PLC0415 -- that one is a command too

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=60, help="pods side by side")
    parser.add_argument("--length", type=int, default=50, help="tasks in the chain")
    parser.add_argument("--runs", type=int, default=5, help="of what is measured alone")
    parser.add_argument("--warm", type=int, default=2, help="warm workers of a pool")
    parser.add_argument("--only-warm", action="store_true", help="leave out what runs in pods of its own")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="volant-bench-") as folder:
        for warm_pods in (told.warm,) if told.only_warm else (0, told.warm):
            (place := pathlib.Path(folder, str(warm_pods))).mkdir()
            cluster = Cluster(place, warm_pods=warm_pods)
            try:
                if warm_pods:
                    found = warm_rows(cluster, length=told.length, runs=told.runs)
                else:
                    found = rows(cluster, width=told.width, length=told.length, runs=told.runs)
                for row in found:
                    print(line(row), flush=True)
            finally:
                cluster.platform.stop()
        with contextlib.suppress(subprocess.CalledProcessError):
            kubectl("delete", "namespace", NAMESPACE, "--wait=false")


if __name__ == "__main__":
    main()
