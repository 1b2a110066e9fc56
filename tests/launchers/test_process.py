"""What only the process launcher promises: real processes, killed and counted."""
# Other processes tell nothing: they are looked at.
# ruff: noqa: ASYNC110, ASYNC220

import asyncio
import contextlib
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from launcher_worlds import HERE, ProcessWorld, attempt

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.process import folders
from volantidl.core import execution_pb2, identifier_pb2, tasks_pb2

PHASE = port.AttemptPhase
KIND = execution_pb2.ExecutionError.ErrorKind


@pytest.fixture
async def world(tmp_path):
    made = ProcessWorld(tmp_path)
    await made.open()
    yield made
    await made.close()


def shell(name, script, **more):
    return attempt(name, ["/bin/sh", "-c", script], **more)


def alive(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def with_limit(memory):
    entry = tasks_pb2.Resources.ResourceEntry(name=tasks_pb2.Resources.MEMORY, value=memory)
    container = tasks_pb2.Container(resources=tasks_pb2.Resources(limits=[entry]))
    return tasks_pb2.TaskTemplate(id=identifier_pb2.Identifier(name="hungry"), container=container)


async def test_any_command(world):
    await world.launcher.launch(
        shell("a", "echo $GREETING from $VOLANT_ATTEMPT in $(pwd)", environment={"GREETING": "hello"})
    )
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
    assert (await world.said("a")).strip() == f"hello from a in {world.settings.attempts / 'a' / 'work'}"


async def test_a_command_that_is_not_there(world):
    await world.launcher.launch(attempt("a", ["no-such-program"]))
    update = await world.news.end("a")
    assert update.error.kind == KIND.USER
    assert "exit code (127)" in update.error.message
    assert "Cannot run no-such-program: No such file or directory" in update.error.message


async def test_killed_is_the_systems_failure(world):
    await world.launcher.launch(shell("a", "sleep 60"))
    await world.news.until("a", PHASE.RUNNING)
    claim = await claimed(world, "a")
    os.kill(claim.pid, signal.SIGKILL)
    update = await world.news.end("a")
    assert (update.error.code, update.error.kind, update.retryable) == ("Error", KIND.SYSTEM, True)


async def claimed(world, name):
    async with asyncio.timeout(10):
        while (claim := folders.read_claim(world.settings.attempts / name)) is None:
            await asyncio.sleep(0.01)
    return claim


async def test_a_signal_is_the_users(world):
    await world.launcher.launch(shell("a", "kill -SEGV $$"))
    update = await world.news.end("a")
    assert (update.error.code, update.error.kind) == ("Error", KIND.USER)
    assert "exit code (139)" in update.error.message


@pytest.mark.parametrize("how", ["child", "other group", "daemon"])
async def test_stop_ends_what_it_started(world, how, tmp_path):
    note = tmp_path / "pid"
    way = {
        "child": f"sleep 60 & echo $! > {note}; wait",
        "other group": f"set -m; sleep 60 & echo $! > {note}; wait",
        "daemon": f"setsid sh -c 'echo $$ > {note}; exec sleep 60' < /dev/null > /dev/null 2>&1 & sleep 60",
    }[how]
    await world.launcher.launch(shell("a", way))
    async with asyncio.timeout(10):
        while not (note.exists() and note.read_text().strip()):
            await asyncio.sleep(0.01)
    pid = int(note.read_text())
    assert alive(pid)
    await world.launcher.stop("a", "the test says so")
    assert not alive(pid)
    assert not world.news.ends("a")


async def test_stop_is_firm(world):
    await world.launcher.launch(shell("a", "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    async with asyncio.timeout(10):
        while "ready" not in await world.said("a"):
            await asyncio.sleep(0.01)
    pid = world.process("a")
    await world.launcher.stop("a", "the test says so")
    assert not alive(pid)


async def test_what_an_attempt_leaves_behind_is_ended(world, tmp_path):
    note = tmp_path / "pid"
    await world.launcher.launch(shell("a", f"sleep 60 > /dev/null 2>&1 & echo $! > {note}"))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
    async with asyncio.timeout(10):
        while alive(int(note.read_text())):
            await asyncio.sleep(0.01)


async def test_ended_attempts_are_system_failures_after_a_restart(world):
    await world.launcher.launch(shell("a", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"))
    async with asyncio.timeout(10):
        while "ready" not in await world.said("a"):
            await asyncio.sleep(0.01)
    pid = world.process("a")
    await world.close(end_attempts=True)
    assert not alive(pid)
    await world.reopen()
    await world.launcher.launch(shell("a", "echo never"))
    update = await world.news.end("a")
    assert (update.error.code, update.error.kind, update.retryable) == ("PlatformStopped", KIND.SYSTEM, True)


@pytest.mark.parametrize("way", ["cgroup", "watching"])
async def test_memory_limit(tmp_path, way):
    world = ProcessWorld(tmp_path, memory_interval=0.05)
    await world.open()
    if way == "watching":
        world.launcher._memory._looked = True
    elif await world.launcher._memory.confine("probe", 1 << 30) is None:
        await world.close()
        pytest.skip("this machine gives us no cgroup")
    else:
        await world.launcher._memory.release("probe")
    eat = "import time; x = bytearray(300 << 20); time.sleep(30)"
    await world.launcher.launch(attempt("a", [sys.executable, "-c", eat], task=with_limit("100Mi")))
    update = await world.news.end("a")
    assert (update.error.code, update.error.kind, update.retryable) == ("OOMKilled", KIND.USER, True)
    modest = attempt("b", [sys.executable, "-c", "x = bytearray(10 << 20)"], task=with_limit("100Mi"))
    await world.launcher.launch(modest)
    assert (await world.news.end("b")).phase is PHASE.SUCCEEDED
    await world.close()


async def test_more_than_the_machine_has(world, caplog):
    task = with_limit("1Pi")
    task.container.resources.requests.add(name=tasks_pb2.Resources.CPU, value="999")
    await world.launcher.launch(attempt("a", ["true"], task=task))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
    assert any("999 CPUs" in message for message in caplog.messages)


async def test_kilobytes_of_arguments(world):
    await world.launcher.launch(attempt("a", ["/bin/sh", "-c", "echo ${#1}", "sh", "x" * 120_000]))
    await world.news.end("a")
    assert (await world.said("a")).strip() == "120000"


async def test_a_dead_zygote_costs_no_attempt(world):
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    await claimed(world, "a")
    tree = next(iter(world.launcher._zygotes._trees.values())).result()
    tree.root.process.kill()
    await world.launcher.launch(world.attempt("b", "succeed"))
    assert (await world.news.end("b")).phase is PHASE.SUCCEEDED
    world.release("a")
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
    assert world.runs("a") == 1


async def test_relative_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    world = ProcessWorld(tmp_path, data=pathlib.Path("data"), python=pathlib.Path("python"))
    await world.open()
    await world.launcher.launch(attempt("a", ["python", "-c", "print('hello')"]))
    update = await world.news.end("a")
    assert update.phase is PHASE.SUCCEEDED, await world.said("a")
    assert update.facts["interpreter"] == str(pathlib.Path(sys.executable).parent / "python")
    await world.close()


async def test_a_relative_python_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "of_mine.py").write_text("print('found')")
    world = ProcessWorld(tmp_path, inherited={**os.environ, "PYTHONPATH": f"mine{os.pathsep}other"})
    await world.open()
    await world.launcher.launch(attempt("a", [sys.executable, "-c", "import of_mine"]))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED, await world.said("a")
    await world.close()


async def test_an_interpreter_that_is_not_there(tmp_path):
    world = ProcessWorld(tmp_path, python=pathlib.Path("/no/such/python"))
    with pytest.raises(errors.UnavailableError, match="--task-python"):
        await world.open()
    await world.close()


async def test_an_interpreter_that_is_none(tmp_path):
    world = ProcessWorld(tmp_path, python=pathlib.Path("/bin/false"))
    with pytest.raises(errors.UnavailableError, match="--task-python"):
        await world.open()
    await world.close()


async def test_forget_removes_the_folder(world):
    await world.launcher.launch(attempt("a", ["true"]))
    await world.news.end("a")
    await world.launcher.forget("a")
    await world.close()
    assert not (world.settings.attempts / "a").exists()
    await world.reopen()


@pytest.fixture
def no_survivors(tmp_path):
    """Whatever becomes of the test, nothing that works in its folder outlives it."""
    yield
    for pid in processes():
        if works_in(pid).startswith(str(tmp_path)):
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)


@pytest.mark.usefixtures("no_survivors")
async def test_kill_everything_but_the_attempts(tmp_path):
    """The launcher and its zygotes die by SIGKILL; one attempt runs on, one ends meanwhile, one is killed meanwhile."""
    names = ["runs", "ends", "dies"]
    command = [sys.executable, str(HERE / "launcher_to_kill.py"), str(tmp_path), *names]
    first = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert await asyncio.to_thread(first.stdout.readline) == b"running\n"
    world = ProcessWorld(tmp_path)
    claims = {name: await claimed(world, name) for name in names}
    spared = set().union(*(folders.members(claim, name) for name, claim in claims.items()))
    for pid in descendants(first.pid) - spared:
        os.kill(pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    await ended_zygotes(tmp_path)
    for member in folders.members(claims["dies"], "dies"):
        os.kill(member, signal.SIGKILL)
    world.release("ends")
    async with asyncio.timeout(10):
        while alive(claims["ends"].pid) or alive(claims["dies"].pid):
            await asyncio.sleep(0.01)
    await world.open()
    for name in names:
        await world.launcher.launch(world.attempt(name, "wait"))
    assert (await world.news.end("ends")).phase is PHASE.SUCCEEDED
    lost = await world.news.end("dies")
    assert (lost.error.kind, lost.retryable) == (KIND.SYSTEM, True)
    assert not world.news.ends("runs")
    world.release("runs")
    assert (await world.news.end("runs")).phase is PHASE.SUCCEEDED
    assert [world.runs(name) for name in names] == [1, 1, 1]
    await world.close()


def descendants(root):
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, queue = set(), [root]
    while queue:
        pid = queue.pop()
        found.add(pid)
        queue += children.get(pid, [])
    return found


async def ended_zygotes(folder):
    """None is left that works in this folder."""
    async with asyncio.timeout(10):
        while any(works_in(pid) == str(folder / "data/zygotes") for pid in processes()):
            await asyncio.sleep(0.01)


def processes():
    return [entry for entry in os.listdir("/proc") if entry.isdigit() and alive(entry)]


def works_in(pid):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/cwd")
    return ""


async def test_outputs_without_a_code_are_a_success(world):
    """Gone between its outputs and its exit code: they are whole, so it is done."""
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    claim = await claimed(world, "a")
    await world.close(end_attempts=False)
    await world.blobs.put("s3://volant/metadata/a/n0/data/0/outputs.pb", b"")
    for member in folders.members(claim, "a"):
        os.kill(member, signal.SIGKILL)
    await world.reopen()
    await world.launcher.launch(world.attempt("a", "wait"))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED


async def test_stop_of_what_an_earlier_launcher_left(world):
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    claim = await claimed(world, "a")
    await world.close(end_attempts=False)
    assert alive(claim.pid)
    await world.reopen()
    await world.launcher.stop("a", "the test says so")
    assert not alive(claim.pid)


async def test_commands_that_no_launcher_can_run(world):
    for words in ([], ["a\0b"]):
        with pytest.raises(errors.InvalidArgumentError):
            await world.launcher.launch(attempt("a", words))
    with pytest.raises(errors.InvalidArgumentError):
        await world.launcher.launch(attempt("../a", ["true"]))
    for name, value in {"": "x", "a=b": "x", "a\0": "x", "a": "\0"}.items():
        with pytest.raises(errors.InvalidArgumentError, match=r"can.t have the variable"):
            await world.launcher.launch(attempt("a", ["true"], environment={name: value}))


def interpreters():
    """Other Pythons of this machine."""
    found = {}
    for minor in range(8, 15):
        for folder in (pathlib.Path.home() / ".pyenv/versions", pathlib.Path("/usr")):
            pattern = f"3.{minor}.*/bin/python3" if "pyenv" in str(folder) else f"bin/python3.{minor}"
            for path in folder.glob(pattern):
                found.setdefault(minor, path)
    return [pytest.param(path, id=f"3.{minor}") for minor, path in sorted(found.items())]


@pytest.mark.parametrize("python", interpreters())
async def test_any_python(tmp_path, python):
    """A zygote runs in it, forks a command, tells what it is; `env` says whose environment it has."""
    world = ProcessWorld(tmp_path, python=python, inherited={"PATH": os.environ["PATH"]})
    await world.open()
    await world.launcher.launch(attempt("a", ["python3", "-c", "import sys; print(sys.executable)"]))
    update = await world.news.end("a")
    assert update.phase is PHASE.SUCCEEDED, await world.said("a")
    assert (await world.said("a")).strip().startswith(str(python.parent))
    assert update.facts["python"].startswith("3.")
    await world.close()


async def test_logs_are_copied_where_the_store_is_elsewhere(tmp_path):
    """They are there while the attempt runs, whole after it, and not there for those who say nothing."""
    world = ProcessWorld(tmp_path, store_root=None, log_flush=0.02)
    await world.open()
    world.prepare("a")
    await world.launcher.launch(shell("a", f"echo first; cat {world.marks}/a.gate > /dev/null; echo last"))
    async with asyncio.timeout(10):
        while (await world.said("a")).strip() != "first":
            await asyncio.sleep(0.01)
    world.release("a")
    update = await world.news.end("a")
    assert (await world.said("a")).split() == ["first", "last"]
    assert [log.uri for log in update.logs] == ["s3://volant/metadata/a/n0/data/0/log.txt"]
    await world.launcher.launch(attempt("b", ["true"]))
    assert not (await world.news.end("b")).logs
    await world.close()


async def test_ending_what_waits_is_quick(tmp_path):
    world = ProcessWorld(tmp_path, slots=1)
    await world.open()
    names = [f"a{number}" for number in range(300)]
    for name in names:
        await world.launcher.launch(shell(name, "sleep 60"))
    await world.news.until(names[0], PHASE.RUNNING)
    assert world.launcher.running == 1
    async with asyncio.timeout(5):
        await world.close(end_attempts=True)
    assert world.launcher.running == 0


async def test_what_cannot_be_prepared_is_the_systems_failure(world):
    (world.folder / "data/objects/volant/metadata~").mkdir()
    (world.folder / "data/objects/volant/metadata~/a~").write_text("a file where a folder should be")
    await world.launcher.launch(attempt("a", ["true"]))
    update = await world.news.end("a")
    assert (update.error.kind, update.retryable) == (KIND.SYSTEM, True)
    assert "could not be started" in update.error.message


async def test_two_forks_of_one_attempt(world):
    """A launcher that died left a request in a zygote's socket: the second fork finds the first one's claim."""
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    await claimed(world, "a")
    await world.close(end_attempts=False)
    await world.reopen()
    world.launcher._left.clear()  # as if the folder had come after the look at what is there
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    world.release("a")
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
    assert world.runs("a") == 1
