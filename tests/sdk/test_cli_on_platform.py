"""The command line on an embedded platform: a project is registered, run, watched, broken, repaired and recovered."""

import importlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner

from volant import Remote
from volant.cli import main
from volant.errors import DefinitionError, NotFoundError

PROJECT = {
    "cleaning.py": (
        "from volant import task\nfrom {name}.settings import LOWEST\n\n@task\ndef clean(values: list[int]) -> list[int]:\n"
        "    return [value for value in values if value >= LOWEST]\n"
    ),
    "settings.py": "LOWEST = 2\n",
    "late.py": "def half(x: int) -> float:\n    return x / 2\n",
    "training.py": (
        "from volant import dynamic, map_task, task, workflow\nfrom {name} import cleaning\n\n"
        "@task\ndef train(fold: int) -> float:\n    from {name}.late import half  # imported when it runs\n"
        "    print('training', fold)\n    if fold == 4:\n        raise ValueError(f'fold {{fold}} is broken')\n    return half(fold)\n\n"
        "@task\ndef double(x: float) -> float:\n    print('doubling', x)\n    return 2 * x\n\n"
        "@dynamic\ndef doubled(scores: list[float]) -> list[float]:\n    return [double(x=score) for score in scores]\n\n"
        "@workflow\ndef training(folds: list[int]) -> list[float]:\n"
        "    return doubled(scores=map_task(train)(fold=cleaning.clean(values=folds)))\n"
    ),
    "plans.py": (
        "from volant import CronSchedule, LaunchPlan\nfrom {name}.training import training\n\n"
        "nightly = LaunchPlan.get_or_create(training, name='nightly_{name}', default_inputs={{'folds': [1, 2, 3]}},\n"
        "    schedule=CronSchedule(schedule='0 2 * * *'))\n"
    ),
}


@pytest.fixture
def cli(platform_endpoint, monkeypatch):
    monkeypatch.setenv("VOLANT_ENDPOINT", platform_endpoint)

    def invoke(*words, **kwargs):
        return CliRunner().invoke(main, list(map(str, words)), **kwargs)

    return invoke


@pytest.fixture
def project(tmp_path, request):
    """A package of five modules under a name of its own."""
    name = "project_" + re.sub(r"\W", "_", request.node.name)[5:]
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    for file, text in PROJECT.items():
        (folder / file).write_text(text.format(name=name))
    yield folder
    forget(folder)


def forget(folder):
    """As if a new process began."""
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]
    importlib.invalidate_caches()


def edit(folder, file, old, new):
    forget(folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new) + "# edited\n")


def name_of(result):
    return re.search(r"execution (\w+)", result.stderr)[1]


def registered(result):
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    return {
        one["name"].removeprefix("project_").partition(".")[2] or one["name"]
        for one in told["entities"]
        if one["is_new"]
    }


def test_only_what_changed_is_registered(cli, project):
    everything = {"cleaning.clean", "training.train", "training.double", "training.doubled", "training.training"}
    first = registered(cli("register", project, "-o", "json"))
    assert everything <= first
    assert f"nightly_{project.name}" in first
    forget(project)
    assert registered(cli("register", project, "-o", "json")) == set()
    edit(project, "late.py", "x / 2", "x / 3")
    changed = registered(cli("register", project, "-o", "json"))
    assert changed & everything == everything - {"cleaning.clean"}
    edit(project, "settings.py", "2", "1")
    changed = registered(cli("register", project, "-o", "json"))
    assert changed & everything == everything
    edit(project, "plans.py", "0 2", "0 3")
    result = cli("register", project)
    assert "1 registered, " in result.stdout
    assert f"✔ nightly_{project.name}" in result.stderr
    assert f"volant activate nightly_{project.name}" in result.stderr


def test_a_version_is_not_given_twice(cli, project):
    assert cli("register", project, "--version", "v1").exit_code == 0
    forget(project)
    assert registered(cli("register", project, "--version", "v1", "-o", "json")) == set()
    edit(project, "late.py", "x / 2", "x / 3")
    refused = cli("register", project, "--version", "v1")
    assert refused.exit_code == 2
    assert "is registered in version v1 already" in refused.output


def test_a_run_is_watched_broken_repaired_and_recovered(cli, project):
    training = project / "training.py"
    broken = cli("run", "--remote", "--watch", training, "training", "--folds", "[1, 2, 3, 4]")
    assert broken.exit_code == 1
    assert "✔ n0 clean" in broken.stderr
    # How far the others had come when one failed, which ends them.
    assert re.search(r"✘ n1 map train  [012]/3  1 failed", broken.stderr), broken.stderr
    assert "ValueError: fold 4 is broken" in broken.stderr
    assert re.search(r"n1\[\d\] map train │ training [234]", broken.stderr)
    name = name_of(broken)
    assert f"volant logs {name} n1" in broken.stderr

    shown = json.loads(cli("get", "execution", name, "-o", "json").stdout)
    assert (shown["phase"], {node["id"]: node["phase"] for node in shown["nodes"]}["n1"]) == ("FAILED", "FAILED")
    assert "✘ n1 map train" in cli("get", "execution", name).stdout
    assert "training 4" in cli("logs", name, "n1").stdout

    forget(project)
    again = cli("replay", name, "n1", "--root", project.parent)
    assert again.exit_code == 1, again.output
    assert "train(fold=4)" in again.stderr, "the element that failed"
    assert "fold 4 is broken" in again.output
    other = cli("replay", name, "n1[0]", "--root", project.parent, "-o", "json")
    assert json.loads(other.stdout) == {"o0": 1.0}, other.output
    assert cli("replay", name, "n0[1]", "--root", project.parent).exit_code == 2

    repaired = cli("launch", f"{project.name}.training.training", "--folds", "[2, 3]", "--wait", "-o", "json")
    assert json.loads(repaired.stdout) == {"o0": [2.0, 3.0]}, repaired.output
    recovered = cli("recover", name_of(repaired), "--watch")
    assert recovered.exit_code == 0, recovered.output
    assert "recovered" in recovered.stderr


def test_children_of_dynamic_tasks_are_replayed(cli, project):
    done = cli("run", "--remote", "--watch", project / "training.py", "training", "--folds", "[2, 3]")
    assert done.stdout == "[2.0, 3.0]\n", done.output
    assert "double" in done.stderr
    nodes = json.loads(cli("get", "execution", name_of(done), "-o", "json").stdout)["nodes"]
    child = next(node["id"] for node in nodes if node["name"] == "dn1")
    forget(project)
    replayed = cli("replay", name_of(done), child, "--root", project.parent)
    assert replayed.stdout == "doubling 1.5\n3.0\n", replayed.output
    command = [sys.executable, "-c", "from volant.cli import main; main()", "replay", name_of(done), child, "--pdb"]
    debugged = subprocess.run(
        [*command, "--root", str(project.parent)], input="next\ncontinue\n", capture_output=True, text=True, check=True
    )
    assert "-> print('doubling', x)" in debugged.stdout, "it stops in the user's own code"
    assert debugged.stdout.endswith("3.0\n")
    logs = cli("logs", name_of(done), "--follow")
    assert "double │ doubling 1.5" in logs.stdout, logs.output


def test_names_that_are_nearly_right(cli, project):
    cli("register", project)
    for words, expected in (
        (("launch", f"nightly_{project.name}x"), f"did you mean 'nightly_{project.name}'?"),
        (("get", "workflow", f"{project.name}.training.trainin"), f"did you mean '{project.name}.training.training'?"),
        (("get", "workflow", f"{project.name}.training.training", "-v", "none"), "its latest is"),
        (("get", "executions", "-p", "flytesnack"), "did you mean 'flytesnacks'?"),
        (("get", "executions", "-d", "dev"), "there are development, staging, production"),
        (("get", "execution", "none"), "has no execution 'none'"),
        (("activate", "none"), "has no launch plan 'none'"),
    ):
        result = cli(*words)
        assert result.exit_code == 2, result.output
        assert expected in result.output


def test_gates_are_told_what_they_take(cli, flows):
    name = name_of(cli("run", "--remote", flows.__file__, "gated", "--a", "1"))
    watch = cli("watch", name, "--quiet", "--timeout", "0.1")
    assert watch.exit_code == 4, watch.output
    wrong = cli("signal", name, "more", "many")
    while "waits for no signal" in wrong.output:  # the gate is not reached yet
        wrong = cli("signal", name, "more", "many")
    assert wrong.exit_code == 2
    assert "expected int" in wrong.output
    assert cli("signal", name, "more", "7").exit_code == 0
    approved = cli("signal", name, "go", "approve")
    while approved.exit_code:
        approved = cli("signal", name, "go", "approve")
    assert cli("watch", name, "--quiet").stdout == "11\n"
    assert "waits for nothing any more" in cli("signal", name, "go", "approve").output


def test_ctrl_c_ends_the_watching_only(cli, tmp_path, platform_endpoint):
    (tmp_path / "resting.py").write_text(
        "import time\nfrom volant import task\n\n@task\ndef rest(s: float) -> None:\n    time.sleep(s)\n"
    )
    command = [sys.executable, "-c", "from volant.cli import main; main()", "run", "--remote", "--watch"]
    command += [str(tmp_path / "resting.py"), "rest", "--s", "60"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "VOLANT_ENDPOINT": platform_endpoint}
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "rest" in line and "execution" not in line:
            process.send_signal(signal.SIGINT)
            break
    said = "".join(lines) + process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 130
    name = re.search(r"execution (\w+)", said)[1]
    assert f"volant abort {name}" in said
    assert "Traceback" not in said
    assert json.loads(cli("get", "execution", name, "-o", "json").stdout)["phase"] == "RUNNING"
    assert cli("abort", name).exit_code == 0


def test_pages_are_where_the_platform_says(platform_endpoint, flows):
    remote = Remote(platform_endpoint, insecure=True)
    execution = remote.execute(flows.add, {"a": 1}).wait(60)
    assert platform_endpoint not in execution.url
    with urllib.request.urlopen(execution.url, timeout=10) as page:
        assert execution.name in page.read().decode()


@pytest.mark.filterwarnings("ignore")
def test_flytekits_workflows_beside_ours(platform_endpoint, tmp_path, monkeypatch, flows):
    """One process, one project, both SDKs: each is registered as it is, and launched through our Remote."""
    pytest.importorskip("flytekit")
    from flytekit.configuration import Config, PlatformConfig
    from flytekit.remote import FlyteRemote

    (tmp_path / "beside.py").write_text(
        "from flytekit import task, workflow\n\n@task\ndef triple(x: int) -> int:\n    return 3 * x\n\n"
        "@workflow\ndef tripled(x: int = 2) -> int:\n    return triple(x=x)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    beside = importlib.import_module("beside")
    remote = Remote(platform_endpoint, insecure=True)
    with pytest.raises(NotFoundError, match="register it with pyflyte"):
        remote.execute(beside.tripled, {"x": 4})
    with pytest.raises(DefinitionError, match="cannot execute"):
        remote.execute(object())
    theirs = FlyteRemote(
        Config(platform=PlatformConfig(endpoint=platform_endpoint, insecure=True)), "flytesnacks", "development"
    )
    theirs.register_script(beside.tripled, source_path=str(tmp_path), module_name="beside", version="v1")
    started = [
        remote.execute(beside.tripled, {"x": 4}),
        remote.execute(beside.tripled),
        remote.execute(beside.triple, {"x": 5}, version="v1"),
        remote.execute(flows.add, {"a": 1}),
    ]
    assert [one.wait(60).outputs["o0"] for one in started] == [12, 6, 15, 4]


def test_tasks_without_functions_are_registered(cli, tmp_path):
    (tmp_path / "shells.py").write_text(
        "from volant import ShellTask, task\nfrom volant import kwtypes\n\n"
        "greet = ShellTask(name='greet', script='echo hello {inputs.name}', inputs=kwtypes(name=str))\n"
    )
    result = cli("register", tmp_path / "shells.py", "-o", "json")
    assert result.exit_code == 0, result.output
    done = cli("run", "--remote", "--wait", tmp_path / "shells.py", "greet", "--name", "Ada")
    assert done.exit_code == 0, done.output


def test_where_help_comes_from(cli):
    """Every command has help, and knows -o json where it prints results."""
    for name in main.list_commands(None):
        if name in {"up", "down", "status", "secret"}:
            continue
        text = cli(name, "--help").stdout
        assert text.startswith("Usage: "), name
        assert name == "completion" or "--output [text|json]" in text, name


@pytest.mark.parametrize("words", [("--endpoint", "http"), ("--secure",)])
def test_the_wrong_way_to_a_platform(cli, platform_endpoint, words):
    remote = Remote(platform_endpoint, insecure=True)
    if words == ("--endpoint", "http"):
        words = (
            "--endpoint",
            pathlib.PurePosixPath(remote.store._signed(f"{remote.store.prefix}/x")).parts[1],
            "--insecure",
        )
    result = cli("get", "executions", *words)
    assert result.exit_code == 3, result.output
    assert ("is HTTP" if "--endpoint" in words else "--insecure") in result.output
    assert "Traceback" not in result.output
