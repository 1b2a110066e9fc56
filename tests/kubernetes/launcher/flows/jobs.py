"""Tasks of types that operators run, written as plugins of flytekit are, but without what those need."""

import dataclasses

from flytekit import Resources, task, workflow
from flytekit.core.python_function_task import PythonFunctionTask
from flytekit.extend import TaskPlugins


@dataclasses.dataclass
class Job:
    """A task's type, and what its custom part says."""

    task_type: str
    custom: dict


class JobTask(PythonFunctionTask[Job]):
    """A task of such a type."""

    def __init__(self, task_config, task_function, **more):
        super().__init__(task_type=task_config.task_type, task_config=task_config, task_function=task_function, **more)

    def get_custom(self, settings):
        return self.task_config.custom


TaskPlugins.register_pythontask_plugin(Job, JobTask)
SMALL = {"requests": Resources(cpu="50m", mem="220Mi"), "limits": Resources(cpu="1", mem="300Mi")}
DASK = Job("dask", {"workers": {"numberOfWorkers": 1}, "scheduler": {}})
RAY = Job("ray", {"rayCluster": {"headGroupSpec": {}, "workerGroupSpec": [{"groupName": "w", "replicas": 1}]}})


@task(task_config=DASK, **SMALL)
def doubled(x: int) -> int:
    print(f"doubling {x}")
    return 2 * x


@task(task_config=RAY, **SMALL)
def checked(x: int) -> int:
    if x < 10:
        raise ValueError(f"{x} is not what was asked for")
    return x


@workflow
def double(x: int) -> int:
    return doubled(x=x)


@workflow
def check(x: int) -> int:
    return checked(x=x)
