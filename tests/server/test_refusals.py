"""What is in the way of a start, each with a sentence. In this process; `test_commands` shows that no traceback is."""

import contextlib
import dataclasses
import os
import socket
from pathlib import Path

import pytest
from tests.server.conftest import ANY, ENVIRONMENT, binaries

from volant_core import errors
from volant_server import embedded


async def refusal(data: Path, **changes: object) -> str:
    told = embedded.Options(
        data=data,
        grpc=ANY,
        http=ANY,
        s3=ANY,
        postgres=binaries(),
        environment={**ENVIRONMENT, "VOLANT_SERVICES": "admin"},
    )
    with pytest.raises(errors.VolantError) as caught:
        async with embedded.embedded_server(dataclasses.replace(told, **changes)):
            pass
    assert isinstance(caught.value, errors.FailedPreconditionError | errors.UnavailableError)
    return caught.value.message


@pytest.mark.parametrize("option", ["grpc", "http", "s3"])
async def test_a_taken_port(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = {**ENVIRONMENT, "VOLANT_SERVICES": "admin,objectstore"}
        said = await refusal(tmp_path / "data", **{option: f"127.0.0.1:{port}"}, environment=environment)
    assert f"can't listen on 127.0.0.1:{port}: address already in use" in said


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "example.org:80", "[::1"])
async def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    assert (await refusal(tmp_path / "data", grpc=address)).startswith("gRPC: ")


async def test_missing_programs(tmp_path: Path) -> None:
    assert "no PostgreSQL programs" in await refusal(tmp_path / "data", postgres=tmp_path / "nowhere")


async def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    mode = tmp_path.stat().st_mode
    assert "is not empty and no data folder" in await refusal(tmp_path)
    assert tmp_path.stat().st_mode == mode


async def test_a_folder_that_can_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in await refusal(tmp_path / "file" / "data")


async def test_a_folder_of_a_newer_version(tmp_path: Path) -> None:
    (tmp_path / "volant.json").write_text('{"layout": 2}')
    assert "made by a newer Volant" in await refusal(tmp_path)


async def test_a_setting_that_is_none(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "VOLANT_DATABASE__CONECTIONS": "3"}
    said = await refusal(tmp_path / "data", environment=environment)
    assert "no setting database.conections; did you mean connections?" in said


async def test_an_interpreter_for_tasks_that_is_none(tmp_path: Path) -> None:
    python = tmp_path / "python"
    said = await refusal(tmp_path / "data", task_python=python, environment=dict(ENVIRONMENT))
    assert str(python) in said


async def test_a_refused_start_leaves_the_folder_free(tmp_path: Path) -> None:
    await refusal(tmp_path / "data", grpc="nonsense")
    await refusal(tmp_path / "data", grpc="nonsense too")
    assert not any(name.name == "state.json" for name in os.scandir(tmp_path / "data"))


async def test_the_stores_usual_port_may_be_taken(tmp_path: Path) -> None:
    """Then another is chosen, and kept: tasks and signed URLs know it."""
    environment = {**ENVIRONMENT, "VOLANT_SERVICES": "admin,objectstore"}
    options = embedded.Options(data=tmp_path / "data", grpc=ANY, http=ANY, postgres=binaries(), environment=environment)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8087)))
        async with embedded.embedded_server(options) as first:
            chosen = first.addresses.s3
            assert not any(address.endswith(":8087") for address in chosen)
    async with embedded.embedded_server(options) as again:
        assert again.addresses.s3 == chosen
