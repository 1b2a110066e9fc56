"""Environments that stand in for images: made once, whole or not at all, with zygotes of their own."""
# Other processes tell nothing: they are looked at.
# ruff: noqa: ASYNC110

import asyncio
import base64
import dataclasses
import hashlib
import json
import os
import pathlib
import sys
import zipfile

import pytest
from launcher_worlds import ProcessWorld, attempt

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.process import installing, recipes
from volantidl.core import execution_pb2, identifier_pb2, tasks_pb2

PHASE = port.AttemptPhase
KIND = execution_pb2.ExecutionError.ErrorKind
OFFLINE = "--no-index"


def make_wheel(folder: pathlib.Path, name: str, version: str, source: str, requires: str = "") -> pathlib.Path:
    """A wheel of one module and a script."""
    info = f"{name}-{version}.dist-info"
    wanted = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-say = {name}:main\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        for path, text in files.items()
    }
    record = "".join(f"{path},sha256={digests[path]},{len(text.encode())}\n" for path, text in files.items())
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return made


def task_of(**recipe):
    told = {"pip_extra_args": OFFLINE, **recipe}
    container = tasks_pb2.Container(image="mine:1")
    return tasks_pb2.TaskTemplate(
        id=identifier_pb2.Identifier(name="t"), container=container, config={"volant-image:mine:1": json.dumps(told)}
    )


def with_wheel(wheel, **more):
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return task_of(archives=[{"path": str(wheel), "sha256": digest}], **more)


def says(name, task, words=("python", "-c", "import greeting, sys; print(greeting.VALUE, sys.prefix)"), **more):
    return attempt(name, list(words), task=task, **more)


@pytest.fixture
async def world(tmp_path):
    made = ProcessWorld(tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def wheel(tmp_path):
    return make_wheel(tmp_path / "wheels", "greeting", "1.0", "VALUE = 'hello 1'\n\ndef main():\n    print(VALUE)\n")


def environments(world):
    return sorted(path for path in world.settings.environments.iterdir() if path.is_dir())


async def test_one_for_all_who_ask(world, wheel):
    """Attempts that come together wait for one build, and see in their logs how it goes."""
    task = with_wheel(wheel)
    for name in "abc":
        await world.launcher.launch(says(name, task))
    for name in "abc":
        assert (await world.news.end(name)).phase is PHASE.SUCCEEDED, await world.said(name)
    (folder,) = environments(world)
    for name in "abc":
        said = await world.said(name)
        assert "Making the environment of the image mine:1" in said
        assert f"hello 1 {folder}" in said
        assert "is being made" in world.news.of(name)[0].reason
    await world.launcher.launch(says("d", task))
    await world.news.end("d")
    assert await world.said("d") == f"hello 1 {folder}\n"
    assert environments(world) == [folder]


async def test_what_lies_below_is_there_too(world, wheel):
    words = ["python", "-c", "import volant, greeting; print(volant.__file__)"]
    await world.launcher.launch(says("a", with_wheel(wheel), words))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED, await world.said("a")


async def test_scripts_of_packages(world, wheel):
    await world.launcher.launch(says("a", with_wheel(wheel), ["greeting-say"]))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED, await world.said("a")
    assert (await world.said("a")).endswith("hello 1\n")


async def test_it_survives_a_restart(world, wheel):
    await world.launcher.launch(says("a", with_wheel(wheel)))
    await world.news.end("a")
    (world.settings.environments / "left~1-ab").mkdir()
    await world.close()
    await world.reopen()
    await world.launcher.launch(says("b", with_wheel(wheel)))
    await world.news.end("b")
    assert "Making" not in await world.said("b")
    assert len(environments(world)) == 1, "what was not finished is gone"


async def test_others_get_another_one(world, wheel, tmp_path):
    """Another content is another environment; another variable is not."""
    await world.launcher.launch(says("a", with_wheel(wheel)))
    newer = make_wheel(tmp_path / "wheels", "greeting", "2.0", "VALUE = 'hello 2'\n")
    await world.launcher.launch(says("b", with_wheel(newer)))
    words = ["python", "-c", "import os; print(os.environ['MOOD'], os.environ['OTHER'])"]
    told = {"MOOD": "good", "OTHER": "image's"}
    await world.launcher.launch(says("c", with_wheel(wheel, env=told), words, environment={"OTHER": "own"}))
    for name in "abc":
        assert (await world.news.end(name)).phase is PHASE.SUCCEEDED, await world.said(name)
    assert "hello 1" in await world.said("a")
    assert "hello 2" in await world.said("b")
    assert (await world.said("c")).endswith("good own\n"), "the task's own variables win"
    assert len(environments(world)) == 2


async def test_what_needs_an_image_is_told(world, wheel, caplog):
    for name in "ab":
        await world.launcher.launch(says(name, with_wheel(wheel, only_in_images=["apt_packages", "commands"])))
        await world.news.end(name)
    told = "without images: apt_packages, commands of mine:1 are left out"
    assert told in await world.said("a")
    assert caplog.text.count(told) == 1


async def test_only_variables_need_no_environment(world):
    words = ["python", "-c", "import os; print(os.environ['MOOD'])"]
    await world.launcher.launch(says("a", task_of(env={"MOOD": "good"}), words))
    await world.news.end("a")
    assert await world.said("a") == "good\n"
    assert not world.settings.environments.exists()


async def test_an_image_that_nobody_described(world):
    task = tasks_pb2.TaskTemplate(container=tasks_pb2.Container(image="other:1"), config={"volant-image:mine:1": "{}"})
    await world.launcher.launch(says("a", task, ["python", "-c", "print('fine')"]))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED


async def test_requirements(world, wheel):
    task = task_of(requirements=f"# mine\ngreeting==1.0\n--find-links {wheel.parent}\n")
    await world.launcher.launch(says("a", task))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED, await world.said("a")


async def test_a_package_that_can_not_be_had(world):
    await world.launcher.launch(says("a", task_of(packages=["no-such-package-of-ours==7"])))
    update = await world.news.end("a")
    assert (update.error.kind, update.retryable) == (KIND.USER, False)
    message = update.error.message
    assert "mine:1" in message
    assert "no-such-package-of-ours==7" in message
    assert "Mend packages=" in message
    assert "no-such-package-of-ours" in await world.said("a"), "the log has all that was said"
    assert not environments(world)
    await world.launcher.launch(says("b", task_of(packages=["no-such-package-of-ours==7"])))
    await world.news.end("b")
    assert "Making" in await world.said("b"), "the next attempt may have better luck"


async def test_a_package_that_the_sdk_can_not_bear(world, tmp_path):
    """What the SDK requires counts too, or it would fail later, and elsewhere."""
    wheel = make_wheel(tmp_path / "w", "greeting", "1.0", "", requires="protobuf<4")
    await world.launcher.launch(says("a", with_wheel(wheel)))
    update = await world.news.end("a")
    assert update.error.kind == KIND.USER
    assert "protobuf" in update.error.message


async def test_a_wheel_that_changed(world, wheel):
    task = with_wheel(wheel)
    make_wheel(wheel.parent, "greeting", "1.0", "VALUE = 'other'\n")
    await world.launcher.launch(says("a", task))
    assert "Register the task again" in (await world.news.end("a")).error.message
    wheel.unlink()
    await world.launcher.launch(says("b", task))
    assert "can't be read on the machine" in (await world.news.end("b")).error.message


async def test_another_python(world, wheel):
    await world.launcher.launch(says("a", with_wheel(wheel, python_version="3.1")))
    update = await world.news.end("a")
    assert update.error.kind == KIND.USER
    assert "there is no python3.1 on the machine" in update.error.message
    same = "{}.{}".format(*sys.version_info)
    await world.launcher.launch(says("b", with_wheel(wheel, python_version=same)))
    assert (await world.news.end("b")).phase is PHASE.SUCCEEDED, await world.said("b")


async def test_a_stopped_attempt_does_not_stop_the_others(world, wheel):
    task = with_wheel(wheel)
    await world.launcher.launch(says("a", task))
    await world.launcher.launch(says("b", task))
    await world.news.until("b", PHASE.QUEUED)
    await world.launcher.stop("a", "the test says so")
    assert (await world.news.end("b")).phase is PHASE.SUCCEEDED, await world.said("b")
    assert not world.news.ends("a")


async def test_shutting_down_ends_what_is_being_made(world, wheel, tmp_path):
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "uv").write_text("#!/bin/sh\necho installing; exec sleep 60\n")
    (slow / "uv").chmod(0o755)
    (slow / "python").symlink_to(sys.executable)
    other = ProcessWorld(tmp_path, python=slow / "python")
    await other.open()
    await other.launcher.launch(says("a", with_wheel(wheel)))
    async with asyncio.timeout(20):
        while "installing" not in await other.said("a"):
            await asyncio.sleep(0.02)
    async with asyncio.timeout(10):
        await other.close()


async def test_the_least_recently_used_go(tmp_path, wheel):
    world = ProcessWorld(tmp_path, environments_kept=1, environments_safe=0.0, environments_warm=1)
    await world.open()
    await world.launcher.launch(says("a", with_wheel(wheel)))
    await world.news.end("a")
    (first,) = environments(world)
    old = (first / installing.MARK).stat().st_mtime - 60
    os.utime(first / installing.MARK, (old, old))
    newer = make_wheel(tmp_path / "wheels", "greeting", "2.0", "VALUE = 'hello 2'\n")
    third = make_wheel(tmp_path / "wheels", "greeting", "3.0", "VALUE = 'hello 3'\n")
    for name, task in (("b", with_wheel(newer)), ("c", with_wheel(third))):
        await world.launcher.launch(says(name, task))
        assert (await world.news.end(name)).phase is PHASE.SUCCEEDED, await world.said(name)
    assert first not in environments(world)
    await world.launcher.launch(says("d", with_wheel(wheel)))
    assert (await world.news.end("d")).phase is PHASE.SUCCEEDED, await world.said("d")
    await world.close()


# ---- parts


def test_recipes():
    found = recipes.of(task_of(packages=["a==1"], python_version="3.12", env={"A": "b"}, only_in_images=["commands"]))
    assert found is not None
    assert (found.image, found.packages, found.words) == ("mine:1", ("a==1",), "Python 3.12, a==1")
    assert found.key("base") != found.key("other base")
    pod = tasks_pb2.TaskTemplate(
        config={"primary_container_name": "mine", "volant-image:in-pod:1": '{"packages": ["b"]}'}
    )
    pod.k8s_pod.pod_spec.update({"containers": [{"name": "side", "image": "x"}, {"name": "mine", "image": "in-pod:1"}]})
    inside = recipes.of(pod)
    assert inside is not None
    assert inside.packages == ("b",)
    assert recipes.of(tasks_pb2.TaskTemplate()) is None


@pytest.mark.parametrize("told", ["no json", "[]", '{"packages": "a"}', '{"archives": [{}]}', '{"env": []}', "3"])
def test_recipes_that_can_not_be_read(told):
    task = task_of()
    task.config["volant-image:mine:1"] = told
    with pytest.raises(errors.InvalidArgumentError, match="register the task again"):
        recipes.of(task)


def test_pip_where_there_is_no_uv(tmp_path, wheel):
    base = dataclasses.replace(installing.look_at(pathlib.Path(sys.executable), os.environ), uv=None)
    recipe = recipes.of(with_wheel(wheel))
    assert recipe is not None
    lines: list[str] = []
    installing.build(recipe, base, tmp_path / "e", os.environ, installing.Running(), lines.append)
    assert any("Successfully installed greeting-1.0" in line for line in lines)
    script = (tmp_path / "e" / "bin" / "greeting-say").read_text()
    assert script.startswith(f"#!{tmp_path / 'e'}/bin/python")
