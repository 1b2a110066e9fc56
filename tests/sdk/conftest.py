"""What the SDK's tests share: the flows' folder on the path, caches of their own."""

import pathlib

import pytest

FLOWS = pathlib.Path(__file__).parent / "flows"


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FLOWS))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("FLYTE_PLATFORM_URL", "FLYTECTL_CONFIG", "VOLANT_ENDPOINT", "VOLANT_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def flows():
    import sdk_flows

    return sdk_flows
