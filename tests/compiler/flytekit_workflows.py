"""Workflows as users of stock flytekit write them; run, it prints them serialized, as JSON."""

import base64
import enum
import json
import sys
import typing
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from flytekit import (
    CronSchedule,
    FlyteDirectory,
    FlyteFile,
    LaunchPlan,
    StructuredDataset,
    approve,
    conditional,
    dynamic,
    kwtypes,
    map_task,
    sleep,
    task,
    wait_for_input,
    workflow,
)
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.array_node import array_node
from flytekit.core.node_creation import create_node
from flytekit.core.workflow import ImperativeWorkflow, WorkflowFailurePolicy
from flytekit.tools.translator import get_serializable
from flytekit.types.error.error import FlyteError


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Inner:
    n: int


@dataclass
class Row:
    a: int
    b: str
    c: list[int]
    d: dict[str, float]
    inner: Inner


@dataclass
class Parent:
    a: int


@dataclass
class Child(Parent):
    b: str


@task
def add(x: int, y: int = 2) -> int:
    return x + y


@task
def text(x: int) -> str:
    return str(x)


@task
def length(s: str) -> int:
    return len(s)


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def table(xs: dict[str, int]) -> dict[str, int]:
    return xs


@task
def nothing(x: int) -> None: ...


@task
def alone() -> None: ...


@task
def maybe(x: int | None = None) -> int | None:
    return x


@task
def either(x: int | str) -> int | str:
    return x


@task
def optional_list(xs: list[int] | None = None) -> int:
    return 0


@task
def paint(c: Color) -> Color:
    return c


@task
def row(x: int) -> Row:
    return NotImplemented


@task
def take_row(r: Row) -> int:
    return NotImplemented


@task
def child() -> Child:
    return NotImplemented


@task
def take_parent(p: Parent) -> int:
    return NotImplemented


@task
def file_of(x: int) -> FlyteFile:
    return NotImplemented


@task
def csv_of(x: int) -> FlyteFile["csv"]:  # noqa: F821
    return NotImplemented


@task
def take_file(f: FlyteFile) -> int:
    return NotImplemented


@task
def folder(x: int) -> FlyteDirectory:
    return NotImplemented


@task
def frame(x: int) -> StructuredDataset:
    return NotImplemented


@task
def frame_columns(x: int) -> Annotated[StructuredDataset, kwtypes(a=int, b=str)]:
    return NotImplemented


@task
def take_frame(d: Annotated[StructuredDataset, kwtypes(a=int)]) -> int:
    return NotImplemented


@task
def times(t: datetime, d: timedelta) -> datetime:
    return t + d


@task
def flag(b: bool, f: float) -> bool:
    return b


@task
def plain(x: int) -> dict:
    return NotImplemented


@task
def two(x: int) -> typing.NamedTuple("Two", first=int, second=str):
    return x, ""


@dynamic
def fan(n: int) -> list[int]:
    return [add(x=i) for i in range(n)]


@task
def clean_up(x: int, err: FlyteError | None = None) -> None: ...


@workflow
def one_task(x: int) -> int:
    return add(x=x)


@workflow
def no_values() -> None:
    alone()


@workflow
def chain(x: int = 1) -> tuple[int, str]:
    a = add(x=x, y=x)
    b = add(x=a, y=3)
    return b, text(x=b)


@workflow
def diamond(x: int) -> int:
    a = add(x=x)
    b = add(x=a)
    c = add(x=a)
    nothing(x=b)
    return add(x=b, y=c)


@workflow
def collections(x: int) -> tuple[int, dict[str, int]]:
    a = add(x=x)
    return total(xs=[a, add(x=x), 3]), table(xs={"a": a, "b": 4})


@workflow
def optionals(x: int) -> tuple[int | None, int | str]:
    maybe()
    optional_list()
    optional_list(xs=[1, add(x=x)])
    return maybe(x=add(x=x)), either(x=text(x=x))


@workflow
def optional_input(x: int | None = None) -> int | None:
    return maybe(x=x)


@workflow
def enums(c: Color = Color.RED) -> Color:
    paint(c=Color.BLUE)
    return paint(c=c)


@workflow
def attributes(x: int) -> int:
    r = row(x=x)
    add(x=r.a, y=r.inner.n)
    length(s=r.b)
    total(xs=r.c)
    add(x=r.c[0])
    numbers_ = numbers(n=3)
    add(x=numbers_[1])
    add(x=table(xs={"k": 1})["k"])
    return take_row(r=r)


@workflow
def inheritance() -> int:
    return take_parent(p=child())


@workflow
def files(x: int) -> tuple[FlyteFile, FlyteDirectory, StructuredDataset]:
    take_file(f=csv_of(x=x))
    f = file_of(x=x)
    take_file(f=f)
    take_frame(d=frame_columns(x=x))
    take_frame(d=frame(x=x))
    return f, folder(x=x), frame(x=x)


@workflow
def primitives(
    t: datetime = datetime(2020, 1, 1, tzinfo=UTC), d: timedelta = timedelta(1), f: float = 1.5, b: bool = True
) -> datetime:
    flag(b=b, f=f)
    flag(b=False, f=2.5)
    return times(t=t, d=d)


@workflow
def named(x: int) -> tuple[int, str]:
    o = two(x=x)
    return o.first, o.second


@workflow
def ordered(x: int) -> None:
    a, b, c = create_node(alone), create_node(alone), create_node(nothing, x=x)
    a >> b >> c


@workflow
def mapped(xs: list[int]) -> list[int]:
    return map_task(add)(x=xs, y=xs)


@workflow
def mapped_partial(xs: list[int]) -> list[int | None]:
    return map_task(partial(add, y=5), concurrency=3, min_success_ratio=0.5)(x=xs)


@workflow
def dynamics(n: int) -> list[int]:
    return fan(n=n)


@workflow
def branches(x: int) -> str:
    a = add(x=x)
    return (
        conditional("c")
        .if_((a > 3) & (x < 10))
        .then(text(x=a))
        .elif_(a == 1)
        .then(text(x=x))
        .else_()
        .fail("nothing fits")
    )


@workflow
def branch_reads_others(x: int) -> int:
    a = add(x=x)
    b = add(x=a)
    c = add(x=x)
    return conditional("c").if_(a > 3).then(add(x=b)).else_().then(add(x=c))


@workflow
def nested_branches(x: int) -> str:
    return (
        conditional("outer")
        .if_(x > 3)
        .then(conditional("inner").if_(x < 5).then(text(x=x)).else_().then(text(x=1)))
        .else_()
        .then(text(x=x))
    )


@workflow
def branch_booleans(b: bool, s: str, f: float) -> int:
    return (
        conditional("c")
        .if_(b.is_true())
        .then(add(x=1))
        .elif_(s == "a")
        .then(add(x=2))
        .elif_(f > 1.5)
        .then(add(x=4))
        .else_()
        .then(add(x=3))
    )


@workflow
def branch_workflows(x: int) -> int:
    return conditional("c").if_(x > 3).then(one_task(x=x)).else_().then(add(x=x))


@workflow
def sub(x: int) -> int:
    return one_task(x=one_task(x=x))


@workflow
def sub_sub(x: int) -> tuple[int, str]:
    return sub(x=add(x=x)), branches(x=x)


@workflow
def gates(x: int) -> int:
    n = wait_for_input("n", timeout=timedelta(hours=1), expected_type=int)
    ok = approve(add(x=x), "ok", timeout=timedelta(hours=1))
    wait = sleep(timedelta(seconds=5))
    last = add(x=ok, y=n)
    wait >> last
    return last


@workflow(on_failure=clean_up)
def failing(x: int) -> int:
    return add(x=x)


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def policy(x: int) -> int:
    return add(x=x)


plan = LaunchPlan.get_or_create(
    chain, name="plan", default_inputs={"x": 4}, schedule=CronSchedule(schedule="0 1 * * *")
)
fixed = LaunchPlan.get_or_create(chain, name="fixed", fixed_inputs={"x": 4})
needed = LaunchPlan.get_or_create(one_task, name="needed")


@workflow
def launches(x: int) -> int:
    a, _ = plan()
    b, _ = plan(x=x)
    c, _ = fixed()
    return needed(x=add(x=a, y=add(x=b, y=c)))


@workflow
def mapped_launches(xs: list[int]) -> list[int]:
    return array_node(needed)(x=xs)


imperative = ImperativeWorkflow(name="imperative")
imperative.add_workflow_input("x", int)
_first = imperative.add_entity(add, x=imperative.inputs["x"])
_second = imperative.add_entity(text, x=_first.outputs["o0"])
imperative.add_workflow_output("s", _second.outputs["o0"])
imperative.add_workflow_output("all", [_first.outputs["o0"], imperative.inputs["x"]], python_type=list[int])

WORKFLOWS = [
    one_task,
    no_values,
    chain,
    diamond,
    collections,
    optionals,
    optional_input,
    enums,
    attributes,
    inheritance,
    files,
    primitives,
    named,
    ordered,
    mapped,
    mapped_partial,
    dynamics,
    branches,
    branch_reads_others,
    nested_branches,
    branch_booleans,
    branch_workflows,
    sub,
    sub_sub,
    gates,
    failing,
    policy,
    launches,
    mapped_launches,
    imperative,
]


SETTINGS = SerializationSettings(
    image_config=ImageConfig(default_image=Image("default", "image", "v1")), project="p", domain="d", version="v"
)


def encode(message) -> str:
    return base64.b64encode(message.to_flyte_idl().SerializeToString(deterministic=True)).decode()


def serialized(flow) -> dict:
    entities = OrderedDict()
    spec = get_serializable(entities, SETTINGS, flow)
    made = [one for one in entities.values() if type(one).__name__ == "TaskSpec"]
    return {
        "name": flow.name.rpartition(".")[2],
        "template": encode(spec.template),
        "sub": [encode(one) for one in spec.sub_workflows],
        "tasks": [encode(one.template) for one in made],
    }


def main() -> None:
    plans = []
    for one, flow in ((plan, chain), (fixed, chain), (needed, one_task)):
        spec = get_serializable(OrderedDict(), SETTINGS, one)
        interface = get_serializable(OrderedDict(), SETTINGS, flow).template.interface
        plans.append({"plan": encode(spec), "interface": encode(interface)})
    json.dump({"workflows": [serialized(flow) for flow in WORKFLOWS], "plans": plans}, sys.stdout)


if __name__ == "__main__":
    main()
