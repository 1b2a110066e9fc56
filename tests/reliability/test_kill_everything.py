"""kill -9 of everything but the tasks: nothing is lost, nothing runs twice.

The short form runs in the suite. `VOLANT_KILL_SEEDS=20 VOLANT_KILL_DOWN=15 pytest tests/reliability` is the long one.
"""

import contextlib
import datetime
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

import pytest
from flytekit.configuration import Config, ImageConfig, PlatformConfig, SerializationSettings
from flytekit.remote import FlyteRemote

HERE = pathlib.Path(__file__).parent
SEEDS = int(os.environ.get("VOLANT_KILL_SEEDS", "1"))
DOWN_SECONDS = float(os.environ.get("VOLANT_KILL_DOWN", "4"))
SLOTS = 6


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Platform:
    """`volant up` in a folder of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.data = folder / "data"
        self.port, self.http = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "NAPS_FOLDER": str(self.notes),
            "VOLANT_TASKS__SLOTS": str(SLOTS),
        }
        command = [sys.executable, "-m", "volant_server", "up", "--data", str(self.data)]
        command += ["--grpc", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b"ready" in line:
                return
        raise AssertionError((self.folder / "log").read_text()[-3000:])

    def kill(self) -> dict[int, tuple[int, float]]:
        """SIGKILL to the server and all that it started, but for the tasks that run; those tasks.

        All is halted first: what began between the look at the tasks and the kill would be taken for the platform's.
        """
        assert self.process is not None
        for pid in descendants(self.process.pid, spared=set()):
            send(pid, signal.SIGSTOP)
        running = self.running()
        spared = {pid for pid, _ in running.values()}
        for pid in descendants(self.process.pid, spared):
            send(pid, signal.SIGKILL)
        for pid in spared:
            send(pid, signal.SIGCONT)
        self.process.communicate()
        return running

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.communicate(timeout=60)

    def remote(self) -> FlyteRemote:
        platform = PlatformConfig(endpoint=f"127.0.0.1:{self.port}", insecure=True)
        return FlyteRemote(Config(platform=platform), "flytesnacks", "development")

    def running(self) -> dict[int, tuple[int, float]]:
        """Tasks that began and did not end, and whose process lives: index -> pid, when it began."""
        found = {}
        for file in self.notes.iterdir():
            lines = [line.split() for line in file.read_text().splitlines()]
            if lines and lines[-1][0] == "began" and pathlib.Path(f"/proc/{lines[-1][1]}").exists():
                found[int(file.name)] = (int(lines[-1][1]), float(lines[-1][2]))
        return found

    def count(self, index: int, what: str) -> int:
        return (self.notes / str(index)).read_text().count(what)


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def descendants(root: int, spared: set[int]) -> list[int]:
    """A process and what it started, without the spared and what those started."""
    found, queue, children = [], [root], children_by_parent()
    while queue:
        pid = queue.pop()
        if pid not in spared:
            found.append(pid)
            queue += children.get(pid, [])
    return found


def children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    return children


@pytest.fixture
def platform(tmp_path: pathlib.Path):
    running = Platform(tmp_path)
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
def test_everything_but_the_tasks_is_killed(platform: Platform, seed: int) -> None:
    chance = random.Random(seed)
    lengths = [chance.uniform(0.05, 0.5) * DOWN_SECONDS for _ in range(20)]
    for index in chance.sample(range(20), 6):
        lengths[index] = DOWN_SECONDS + chance.uniform(5.5, 8)
    platform.start()
    remote = platform.remote()
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

    remote = platform.remote()
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
