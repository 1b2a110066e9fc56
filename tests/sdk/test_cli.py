"""The command line, without a platform."""

import json
import pathlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

from volant.cli import main

FLOWS = str(pathlib.Path(__file__).parent / "flows" / "sdk_flows.py")
OPTIONS = '''
import datetime, enum, pathlib, typing
from dataclasses import dataclass
import pandas as pd
from volant import Directory, File, task

class Color(enum.Enum):
    RED = "red"
    GREEN = "green"

@dataclass
class Point:
    x: int
    y: float = 0.5

@task
def show(i: int, f: float, s: str, b: bool, c: Color, lit: typing.Literal["a", "b"], l: list[int], d: dict[str, int],
         p: Point, when: datetime.datetime, long: datetime.timedelta, file: File, frame: pd.DataFrame,
         maybe: int | None = None, snake_case: str = "default") -> str:
    """Show what came.

    Args:
        i: The number.
    """
    return repr((i, f, s, b, c, lit, l, d, p, when, long, pathlib.Path(file).read_text(), len(frame), maybe, snake_case))
'''


@pytest.fixture
def cli():
    def invoke(*words, **kwargs):
        return CliRunner().invoke(main, list(map(str, words)), **kwargs)

    return invoke


def test_help_is_quick():
    code = "import sys; from volant.cli import main; print([m for m in ('google.protobuf', 'grpc', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_run(cli):
    result = cli("run", FLOWS, "add", "--a", "2")
    assert (result.exit_code, result.stdout) == (0, "5\n")
    assert cli("run", FLOWS, "chain", "--a", "1", "--b", "2").stdout == "8\n"


def test_run_json(cli):
    assert json.loads(cli("run", FLOWS, "divide", "--a", "7", "--b", "2", "-o", "json").stdout) == {"o0": 3, "o1": 1}


def test_run_a_launch_plan_by_its_name(cli):
    assert cli("run", FLOWS, "sdk_nightly").stdout == "10\n"


def test_every_type_of_option(cli, tmp_path):
    module = tmp_path / "cli_options.py"
    module.write_text(OPTIONS)
    (tmp_path / "f.txt").write_text("content")
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    (tmp_path / "p.json").write_text('{"x": 3}')
    words = [
        "--i",
        "-3",
        "--f",
        "2",
        "--s",
        "5",
        "--no-b",
        "--c",
        "green",
        "--lit",
        "b",
        "--l",
        "[1, 2]",
        "--d",
        '{"k": 1}',
    ]
    words += ["--p", f"@{tmp_path / 'p.json'}", "--when", "2024-01-02T03:04:05+00:00", "--long", "1h30m"]
    words += ["--file", tmp_path / "f.txt", "--frame", tmp_path / "t.csv", "--snake-case", "given"]
    result = cli("run", module, "show", *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == (
        "(-3, 2.0, '5', False, <Color.GREEN: 'green'>, 'b', [1, 2], {'k': 1}, Point(x=3, y=0.5), "
        "datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), datetime.timedelta(seconds=5400), "
        "'content', 2, None, 'given')"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", FLOWS, "add", "--a", "x"], "expected int, found str: 'x'"),
        (["run", FLOWS, "add"], "missing inputs: --a (int)"),
        (["run", FLOWS, "add", "--zzz", "1"], "No such option"),
        (["run", FLOWS, "nope"], "no task, workflow or launch plan 'nope'; it has"),
        (["run", FLOWS], "say what to run: add"),
        (["run", "/nowhere.py", "add"], "does not exist"),
        (["run", FLOWS, "add", "--a", "1", "--wait"], "--wait needs --remote"),
        (["run", FLOWS, "broken", "--a", "1"], "no 1 today"),
        (["register", "/nowhere"], "does not exist"),
        (["get", "nothing"], "Invalid value"),
        (["get", "executions", "--endpoint", "127.0.0.1:1", "--insecure"], "cannot reach the platform at 127.0.0.1:1"),
    ],
)
def test_mistakes(cli, words, expected):
    result = cli(*words)
    assert result.exit_code != 0
    text = result.output + (str(result.exception) if result.exception else "")
    assert expected in text


def test_inputs_file(cli, tmp_path):
    (tmp_path / "in.json").write_text('{"a": 4, "b": 5}')
    assert cli("run", "--inputs-file", tmp_path / "in.json", FLOWS, "add").stdout == "9\n"
    assert cli("run", "--inputs-file", tmp_path / "in.json", FLOWS, "add", "--b", "1").stdout == "5\n"
    assert cli("run", "--inputs-file", "-", FLOWS, "add", input='{"a": 1}').stdout == "4\n"


def test_register_dry_run(cli):
    result = cli("register", "--dry-run", FLOWS, "-o", "json")
    names = {row["name"] for row in json.loads(result.stdout)}
    assert {"sdk_flows.add", "sdk_flows.chain", "sdk_nightly"} <= names


def test_init(cli, tmp_path):
    assert cli("init", tmp_path / "mine").exit_code == 0
    assert cli("run", tmp_path / "mine" / "workflows.py", "hello", "--name", "Ada").stdout == "HELLO, ADA!\n"
    again = cli("init", tmp_path / "mine")
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_config(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = json.loads(cli("config", "-o", "json").stdout)
    assert (shown["endpoint"], shown["source"]) == ("127.0.0.1:8089", "defaults")
    assert cli("config", "--endpoint", "host:1", "--secure", "-p", "mine").exit_code == 0
    shown = json.loads(cli("config", "-o", "json").stdout)
    assert (shown["endpoint"], shown["insecure"], shown["project"]) == ("host:1", False, "mine")
    monkeypatch.setenv("FLYTE_PLATFORM_URL", "dns:///other:2")
    assert json.loads(cli("config", "-o", "json").stdout)["endpoint"] == "other:2"


def test_flytes_configuration_is_read(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".flyte").mkdir()
    (tmp_path / ".flyte" / "config.yaml").write_text(
        "admin:\n  # the address\n  endpoint: dns:///flyte.example.com\n  authType: Pkce\n  insecure: true\n"
        'console:\n  endpoint: "https://pages"\nlogger:\n  show-source: true\n  level: 0\nlist:\n- a\n- b\n'
    )
    shown = json.loads(cli("config", "-o", "json").stdout)
    assert (shown["endpoint"], shown["insecure"], shown["console"]) == ("flyte.example.com", True, "https://pages")


def test_platform_commands_are_passed_on(tmp_path):
    """`volant status` is the platform's own program."""
    command = [sys.executable, "-c", "from volant.cli import main; main()", "status", "--data", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Usage" not in done.stdout
    assert "Traceback" not in done.stderr


def test_version(cli):
    assert "0.1.0" in cli("--version").stdout


def test_running_platform_is_found(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".volant").mkdir()
    state = {"pid": 1, "ready": True, "grpc": ["127.0.0.1:5", "[::1]:5"], "http": ["127.0.0.1:6"], "s3": []}
    (tmp_path / ".volant" / "state.json").write_text(json.dumps(state))
    shown = json.loads(cli("config", "-o", "json").stdout)
    assert (shown["endpoint"], shown["console"]) == ("127.0.0.1:5", "http://127.0.0.1:6")
    monkeypatch.setenv("VOLANT_ENDPOINT", "other:7")
    shown = json.loads(cli("config", "-o", "json").stdout)
    assert (shown["endpoint"], shown["console"]) == ("other:7", "")
    (tmp_path / ".volant" / "state.json").write_text("{")
    monkeypatch.delenv("VOLANT_ENDPOINT")
    assert json.loads(cli("config", "-o", "json").stdout)["endpoint"] == "127.0.0.1:8089"
