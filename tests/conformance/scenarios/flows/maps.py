"""Map tasks (array nodes)."""

import functools
import os

from flytekit import map_task, workflow
from flytekit.exceptions.user import FlyteRecoverableException

from flows.small import echo, naps, task


@task
def doubled(x: int) -> int:
    return 2 * x


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@workflow
def simple(numbers: list[int]) -> list[int]:
    return map_task(doubled)(x=numbers)


@workflow
def reduced(numbers: list[int]) -> int:
    return total(numbers=map_task(doubled)(x=numbers))


@workflow
def one_at_a_time(numbers: list[int]) -> list[int]:
    return map_task(doubled, concurrency=1)(x=numbers)


@task
def scaled(x: int, factor: int) -> int:
    return x * factor


@workflow
def partly_bound(numbers: list[int], factor: int) -> list[int]:
    return map_task(functools.partial(scaled, factor=factor))(x=numbers)


@task
def scaled_word(x: int, word: str) -> str:
    return word * x


@workflow
def two_lists(numbers: list[int], words: list[str]) -> list[str]:
    return map_task(scaled_word)(x=numbers, word=words)


@task
def no_threes(x: int) -> int:
    if x == 3:
        raise ValueError("three")
    return x


@workflow
def fails(numbers: list[int]) -> list[int]:
    return map_task(no_threes, concurrency=1)(x=numbers)


@workflow
def enough_succeed(numbers: list[int]) -> list[int | None]:
    return map_task(no_threes, min_success_ratio=0.6)(x=numbers)


@workflow
def too_few_succeed(numbers: list[int]) -> list[int | None]:
    return map_task(no_threes, min_success_ratio=0.9, concurrency=1)(x=numbers)


@task(retries=2)
def second_time_lucky(x: int) -> int:
    if x == 1 and os.environ["FLYTE_ATTEMPT_NUMBER"] == "0":
        raise FlyteRecoverableException("not yet")
    return x


@workflow
def retried(numbers: list[int]) -> list[int]:
    return map_task(second_time_lucky)(x=numbers)


@workflow
def in_a_subworkflow(numbers: list[int]) -> int:
    return echo(x=reduced(numbers=numbers))


@workflow
def long_naps(seconds: list[float]) -> list[float]:
    return map_task(naps)(seconds=seconds)
