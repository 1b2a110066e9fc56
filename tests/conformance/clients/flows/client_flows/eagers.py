"""Eager workflows: of the first kind (flytekit.experimental, with FlyteRemote) and of the second (flytekit.eager)."""

import datetime
import os

from flytekit import task

from client_flows.release import FLYTEKIT


@task
def add_one(x: int) -> int:
    return x + 1


if FLYTEKIT >= (1, 15):
    from flytekit import eager

    @eager
    async def inner(x: int) -> int:
        return add_one(x=x)

    @eager
    async def outer(x: int) -> int:
        first = await inner(x=x)
        return first * 10 if first > 1 else 0

else:
    from flytekit.configuration import Config, PlatformConfig
    from flytekit.experimental import eager
    from flytekit.remote import FlyteRemote

    # A backend that asks for no password still has to answer how one would log in.
    _REMOTE = FlyteRemote(
        Config(
            platform=PlatformConfig(
                endpoint=os.environ.get("FLYTE_PLATFORM_URL", ""), insecure=True, client_id="clients"
            )
        ),
        default_project="flytesnacks",
        default_domain="development",
    )

    async def outer(x: int) -> int:
        first = await add_one(x=x)
        return first * 10 if first > 1 else 0

    # 1.12 fails in its clean-up without a time-out, and the decorator forgets it.
    outer = eager(
        outer,
        remote=_REMOTE,
        client_secret_group="clients",
        client_secret_key="word",
        timeout=datetime.timedelta(minutes=5),
    )
