"""ImageSpec: what goes into an image, how it is built, and what a platform without images is told."""

import dataclasses
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

from volant import ImageSpec, Remote, map_task, task, workflow
from volant.authoring import image, image_build
from volant.client import code
from volant.errors import DefinitionError, ImageBuildError
from volant.serialization import settings, specs

SETTINGS = settings.SerializationSettings(version="v")


@task(container_image=ImageSpec(name="own", packages=["numpy==1"]))
def own_image(a: int) -> int:
    return a


@task
def plain(a: int) -> int:
    return a


def make_wheel(folder: pathlib.Path, value: int) -> pathlib.Path:
    """A wheel of one module, without a record of its files."""
    info = "greeting-1.0.dist-info"
    made = folder / "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as wheel:
        wheel.writestr("greeting.py", f"VALUE = {value}\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"greeting.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return made


def test_names_come_from_the_content(tmp_path):
    spec = ImageSpec(name="mine", packages=["pandas==2"], apt_packages=["git"], registry="reg.example", env={"A": "1"})
    assert spec.image_name().startswith("reg.example/mine:")
    assert spec.image_name() == dataclasses.replace(spec).image_name()
    assert spec.image_name() != dataclasses.replace(spec, packages=["pandas==3"]).image_name()
    wheel = make_wheel(tmp_path, 1)
    before = ImageSpec(packages=[str(wheel)]).tag
    make_wheel(tmp_path, 2)
    assert ImageSpec(packages=[str(wheel)]).tag != before


def test_dockerfile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.txt").write_text("b==2")
    (tmp_path / "requirements.txt").write_text("a==1\n-r more.txt\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("x\n")
    make_wheel(tmp_path, 1)
    spec = ImageSpec(
        packages=["pandas>=2", "greeting-1.0-py3-none-any.whl"],
        requirements="requirements.txt",
        apt_packages=["git", "curl"],
        python_version="3.12",
        env={"A": "1"},
        commands=["touch /done"],
        pip_index="https://index.example/simple",
        pip_extra_index_url=["https://more.example"],
        pip_extra_args="--pre",
        source_root="data",
        copy=["data/x.csv"],
    )
    install = (
        "RUN pip install --no-cache-dir --index-url https://index.example/simple "
        "--extra-index-url https://more.example --pre"
    )
    assert spec.dockerfile().splitlines() == [
        "FROM python:3.12-slim-bookworm",
        "RUN apt-get update && apt-get install -y --no-install-recommends git curl && rm -rf /var/lib/apt/lists/*",
        'ENV A="1"',
        f"COPY {image.SDK_WHEEL} /tmp/{image.SDK_WHEEL}",
        f"{install} /tmp/{image.SDK_WHEEL}",
        "COPY requirements.txt /tmp/requirements.txt",
        f"{install} -r /tmp/requirements.txt",
        "COPY packages /tmp/packages",
        f"{install} 'pandas>=2' '/tmp/packages/greeting-1.0-py3-none-any.whl'",
        "RUN touch /done",
        "WORKDIR /root",
        "COPY source /root",
        "COPY copied /root",
    ]
    context = tmp_path / "context"
    context.mkdir()
    image_build.write_context(spec, context)
    copied = re.findall(r"^COPY (\S+)", spec.dockerfile(), flags=re.MULTILINE)
    assert all((context / name).exists() for name in copied)
    assert (context / "requirements.txt").read_text() == "a==1\nb==2\n"
    assert (context / "copied" / "data" / "x.csv").read_text() == "x\n"


def test_more_of_the_same():
    spec = ImageSpec().with_packages("a").with_packages(["b", "c"]).with_apt_packages("git").with_commands(["x"])
    assert (spec.packages, spec.apt_packages, spec.commands) == (("a", "b", "c"), ("git",), ("x",))


def stub_tool(folder: pathlib.Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_nothing_to_build_with(tmp_path, monkeypatch):
    stub_tool(tmp_path / "bin", "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ImageBuildError, match="docker: Cannot connect to the Docker daemon; buildah: not installed"):
        ImageSpec().build()


def test_building_and_pushing(tmp_path, monkeypatch):
    """The next tool is taken where the first doesn't work; the context has what the Dockerfile copies."""
    said = tmp_path / "said"
    stub_tool(tmp_path / "bin", "docker", "exit 1")
    stub_tool(
        tmp_path / "bin",
        "buildah",
        f'echo "$1" "$2" "$3" "$4" "$5" >> {said}; for last; do :; done; [ "$1" = build ] && ls "$last" >> {said}; exit 0',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    spec = ImageSpec(name="mine", packages=["a"], registry="reg.example")
    assert spec.build() == spec.image_name()
    words = said.read_text().split("\n")
    assert "build --platform linux/amd64 -t " + spec.image_name() in words
    assert {"Dockerfile", image.SDK_WHEEL} <= set(words)
    assert any(line.startswith(f"push {spec.image_name()}") for line in words)
    stub_tool(tmp_path / "bin", "buildah", '[ "$1" = build ] && { echo "no such base" >&2; exit 3; }; exit 0')
    with pytest.raises(ImageBuildError, match="code 3: no such base"):
        spec.build()


def test_the_wheel_of_the_sdk_works(tmp_path):
    wheel = image_build.write_sdk_wheel(tmp_path)
    target = tmp_path / "there"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, timeout=100)
    assert (target / "bin" / "volant-execute").exists()
    code = "import volant, volantidl.core.tasks_pb2; print(volant.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(target)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(target))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"packages": "pandas"}, r"packages='pandas'.*expected a list of texts, found str.*packages=\[…\]"),
        ({"commands": [1]}, "expected a list of texts"),
        ({"python_version": "three"}, "expected a version such as '3.12'"),
        ({"requirements": "none.txt"}, "names 'none.txt', which is not there"),
        ({"packages": ["./none-1.0-py3-none-any.whl"]}, "which is not there"),
        ({"source_root": "none"}, "which is not there"),
    ],
)
def test_wrong_specs(wrong, said):
    with pytest.raises(DefinitionError, match=said) as caught:
        ImageSpec(**wrong).image_name()
    assert f"{__file__}:" in str(caught.value)


# ---- what a platform without images is told


def recipe_in(template, spec):
    return json.loads(template.config[f"volant-image:{spec.image_name()}"])


def test_recipes_stand_in_the_task(tmp_path):
    spec = own_image.settings.container_image
    template = specs.specs_for(own_image, SETTINGS).tasks[own_image.name].template
    assert template.container.image == spec.image_name()
    assert recipe_in(template, spec) == {"packages": ["numpy==1"]}
    wheel = make_wheel(tmp_path, 1)
    (tmp_path / "requirements.txt").write_text("c\n")
    full = ImageSpec(
        packages=["b", str(wheel)],
        requirements=str(tmp_path / "requirements.txt"),
        python_version="3.11",
        env={"A": "1"},
        pip_index="https://i",
        pip_extra_index_url=["https://j"],
        pip_extra_args="--pre",
        apt_packages=["git"],
    )
    told = json.loads(full.recipe)
    assert len(told.pop("archives")[0]["sha256"]) == 64
    assert told == {
        "packages": ["b"],
        "requirements": "c\n",
        "python_version": "3.11",
        "env": {"A": "1"},
        "pip_index": "https://i",
        "pip_extra_index_url": ["https://j"],
        "pip_extra_args": "--pre",
        "only_in_images": ["apt_packages"],
    }


def test_recipes_of_overrides():
    """A node may give a task another image: the task tells of that one too."""
    other = ImageSpec(name="other", packages=["x"])

    @workflow
    def overriding(a: int) -> list[int]:
        own_image(a=a).with_overrides(container_image=other)
        return map_task(plain)(a=[1, 2]).with_overrides(container_image=other)

    made = specs.specs_for(overriding, SETTINGS)
    node = made.workflows[overriding.name].template.nodes[0]
    assert node.task_node.overrides.container_image == other.image_name()
    for name, spec in made.tasks.items():
        assert recipe_in(spec.template, other) == {"packages": ["x"]}, name


def test_other_images_have_none():
    assert not specs.specs_for(plain, SETTINGS).tasks[plain.name].template.config


VERSIONED = """
from volant import ImageSpec, task, workflow

@task(container_image=ImageSpec(requirements={path!r}))
def one() -> int:
    return 1
"""
OVERRIDING = """
from volant import ImageSpec, task, workflow
from {below} import two

@workflow
def both() -> int:
    return two().with_overrides(container_image=ImageSpec(packages=[{package!r}]))
"""


def version_in(folder, monkeypatch, name, module, source):
    (folder / f"{module}.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    entity = getattr(importlib.import_module(module), name)
    return code.Code([entity], SETTINGS, None, "auto"), entity


def test_versions_tell_of_images(tmp_path, monkeypatch):
    """Other packages are another version, though the code is the same: what is registered is not changed."""
    path = tmp_path / "requirements.txt"
    path.write_text("a==1\n")
    (tmp_path / "flows").mkdir()
    source = VERSIONED.format(path=str(path))
    found, one = version_in(tmp_path / "flows", monkeypatch, "one", "versioned_flows", source)
    before = found.version_of(one)
    assert code.Code([one], SETTINGS, None, "auto").version_of(one) == before
    path.write_text("a==2\n")
    del sys.modules["versioned_flows"]
    found, one = version_in(tmp_path / "flows", monkeypatch, "one", "versioned_flows", source)
    assert found.version_of(one) != before


def test_versions_tell_of_images_that_nodes_give(tmp_path, monkeypatch):
    """The task must tell of the image, so it is another one, though it's defined elsewhere."""
    versions = set()
    (tmp_path / "below_flows.py").write_text("from volant import task\n@task\ndef two() -> int:\n    return 2\n")
    for package in ("a", "b"):
        module = f"over_{package}_flows"
        source = OVERRIDING.format(below="below_flows", package=package)
        found, _ = version_in(tmp_path, monkeypatch, "both", module, source)
        versions.add(found.version_of(sys.modules["below_flows"].two))
    assert len(versions) == 2


PROGRAM = """
from volant import ImageSpec, dynamic, map_task, task, workflow

image = ImageSpec(packages=[{wheel!r}], env={{"MOOD": "good"}}, pip_extra_args="--no-index")
other = ImageSpec(env={{"MOOD": "better"}})


@task(container_image=image)
def greet() -> tuple[int, str]:
    import os

    import greeting  # only the environment has it

    return greeting.VALUE, os.environ["MOOD"]


@task
def mood() -> str:
    import os

    return os.environ.get("MOOD", "none")


@task(container_image=image)
def times(n: int) -> int:
    import greeting

    return n * greeting.VALUE


@dynamic
def counted(n: int) -> list[int]:
    return [times(n=i) for i in range(n)]


@workflow
def greeted() -> tuple[int, str, str, str, list[int], list[int]]:
    value, own = greet()
    return (
        value,
        own,
        mood(),
        mood().with_overrides(container_image=other),
        map_task(times)(n=[1, 2]),
        counted(n=2),
    )
"""


def test_on_the_platform(platform_endpoint, tmp_path, monkeypatch):
    wheel = make_wheel(tmp_path, 42)
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "imaged_flows.py").write_text(PROGRAM.format(wheel=str(wheel)))
    monkeypatch.syspath_prepend(str(folder))
    import imaged_flows

    execution = Remote(platform_endpoint, insecure=True).execute(imaged_flows.greeted).wait(100)
    assert execution.is_successful, execution.error
    outputs = dict(execution.outputs)
    assert outputs == {"o0": 42, "o1": "good", "o2": "none", "o3": "better", "o4": [42, 84], "o5": [0, 42]}
