"""Command lines and literals for flytekit's tasks, as registration and the engine make them."""

from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import TypeEngine

from volantidl.core import literals_pb2

DEFAULT = "flytekit.core.python_auto_container.default_task_resolver"
MAPPED = "flytekit.core.array_node_map_task.ArrayNodeMapTaskResolver"


def execute(name, module, task, *, script="pyflyte-execute", previous='""', inputs="s3://volant/metadata/inputs.pb"):
    words = [script, "--inputs", inputs]
    words += ["--output-prefix", f"s3://volant/metadata/{name}/n0/data/0"]
    words += ["--raw-output-data-prefix", f"s3://volant/data/zz/{name}"]
    words += ["--checkpoint-path", f"s3://volant/data/zz/{name}/_flytecheckpoints", "--prev-checkpoint", previous]
    if script == "pyflyte-map-execute":
        words += ["--resolver", MAPPED, "--", "vars", "", "resolver", DEFAULT]
    else:
        words += ["--resolver", DEFAULT, "--"]
    return [*words, "task-module", module, "task-name", task]


def fast(archive, words, destination="/root"):
    return ["pyflyte-fast-execute", "--additional-distribution", archive, "--dest-dir", destination, "--", *words]


def literal(value, kind=None):
    context = FlyteContextManager.current_context()
    kind = kind or type(value)
    made = TypeEngine.to_literal(context, value, kind, TypeEngine.to_literal_type(kind))
    return literals_pb2.Literal.FromString(made.to_flyte_idl().SerializeToString())


def value(given, kind):
    from flyteidl.core import literals_pb2 as flyte_literals
    from flytekit.models.literals import Literal

    there = Literal.from_flyte_idl(flyte_literals.Literal.FromString(given.SerializeToString()))
    return TypeEngine.to_python_value(FlyteContextManager.current_context(), there, kind)
