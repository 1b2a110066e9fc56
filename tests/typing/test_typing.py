"""The typed surface, as users' checkers see it: what calls give is known, what is wrong is found, nothing is unknown."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
SOURCE = HERE / "typed_program.py.txt"
BIN = pathlib.Path(sys.executable).parent
PYRIGHT = BIN / "basedpyright"
needs_pyright = pytest.mark.skipif(not PYRIGHT.exists(), reason="basedpyright is not installed")


@pytest.fixture
def program(tmp_path):
    made = tmp_path / "typed_program.py"
    made.write_text(SOURCE.read_text())
    return made


def expected(place: int) -> dict[int, str]:
    """Line -> the code of its error, as the comment behind it says: mypy's first, then pyright's."""
    found = {}
    for number, line in enumerate(SOURCE.read_text().splitlines(), 1):
        if "# E: " in line:
            found[number] = line.partition("# E: ")[2].split()[place]
    return found


def run(*words, **more):
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=110, env=environment, **more)


def test_mypy_finds_what_is_wrong(program, tmp_path):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(program)]
    done = run(*command, "--config-file", ROOT / "pyproject.toml", "--cache-dir", tmp_path / "cache", cwd=ROOT)
    found = re.findall(r"typed_program\.py:(\d+): error: .*\[([a-z-]+)\]$", done.stdout, flags=re.MULTILINE)
    assert {int(line): code for line, code in found} == expected(0), done.stdout + done.stderr


@needs_pyright
def test_pyright_finds_what_is_wrong(program):
    done = run(PYRIGHT, "--outputjson", "--level", "error", program.name, cwd=program.parent)
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert {one["range"]["start"]["line"] + 1: one["rule"] for one in found} == expected(1), done.stdout


@needs_pyright
def test_no_public_type_is_unknown(tmp_path):
    done = run(PYRIGHT, "--verifytypes", "volant", "--ignoreexternal", "--outputjson", cwd=tmp_path)
    report = json.loads(done.stdout)["typeCompleteness"]
    wrong = [
        f"{one['name']}: {[found['message'] for found in one['diagnostics']]}"
        for one in report["symbols"]
        if one["isExported"] and (one["isTypeAmbiguous"] or not one["isTypeKnown"])
    ]
    assert not wrong
    assert report["completenessScore"] == 1
