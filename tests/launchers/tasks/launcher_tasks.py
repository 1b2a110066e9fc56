"""Stock flytekit tasks of many kinds."""
# ruff: noqa: NPY002, UP006

import atexit
import os
import pathlib
import random
import sys
import tempfile
import typing
from dataclasses import dataclass

import launcher_acts
import numpy
import pandas
from flytekit import Deck, Secret, current_context, dynamic, map_task, task
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

AT_IMPORT = os.environ.get("DECLARED", "unset")
print("imported with", AT_IMPORT)


@task
def add(a: int, b: int) -> int:
    print("adding", a, b)
    print("to stderr", file=sys.stderr)
    return a + b


@task
def times(a: int) -> int:
    return a * 10


@task
def rand(a: int) -> typing.List[float]:
    return [float(numpy.random.rand()), random.random()]


@task
def declared() -> typing.List[str]:
    return [AT_IMPORT, os.environ.get("DECLARED", "unset"), os.environ["FLYTE_INTERNAL_EXECUTION_ID"]]


@task
def where() -> typing.Dict[str, str]:
    pathlib.Path("here.txt").write_text("mine")
    return {
        "cwd": os.getcwd(),
        "argv": sys.argv[0],
        "tmp": tempfile.gettempdir(),
        "working": str(current_context().working_directory),
        "main": getattr(sys.modules["__main__"], "__file__", ""),
        "zygotes": str([path for path in sys.path if "launchers/process" in path]),
        "fork": os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "unset"),
        "session": str(os.getsid(0) == os.getpid()),
        "files": ",".join(sorted(os.listdir("."))),
        "descriptors": str(
            [os.readlink(f"/proc/self/fd/{n}") for n in range(3, 64) if os.path.exists(f"/proc/self/fd/{n}")]
        ),
    }


@task
def wrong() -> int:
    if True:
        raise ValueError("no such luck")
    return 1


@task
def luckless() -> int:
    if True:
        raise FlyteRecoverableException("next time")
    return 1


@task
def leaves(code: int) -> int:
    print("leaving with", code, file=sys.stderr)
    sys.exit(code)
    return 1


@task
def frame() -> pandas.DataFrame:
    return pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})


@task
def total(data: pandas.DataFrame) -> int:
    return int(data["a"].sum())


@task
def make_files() -> typing.Tuple[FlyteFile, FlyteDirectory]:
    folder = pathlib.Path(current_context().working_directory) / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "one.txt").write_text("1")
    (folder / "below" / "two.txt").write_text("2")
    file = folder.parent / "file.csv"
    file.write_text("a,b\n1,2\n")
    return FlyteFile(str(file)), FlyteDirectory(str(folder))


@task
def read_files(file: FlyteFile, folder: FlyteDirectory) -> str:
    with open(file) as opened:
        text = opened.read()
    path = pathlib.Path(folder.download())
    streamed = FlyteFile.from_source(file.remote_source or str(file))
    with streamed.open("r") as again:
        assert again.read() == text
    return text + "".join(sorted(each.read_text() for each in path.rglob("*.txt")))


@task(enable_deck=True)
def deck() -> int:
    Deck("mine", "<p>a deck of cards</p>")
    return 1


@dynamic
def fan(n: int) -> typing.List[int]:
    return [times(a=number) for number in range(n)]


@task
def counts() -> int:
    checkpoint = current_context().checkpoint
    before = checkpoint.read()
    number = int(before.decode()) + 1 if before else 0
    checkpoint.write(str(number).encode())
    return number


@task(secret_requests=[Secret(group="db", key="Password", mount_requirement=Secret.MountType.ENV_VAR, env_var="DB_PW")])
def secret_variable() -> typing.List[str]:
    return [current_context().secrets.get("db", "Password"), os.environ["DB_PW"]]


@task(secret_requests=[Secret(group="db", key="Password", mount_requirement=Secret.MountType.FILE, env_var="DB_FILE")])
def secret_file() -> typing.List[str]:
    path = pathlib.Path(os.environ["DB_FILE"])
    return [current_context().secrets.get("db", "Password"), path.read_text(), oct(path.stat().st_mode & 0o777)]


@task
def farewell(path: str) -> int:
    atexit.register(pathlib.Path(path).write_text, "flushed")
    return 1


@dataclass
class Point:
    x: int
    y: float


@task
def point(p: Point) -> Point:
    return Point(p.x + 1, p.y * 2)


mapped = map_task(times)
rands = map_task(rand)


@task
def pools() -> typing.List[int]:
    import concurrent.futures
    import multiprocessing

    found = []
    for way in ("fork", "spawn"):
        with multiprocessing.get_context(way).Pool(1) as pool:
            found.append(sum(pool.map(launcher_acts.square, range(4))))
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        found.append(sum(threads.map(launcher_acts.square, range(4))))
    return found


@task
async def slowly(a: int) -> int:
    import asyncio

    await asyncio.sleep(0.01)
    return a + 1


@task
def loops(a: int) -> int:
    import asyncio

    async def later() -> int:
        await asyncio.sleep(0.01)
        return a + 1

    return asyncio.run(later())


@task
def calls() -> str:
    """A gRPC channel and another Python, in a fork of a process that has loaded grpc."""
    import subprocess

    import grpc

    with grpc.insecure_channel("127.0.0.1:1") as channel:
        try:
            channel.unary_unary("/a/b")(b"", timeout=5)
        except grpc.RpcError as error:
            code = error.code().name
    return code + subprocess.check_output([sys.executable, "-c", "print(1+1)"], text=True).strip()
