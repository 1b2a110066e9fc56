"""Tasks and workflows of every kind, here."""

import pathlib
import sqlite3
import sys
import typing
from types import SimpleNamespace

import pandas as pd
import pytest

from volant import (
    ContainerTask,
    DefinitionError,
    Echo,
    Environment,
    File,
    GPUAccelerator,
    ImageSpec,
    ImperativeWorkflow,
    OutputLocation,
    PodTemplate,
    Resources,
    ShellTask,
    SQLite3Config,
    SQLite3Task,
    conditional,
    create_node,
    map_task,
    reference_task,
    task,
    workflow,
)
from volant.errors import TaskFailedError
from volant.serialization import settings, specs
from volant.testing import graph_of, patch, task_mock

SETTINGS = settings.SerializationSettings(project="p", domain="d", version="v", image="image:1")


def spec_of(entity):
    return next(iter(specs.specs_for(entity, SETTINGS).tasks.values()))


# ---- imperative


def test_imperative_workflow(flows):
    built = ImperativeWorkflow(name="built")
    a = built.add_workflow_input("a", int)
    first = built.add_entity(flows.add, a=a, b=1)
    second = built.add_entity(flows.add, a=first.outputs["o0"], b=a)
    built.add_workflow_output("result", second.outputs["o0"])
    built.add_workflow_output("both", [first.outputs["o0"], second.outputs["o0"]], python_type=list[int])
    assert built.ready()
    assert built(a=2) == (5, [3, 5])
    template = specs.specs_for(built, SETTINGS).workflows["built"].template
    assert [node.id for node in template.nodes] == ["n0", "n1"]
    assert list(template.nodes[1].upstream_node_ids) == ["n0"]
    assert set(template.interface.outputs.variables) == {"result", "both"}


def test_imperative_failure_handler(flows):
    built = ImperativeWorkflow(name="guarded")
    built.add_entity(flows.broken, a=built.add_workflow_input("a", int))
    built.add_on_failure_handler(flows.note_failure)
    template = specs.specs_for(built, SETTINGS).workflows["guarded"].template
    assert template.failure_node.id == "efn"


def test_imperative_mistakes(flows):
    built = ImperativeWorkflow(name="wrong")
    built.add_workflow_input("a", int)
    with pytest.raises(DefinitionError, match="has an input 'a' already"):
        built.add_workflow_input("a", int)
    with pytest.raises(DefinitionError, match="give python_type"):
        built.add_workflow_output("o", [1])


def test_create_node(flows):
    @workflow
    def ordered(a: int) -> int:
        first = create_node(flows.add, a=a)
        second = create_node(flows.add, a=first.o0)
        third = create_node(flows.nothing, a=a)
        third >> second
        return second.o0

    assert ordered(a=1) == 7
    assert ("n2", "n1") in graph_of(ordered).edges


def test_environment():
    shared = Environment(retries=2, environment={"A": "1"})

    @shared.task
    def one() -> int:
        return 1

    @shared.extend(retries=5).task(cache=True, cache_version="1")
    def other() -> int:
        return 2

    assert (one.settings.retries, other.settings.retries) == (2, 5)
    assert other.settings.environment == {"A": "1"}
    assert other.settings.cache.version == "1"


# ---- other kinds of tasks


@pytest.fixture
def module(monkeypatch):
    """Tasks that are variables need a module."""

    def publish(**names):
        for name, value in names.items():
            monkeypatch.setitem(sys.modules[__name__].__dict__, name, value)

    return publish


def test_shell_task(tmp_path, module):
    (tmp_path / "in.txt").write_text("line\n")
    shell = ShellTask(
        name="shell",
        script="set -e\ncat {inputs.source} > {outputs.made}\necho {inputs.times} >> {outputs.made}",
        inputs={"source": File, "times": int},
        output_locs=[OutputLocation("made", File, "made-{inputs.times}.txt")],
    )
    module(shell=shell)
    made = shell(source=str(tmp_path / "in.txt"), times=3)
    assert pathlib.Path(made.download()).read_text() == "line\n3\n"
    args = list(spec_of(shell).template.container.args)
    assert args[-4:] == [
        "task-module",
        __name__.rpartition(".")[2] if "." not in __name__ else args[-3],
        "task-name",
        "shell",
    ]


def test_shell_task_that_fails():
    shell = ShellTask(name="bad", script="echo oops >&2; exit 3")
    with pytest.raises(TaskFailedError, match="code 3: oops"):
        shell()


def test_shell_task_with_unknown_name():
    with pytest.raises(DefinitionError, match=r"\{inputs.x\} names nothing"):
        ShellTask(name="unknown", script="echo {inputs.x}")()


def test_sqlite(tmp_path):
    database = tmp_path / "db"
    connection = sqlite3.connect(database)
    connection.executescript("create table t (a integer, b text); insert into t values (1, 'x'), (2, 'y'), (3, 'z')")
    connection.close()
    query = SQLite3Task(
        name="rows",
        query_template="select * from t where a >= {{ .inputs.least }} order by a",
        inputs={"least": int},
        task_config=SQLite3Config(str(database)),
    )
    assert query(least=2).to_dict("list") == {"a": [2, 3], "b": ["y", "z"]}
    wrong = SQLite3Task(name="wrong", query_template="select nope", task_config=SQLite3Config(str(database)))
    with pytest.raises(TaskFailedError, match="no such column"):
        wrong()


def test_container_task(monkeypatch):
    container = ContainerTask(
        name="calculate",
        image="alpine:3",
        command=["sh", "-c", "echo {{.inputs.a}} > /var/outputs/o"],
        inputs={"a": int},
        outputs={"o": int},
        input_data_dir="/var/inputs",
        output_data_dir="/var/outputs",
        requests=Resources(cpu="1"),
    )
    template = spec_of(container).template
    assert template.type == "raw-container"
    assert list(template.container.command) == ["sh", "-c", "echo {{.inputs.a}} > /var/outputs/o"]
    assert template.container.image == "alpine:3"
    assert (template.container.data_config.input_path, template.container.data_config.output_path) == (
        "/var/inputs",
        "/var/outputs",
    )
    told = {"inputs": {"a": int}, "metadata_format": "PROTO", "input_data_dir": "/in"}
    in_pod = ContainerTask(name="podded", image="alpine:3", command=["true"], pod_template=PodTemplate(), **told)
    pod = spec_of(in_pod).template.k8s_pod
    assert (pod.data_config.enabled, pod.data_config.input_path, pod.data_config.format) == (True, "/in", 2)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DefinitionError, match="runs the image 'alpine:3', for which docker or podman is needed"):
        container(a=1)


def test_echo():
    echo = Echo(name="echo", inputs={"a": int, "b": str})
    assert echo(a=1, b="x") == (1, "x")
    template = spec_of(echo).template
    assert template.type == "echo"
    assert not template.HasField("container")


def test_pod_template():
    @task(
        pod_template=PodTemplate(
            pod_spec={"containers": [{"name": "primary", "env": [{"name": "B", "value": "2"}]}, {"name": "side"}]},
            labels={"l": "1"},
        ),
        environment={"A": "1"},
        requests=Resources(cpu="1"),
    )
    def podded() -> int:
        return 1

    sys.modules[__name__].podded = podded
    podded.function.__qualname__ = "podded"
    template = spec_of(podded).template
    assert not template.HasField("container")
    containers = template.k8s_pod.pod_spec["containers"]
    assert containers[0]["env"][0]["name"] == "A"
    assert containers[0]["resources"]["requests"]["cpu"] == "1"
    assert containers[1]["name"] == "side"
    assert template.config["primary_container_name"] == "primary"


def test_accelerator(flows):
    @workflow
    def wanting(a: int) -> int:
        return flows.add(a=a).with_overrides(accelerator=GPUAccelerator("nvidia-tesla-t4"), shared_memory="1Gi")

    node = specs.specs_for(wanting, SETTINGS).workflows[wanting.name].template.nodes[0]
    extended = node.task_node.overrides.extended_resources
    assert extended.gpu_accelerator.device == "nvidia-tesla-t4"
    assert extended.shared_memory.size_limit == "1Gi"


def test_image_of_a_task(flows):
    spec = ImageSpec(name="mine", packages=["x"])
    template = specs.specs_for(flows.add, SETTINGS).tasks["sdk_flows.add"].template
    assert template.container.image == "image:1"
    assert SETTINGS.image_for(spec) == spec.image_name()
    named = settings.SerializationSettings(image="reg/base:1", images={"other": "reg/other:2"})
    assert named.image_for("{{.image.other.fqn}}:{{.image.other.version}}-x") == "reg/other:2-x"
    assert named.image_for("{{.image.default.fqn}}:y") == "reg/base:y"
    with pytest.raises(DefinitionError, match="the image 'none' is not known"):
        named.image_for("{{.image.none.fqn}}")


# ---- for test authors


def test_patched_tasks(flows):
    with task_mock(flows.add) as double:
        double.return_value = 100
        assert flows.chain(a=1) == 100
        assert double.call_count == 2
    assert flows.chain(a=1) == 7


def test_patched_nodes(flows):
    with patch(flows.chain, lambda a, b: a * 1000):
        assert flows.planned() == 4003
    assert flows.planned() == 13


def test_patched_references():
    @reference_task(project="p", domain="d", name="far", version="1")
    def far(a: int) -> str: ...

    @workflow
    def uses(a: int) -> str:
        return far(a=a)

    with pytest.raises(DefinitionError, match=r"volant\.testing\.patch"):
        uses(a=1)
    with patch(far, lambda a: f"got {a}"):
        assert uses(a=1) == "got 1"


def test_graph_view(flows):
    view = graph_of(flows.chain)
    assert view.nodes == {"n0": "sdk_flows.add", "n1": "sdk_flows.make_point", "n2": "sdk_flows.add"}
    assert view.edges == {("n0", "n2"), ("n1", "n2")}
    assert view.inputs["n2"] == {"a": "n0.o0", "b": "n1.o0['x']"}
    assert view.inputs["n0"] == {"a": "input a", "b": "input b"}


# ---- what values may be


def test_named_tuples(flows):
    class Both(typing.NamedTuple):
        first: int
        second: str

    @task
    def give(a: int) -> Both:
        return Both(a, str(a))

    @workflow
    def use(a: int) -> Both:
        out = give(a=a)
        return Both(flows.add(a=out.first), out.second)

    assert give(a=1) == Both(1, "1")
    assert use(a=1) == Both(4, "1")
    assert use(a=1).second == "1"


def test_bare_tuple_unpacks():
    @task
    def three(a: int) -> tuple:
        return a, [a], {"a": a}

    @workflow
    def unpack(a: int):
        _, _, z = three(a=a)
        return z

    assert list(three.interface.outputs) == ["o0", "o1", "o2"]
    assert unpack(a=1) == {"a": 1}


def test_unannotated_return():
    @task
    def one(a):
        return a

    @task
    def none(a):
        print(a)

    assert list(one.interface.outputs) == ["o0"]
    assert list(none.interface.outputs) == []
    assert one(a=SimpleNamespace(b=1)).b == 1


def test_conditional_in_an_eager_body(flows):
    @workflow
    def chosen(a: int) -> int:
        if flows.add(a=a, b=0) > 100:
            return a
        total = flows.add(a=a, b=0)
        return conditional("size").if_(total > 5).then(flows.add(a=total, b=1000)).else_().then(flows.add(a=total, b=1))

    assert chosen.is_eager
    assert chosen(a=10) == 1010
    assert chosen(a=1) == 2


def test_map_in_an_eager_body(flows):
    @workflow
    def mapped(a: int) -> int:
        found = map_task(flows.make_point)(x=[a, a + 1])
        return sum(point.x for point in found)

    assert mapped.is_eager
    assert mapped(a=1) == 3


def test_frames_between_tasks():
    @task
    def make() -> pd.DataFrame:
        return pd.DataFrame({"a": [1, 2]})

    @task
    def total(frame: pd.DataFrame) -> int:
        return frame["a"].sum()

    @workflow
    def both() -> int:
        return total(frame=make())

    assert both() == 3


def test_renamed_nodes_in_conditions(flows):
    """A node may get its name after its output was compared."""

    @workflow
    def renamed(a: int) -> int:
        total = flows.add(a=a, b=0)
        found = conditional("size").if_(total > 5).then(flows.add(a=a)).else_().then(flows.add(a=a, b=1))
        total.with_overrides(node_name="total")
        return found

    template = specs.specs_for(renamed, SETTINGS).workflows[renamed.name].template
    branch = template.nodes[1]
    assert [bound.var for bound in branch.inputs] == ["total.o0"]
    assert branch.branch_node.if_else.case.condition.comparison.left_value.var == "total.o0"
    assert renamed(a=9) == 12


def test_too_much_code_is_refused(tmp_path, monkeypatch):
    from volant.client import packaging

    (tmp_path / "large.bin").write_bytes(b"x" * 2000)
    monkeypatch.setattr(packaging, "LARGEST", 1000)
    with pytest.raises(DefinitionError, match=r"large.bin.*\.volantignore"):
        packaging.archive(tmp_path, packaging.all_files(tmp_path))


def test_archives_are_the_same_for_the_same_code(tmp_path):
    from volant.client import packaging

    for name in ("a.py", "b/c.py", "__pycache__/a.pyc", ".venv/x.py", "secret.pem", "data/x.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".volantignore").write_text("data/\n")
    files = packaging.all_files(tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in files] == [".volantignore", "a.py", "b/c.py"]
    first = packaging.archive(tmp_path, files)
    (tmp_path / "a.py").touch()
    assert packaging.archive(tmp_path, files) == first
