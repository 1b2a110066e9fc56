"""The program of worker pods, as a process of this machine: what engines ask of it over TCP, one after the other."""

import asyncio
import json
import os
import pathlib
import sys

import pytest

from volant_core import aio, errors
from volant_engine.launchers.kubernetes.warm import connection, worker, worker_pod
from volant_engine.launchers.process import zygote_node

TOKEN = "a token"


class Pod:
    """A worker, as it runs in its pod."""

    def __init__(self, folder: pathlib.Path, process: asyncio.subprocess.Process, port: int) -> None:
        self.folder = folder
        self.process = process
        self.port = port
        self.tasks = aio.Tasks("test")

    async def dial(self, *, token: str = TOKEN) -> connection.Connection:
        return await connection.Connection.open("127.0.0.1", self.port, token, own=True, patience=5)

    async def node(self, link: connection.Connection) -> zygote_node.Node:
        """A bare interpreter of its own for a connection."""
        files = worker_pod.program()
        sizes = [(name, len(content)) for name, content in files.items()]
        link.send({"op": "program", "digest": "d", "files": sizes}, b"".join(files.values()))
        node = zygote_node.Node("bare", self.tasks)
        head = {"op": "spawn", "scripts": [], "environment": {}, "log": f"{self.folder}/bare.log"}
        node.attach(lambda heard, lost: link.channel(head, heard, lost))
        await node.ready
        return node

    def request(self, name: str, code: str, **files: bytes) -> dict[str, object]:
        return {
            "folder": f"{self.folder}/attempts/{name}",
            "log": f"{self.folder}/logs/{name}",
            "arguments": [sys.executable, "-c", code],
            "environment": {"OBJECTS": f"{self.folder}/objects/{name}", "VOLANT_ATTEMPT": name},
            "entry": None,
            "frame": {"log_limit": 1000, "files": [(path, len(content)) for path, content in files.items()]},
            "body": b"".join(files.values()),
        }


class Hearer:
    """Hears a zygote."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.there_already = asyncio.Event()

    def started(self, pid, at):
        self.running.set()

    def ended(self, status, at):
        pass

    def existed(self):
        self.there_already.set()

    def refused(self, why):
        raise AssertionError(why)

    def abandoned(self):
        pass


@pytest.fixture
async def pod(tmp_path):
    told = {"token": TOKEN, "port": 0, "host": "127.0.0.1", "idle": 60, "folder": str(tmp_path / "worker")}
    environment = {**os.environ, "VOLANT_WORKER": json.dumps(told)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", pathlib.Path(worker.__file__).read_text(), env=environment, stdout=asyncio.subprocess.PIPE
    )
    port = int((await process.stdout.readline()).split()[-1])
    made = Pod(tmp_path / "worker", process, port)
    yield made
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_files_go_there_and_come_back(pod):
    link = await pod.dial()
    node = await pod.node(link)
    result = link.result("a")
    code = (
        "import os; top = os.environ['OBJECTS']; print(open(f'{top}/in').read()); open(f'{top}/out', 'w').write('so')"
    )
    node.run("a", pod.request("a", code, **{"in": b"given"}), Hearer())
    ended = await result
    assert (ended.code, ended.files, ended.log) == (0, {"out": b"so"}, b"given\n")
    assert not ended.out_of_memory
    link.close()


async def test_a_wrong_token_is_told_nothing(pod):
    with pytest.raises(errors.UnavailableError):
        await pod.dial(token="another")


async def test_an_attempt_outlives_its_engine_and_the_next_hears_of_it(pod):
    first = await pod.dial()
    assert first.welcome["owned"]
    node = await pod.node(first)
    gate = pod.folder / "gate"
    os.mkfifo(gate)
    hearer = Hearer()
    node.run(
        "a", pod.request("a", f"print('runs', flush=True); open({str(gate)!r}).read(); raise SystemExit(7)"), hearer
    )
    await hearer.running.wait()
    second = await pod.dial()
    assert not second.welcome["owned"]
    first.close()
    assert isinstance(await second.follow("a"), connection.Running)
    assert await second.follow("b") is None
    again = Hearer()
    (await pod.node(second)).run("a", pod.request("a", "raise SystemExit(1)"), again)
    await again.there_already.wait()
    await asyncio.to_thread(gate.write_text, "go on")
    assert (await second.result("a")).code == 7
    third = await pod.dial()
    assert (await third.follow("a")).log == b"runs\n"  # it is known until it is recorded
    third.send({"op": "forget", "name": "a"})
    assert await third.follow("a") is None
    second.close()
    third.close()


async def test_what_is_barred_never_runs(pod):
    link = await pod.dial()
    assert await link.follow("a", bar=True) is None
    hearer = Hearer()
    (await pod.node(link)).run("a", pod.request("a", "pass"), hearer)
    await hearer.there_already.wait()
    link.close()


async def test_ends_by_signals_and_what_is_left_behind(pod):
    link = await pod.dial()
    node = await pod.node(link)
    result = link.result("a")
    code = (
        "import os, subprocess\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    node.run("a", pod.request("a", code), Hearer())
    ended = await result
    assert ended.code == 137
    with pytest.raises(ProcessLookupError):
        os.kill(int(ended.log), 0)
    link.close()


async def test_a_long_log_has_its_ends(pod):
    link = await pod.dial()
    node = await pod.node(link)
    result = link.result("a")
    node.run("a", pod.request("a", "print('first'); print('x' * 5000); print('last')"), Hearer())
    log = (await result).log
    assert log.startswith(b"first\n")
    assert log.endswith(b"last\n")
    assert b"[...]" in log
    assert len(log) < 1100
    link.close()


async def test_code_that_is_no_archive(pod):
    link = await pod.dial()
    assert "ReadError" in await link.code("k", "x.tar.gz", b"no archive")
    link.close()


async def test_it_asks_what_runs_to_end_when_its_pod_is_deleted(pod):
    link = await pod.dial()
    node = await pod.node(link)
    hearer = Hearer()
    code = "import time; time.sleep(600)"
    node.run("a", pod.request("a", code), hearer)
    await hearer.running.wait()
    pod.process.terminate()
    assert await asyncio.wait_for(pod.process.wait(), 20) == 143
    link.close()
