"""The floor of a fan-out: the launcher's zygote alone forking no-op tasks, without engine, database or object store.

The same interpreter, modules, entry point and `inputs.pb` as the platform's. Run: `python -m bench.zygote_floor`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from flyteidl.core import literals_pb2

from volant_engine.launchers import process
from volant_engine.launchers.process import commands

HERE = pathlib.Path(__file__).parent
ZYGOTE = pathlib.Path(process.__file__).parent / "zygote.py"
MODULES = {"pyflyte-execute": "bench_flytekit_tasks", "volant-execute": "bench_volant_tasks"}
RESOLVERS = {
    "pyflyte-execute": "flytekit.core.python_auto_container.default_task_resolver",
    "volant-execute": "volant.runtime.resolver.default_task_resolver",
}


class Zygote:
    """A plain client of one zygote."""

    def __init__(self, link: socket.socket) -> None:
        """Wait until it is ready."""
        self._link = link
        self.expect("ready")

    def ask(self, **message: Any) -> None:
        """Send a request."""
        self._link.send(json.dumps(message).encode())

    def hear(self) -> dict[str, Any]:
        """The next message."""
        return dict(json.loads(self._link.recv(1 << 20)))

    def expect(self, key: str) -> dict[str, Any]:
        """The next message, which must be of this kind."""
        message = self.hear()
        if key not in message:
            raise RuntimeError(f"the zygote says {message}")
        return message

    def fork(self, **message: Any) -> "Zygote":
        """A zygote of the next level."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._link, [json.dumps({"op": "zygote", **message}).encode()], [theirs.fileno()])
        return Zygote(ours)

    def fileno(self) -> int:
        """For select."""
        return self._link.fileno()


@contextlib.contextmanager
def warm(entry: str, folder: pathlib.Path) -> Iterator[tuple[Zygote, str]]:
    """The whole tree for a no-op task: its last zygote and the entry point's function."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    store = {"VOLANT_STORE_ROOT": str(folder / "objects"), "VOLANT_STORE_BUCKET": "volant"}
    # Python's own settings count, as they do for the launcher; the paths of the benchmark's modules do not.
    environment = {**os.environ, **store, "PYTHONPATH": str(HERE / "tasks")}
    command = [sys.executable, str(ZYGOTE), str(theirs.fileno())]
    root = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, start_new_session=True)
    theirs.close()
    bare = Zygote(ours)
    bare.ask(op="facts")
    target = bare.expect("facts")["facts"]["scripts"][entry]
    kit = commands.KITS[commands.kit_of(entry) or ""]
    log = str(folder / "zygote.log")
    modules = [target.partition(":")[0], *kit.preload]
    sdk = bare.fork(preload=modules, load_files={**kit.files, **kit.rehearsal}, log=log)
    version = sdk.fork(path=[str(HERE / "tasks")], log=log)
    version.ask(op="import", module=MODULES[entry])
    answer = version.expect("imported")
    if not answer["ok"]:
        raise RuntimeError(answer["why"])
    try:
        yield version, target
    finally:
        ours.close()
        root.wait()


def run(zygote: Zygote, entry: str, target: str, folder: pathlib.Path, count: int, side_by_side: int) -> float:
    """Seconds that `count` tasks take."""
    (folder / "attempts").mkdir(exist_ok=True)
    inputs = folder / "objects/volant/metadata~/inputs.pb"
    inputs.parent.mkdir(parents=True, exist_ok=True)
    value = literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=1)))
    inputs.write_bytes(literals_pb2.LiteralMap(literals={"x": value}).SerializeToString())
    begin = time.monotonic()
    started = ended = 0
    while ended < count:
        while started < count and started - ended < side_by_side:
            zygote.ask(**request(entry, target, folder, f"a{time.monotonic_ns()}"))
            started += 1
        select.select([zygote], [], [])
        message = zygote.hear()
        if "ended" in message:
            ended += 1
            if message["status"]:
                log = folder / f"objects/volant/metadata~/{message['ended']}~/n0~/data~/0~/log.txt"
                raise RuntimeError(log.read_text() if log.exists() else f"status {message['status']}")
    return time.monotonic() - begin


def request(entry: str, target: str, folder: pathlib.Path, name: str) -> dict[str, Any]:
    """An attempt, as the launcher asks for it."""
    arguments = [entry, "--inputs", "s3://volant/metadata/inputs.pb"]
    arguments += ["--output-prefix", f"s3://volant/metadata/{name}/n0/data/0"]
    arguments += ["--raw-output-data-prefix", f"s3://volant/data/zz/{name}"]
    arguments += ["--checkpoint-path", f"s3://volant/data/zz/{name}/_flytecheckpoints", "--prev-checkpoint", '""']
    arguments += ["--resolver", RESOLVERS[entry], "--", "task-module", MODULES[entry], "task-name", "noop"]
    return {
        "op": "run",
        "name": name,
        "folder": str(folder / "attempts" / name),
        "log": str(folder / "objects/volant/metadata~" / f"{name}~" / "n0~/data~/0~/log.txt"),
        "arguments": arguments,
        "entry": target,
        "modules": [MODULES[entry]],
        "environment": {"FLYTE_INTERNAL_EXECUTION_ID": name, "TMPDIR": str(folder / "attempts" / name / "tmp")},
    }


def measure(entry: str, count: int = 200, side_by_side: int = 2) -> float:
    """Tasks a second."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="zygote-floor-"))
    try:
        with warm(entry, folder) as (zygote, target):
            run(zygote, entry, target, folder, 10, side_by_side)
            return count / run(zygote, entry, target, folder, count, side_by_side)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Print the rates of both entry points."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--entry", action="append", choices=sorted(MODULES))
    given = parser.parse_args()
    for entry in given.entry or sorted(MODULES):
        if not (pathlib.Path(sysconfig.get_path("scripts")) / entry).exists():
            print(f"{entry}: not installed")
            continue
        for side_by_side in (1, 2):
            rate = measure(entry, given.count, side_by_side)
            print(f"{entry}: {rate:.0f} tasks/s, {side_by_side} at a time")


if __name__ == "__main__":
    main()
