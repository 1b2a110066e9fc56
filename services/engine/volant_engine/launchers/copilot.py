"""Tasks whose inputs and outputs are files (`data_config`): what they want, and the words that have it done. Pure.

The SDK's copilot does it (`volant.copilot`), in containers of a pod or around a process: there is one way to read and
write such files.
"""

import base64
import dataclasses
import posixpath

from volant_core import errors
from volant_engine.launchers import port
from volantidl.core import interface_pb2, tasks_pb2

MODULE = "volant.copilot"
DOWNLOAD_FAILED = "InputDownloadFailed"
UPLOAD_FAILED = "OutputUploadFailed"
USERS_FAULT = 65
"""The copilot's exit code where the user can mend it."""
_INPUTS, _OUTPUTS = "/var/flyte/inputs", "/var/flyte/outputs"
_READABLE = {"simple", "blob"}


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What a task wants to have as files."""

    input_path: str
    output_path: str
    has_inputs: bool
    has_outputs: bool


def config_of(task: tasks_pb2.TaskTemplate) -> tasks_pb2.DataLoadingConfig:
    """What the task says about it."""
    return task.k8s_pod.data_config if task.WhichOneof("target") == "k8s_pod" else task.container.data_config


def wanted(task: tasks_pb2.TaskTemplate) -> Wanted | None:
    """What it wants; None where it takes and gives nothing, or not by files.

    Raises:
        InvalidArgumentError: that can't be done.
    """
    config = config_of(task)
    outputs = task.interface.outputs.variables
    if not config.enabled or not (task.interface.inputs.variables or outputs):
        return None
    for name, variable in outputs.items():
        kind = variable.type.WhichOneof("type")
        if kind not in _READABLE:
            raise errors.InvalidArgumentError(
                f"the output {name!r} of the task {task.id.name} is of a kind ({kind}) that can't be read from files "
                "(data_config): simple types, files and folders can"
            )
    return Wanted(
        _path(task, "input_path", config.input_path or _INPUTS),
        _path(task, "output_path", config.output_path or _OUTPUTS),
        bool(task.interface.inputs.variables),
        bool(outputs),
    )


def _path(task: tasks_pb2.TaskTemplate, field: str, path: str) -> str:
    result = posixpath.normpath(path)
    if not result.startswith("/") or result == "/" or ":" in result or "\0" in result:
        raise errors.InvalidArgumentError(
            f"the data_config of the task {task.id.name} has the {field} {path!r}: it must be a folder's whole path, "
            f"such as {_INPUTS}, without ':'"
        )
    return "/" + result.lstrip("/")


def download(attempt: port.Attempt, files: Wanted, folder: str) -> list[str]:
    """Words that put inputs into `folder`/inputs."""
    config = config_of(attempt.task)
    words = ["download", f"--folder={folder}", f"--input-path={files.input_path}"]
    words.append(f"--format={tasks_pb2.DataLoadingConfig.LiteralMapFormat.Name(config.format)}")
    if files.has_inputs:
        words.append(f"--inputs={attempt.input_uri}")
    if config.io_strategy.download_mode == tasks_pb2.IOStrategy.DO_NOT_DOWNLOAD:
        words.append("--no-download")
    return words


def upload(attempt: port.Attempt, files: Wanted, folder: str) -> list[str]:
    """Words that take outputs from `folder`/outputs."""
    strategy = config_of(attempt.task).io_strategy
    told = interface_pb2.VariableMap()
    for name, variable in attempt.task.interface.outputs.variables.items():
        told.variables[name].type.CopyFrom(variable.type)
        told.variables[name].type.ClearField("metadata")
    words = [
        "upload",
        f"--folder={folder}",
        f"--input-path={files.input_path}",
        f"--output-path={files.output_path}",
        f"--output-prefix={attempt.output_prefix}",
        f"--raw-output-prefix={attempt.raw_output_prefix}",
        f"--outputs={base64.b64encode(told.SerializeToString(deterministic=True)).decode()}",
    ]
    if strategy.upload_mode == tasks_pb2.IOStrategy.DO_NOT_UPLOAD:
        words.append("--no-upload")
    return words


def around(attempt: port.Attempt, files: Wanted, folder: str) -> list[str]:
    """Words that do both around the attempt's own command."""
    before, after = download(attempt, files, folder), upload(attempt, files, folder)
    options = dict.fromkeys([*before[1:], *after[1:]])
    return ["run", *options, "--", *attempt.arguments]
