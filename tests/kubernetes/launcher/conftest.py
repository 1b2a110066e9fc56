"""The launcher on a real cluster: that of KUBECONFIG, whose one node is this machine."""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "launchers")]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))  # a busy node is slow
            if not os.environ.get("KUBECONFIG"):
                item.add_marker(pytest.mark.skip(reason="no cluster: KUBECONFIG is not set"))
