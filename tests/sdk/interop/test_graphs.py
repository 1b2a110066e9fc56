"""The same source, written for either SDK, becomes the same messages."""

import importlib
import pathlib
import re
import sys

import pytest
from flytekit.configuration import Image, ImageConfig
from flytekit.configuration import SerializationSettings as FlyteSettings
from flytekit.tools.translator import get_serializable

from volant.serialization import settings, specs
from volantidl.admin import launch_plan_pb2, task_pb2, workflow_pb2

SOURCE = pathlib.Path(__file__).with_name("flow_features.py.txt")
WORKFLOWS = re.findall(r"@workflow.*\ndef (\w+)\(", SOURCE.read_text())
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """The source as two modules of the same name, each for one SDK."""
    found = {}
    for sdk in ("flytekit", "volant"):
        folder = tmp_path_factory.mktemp(sdk)
        (folder / "flow_features.py").write_text(SOURCE.read_text().replace("from SDK import", f"from {sdk} import"))
        sys.modules.pop("flow_features", None)
        sys.path.insert(0, str(folder))
        try:
            importlib.invalidate_caches()
            found[sdk] = importlib.import_module("flow_features")
        finally:
            sys.path.remove(str(folder))
    yield found
    sys.modules.pop("flow_features", None)


def flyte_specs(module, name):
    from collections import OrderedDict

    image = ImageConfig(default_image=Image(name="default", fqn="image", tag="1"))
    made = OrderedDict()
    given = FlyteSettings(image_config=image, project="p", domain="d", version="v", env={"E": "1"})
    sys.modules["flow_features"] = module
    get_serializable(made, given, getattr(module, name))
    found = specs.Specs()
    for spec in made.values():
        kind = type(spec).__name__
        if kind == "TaskSpec":
            message = task_pb2.TaskSpec.FromString(spec.to_flyte_idl().SerializeToString())
            found.tasks[message.template.id.name] = message
        elif kind == "WorkflowSpec":
            message = workflow_pb2.WorkflowSpec.FromString(spec.to_flyte_idl().SerializeToString())
            found.workflows[message.template.id.name] = message
        elif kind == "LaunchPlan":
            message = launch_plan_pb2.LaunchPlan.FromString(spec.to_flyte_idl().SerializeToString())
            found.launch_plans[message.id.name] = message
    return found


def our_specs(module, name):
    sys.modules["flow_features"] = module
    given = settings.SerializationSettings(
        project="p", domain="d", version="v", image="image:1", environment={"E": "1"}
    )
    translator = specs.Translator(given)
    translator.workflow(getattr(module, name))
    return translator.specs


def comparable(message):
    """Without what must differ: the program's name, the SDK's version, the digest in a map task's name."""
    text = re.sub(r"map_(\w+)_[0-9a-f]{32}-arraynode", r"map_\1-arraynode", str(message))
    text = re.sub(r'version: "(1\.16\.31|0\.1\.0)"', 'version: "sdk"', text)
    text = text.replace("pyflyte-", "volant-")
    text = text.replace(
        "flytekit.core.array_node_map_task.ArrayNodeMapTaskResolver", "volant.runtime.mapped.map_task_resolver"
    )
    text = text.replace(
        "flytekit.core.python_auto_container.default_task_resolver", "volant.runtime.resolver.default_task_resolver"
    )
    return re.sub(r'key: "_F_SS_C"\s+value: "[^"]*"', 'key: "_F_SS_C"', text)


def sorted_upstream(template):
    for node in template.nodes:
        node.upstream_node_ids.sort()
    return template


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow(modules, name):
    theirs, ours = flyte_specs(modules["flytekit"], name), our_specs(modules["volant"], name)
    assert {*map(comparable, ours.workflows)} == {*map(comparable, theirs.workflows)}
    for key, spec in theirs.workflows.items():
        if "branching" in key:  # ours also waits for what only the chosen branch needs
            for node in ours.workflows[key].template.nodes:
                node.upstream_node_ids.sort()
        expected, found = sorted_upstream(spec.template), sorted_upstream(ours.workflows[key].template)
        assert comparable(found) == comparable(expected)
        assert comparable(ours.workflows[key].sub_workflows) == comparable(spec.sub_workflows)
        assert ours.workflows[key].description == spec.description


@pytest.mark.parametrize("name", WORKFLOWS)
def test_tasks(modules, name):
    theirs, ours = flyte_specs(modules["flytekit"], name), our_specs(modules["volant"], name)
    expected = {comparable(key): spec for key, spec in theirs.tasks.items()}
    found = {comparable(key): spec for key, spec in ours.tasks.items()}
    assert found.keys() == expected.keys()
    for key, spec in expected.items():
        for one in (spec, found[key]):
            one.template.container.resources.limits.sort(key=lambda entry: entry.name)
        assert comparable(found[key].template) == comparable(spec.template)


@pytest.mark.parametrize("name", ["plans", "mapped_plan"])
def test_launch_plans(modules, name):
    theirs, ours = flyte_specs(modules["flytekit"], name), our_specs(modules["volant"], name)
    assert ours.launch_plans.keys() == theirs.launch_plans.keys()
    for key, plan in theirs.launch_plans.items():
        assert ours.launch_plans[key].spec == plan.spec
        assert ours.launch_plans[key].id == plan.id
