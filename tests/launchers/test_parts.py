"""The launcher's parts that need no process: command lines, environments, verdicts, archives, secrets, quantities."""

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volant_core import errors
from volant_engine.launchers import slots
from volant_engine.launchers.process import archives, commands, memory, secrets, verdicts
from volantidl.core import execution_pb2, security_pb2

KIND = execution_pb2.ExecutionError.ErrorKind
MOUNT = security_pb2.Secret.MountType
INNER = ["pyflyte-execute", "--inputs", "i", "--resolver", "r", "--", "task-module", "m", "task-name", "t"]


def test_a_plain_command_line():
    plan = commands.plan(INNER)
    assert plan == commands.Plan(words=tuple(INNER), kit="flytekit", modules=("m",))
    assert plan.script == "pyflyte-execute"


@pytest.mark.parametrize("equals", [False, True])
def test_a_fast_command_line(equals):
    options = ["--additional-distribution=s3://b/x.tar.gz", "--dest-dir=/root"] if equals else []
    options = options or ["--additional-distribution", "s3://b/x.tar.gz", "--dest-dir", "/root"]
    plan = commands.plan(["pyflyte-fast-execute", *options, "--", *INNER])
    assert plan.archive == "s3://b/x.tar.gz"
    assert plan.kit == "flytekit"
    position = plan.words.index("--resolver")
    assert plan.words[position - 4 : position] == (
        "--dynamic-addl-distro",
        "s3://b/x.tar.gz",
        "--dynamic-dest-dir",
        "/root",
    )


def test_a_fast_command_line_around_any_command():
    plan = commands.plan(
        ["pyflyte-fast-execute", "--additional-distribution", "u", "--dest-dir", ".", "--", "sh", "-c"]
    )
    assert (plan.archive, plan.kit, plan.words) == ("u", None, ("sh", "-c"))


def test_a_map_command_line():
    words = [
        "pyflyte-map-execute",
        "--resolver",
        "a",
        "--",
        "vars",
        "",
        "resolver",
        "b",
        "task-module",
        "m",
        "task-name",
        "t",
    ]
    assert commands.plan(words).modules == ("m",)


def test_scripts_of_our_own():
    plan = commands.plan(
        ["volant-fast-execute", "--additional-distribution", "u", "--", "volant-execute", "--resolver", "r"]
    )
    assert (plan.kit, plan.archive) == ("volant", "u")
    assert plan.words[:5] == ("volant-execute", "--dynamic-addl-distro", "u", "--dynamic-dest-dir", ".")


@given(st.lists(st.sampled_from(["pyflyte-fast-execute", "--dest-dir", "--", "--resolver", "task-module", "", "x"])))
def test_no_command_line_breaks_it(words):
    plan = commands.plan(words)
    assert set(plan.words) - set(words) <= {"--dynamic-addl-distro", "--dynamic-dest-dir", "."}


def test_environment_by_who_must_know_it():
    base = {"HOME": "/root", "PATH": "/bin"}
    given_ = {
        "HOME": "/root",
        "FLYTE_INTERNAL_EXECUTION_ID": "e",
        "DECLARED": "x",
        "PYTHONPATH": "/a:/b",
        "PYTHONHASHSEED": "0",
        "_FSEC_DB_PW": "s",
        "FLYTE_SECRETS_DEFAULT_DIR": "/s",
        "DB_FILE": "/attempts/a/secrets/db/password",
    }
    found = commands.split(given_, base, "/attempts/a")
    assert found.interpreter == {"PYTHONHASHSEED": "0"}
    assert found.declared == {"DECLARED": "x", "_FSEC_DB_PW": "s"}
    assert found.attempt == {
        "FLYTE_INTERNAL_EXECUTION_ID": "e",
        "FLYTE_SECRETS_DEFAULT_DIR": "/s",
        "DB_FILE": "/attempts/a/secrets/db/password",
    }
    assert found.python_path == ("/a", "/b")


def test_what_is_ours_is_not_inherited():
    given_ = {
        "HOME": "/root",
        "GRPC_ENABLE_FORK_SUPPORT": "0",
        "_F_SS_C": "x",
        "VOLANT_STORE_ROOT": "/x",
        "PYTHONPATH": "/p",
    }
    assert commands.inheritable(given_) == {"HOME": "/root", "PYTHONPATH": "/p"}


@pytest.mark.parametrize(
    ("ending", "code", "kind"),
    [
        (verdicts.Ending(0, 1), "Error", KIND.USER),
        (verdicts.Ending(0, 143), "Error", KIND.USER),
        (verdicts.Ending(0, 137), "Error", KIND.SYSTEM),
        (verdicts.Ending(0, 247), "Error", KIND.SYSTEM),
        (verdicts.Ending(0, None), "Interrupted", KIND.SYSTEM),
        (verdicts.Ending(0, 5, stopped=True), "PlatformStopped", KIND.SYSTEM),
        (verdicts.Ending(0, 137, out_of_memory=True), "OOMKilled", KIND.USER),
        (verdicts.Ending(0, 0, out_of_memory=True), "OOMKilled", KIND.USER),
    ],
)
def test_failures_are_retryable(ending, code, kind):
    verdict = verdicts.judge("a", ending, "the last line")
    assert (verdict.error.code, verdict.error.kind, verdict.retryable) == (code, kind, True)


@pytest.mark.parametrize("ending", [verdicts.Ending(0, 0), verdicts.Ending(0, None, has_outputs=True)])
def test_successes(ending):
    assert verdicts.judge("a", ending, "").error is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", 0.5),
        ("1Gi", 2**30),
        ("2", 2),
        ("1.5", 1.5),
        ("2e3", 2000),
        ("1k", 1000),
        ("x", None),
        ("", None),
        ("Gi", None),
    ],
)
def test_quantities(text, value):
    assert memory.quantity(text) == value


@given(st.text())
def test_no_quantity_breaks_it(text):
    memory.quantity(text)


def packed(*members):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def test_an_archive_is_unpacked_once(tmp_path):
    data = packed((member("a/b.py"), b"x = 1"), (member("link", tarfile.SYMTYPE, "a/b.py"), b""))
    folder = archives.unpack(data, "fast.tar.gz", tmp_path)
    assert (folder / "a/b.py").read_bytes() == b"x = 1"
    assert (folder / "link").read_bytes() == b"x = 1"
    (folder / "a/b.py").write_bytes(b"kept")
    assert archives.unpack(data, "fast.tar.gz", tmp_path) == folder
    assert (folder / "a/b.py").read_bytes() == b"kept"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    "members",
    [
        [(member("../evil"), b"x")],
        [(member("/evil"), b"x")],
        [(member("a/../../evil"), b"x")],
        [(member("out", tarfile.SYMTYPE, ".."), b""), (member("out/evil"), b"x")],
        [(member("out", tarfile.SYMTYPE, "/etc"), b"")],
        [(member("hard", tarfile.LNKTYPE, "../../etc/passwd"), b"")],
        [(member("pipe", tarfile.FIFOTYPE), b"")],
    ],
    ids=["up", "absolute", "up inside", "through a link", "link out", "hard link", "pipe"],
)
def test_an_archive_can_not_leave_its_folder(tmp_path, members):
    below = tmp_path / "code"
    with pytest.raises(errors.InvalidArgumentError, match=r"evil|out|hard|pipe"):
        archives.unpack(packed(*members), "fast.tar.gz", below)
    assert list(below.iterdir()) == []
    assert not (tmp_path / "evil").exists()


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_no_archive_breaks_it(tmp_path_factory, data):
    with pytest.raises(errors.InvalidArgumentError):
        archives.unpack(data, "fast.tar.gz", tmp_path_factory.mktemp("code"))


def secret(group="db", key="Password", mount=MOUNT.ENV_VAR, **more):
    return security_pb2.Secret(group=group, key=key, mount_requirement=mount, **more)


def test_secrets(tmp_path):
    store = secrets.SecretStore(tmp_path / "data" / "secrets.json")
    assert store.list() == []
    store.set("db", "Password", "pw")
    store.set("db", "User", "me")
    store.set("api", "Token", "t")
    assert store.list() == [("api", "Token"), ("db", "Password"), ("db", "User")]
    assert (tmp_path / "data" / "secrets.json").stat().st_mode & 0o777 == 0o600
    again = secrets.SecretStore(tmp_path / "data" / "secrets.json")
    assert again.grant([secret(env_var="PW")], "/s").environment == {
        "_FSEC_DB_PASSWORD": "pw",
        "PW": "pw",
        "FLYTE_SECRETS_ENV_PREFIX": "_FSEC_",
        "FLYTE_SECRETS_DEFAULT_DIR": "/s",
        "FLYTE_SECRETS_FILE_PREFIX": "",
    }
    granted = again.grant([secret(mount=MOUNT.ANY, env_var="PATH_OF"), secret(key="", mount=MOUNT.FILE)], "/s")
    assert granted.files == {"/s/db/password": "pw", "/s/db/user": "me"}
    assert granted.environment["PATH_OF"] == "/s/db/password"
    assert again.grant([secret(group_version="v2")], "/s").environment["_FSEC_DB_V2_PASSWORD"] == "pw"
    store.delete("db", "Password")
    with pytest.raises(errors.NotFoundError, match="volant secret set db Password"):
        again.grant([secret()], "/s")
    with pytest.raises(errors.NotFoundError):
        store.delete("db", "Password")


@pytest.mark.parametrize(
    ("group", "key", "value"), [("", "k", "v"), ("g", "", "v"), ("../g", "k", "v"), ("g", "k", "a\0b")]
)
def test_secrets_that_can_not_be(tmp_path, group, key, value):
    with pytest.raises(errors.InvalidArgumentError):
        secrets.SecretStore(tmp_path / "secrets.json").set(group, key, value)


def test_a_broken_secrets_file(tmp_path):
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(errors.FailedPreconditionError, match=r"secrets\.json"):
        secrets.SecretStore(tmp_path / "secrets.json").list()


async def test_slots_given_back_by_the_cancelled():
    import asyncio

    bound = slots.Slots(1)
    assert bound.try_acquire()
    waiting = [asyncio.ensure_future(bound.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    bound.release()
    waiting[1].cancel()  # in the very moment that it is given
    await asyncio.wait(waiting, return_when=asyncio.ALL_COMPLETED)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    bound.release()
    assert bound.try_acquire()
    assert not bound.try_acquire()


def test_an_attempt_is_claimed_once(tmp_path):
    from volant_engine.launchers.process import attempt, folders

    assert attempt.claim(str(tmp_path), folders.boot_id())
    assert not attempt.claim(str(tmp_path), folders.boot_id())
    claim = folders.read_claim(tmp_path)
    assert folders.lives(claim)
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]
