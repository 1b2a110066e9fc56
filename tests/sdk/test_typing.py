"""The typed surface: a checker knows what calls give, and finds wrong ones."""

import pathlib
import re
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(__file__).with_name("typed_program.py.txt")
ROOT = pathlib.Path(__file__).parent.parent.parent


def test_expected_errors(tmp_path):
    pytest.importorskip("mypy")
    program = tmp_path / "typed_program.py"
    program.write_text(SOURCE.read_text())
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", str(program)]
    command += ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=110)
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r".*typed_program\.py:(\d+): error: (.*)", line)
        if match:
            found[int(match[1])] = match[2]
    expected = {}
    for number, line in enumerate(SOURCE.read_text().splitlines(), 1):
        if "# E: " in line:
            expected[number] = line.partition("# E: ")[2]
    assert found == expected, done.stdout + done.stderr
