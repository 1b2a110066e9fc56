"""What a user of stock flytekit does with entities. Run with the address of an admin."""

import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

from flytekit import (
    CronSchedule,
    FlyteFile,
    LaunchPlan,
    Resources,
    StructuredDataset,
    conditional,
    map_task,
    task,
    workflow,
)
from flytekit.configuration import Config, Image, ImageConfig, SerializationSettings
from flytekit.exceptions.user import FlyteEntityAlreadyExistsException, FlyteEntityNotExistException
from flytekit.remote import FlyteRemote
from flytekit.tools.translator import get_serializable


@dataclass
class Row:
    a: int
    b: str


@task(requests=Resources(cpu="1", mem="100Mi"))
def add(x: int, y: int = 2) -> int:
    """Adds."""
    return x + y


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def row(x: int) -> Row:
    return Row(x, "")


@task
def show(a: int, b: str, f: FlyteFile | None = None) -> StructuredDataset:
    return NotImplemented


@workflow
def inner(x: int) -> int:
    return add(x=add(x=x))


@workflow
def outer(n: int, when: datetime = datetime(2020, 1, 1, tzinfo=UTC)) -> tuple[int, list[int]]:
    """All kinds of nodes."""
    first = inner(x=n)
    mapped = map_task(add)(x=numbers(n=n), y=[1, 2])
    made = row(x=first)
    show(a=made.a, b=made.b)
    chosen = conditional("big").if_(first > 3).then(add(x=first)).else_().then(inner(x=n))
    return chosen, mapped


plan = LaunchPlan.get_or_create(
    outer,
    name="nightly",
    fixed_inputs={"n": 3},
    schedule=CronSchedule(schedule="0 1 * * *", kickoff_time_input_arg="when"),
)


@workflow
def launcher() -> int:
    chosen, _ = plan(when=datetime(2021, 1, 1, tzinfo=UTC))
    return chosen


def main() -> None:
    remote = FlyteRemote(
        Config.for_endpoint(endpoint=sys.argv[1], insecure=True),
        default_project="flytesnacks",
        default_domain="development",
    )
    settings = SerializationSettings(
        image_config=ImageConfig(default_image=Image("default", "image", "v1")),
        project="flytesnacks",
        domain="development",
        version="v1",
    )
    registered = remote.register_task(add, settings, version="v1")
    assert registered.id.version == "v1"
    remote.register_workflow(outer, settings, version="v1")
    remote.register_launch_plan(plan, version="v1", serialization_settings=settings)
    remote.activate_launchplan(plan_id(remote))
    remote.register_workflow(launcher, settings, version="v1")

    remote.register_task(add, settings, version="v1")  # the same again is fine
    fetched = remote.fetch_task(name=add.name)
    assert fetched.id.version == "v1"
    assert fetched.interface.inputs["x"].type.simple == 1
    graph = remote.fetch_workflow(name=outer.name)
    kinds = {node.id: node for node in graph.flyte_nodes}
    assert [node.id for node in graph.flyte_nodes] == ["n0", "n1", "n2", "n3", "n4", "n5"], list(kinds)
    assert kinds["n5"].branch_node is not None
    assert {node.id for node in kinds["n2"].upstream_nodes} == {"n1"}
    assert remote.fetch_workflow(name=launcher.name).flyte_nodes[0].flyte_entity.id.name == "nightly"
    found = remote.fetch_launch_plan(name="nightly")
    assert found.is_scheduled
    assert found.fixed_inputs.literals["n"].scalar.primitive.integer == 3
    assert remote.fetch_active_launchplan(name="nightly").id.version == "v1"
    default = remote.fetch_launch_plan(name="nightly").id
    assert remote.client.get_launch_plan(default).closure.expected_outputs.variables
    registered_tasks = {one.id.name for one in remote.list_tasks_by_version(version="v1")}
    assert {add.name, numbers.name, row.name, show.name} < registered_tasks
    tasks, _ = remote.client.list_task_ids_paginated("flytesnacks", "development", limit=100)
    assert add.name in [one.name for one in tasks]
    assert [p.id for p in remote.client.list_projects_paginated(limit=100)[0]] == ["flytesnacks"]
    assert len(remote.get_domains()) == 3

    try:
        remote.fetch_task(name="missing", version="v1")
    except FlyteEntityNotExistException:
        pass
    else:
        raise AssertionError("a missing task was found")
    try:
        remote.client.create_task(add_id(remote), remote_spec(settings))
    except FlyteEntityAlreadyExistsException:
        pass
    else:
        raise AssertionError("the same version was registered twice")


def plan_id(remote: FlyteRemote):
    return remote.fetch_launch_plan(name="nightly", version="v1").id


def add_id(remote: FlyteRemote):
    return remote.fetch_task(name=add.name).id


def remote_spec(settings: SerializationSettings):
    return get_serializable(OrderedDict(), settings, add)


if __name__ == "__main__":
    main()
