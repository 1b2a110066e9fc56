"""Connectors for flytekit's own server of connectors, and the tasks and workflows that they run."""

import dataclasses
import pathlib
import typing

from flyteidl.core.execution_pb2 import TaskExecution, TaskLog
from flytekit import task, workflow
from flytekit.core.base_task import PythonTask
from flytekit.core.interface import Interface
from flytekit.extend import SerializationSettings
from flytekit.extend.backend.base_connector import (
    AsyncConnectorBase,
    AsyncConnectorExecutorMixin,
    ConnectorRegistry,
    Resource,
    ResourceMeta,
    SyncConnectorBase,
    SyncConnectorExecutorMixin,
)


@dataclasses.dataclass
class Job(ResourceMeta):
    """A job is a file, which says how often it was looked at."""

    path: str
    plan: str
    value: int


class JobConnector(AsyncConnectorBase):
    """Jobs that succeed at the third look, fail, or wait until they are deleted."""

    name = "Job connector"

    def __init__(self) -> None:
        super().__init__(task_type_name="stock_job", metadata_type=Job)

    def create(self, task_template, inputs=None, output_prefix="", task_execution_metadata=None, **_more) -> Job:
        folder = pathlib.Path(task_template.custom["folder"])
        value = inputs.literals["value"].scalar.primitive.integer
        plan = task_template.custom["plan"]
        if plan == "refuse":
            raise ValueError("this job cannot be created")
        name = task_execution_metadata.task_execution_id.node_execution_id.execution_id.name
        path = folder / name
        with path.open("a") as file:
            file.write("created\n")
        return Job(str(path), plan, value)

    def get(self, resource_meta: Job, **_more) -> Resource:
        path = pathlib.Path(resource_meta.path)
        with path.open("a") as file:
            file.write("looked\n")
        looks = path.read_text().count("looked")
        if looks < 3 or resource_meta.plan == "wait":
            return Resource(phase=TaskExecution.RUNNING, message=f"look {looks}")
        if resource_meta.plan == "fail":
            return Resource(phase=TaskExecution.FAILED, message="the warehouse is on fire")
        logs = [TaskLog(uri="http://127.0.0.1/job", name="job", message_format=TaskLog.JSON)]
        return Resource(phase=TaskExecution.SUCCEEDED, outputs={"o0": resource_meta.value * 2}, log_links=logs)

    def delete(self, resource_meta: Job, **_more) -> None:
        with pathlib.Path(resource_meta.path).open("a") as file:
            file.write("deleted\n")


class SquareConnector(SyncConnectorBase):
    """Answers within the call."""

    name = "Square connector"

    def __init__(self) -> None:
        super().__init__(task_type_name="stock_square")

    def do(self, task_template, inputs=None, output_prefix="", **_more) -> Resource:
        value = inputs.literals["value"].scalar.primitive.integer
        return Resource(phase=TaskExecution.SUCCEEDED, outputs={"o0": value * value})


ConnectorRegistry.register(JobConnector())
ConnectorRegistry.register(SquareConnector())

ONE_NUMBER = Interface({"value": int}, {"o0": int})


class JobTask(AsyncConnectorExecutorMixin, PythonTask):
    """A task that is a job."""

    def __init__(self, name: str, folder: str, plan: str) -> None:
        super().__init__(task_type="stock_job", name=name, task_config=None, interface=ONE_NUMBER)
        self.custom = {"folder": folder, "plan": plan}

    def get_custom(self, settings: SerializationSettings) -> dict[str, typing.Any]:
        return self.custom


class SquareTask(SyncConnectorExecutorMixin, PythonTask):
    """A task within a call."""

    def __init__(self, name: str) -> None:
        super().__init__(task_type="stock_square", name=name, task_config=None, interface=ONE_NUMBER)


@task
def plus_one(value: int) -> int:
    """An ordinary task beside them."""
    return value + 1


def flows(folder: str) -> dict[str, typing.Any]:
    """Workflows whose jobs note in `folder` what was done with them."""
    jobs = {
        plan: JobTask(f"stock_connectors.job_{plan}", folder, plan) for plan in ("succeed", "fail", "wait", "refuse")
    }
    square = SquareTask("stock_connectors.square")

    @workflow
    def mixed(value: int) -> int:
        return square(value=jobs["succeed"](value=plus_one(value=value)))

    @workflow
    def fails(value: int) -> int:
        return jobs["fail"](value=value)

    @workflow
    def waits(value: int) -> int:
        return jobs["wait"](value=value)

    @workflow
    def refused(value: int) -> int:
        return jobs["refuse"](value=value)

    return {"mixed": mixed, "fails": fails, "waits": waits, "refused": refused}
