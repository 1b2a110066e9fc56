"""Tasks: what must be right about a template before anything refers to it."""

import re

from volant_core.compiler import quantities
from volant_core.compiler.report import Code, Report
from volantidl.core import compiler_pb2, tasks_pb2

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def compile_task(template: tasks_pb2.TaskTemplate) -> compiler_pb2.CompiledTask:
    """Check a task's template.

    Raises:
        CompileErrors: It can not be run.
    """
    report = Report()
    if not template.HasField("id"):
        report.add(Code.VALUE_REQUIRED, "root", "Value required [Id].")
    match template.WhichOneof("target"):
        case "container":
            _check_container(template, report)
        case "k8s_pod":
            _check_pod(template.k8s_pod, report)
        case _:
            pass
    report.raise_any()
    return compiler_pb2.CompiledTask(template=template)


def _check_container(template: tasks_pb2.TaskTemplate, report: Report) -> None:
    container = template.container
    has_values = bool(template.interface.inputs.variables or template.interface.outputs.variables)
    if has_values and not container.command and not container.args:
        report.add(Code.VALUE_REQUIRED, "container", "Value required [command].")
    if not container.image:
        report.add(Code.VALUE_REQUIRED, "container", "Value required [image].")
    for entry in [*container.resources.requests, *container.resources.limits]:
        try:
            quantities.parse_quantity(entry.value)
        except ValueError:
            report.add(
                Code.UNRECOGNIZED_VALUE,
                f"resources.{resource_name(entry.name)}",
                f"Unrecognized value [{entry.value[:200]}].",
            )


def _check_pod(pod: tasks_pb2.K8sPod, report: Report) -> None:
    fields = pod.pod_spec.fields
    containers = fields.get("containers")
    if containers is None:
        return
    if containers.WhichOneof("kind") != "list_value" or any(
        one.WhichOneof("kind") != "struct_value" for one in containers.list_value.values
    ):
        report.add(Code.INVALID_VALUE, "root", "Invalid value [k8s pod spec].")
        return
    for one in containers.list_value.values:
        name = one.struct_value.fields["name"].string_value if "name" in one.struct_value.fields else ""
        if not _DNS_LABEL.fullmatch(name):
            report.add(Code.INVALID_VALUE, "root", "Invalid value [k8s pod spec container name].")


def resource_name(value: int) -> str:
    """The name of a resource; the number of an unknown one."""
    names = tasks_pb2.Resources.ResourceName.DESCRIPTOR.values_by_number
    return names[value].name if value in names else str(value)
