"""kill -9 of everything but the tasks: nothing is lost, nothing runs twice.

The short form runs in the suite. `VOLANT_KILL_SEEDS=20 VOLANT_KILL_DOWN=15 pytest tests/reliability` is the long one.
"""

import datetime
import os
import pathlib
import random
import signal
import sys
import time

import pytest
from flytekit.configuration import Config, ImageConfig, PlatformConfig, SerializationSettings
from flytekit.remote import FlyteRemote
from tests.reliability import killable

HERE = pathlib.Path(__file__).parent
SEEDS = int(os.environ.get("VOLANT_KILL_SEEDS", "1"))
DOWN_SECONDS = float(os.environ.get("VOLANT_KILL_DOWN", "4"))
SLOTS = 6


def remote_of(running: killable.Platform) -> FlyteRemote:
    platform = PlatformConfig(endpoint=f"127.0.0.1:{running.port}", insecure=True)
    return FlyteRemote(Config(platform=platform), "flytesnacks", "development")


@pytest.fixture
def platform(tmp_path: pathlib.Path):
    running = killable.Platform(tmp_path, SLOTS, HERE)
    yield running
    running.stop()


def choose(running: dict[int, tuple[int, float]], lengths: list[float]) -> tuple[int, int, int] | None:
    """Of the running tasks: one that will end while the platform is down, one to kill, one that will outlive it."""
    now = time.time()
    left = {index: lengths[index] - (now - began) for index, (_, began) in running.items()}
    short = [index for index, seconds in left.items() if 0.5 < seconds < 0.7 * DOWN_SECONDS]
    long = [index for index, seconds in left.items() if seconds > DOWN_SECONDS + 4]
    if not short or not long:
        return None
    others = [index for index, seconds in left.items() if seconds > 1 and index not in (short[0], long[0])]
    return (short[0], others[0], long[0]) if others else None


@pytest.mark.timeout(60 + 12 * DOWN_SECONDS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_everything_but_the_tasks_is_killed(platform: killable.Platform, seed: int) -> None:
    chance = random.Random(seed)
    lengths = [chance.uniform(0.05, 0.5) * DOWN_SECONDS for _ in range(20)]
    for index in chance.sample(range(20), 6):
        lengths[index] = DOWN_SECONDS + chance.uniform(5.5, 8)
    platform.start()
    remote = remote_of(platform)
    sys.path.insert(0, str(HERE))
    import naps

    images = ImageConfig.auto_default_image()
    settings = SerializationSettings(images, project="flytesnacks", domain="development", version="1")
    workflow = remote.register_workflow(naps.naps, settings, version="1")
    execution = remote.execute(workflow, inputs={"lengths": lengths})
    end = time.time() + 60
    moment = None
    while moment is None:
        assert time.time() < end, "the tasks never ran side by side as this test needs them"
        time.sleep(chance.uniform(0.02, 0.2))
        moment = choose(platform.running(), lengths)
    ends_meanwhile, dies_meanwhile, outlives = moment
    running = platform.kill()
    assert len(running) >= 3
    os.kill(running[dies_meanwhile][0], signal.SIGKILL)
    time.sleep(DOWN_SECONDS)
    assert platform.count(ends_meanwhile, "ended") == 1, "it should have ended while the platform was down"
    assert pathlib.Path(f"/proc/{running[outlives][0]}").exists(), "it should have outlived the restart"
    platform.start()

    remote = remote_of(platform)
    finished = remote.wait(
        remote.fetch_execution(name=execution.id.name),
        timeout=datetime.timedelta(seconds=40 + 4 * DOWN_SECONDS),
        poll_interval=datetime.timedelta(seconds=0.2),
        sync_nodes=False,
    )
    assert finished.error is None
    assert finished.outputs["o0"] == sum(range(20))
    runs = {index: platform.count(index, "began") for index in range(20)}
    assert runs == {index: 2 if index == dies_meanwhile else 1 for index in range(20)}
