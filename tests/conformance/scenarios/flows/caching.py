"""Cached tasks. `salt` keeps one recording's entries from another's."""

import time
from typing import Annotated

from flytekit import Cache, HashMethod, map_task, workflow

from flows.small import dynamic, echo, task


@task(cache=True, cache_version="1")
def remembered(salt: str, x: int) -> int:
    return x * 2


@workflow
def plain(salt: str, x: int) -> int:
    return echo(x=remembered(salt=salt, x=x))


@workflow
def twice_in_one(salt: str, x: int) -> tuple[int, int]:
    first = remembered(salt=salt, x=x)
    second = remembered(salt=salt, x=x)
    first_done = echo(x=first)
    return first_done, second


@workflow
def one_after_another(salt: str, x: int) -> tuple[int, int]:
    first = remembered(salt=salt, x=x)
    second = remembered(salt=salt, x=echo(x=x))
    first >> second
    return first, second


@task(cache=True, cache_version="1", cache_serialize=True)
def remembered_in_turn(salt: str, x: int) -> int:
    time.sleep(3)
    return x * 2


@workflow
def serialized(salt: str, x: int) -> int:
    return remembered_in_turn(salt=salt, x=x)


@task(cache=Cache(version="1", ignored_inputs=("noise",)))
def without_noise(salt: str, noise: int) -> str:
    return f"salted {noise}"


@workflow
def ignored_inputs(salt: str, noise: int) -> str:
    return without_noise(salt=salt, noise=noise)


@task(cache=True, cache_version="1")
def element(salt: str, x: int) -> int:
    return x + 100


@workflow
def in_map(salt: list[str], x: list[int]) -> list[int]:
    return map_task(element)(salt=salt, x=x)


@workflow
def in_subworkflow(salt: str, x: int) -> int:
    return echo(x=plain(salt=salt, x=x))


@dynamic(cache=True, cache_version="1")
def remembered_dynamic(salt: str, x: int) -> int:
    return echo(x=remembered(salt=salt, x=x))


@workflow
def of_dynamic(salt: str, x: int) -> int:
    return remembered_dynamic(salt=salt, x=x)


def _shape(words: list) -> str:
    return f"of {len(words)}"


@task
def hashed(salt: str) -> Annotated[dict[str, str], HashMethod(_shape)]:
    return {"salt": salt}


@task(cache=True, cache_version="1")
def reads_hashed(salt: str, words: dict[str, str]) -> int:
    return len(words)


@workflow
def by_hash(salt: str) -> int:
    return reads_hashed(salt=salt, words=hashed(salt=salt))


@task(cache=True, cache_version="1")
def remembered_failure(salt: str) -> int:
    raise ValueError("not to be remembered")
    return 0  # flytekit asks for a return


@workflow
def failing(salt: str) -> int:
    return remembered_failure(salt=salt)


@task(cache=True, cache_version="1")
def remembered_silence(salt: str) -> None:
    print("hush")


@workflow
def without_outputs(salt: str) -> None:
    remembered_silence(salt=salt)
