"""What the SDK shows: its names, what importing it costs."""

import subprocess
import sys

import volant

NAMES = [
    "AsyncRemote",
    "Cache",
    "CacheFunctionBody",
    "CachePolicy",
    "Checkpoint",
    "ConcurrencyLimitBehavior",
    "ConcurrencyPolicy",
    "ContainerTask",
    "CronSchedule",
    "Deck",
    "DeckField",
    "DefinitionError",
    "Directory",
    "Echo",
    "Email",
    "Environment",
    "ExecutionMode",
    "File",
    "FixedRate",
    "FlyteError",
    "GPUAccelerator",
    "HashMethod",
    "IgnoreOutputs",
    "ImageSpec",
    "ImperativeWorkflow",
    "LaunchPlan",
    "NotebookTask",
    "OutputLocation",
    "PagerDuty",
    "PodTemplate",
    "RecoverableError",
    "Remote",
    "Resources",
    "SQLTask",
    "SQLite3Config",
    "SQLite3Task",
    "Secret",
    "ShellTask",
    "Slack",
    "StructuredDataset",
    "TypeAnnotation",
    "TypeMismatchError",
    "VersionParameters",
    "VolantError",
    "WorkflowExecutionPhase",
    "WorkflowFailurePolicy",
    "__version__",
    "approve",
    "conditional",
    "create_node",
    "current_context",
    "dynamic",
    "eager",
    "get_reference_entity",
    "kwtypes",
    "map_task",
    "reference_launch_plan",
    "reference_task",
    "reference_workflow",
    "sleep",
    "task",
    "wait_for_input",
    "workflow",
]


def test_names():
    assert sorted(volant.__all__) == sorted(NAMES)
    for name in volant.__all__:
        assert getattr(volant, name) is not None
    assert set(volant.__all__) <= set(dir(volant))


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light():
    found = modules_after("import volant")
    assert len(found) < 120
    assert not {"google.protobuf", "grpc", "pandas", "numpy", "click", "asyncio"} & found


def test_tasks_need_no_grpc():
    found = modules_after("import volant; volant.task; volant.workflow; volant.LaunchPlan")
    assert len(found) < 350
    assert not {"grpc", "pandas", "numpy", "asyncio", "cloudpickle"} & found


def test_task_processes_are_light():
    found = modules_after("import volant.runtime.entrypoint")
    assert not {"grpc", "pandas", "asyncio", "http.client", "ssl", "volant.serialization.specs", "click"} & found


def test_both_sdks_load_in_one_process():
    assert {"flyteidl.core.literals_pb2", "volantidl.core.literals_pb2"} <= modules_after(
        "import flytekit, volant; volant.task"
    )
