"""What README.md and docs/ci.md tell people to type does what they say."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
BIN = pathlib.Path(sys.executable).parent


def block(page, language):
    return re.search(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)[1]


@pytest.fixture
def shell(tmp_path, platform_endpoint):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VOLANT_", "FLYTE"))}
    environment |= {"VOLANT_ENDPOINT": platform_endpoint, "HOME": str(tmp_path / "home")}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"

    def run(script, **more):
        command = ["bash", "-e", "-u", "-o", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=tmp_path, env=environment | more, capture_output=True, text=True, check=False, timeout=240
        )

    return run


def test_the_readmes_first_workflow(shell, tmp_path):
    page = (ROOT / "README.md").read_text()
    (tmp_path / "hello.py").write_text(block("README.md", "python"))
    here, there = re.findall(r"^\.venv/bin/(volant run .*hello\.py.*)$", page, flags=re.MULTILINE)
    assert shell(here).stdout == "hello, Ada\n"
    done = shell(there)
    assert (done.returncode, done.stdout) == (0, "hello, Ada\n"), done.stderr
    assert "✔ n0 greet" in done.stderr
    assert "/console/projects/" in done.stderr


@pytest.mark.timeout(300)
def test_a_ci_pipeline(shell, tmp_path):
    pipeline = block("docs/ci.md", "bash")
    made = shell("volant init project")
    assert made.returncode == 0, made.stderr
    (tmp_path / "project" / "pytest.ini").write_text("[pytest]\naddopts = -p no:asyncio -p no:cacheprovider\n")
    done = shell(pipeline, VERSION="commit1")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert json.loads((tmp_path / "outputs.json").read_text()) == {"o0": "HELLO, WORLD!"}

    workflows = tmp_path / "project" / "workflows.py"
    source = workflows.read_text()
    workflows.write_text(source.replace("text.upper()", "text.uper()"))
    taken = shell("volant register --version commit1 project")
    assert taken.returncode == 2
    assert "Choose another version" in taken.stderr
    failed = shell("volant register --version commit2 project; volant launch workflows.hello --version commit2 --wait")
    assert failed.returncode == 1
    assert "has no attribute 'uper'" in failed.stderr

    workflows.write_text(source.replace("shout(text=greet(name=name))", "shout(text=3)"))
    wrong = shell("volant register --dry-run project")
    assert wrong.returncode == 2
    assert "workflows.py" in wrong.stderr
    away = shell("volant register --version commit3 project", VOLANT_ENDPOINT="127.0.0.1:1")
    assert away.returncode == 2, "the code is wrong, whatever the platform"
    workflows.write_text(source)
    away = shell("volant register --version commit3 project", VOLANT_ENDPOINT="127.0.0.1:1")
    assert away.returncode == 3


def test_a_time_that_is_over(shell, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\nfrom volant import task\n\n@task\ndef rest(s: float) -> None:\n    time.sleep(s)\n"
    )
    late = shell("volant run --remote --wait --timeout 0.5 slow.py rest --s 60")
    assert late.returncode == 4
    name = re.search(r"execution (\w+)", late.stderr)[1]
    assert "ABORT" in shell(f"volant abort {name}").stdout
