"""The command line, without a platform."""

import importlib
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
        (["get", "executions", "-c", "/nowhere.yaml"], "there is no configuration file /nowhere.yaml"),
        (["registr"], "Did you mean 'register'?"),
        (["run", __file__.replace(".py", ".md"), "add"], "does not exist"),
        (["run", FLOWS, "add", "--inputs-file", "/nowhere.json"], "/nowhere.json: No such file"),
        (["run", FLOWS, "add", "--inputs-file", __file__], "is no JSON"),
        (["register", "--env", "X", FLOWS], "expected KEY=VALUE, found 'X'"),
    ],
)
def test_mistakes(cli, words, expected):
    result = cli(*words)
    assert result.exit_code == {"cannot reach the platform at 127.0.0.1:1": 3, "no 1 today": 1}.get(expected, 2)
    text = result.output + (str(result.exception) if result.exception else "")
    assert expected in text


def test_inputs_file(cli, tmp_path):
    (tmp_path / "in.json").write_text('{"a": 4, "b": 5}')
    assert cli("run", "--inputs-file", tmp_path / "in.json", FLOWS, "add").stdout == "9\n"
    assert cli("run", "--inputs-file", tmp_path / "in.json", FLOWS, "add", "--b", "1").stdout == "5\n"
    assert cli("run", "--inputs-file", "-", FLOWS, "add", input='{"a": 1}').stdout == "4\n"


def test_register_dry_run(cli):
    result = cli("register", "--dry-run", FLOWS, "-o", "json")
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert {"sdk_flows.add", "sdk_flows.chain", "sdk_nightly"} <= rows.keys()
    assert rows["sdk_flows.add"]["version"] == rows["sdk_flows.chain"]["version"] != rows["sdk_nightly"]["version"]


def test_everything_that_cannot_be_imported_is_told_at_once(cli, tmp_path):
    (tmp_path / "one_wrong.py").write_text("from volant import task\n\n@task\ndef f(x: int -> int:\n    return x\n")
    (tmp_path / "two_wrong.py").write_text("import nothing_of_the_kind\n")
    (tmp_path / "three_wrong.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "four_wrong.py").write_text("def f():\n    return unknown\n\nx = f()\n")
    (tmp_path / "five_right.py").write_text("from volant import task\n\n@task\ndef f() -> int:\n    return 1\n")
    result = cli("register", "--dry-run", tmp_path)
    assert result.exit_code == 2
    assert "one_wrong.py:4: " in result.output
    assert "No module named 'nothing_of_the_kind'" in result.output
    assert "Is it installed for" in result.output
    assert "three_wrong.py ends the program when it is imported" in result.output
    assert 'four_wrong.py", line 2, in f' in result.output
    assert "importlib" not in result.output, "our own frames are nobody's business"
    assert "4 of 5 files could not be imported" in result.output


def test_inputs_are_checked_by_name(cli, tmp_path):
    module = tmp_path / "cli_nested.py"
    module.write_text(
        "from dataclasses import dataclass\nfrom volant import task\n\n@dataclass\nclass Inner:\n    rate: float = 1.0\n\n"
        "@dataclass\nclass Outer:\n    inner: Inner\n\n@task\ndef show(outer: Outer, count: int = 3) -> float:\n"
        "    return outer.inner.rate\n"
    )
    assert cli("run", module, "show", "--outer", '{"inner": {"rate": 2}}').stdout == "2.0\n"
    wrong = cli("run", module, "show", "--outer", '{"inner": {"rat": 2}}')
    assert wrong.exit_code == 2
    assert "Inner has no field 'rat'; did you mean 'rate'?" in wrong.output
    help_ = cli("run", module, "show", "--help").stdout
    assert "--outer OUTER" in help_
    assert "[required]" in help_
    assert "--count INT" in help_
    assert "[default: 3]" in help_
    assert help_.index("Inputs:") < help_.index("Options:")
    unknown = cli("run", module, "sow")
    assert unknown.exit_code == 2
    assert "did you mean 'show'?" in unknown.output


def test_lines_of_tasks_side_by_side_do_not_mix(cli, tmp_path):
    module = tmp_path / "cli_loud.py"
    module.write_text(
        "import sys, threading\nfrom volant import task, workflow\n\nboth = threading.Barrier(2)\n\n@task\ndef say(x: int) -> None:\n"
        "    sys.stdout.write(f'begun {x}')\n    both.wait(10)\n    sys.stdout.write(f' ended {x}\\n')\n\n"
        "@workflow\ndef loud() -> None:\n    say(x=1)\n    say(x=2)\n"
    )
    result = cli("run", module, "loud")
    assert {"begun 1 ended 1", "begun 2 ended 2"} <= set(result.stdout.splitlines()), result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(cli, shell):
    assert "_VOLANT_COMPLETE" in cli("completion", shell).stdout


def test_completion_knows_what_a_file_defines(cli):
    words = {"_VOLANT_COMPLETE": "bash_complete", "COMP_WORDS": f"volant run {FLOWS} div", "COMP_CWORD": "3"}
    assert cli(env=words, prog_name="volant").stdout.split() == ["plain,divide"]
    words |= {"COMP_WORDS": "volant regi", "COMP_CWORD": "1"}
    assert cli(env=words, prog_name="volant").stdout.split() == ["plain,register"]


@pytest.mark.parametrize(
    ("template", "words", "said"),
    [
        ("hello", ["hello", "--name", "Ada"], "HELLO, ADA!"),
        ("data", ["quality"], '"mean": 20.0'),
        ("tuning", ["tuning"], '{"settings": {"rate": 0.2, "depth": 3}, "score": 1.0}'),
    ],
)
def test_init(cli, tmp_path, template, words, said, monkeypatch):
    folder = tmp_path / f"mine_{template}"
    made = cli("init", folder, "--template", template)
    assert made.exit_code == 0, made.output
    for name in ("workflows", "test_workflows"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    result = cli("run", folder / "workflows.py", *words)
    assert said in result.stdout, result.output
    tests = importlib.import_module("test_workflows")
    checks = [check for name, check in vars(tests).items() if name.startswith("test_")]
    for check in checks:
        check()
    assert len(checks) >= 2
    again = cli("init", folder, "--template", template)
    assert again.exit_code == 2
    assert "is there already" in again.output
    for name in ("workflows", "test_workflows"):
        monkeypatch.delitem(sys.modules, name, raising=False)


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
