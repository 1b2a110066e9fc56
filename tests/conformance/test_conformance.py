"""A fresh platform is held against the recordings of the real Flyte."""

import pathlib
import subprocess
import sys

import pytest


@pytest.mark.timeout(400)
def test_what_clients_get_from_flyte_they_get_from_volant():
    """All calls, and the scenarios that take little time; `make conformance` takes all."""
    command = [sys.executable, str(pathlib.Path(__file__).parent / "conform.py"), "--quick"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
