"""Workflows as users of stock flytekit write them; run, it prints them serialized, as JSON."""

import base64
import collections
import functools
import json
from datetime import timedelta

from flytekit import approve, conditional, map_task, sleep, task, wait_for_input, workflow
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable
from flytekit.types.error.error import FlyteError


@task
def add(a: int, b: int) -> int:
    return a + b


@task(retries=2)
def double(a: int) -> int:
    return 2 * a


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def pair(a: int) -> tuple[int, list[int]]:
    return a, [a, a + 1]


@task
def boom(a: int) -> int:
    return a


@task
def clean(a: int, err: FlyteError | None = None):
    print(a, err)


@workflow
def twice(a: int) -> int:
    return double(a=add(a=a, b=1))


@workflow
def branching(a: int) -> int:
    b = add(a=a, b=0)
    return (
        conditional("size")
        .if_(b > 100)
        .then(double(a=b))
        .elif_((b > 10) & (a > 10))
        .then(twice(a=b))
        .else_()
        .then(conditional("sign").if_(b < 0).then(add(a=b, b=1000)).else_().then(add(a=b, b=b)))
    )


@workflow
def mapping(a: int) -> int:
    first, several = pair(a=a)
    mapped = map_task(functools.partial(add, b=first))(a=several)
    return add(a=total(xs=mapped), b=several[1])


@workflow
def nested(a: int) -> int:
    return twice(a=twice(a=a))


@workflow
def gated(a: int) -> int:
    x = add(a=a, b=0)
    pause = sleep(timedelta(seconds=20))
    y = wait_for_input("number", timeout=timedelta(hours=1), expected_type=int)
    z = add(a=approve(x, "fine", timeout=timedelta(hours=1)), b=y)
    pause >> z
    return z


@workflow(on_failure=clean)
def handled(a: int) -> int:
    return boom(a=a)


def main() -> None:
    settings = SerializationSettings(
        project="p", domain="d", version="1", image_config=ImageConfig(Image("default", "image", "1"))
    )
    result = {}
    for shape in (branching, mapping, nested, gated, handled):
        found: collections.OrderedDict = collections.OrderedDict()
        spec = get_serializable(found, settings, shape)
        tasks = [entity for entity in found.values() if type(entity).__name__ == "TaskSpec"]
        result[shape.name.rpartition(".")[2]] = {
            "workflow": base64.b64encode(spec.to_flyte_idl().SerializeToString()).decode(),
            "tasks": [base64.b64encode(one.to_flyte_idl().SerializeToString()).decode() for one in tasks],
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
