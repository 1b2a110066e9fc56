"""Stock flytekit through the zygotes, on a store that is a folder, without any HTTP."""
# ruff: noqa: UP006 (as users write types)

import io
import tarfile
import typing

import flytekit_words as words
import pytest
import pytest_asyncio
from launcher_worlds import ProcessWorld, attempt

from volant_engine.launchers import port
from volantidl.core import dynamic_job_pb2, errors_pb2, literals_pb2, security_pb2, tasks_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
PHASE = port.AttemptPhase
TASKS = "launcher_tasks"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory):
    made = ProcessWorld(tmp_path_factory.mktemp("flytekit"), slots=2, warm=("flytekit",))
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def name(request):
    return request.node.name.removeprefix("test_").replace("_", "-")[:50]


async def ran(world, name, given=None, *, module=TASKS, task, environment=None, template=None, **more):
    """Run a task; its outputs."""
    inputs = f"s3://volant/metadata/{name}/inputs.pb"
    values = {
        key: found if isinstance(found, literals_pb2.Literal) else words.literal(found)
        for key, found in (given or {}).items()
    }
    await world.blobs.put(inputs, literals_pb2.LiteralMap(literals=values).SerializeToString())
    line = words.execute(name, module, task, inputs=inputs, **more)
    await world.launcher.launch(attempt(name, line, environment=environment, task=template))
    update = await world.news.end(name)
    assert update.phase is PHASE.SUCCEEDED, (update.error, await world.said(name))
    return update


async def error_of(world, name):
    data = await world.blobs.get(f"s3://volant/metadata/{name}/n0/data/0/error.pb")
    return errors_pb2.ErrorDocument.FromString(data).error


async def test_plain(world, name):
    update = await ran(world, name, {"a": 2, "b": 3}, task="add")
    assert (await world.outputs(name))["o0"].scalar.primitive.integer == 5
    said = await world.said(name)
    assert "adding 2 3" in said
    assert "to stderr" in said
    assert "imported with unset" in said
    assert update.facts["interpreter"] == str(world.settings.python)
    assert len(update.facts["distributions"]) == 64
    assert update.logs[0].uri.endswith(f"{name}/n0/data/0/log.txt")


async def test_it_is_forked(world, name):
    """Cold, each would take more than a second."""
    await ran(world, name, {"a": 2, "b": 3}, task="add")
    updates = []
    for number in range(3):
        await ran(world, f"{name}{number}", {"a": 2, "b": 3}, task="add")
        updates += world.news.of(f"{name}{number}")
    fresh = [world.process(f"{name}{number}") for number in range(3)]
    assert len(set(fresh)) == 3
    assert sum((b.at - a.at).total_seconds() for a, b in zip(updates[::2], updates[1::2], strict=True)) < 3


async def test_surroundings(world, name):
    await ran(world, name, task="where")
    found = words.value((await world.outputs(name))["o0"], typing.Dict[str, str])
    folder = world.settings.attempts / name
    assert found["cwd"] == str(folder / "work")
    assert found["argv"].endswith("bin/pyflyte-execute")
    assert found["main"] == found["argv"]
    assert found["zygotes"] == "[]"
    assert found["fork"] == "unset"
    assert found["session"] == "True"
    assert found["files"] == "here.txt"
    assert found["tmp"] == str(folder / "tmp")
    assert found["working"].startswith(str(folder / "tmp"))
    # A loop's pair and a socket for statistics are flytekit's own; of the zygote's sockets and pipes nothing is left.
    assert found["descriptors"].count("socket") <= 3
    assert "pipe" not in found["descriptors"]


async def test_map(world, name):
    given = {"a": words.literal([1, 2, 3], typing.List[int])}
    environment = {"FLYTE_K8S_ARRAY_INDEX": "1", "BATCH_JOB_ARRAY_INDEX_VAR_NAME": "FLYTE_K8S_ARRAY_INDEX"}
    await ran(world, name, given, task="times", environment=environment, script="pyflyte-map-execute")
    assert (await world.outputs(name))["o0"].scalar.primitive.integer == 20


async def test_random_numbers_differ(world, name):
    given = {"a": words.literal(list(range(20)), typing.List[int])}
    drawn = []
    for number in range(20):
        environment = {"FLYTE_K8S_ARRAY_INDEX": str(number), "BATCH_JOB_ARRAY_INDEX_VAR_NAME": "FLYTE_K8S_ARRAY_INDEX"}
        element = f"{name}-{number}"
        await ran(world, element, given, task="rand", environment=environment, script="pyflyte-map-execute")
        drawn.append(tuple(words.value((await world.outputs(element))["o0"], typing.List[float])))
    assert len({pair[0] for pair in drawn}) == 20
    assert len({pair[1] for pair in drawn}) == 20


async def test_seeds_set_at_import_are_kept(world, name):
    drawn = []
    for number in range(2):
        await ran(world, f"{name}{number}", module="launcher_seeded", task="draw")
        drawn.append(words.value((await world.outputs(f"{name}{number}"))["o0"], typing.List[float]))
    assert drawn[0] == drawn[1]
    assert drawn[0] == pytest.approx([0.32383276483316237, 0.07630828937395717])


async def test_declared_environment_is_there_at_import(world, name):
    for declared in ("one", "two"):
        element = f"{name}-{declared}"
        await ran(world, element, task="declared", environment={"DECLARED": declared})
        assert words.value((await world.outputs(element))["o0"], typing.List[str]) == [declared, declared, element]


async def test_user_error(world, name):
    await ran(world, name, task="wrong")
    error = await error_of(world, name)
    assert "no such luck" in error.message
    assert error.kind == errors_pb2.ContainerError.NON_RECOVERABLE


async def test_recoverable_error(world, name):
    await ran(world, name, task="luckless")
    assert (await error_of(world, name)).kind == errors_pb2.ContainerError.RECOVERABLE


async def test_exit_code(world, name):
    line = words.execute(name, TASKS, "leaves", inputs=f"s3://volant/metadata/{name}/inputs.pb")
    data = literals_pb2.LiteralMap(literals={"code": words.literal(3)}).SerializeToString()
    await world.blobs.put(f"s3://volant/metadata/{name}/inputs.pb", data)
    await world.launcher.launch(attempt(name, line))
    update = await world.news.end(name)
    assert update.phase is PHASE.FAILED
    assert update.retryable
    assert "terminated with exit code (3)" in update.error.message
    assert "leaving with 3" in update.error.message


async def test_data_frames(world, name):
    await ran(world, name, task="frame")
    made = (await world.outputs(name))["o0"]
    assert made.scalar.structured_dataset.uri.startswith("s3://volant/data/zz/")
    await ran(world, f"{name}2", {"data": made}, task="total")
    assert (await world.outputs(f"{name}2"))["o0"].scalar.primitive.integer == 6


async def test_files_and_folders(world, name):
    await ran(world, name, task="make_files")
    made = await world.outputs(name)
    assert made["o0"].scalar.blob.uri.startswith("s3://volant/data/zz/")
    await ran(world, f"{name}2", {"file": made["o0"], "folder": made["o1"]}, task="read_files")
    assert (await world.outputs(f"{name}2"))["o0"].scalar.primitive.string_value == "a,b\n1,2\n12"


async def test_deck(world, name):
    await ran(world, name, task="deck")
    uri = f"s3://volant/metadata/{name}/n0/data/0/deck.html"
    assert b"a deck of cards" in await world.blobs.get(uri)
    found = await world.blobs.head(uri)
    assert found is not None
    assert found.content_type == "text/html"


async def test_dynamic(world, name):
    environment = {"_F_SS_C": serialization_settings()}
    await ran(world, name, {"n": 3}, task="fan", environment=environment)
    data = await world.blobs.get(f"s3://volant/metadata/{name}/n0/data/0/futures.pb")
    assert len(dynamic_job_pb2.DynamicJobSpec.FromString(data).nodes) == 3


def serialization_settings():
    from flytekit.configuration import ImageConfig, SerializationSettings

    return SerializationSettings(
        ImageConfig.auto(img_name="none:none"), project="p", domain="d", version="v"
    ).serialized_context


async def test_checkpoints(world, name):
    await ran(world, name, task="counts")
    assert (await world.outputs(name))["o0"].scalar.primitive.integer == 0
    previous = f"s3://volant/data/zz/{name}/_flytecheckpoints"
    await ran(world, f"{name}2", task="counts", previous=previous)
    assert (await world.outputs(f"{name}2"))["o0"].scalar.primitive.integer == 1


async def test_exit_handlers_run(world, name, tmp_path):
    await ran(world, name, {"path": str(tmp_path / "flushed")}, task="farewell")
    assert (tmp_path / "flushed").read_text() == "flushed"


async def test_threads_at_import(world, name, caplog):
    await ran(world, name, module="launcher_threads", task="alive")
    assert (await world.outputs(name))["o0"].scalar.primitive.boolean
    assert any("launcher_threads is imported by each attempt itself" in line for line in caplog.messages)
    await ran(world, f"{name}2", {"a": 1, "b": 1}, task="add")


async def test_a_module_that_cannot_be_imported(world, name):
    await ran(world, name, module="launcher_broken", task="never")
    assert "this module is broken" in (await error_of(world, name)).message


def secrets_of(mount, env_var):
    secret = security_pb2.Secret(group="db", key="Password", mount_requirement=mount, env_var=env_var)
    return tasks_pb2.TaskTemplate(security_context=security_pb2.SecurityContext(secrets=[secret]))


async def test_secrets(world, name):
    kinds = security_pb2.Secret.MountType
    missing = attempt(
        f"{name}-none", words.execute(f"{name}-none", TASKS, "secret_file"), task=secrets_of(kinds.FILE, "DB_FILE")
    )
    await world.launcher.launch(missing)
    refused = await world.news.end(f"{name}-none")
    assert refused.phase is PHASE.FAILED
    assert not refused.retryable
    assert "volant secret set db Password" in refused.error.message
    world.launcher._secrets.set("db", "Password", "s3cret")
    await ran(world, f"{name}-var", task="secret_variable", template=secrets_of(kinds.ENV_VAR, "DB_PW"))
    found = words.value((await world.outputs(f"{name}-var"))["o0"], typing.List[str])
    assert found == ["s3cret", "s3cret"]
    await ran(world, f"{name}-file", task="secret_file", template=secrets_of(kinds.FILE, "DB_FILE"))
    found = words.value((await world.outputs(f"{name}-file"))["o0"], typing.List[str])
    assert found == ["s3cret", "s3cret", "0o400"]


CODE = """
import os, pathlib, typing
from flytekit import task
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile
import beside

@task
def read() -> str:
    return beside.WORD + pathlib.Path("data/words.txt").read_text() + pathlib.Path(beside.__file__).parent.name[:0]

@task
def give() -> typing.Tuple[FlyteFile, FlyteDirectory, FlyteFile]:
    (pathlib.Path("data") / "mine.txt").write_text("x")
    return FlyteFile("beside.py"), FlyteDirectory("data"), FlyteFile("data/words.txt")

@task
def write() -> int:
    pathlib.Path("new.txt").write_text("x")
    return len(os.listdir("."))
"""


def archive(word):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for path, text in {"fastcode.py": CODE, "beside.py": f"WORD = {word!r}", "data/words.txt": "!"}.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()


async def test_fast_registration(world, name):
    for word in ("one", "two"):
        element = f"{name}-{word}"
        await world.blobs.put(f"s3://volant/code/{word}/fast.tar.gz", archive(word))
        line = words.fast(f"s3://volant/code/{word}/fast.tar.gz", words.execute(element, "fastcode", "read"))
        await world.put_inputs()
        await world.launcher.launch(attempt(element, line))
        update = await world.news.end(element)
        assert update.phase is PHASE.SUCCEEDED, (update.error, await world.said(element))
        assert (await world.outputs(element))["o0"].scalar.primitive.string_value == f"{word}!"
    for number in range(2):  # what one writes into its working folder, no other sees
        element = f"{name}-w{number}"
        line = words.fast("s3://volant/code/one/fast.tar.gz", words.execute(element, "fastcode", "write"))
        await world.launcher.launch(attempt(element, line))
        await world.news.end(element)
        assert (await world.outputs(element))["o0"].scalar.primitive.integer == 4
    element = f"{name}-give"
    line = words.fast("s3://volant/code/one/fast.tar.gz", words.execute(element, "fastcode", "give"))
    await world.launcher.launch(attempt(element, line))
    assert (await world.news.end(element)).phase is PHASE.SUCCEEDED, await world.said(element)
    made = await world.outputs(element)
    assert await world.blobs.get(made["o2"].scalar.blob.uri) == b"!"
    assert not list(world.settings.code.rglob("mine.txt"))
    assert len([folder for folder in world.settings.code.iterdir() if "~" not in folder.name]) == 2


async def test_dynamic_tasks_learn_where_their_code_is(world, name):
    await world.blobs.put("s3://volant/code/three/fast.tar.gz", archive("three"))
    inner = words.execute(name, TASKS, "fan", inputs=f"s3://volant/metadata/{name}/inputs.pb")
    data = literals_pb2.LiteralMap(literals={"n": words.literal(2)}).SerializeToString()
    await world.blobs.put(f"s3://volant/metadata/{name}/inputs.pb", data)
    line = words.fast("s3://volant/code/three/fast.tar.gz", inner)
    await world.launcher.launch(attempt(name, line, environment={"_F_SS_C": serialization_settings()}))
    assert (await world.news.end(name)).phase is PHASE.SUCCEEDED, await world.said(name)
    futures = await world.blobs.get(f"s3://volant/metadata/{name}/n0/data/0/futures.pb")
    arguments = dynamic_job_pb2.DynamicJobSpec.FromString(futures).tasks[0].container.args
    assert list(arguments[:5]) == words.fast("s3://volant/code/three/fast.tar.gz", [])[:5]


async def test_pickled_code(world, name):
    import gzip

    import cloudpickle
    from flytekit import task
    from flytekit.core.python_auto_container import PickledEntity, PickledEntityMetadata

    @task
    def from_notebook(a: int) -> int:
        return a + 1

    import sys

    python = ".".join(map(str, sys.version_info[:3]))
    entity = PickledEntity(metadata=PickledEntityMetadata(python_version=python), entities={"nb": from_notebook})
    await world.blobs.put("s3://volant/code/nb/pkl.gz", gzip.compress(cloudpickle.dumps(entity)))
    inputs = literals_pb2.LiteralMap(literals={"a": words.literal(1)}).SerializeToString()
    await world.blobs.put(f"s3://volant/metadata/{name}/inputs.pb", inputs)
    line = words.execute(name, TASKS, "x", inputs=f"s3://volant/metadata/{name}/inputs.pb")
    line = line[: line.index("--resolver")]
    line += [
        "--resolver",
        "flytekit.core.python_auto_container.default_notebook_task_resolver",
        "--",
        "entity-name",
        "nb",
    ]
    await world.launcher.launch(attempt(name, words.fast("s3://volant/code/nb/pkl.gz", line)))
    assert (await world.news.end(name)).phase is PHASE.SUCCEEDED, await world.said(name)
    assert (await world.outputs(name))["o0"].scalar.primitive.integer == 2


async def test_archives_that_are_none(world, name):
    for kind, content in {"gone": None, "junk": b"this is no archive"}.items():
        element = f"{name}-{kind}"
        uri = f"s3://volant/code/{kind}/fast.tar.gz"
        if content is not None:
            await world.blobs.put(uri, content)
        await world.launcher.launch(attempt(element, words.fast(uri, words.execute(element, "m", "t"))))
        update = await world.news.end(element)
        assert update.phase is PHASE.FAILED
        assert "fast.tar.gz" in update.error.message


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        ("pools", {}, [14, 14, 14]),
        ("slowly", {"a": 1}, 2),
        ("loops", {"a": 1}, 2),
        ("calls", {}, "UNAVAILABLE2"),
    ],
)
async def test_what_tasks_do_with_processes_and_loops(world, task, given, expected):
    for number in range(1 if task == "pools" else 2):  # the first is forked, the second was a spare
        name = f"does-{task}-{number}"
        await ran(world, name, given, task=task)
        kind = typing.List[int] if isinstance(expected, list) else type(expected)
        assert words.value((await world.outputs(name))["o0"], kind) == expected
