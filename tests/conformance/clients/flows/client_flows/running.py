"""How tasks run: cached, tried again, failing, with a deck, with an environment, in an image."""

import os
import pathlib
import time
import typing

import flytekit
from flytekit import Deck, ImageSpec, Resources, Secret, current_context, task, workflow
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.image_spec.image_spec import ImageBuildEngine, ImageSpecBuilder

from client_flows.release import FLYTEKIT


@task(cache=True, cache_version="1")
def stamp(x: int) -> float:
    return time.time()


@workflow
def cached(x: int) -> float:
    return stamp(x=x)


@task(cache=True, cache_version="1", cache_serialize=True)
def stamp_alone(x: int) -> float:
    return time.time()


@workflow
def cached_alone(x: int) -> float:
    return stamp_alone(x=x)


@task(retries=2)
def third_time(folder: str) -> int:
    with (pathlib.Path(folder) / "tries").open("a+") as tries:
        tries.write("x")
        tries.seek(0)
        count = len(tries.read())
    if count < 3:
        raise FlyteRecoverableException("not yet")
    return count


@workflow
def retried(folder: str) -> int:
    return third_time(folder=folder)


@task
def divide(x: int) -> float:
    return 1 / x


@task
def fine_then(x: int) -> int:
    return x


@workflow
def failing(x: int) -> float:
    return divide(x=fine_then(x=x))


@task
def twice(x: int) -> int:
    return 2 * x


@task
def repaired(x: int, folder: str) -> int:
    """Fails until somebody puts a file there."""
    if not (pathlib.Path(folder) / "repaired").exists():
        raise ValueError("broken")
    return x + 1


@workflow
def recoverable(x: int, folder: str) -> int:
    return repaired(x=twice(x=x), folder=folder)


@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@workflow
def napping(seconds: float) -> float:
    return nap(seconds=seconds)


@task(environment={"CLIENT_FLOWS": "declared"}, requests=Resources(cpu="100m"), limits=Resources(mem="500Mi"))
def environment() -> typing.Tuple[str, str, str]:
    context = current_context()
    return os.environ["CLIENT_FLOWS"], context.execution_id.name, flytekit.__version__


@workflow
def environments() -> typing.Tuple[str, str, str]:
    return environment().with_overrides(limits=Resources(mem="600Mi"), node_name="with-environment")


@task(**({"enable_deck": True} if FLYTEKIT >= (1, 10) else {"disable_deck": False}))
def decked(x: int) -> int:
    Deck("mine", f"<b>{x} is the number</b>")
    return x


@workflow
def decks(x: int) -> int:
    return decked(x=x)


class NoDocker(ImageSpecBuilder):
    """Builds nothing, as the release's own builders need Docker."""

    def should_build(self, image_spec: ImageSpec) -> bool:
        return True

    def build_image(self, image_spec: ImageSpec) -> typing.Optional[str]:
        return None


if FLYTEKIT >= (1, 15):
    IMAGE = ImageSpec(name="ours", builder="noop", base_image="localhost/flytekit:1", packages=["pandas"])
else:
    ImageBuildEngine.register("none", NoDocker())
    # 1.10 asks the registry first, and takes an image that it cannot ask for as there.
    IMAGE = ImageSpec(name="ours", builder="none", registry="127.0.0.1:1/ours", packages=["pandas"])


@task(container_image=IMAGE)
def imaged() -> str:
    return "ran"


@workflow
def images() -> str:
    return imaged()


@task(secret_requests=[Secret(group="clients", key="word")])
def secret() -> str:
    return current_context().secrets.get("clients", "word")


@workflow
def secrets() -> str:
    return secret()
