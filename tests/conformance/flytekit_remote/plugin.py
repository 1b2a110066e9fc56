"""What flytekit's remote suite is run with: see flytekit_remote.sh."""

import datetime

import pytest
from flytekit.remote import remote

_wait = remote.FlyteRemote.wait


def _wait_each_second(self, execution, timeout=None, poll_interval=None, **rest):
    return _wait(self, execution, timeout, poll_interval or datetime.timedelta(seconds=1), **rest)


remote.FlyteRemote.wait = _wait_each_second


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lftransfers: transfers of 2 and 3 GB")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    dropped = [item for item in items if item.name == "test_fetch_execute_workflow"]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]
