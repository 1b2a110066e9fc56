"""Every parameter of tasks, workflows, launch plans and nodes: where it lands, and that flytekit's lands there too."""

import datetime
import inspect
import pathlib
import sys
import textwrap
import typing

import flytekit
import pytest
from flytekit.core.node import Node as FlyteNode
from flytekit.extras import accelerators as flyte_accelerators

import volant
from volant import (
    Cache,
    CacheFunctionBody,
    ContainerTask,
    Deck,
    DeckField,
    Directory,
    ExecutionMode,
    File,
    LaunchPlan,
    PodTemplate,
    Resources,
    Secret,
    accelerators,
    context,
    dynamic,
    map_task,
    task,
    workflow,
)
from volant.authoring import launch_plan
from volant.authoring import node as nodes
from volant.authoring.dynamic import DynamicTask
from volant.authoring.workflow import PythonWorkflow
from volant.errors import DefinitionError, TaskFailedError
from volant.runtime import arguments, entrypoint
from volant.serialization import settings, specs
from volant.types import engine
from volantidl.core import literals_pb2, tasks_pb2

SETTINGS = settings.SerializationSettings(version="v", image="image:1")


def template_of(one):
    return specs.specs_for(one, SETTINGS).tasks[one.name].template


def number(n: int) -> int:
    return n


# ---- names that flytekit has


def parameters(function) -> set[str]:
    return {
        name
        for name, one in inspect.signature(function).parameters.items()
        if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL) and not name.startswith("_") and name != "self"
    }


# What has no counterpart, with the reason.
ABSENT_OF_TASKS: set[str] = set()
ABSENT_OF_LAUNCH_PLANS = {
    "auth_role",  # deprecated there: service_account
    "raw_output_data_config",  # raw_output_prefix
    "security_context",  # service_account
    "trigger",  # artifacts' triggers
}
ABSENT_OF_WORKFLOWS = {
    "default_options",  # a launch plan's settings
    "pickle_untyped",  # always so; accepted
}


def test_tasks_take_what_flytekits_take():
    ours = parameters(typing.get_overloads(task)[-1])
    assert parameters(flytekit.task) - ours == ABSENT_OF_TASKS


def test_workflows_take_what_flytekits_take():
    assert parameters(flytekit.workflow) - parameters(workflow) == ABSENT_OF_WORKFLOWS


def test_launch_plans_take_what_flytekits_take():
    ours = parameters(LaunchPlan.get_or_create) | set(launch_plan.LaunchPlanSettings.__dataclass_fields__)
    assert parameters(flytekit.LaunchPlan.get_or_create) - ours == ABSENT_OF_LAUNCH_PLANS


def test_overrides_take_what_flytekits_take():
    ours = parameters(nodes.Node.with_overrides) | set(nodes.Overrides.__dataclass_fields__)
    assert parameters(FlyteNode.with_overrides) - ours == set()


def test_map_tasks_take_what_flytekits_take():
    assert parameters(flytekit.map_task) - parameters(map_task) == set()


# ---- tasks


def test_everything_at_once():
    full = task(
        cache=Cache(version="7", serialize=True, ignored_inputs=("b",)),
        retries=3,
        timeout=90,
        interruptible=True,
        deprecated="use another",
        container_image="mine:1",
        environment={"A": "1"},
        requests=Resources(cpu="1", mem="1Gi", ephemeral_storage="2Gi"),
        limits=Resources(cpu="2", mem="2Gi", gpu="1"),
        secret_requests=[Secret(group="g", key="k", env_var="TOKEN", mount_requirement=Secret.MountType.ENV_VAR)],
        docs="said",
        enable_deck=True,
        pod_template_name="template",
        accelerator=accelerators.A100.partition_1g_5gb,
        shared_memory="1Gi",
        labels={"l": "1"},
        annotations={"a": "1"},
    )(number)
    made = template_of(full)
    told = made.metadata
    assert (told.discoverable, told.discovery_version, told.cache_serializable) == (True, "7", True)
    assert list(told.cache_ignore_input_vars) == ["b"]
    assert (told.retries.retries, told.timeout.seconds, told.interruptible) == (3, 90, True)
    assert told.deprecated_error_message == "use another"
    assert told.generates_deck.value
    assert told.pod_template_name == "template"
    assert (dict(told.metadata.labels), dict(told.metadata.annotations)) == ({"l": "1"}, {"a": "1"})
    names = tasks_pb2.Resources.ResourceName
    assert {names.Name(one.name): one.value for one in made.container.resources.requests} == {
        "CPU": "1",
        "MEMORY": "1Gi",
        "EPHEMERAL_STORAGE": "2Gi",
    }
    assert {names.Name(one.name): one.value for one in made.container.resources.limits}["GPU"] == "1"
    (secret,) = made.security_context.secrets
    assert (secret.group, secret.key, secret.env_var, secret.mount_requirement) == ("g", "k", "TOKEN", 1)
    assert made.extended_resources.gpu_accelerator.partition_size == "1g.5gb"
    assert made.extended_resources.shared_memory.size_limit == "1Gi"
    assert made.container.image == "mine:1"


def test_pod_templates():
    spec = {
        "containers": [{"name": "main", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "nodeSelector": {"a": "b"},
    }
    wanted = PodTemplate(pod_spec=spec, primary_container_name="main", labels={"l": "1"}, annotations={"a": "1"})
    made = template_of(task(pod_template=wanted, container_image="mine:1")(number))
    assert not made.HasField("container")
    assert dict(made.k8s_pod.metadata.labels) == {"l": "1"}
    assert made.config["primary_container_name"] == "main"
    assert made.k8s_pod.pod_spec["containers"][0]["image"] == "mine:1"
    assert made.k8s_pod.pod_spec["nodeSelector"]["a"] == "b"


def test_cache_policies():
    class Fixed:
        def get_version(self, salt, params):
            return f"{salt}{params.func.__name__}"

    one = template_of(task(cache=Cache(policies=Fixed(), salt="s"))(number)).metadata.discovery_version
    assert one == template_of(task(cache=Cache(policies=[Fixed()], salt="s"))(number)).metadata.discovery_version
    assert one != template_of(task(cache=Cache(policies=Fixed(), salt="t"))(number)).metadata.discovery_version
    by_body = template_of(task(cache=Cache(policies=CacheFunctionBody()))(number)).metadata.discovery_version
    assert by_body == template_of(task(cache=True)(number)).metadata.discovery_version
    both = template_of(task(cache=Cache(policies=[Fixed(), CacheFunctionBody()]))(number)).metadata.discovery_version
    assert len({one, by_body, both}) == 3


def test_cache_of_a_function_without_source():
    made = {"task": task}
    exec("@task(cache=True)\ndef typed_in(n: int) -> int:\n    return n\n", made)
    with pytest.raises(DefinitionError, match=r"typed_in: .*source, which is not there.*Give cache_version"):
        template_of(made["typed_in"])


def test_execution_modes():
    assert isinstance(task(execution_mode=ExecutionMode.DYNAMIC)(number), DynamicTask)
    driven = task(execution_mode=ExecutionMode.EAGER)(number)
    assert isinstance(driven, PythonWorkflow)
    assert driven.is_eager
    assert type(task(execution_mode=ExecutionMode.DEFAULT)(number)) is type(task(number))
    with pytest.raises(DefinitionError, match=r"execution_mode='dynamic': expected ExecutionMode\.DEFAULT"):
        task(execution_mode="dynamic")(number)


def test_dependency_hints():
    plain = task(number)
    hinted = dynamic(node_dependency_hints=[plain], name="hinted")(number)
    assert set(specs.specs_for(hinted, SETTINGS).tasks) == {"hinted", plain.name}
    with pytest.raises(DefinitionError, match="this is no dynamic task"):
        task(node_dependency_hints=[plain])(number)


class Registry:
    """A resolver: tasks by a number."""

    location = f"{__name__}.REGISTRY"

    def loader_args(self, one):
        return ["number", one.name]

    def load_task(self, loader_args):
        return resolved


REGISTRY = Registry()
resolved = task(task_resolver=REGISTRY, name="resolved")(number)


def test_resolvers():
    words = list(template_of(resolved).container.args)
    assert words[words.index("--resolver") + 1] == Registry.location
    assert words[words.index("--") + 1 :] == ["number", "resolved"]
    mapped = specs.specs_for(workflow_of_map(), SETTINGS).tasks
    assert any(Registry.location in one.template.container.args for one in mapped.values())


def workflow_of_map():
    @workflow
    def mapping(ns: list[int]) -> list[int]:
        return map_task(resolved)(n=ns)

    return mapping


def test_settings_of_other_types():
    """A disabled deck, and what other SDKs ask for and we always do."""
    assert not template_of(task(disable_deck=True)(number)).metadata.generates_deck.value
    assert template_of(task(disable_deck=False)(number)).metadata.generates_deck.value
    assert task(pickle_untyped=True)(number)(n=1) == 1


# ---- accelerators


def every_accelerator():
    for name in dir(flyte_accelerators):
        one = getattr(flyte_accelerators, name)
        if isinstance(one, flyte_accelerators.BaseAccelerator):
            yield name, one.to_flyte_idl(), getattr(accelerators, name)
            for part in [part for part in dir(one) if part.startswith(("partition_", "slice_", "unpartitioned"))]:
                yield f"{name}.{part}", getattr(one, part).to_flyte_idl(), getattr(getattr(accelerators, name), part)


def test_accelerators_are_flytekits():
    found = list(every_accelerator())
    assert len(found) > 50
    for name, theirs, ours in found:
        assert ours.to_message().SerializeToString() == theirs.SerializeToString(), name
    assert accelerators.A100.partitioned("9g.9gb").to_message().partition_size == "9g.9gb"


# ---- overrides


def test_every_override():
    plain = task(number)
    pod = PodTemplate(pod_spec={"containers": []}, primary_container_name="main", labels={"l": "1"})

    @workflow
    def changed(n: int) -> int:
        return plain(n=n).with_overrides(
            node_name="My node",
            aliases={"o0": "renamed"},
            limits=Resources(mem="1Gi"),
            requests=Resources(cpu="1"),
            timeout=datetime.timedelta(seconds=5),
            retries=4,
            interruptible=True,
            name="shown",
            task_config=None,
            container_image="other:1",
            accelerator=accelerators.T4,
            cache=Cache(version="9", serialize=True),
            shared_memory=True,
            pod_template=pod,
        )

    made = specs.specs_for(changed, SETTINGS).workflows[changed.name].template.nodes[0]
    assert made.id == "my-node"
    assert [(one.var, one.alias) for one in made.output_aliases] == [("o0", "renamed")]
    told = made.metadata
    assert (told.name, told.retries.retries, told.timeout.seconds, told.interruptible) == ("shown", 4, 5, True)
    assert (told.cacheable, told.cache_version, told.cache_serializable) == (True, "9", True)
    given = made.task_node.overrides
    assert given.container_image == "other:1"
    assert given.extended_resources.gpu_accelerator.device == "nvidia-tesla-t4"
    assert given.extended_resources.HasField("shared_memory")
    assert given.pod_template.primary_container_name == "main"
    assert dict(given.pod_template.metadata.labels) == {"l": "1"}
    assert given.resources.requests[0].value == "1"
    assert given.resources.limits[0].value == "1Gi"


def test_overrides_count_locally():
    tries = []

    @task
    def failing(n: int) -> int:
        tries.append(n)
        raise volant.RecoverableError("again")

    @workflow
    def retried(n: int) -> int:
        return failing(n=n).with_overrides(retries=2)

    with pytest.raises(volant.RecoverableError):
        retried(n=1)
    assert len(tries) == 3


# ---- decks


@task(enable_deck=True, deck_fields=list(DeckField))
def shown(n: int, text: str) -> str:
    Deck("mine", "<b>own</b>")
    return text * n


def test_deck_fields(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "shown_flows", sys.modules[__name__])
    inputs = {"n": engine.to_literal(2, int), "text": engine.to_literal("<x>", str)}
    (tmp_path / "inputs.pb").write_bytes(literals_pb2.LiteralMap(literals=inputs).SerializeToString())
    given = arguments.Arguments(
        inputs=str(tmp_path / "inputs.pb"),
        output_prefix=str(tmp_path / "out"),
        raw_output_prefix=str(tmp_path / "raw"),
        loader=["task-module", "shown_flows", "task-name", "shown"],
    )
    assert entrypoint.run(given) == 0
    page = (tmp_path / "out" / "deck.html").read_text()
    for part in ("own", "Source Code", "def shown", "Dependencies", "pytest", "Timeline", "run", "&lt;x&gt;&lt;x&gt;"):
        assert part in page, part
    with pytest.raises(DefinitionError, match=r"deck_fields=\['Input'\]: expected \[DeckField"):
        task(deck_fields=["Input"])(number)


@workflow
def showing(n: int) -> str:
    return shown(n=n, text="<y>")


def test_decks_of_local_runs():
    assert showing(n=2) == "<y><y>"
    page = (context.cache_folder() / "decks" / f"{shown.name}.html").read_text()
    assert "own" in page
    assert "&lt;y&gt;&lt;y&gt;" in page


# ---- containers here


STUB = """
import pathlib, subprocess, sys
words = sys.argv[1:]
if words == ["info"]:
    sys.exit(0)
assert words[:2] == ["run", "--rm"], words
mounts, rest = {}, words[2:]
environment = {}
while rest[0].startswith("--"):
    option, value = rest[0], rest[1]
    rest = rest[2:]
    if option == "--volume":
        here, there = value.split(":")
        mounts[there] = here
    else:
        name, _, text = value.partition("=")
        environment[name] = text
image, command = rest[0], rest[1:]
for there, here in mounts.items():
    command = [word.replace(there, here) for word in command]
sys.exit(subprocess.run(command, env={"PATH": "/bin:/usr/bin", **environment}).returncode)
"""


@pytest.fixture
def _container_runtime(tmp_path, monkeypatch):
    """A stand-in that runs the command with the folders where they are."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "stub.py").write_text(textwrap.dedent(STUB))
    (folder / "docker").write_text(f'#!/bin/sh\nexec {sys.executable} {folder / "stub.py"} "$@"\n')
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def container(script, **more):
    told = {
        "inputs": {"n": int, "file": File},
        "outputs": {"total": int, "page": File},
        "input_data_dir": "/var/inputs",
        "output_data_dir": "/var/outputs",
        "environment": {"GREETING": "hello"},
        **more,
    }
    return ContainerTask(name="box", image="alpine:3", command=["sh", "-c", script], **told)


@pytest.mark.usefixtures("_container_runtime")
def test_containers_run_here(tmp_path):
    (tmp_path / "in.txt").write_text("content")
    box = container(
        "echo $(({{.inputs.n}} + 1)) > /var/outputs/total; "
        'echo "$GREETING" "$(cat {{.inputs.file}})" "$(cat /var/inputs/n)" > /var/outputs/page'
    )
    total, page = box(n=4, file=File(str(tmp_path / "in.txt")))
    assert total == 5
    assert pathlib.Path(page.path).read_text() == "hello content 4\n"


@pytest.mark.usefixtures("_container_runtime")
@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        ("echo broken >&2; exit 3", TaskFailedError, "ended with code 3: broken"),
        ("true", TaskFailedError, "the output 'total' is missing: the program ended without /var/outputs/total"),
        ("echo many > /var/outputs/total", TaskFailedError, "must hold an integer, such as 42, and holds 'many"),
    ],
)
def test_containers_that_fail(tmp_path, script, error, said):
    box = container(script, inputs={}, outputs={"total": int})
    with pytest.raises(error, match=said) as caught:
        box()
    assert f"{__file__}:" in str(caught.value)


@pytest.mark.usefixtures("_container_runtime")
def test_folders_of_containers(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_text("1")
    box = container(
        "mkdir /var/outputs/made; cp {{.inputs.folder}}/x /var/outputs/made/y",
        inputs={"folder": Directory},
        outputs={"made": Directory},
    )
    with context.using(context.Context()):
        made = box(folder=Directory(str(tmp_path / "d")))
        assert (pathlib.Path(made.path) / "y").read_text() == "1"
