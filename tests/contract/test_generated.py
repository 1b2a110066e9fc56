"""The committed code is what the protos generate, and the protos keep their rules."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# The environment with the newest protobuf has no generator: it runs what the oldest generated.
needs_tools = pytest.mark.skipif(importlib.util.find_spec("grpc_tools") is None, reason="no grpcio-tools here")
BUF = pathlib.Path(sys.executable).parent / "buf"


def run(*command: object, cwd: pathlib.Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)


@needs_tools
def test_fresh() -> None:
    done = run(sys.executable, "scripts/gen_protos.py", "--check")
    assert done.returncode == 0, done.stderr


@needs_tools
def test_a_changed_proto_is_noticed(tmp_path: pathlib.Path) -> None:
    for name in ("protos", "scripts", "clients"):
        (tmp_path / name).mkdir()
    run("cp", "-r", ROOT / "protos" / "volantidl", tmp_path / "protos")
    run("cp", ROOT / "scripts" / "gen_protos.py", tmp_path / "scripts")
    (tmp_path / "clients" / "python").mkdir()
    run("cp", "-r", ROOT / "clients" / "python" / "gen", tmp_path / "clients" / "python")
    proto = tmp_path / "protos" / "volantidl" / "core" / "literals.proto"
    proto.write_text(proto.read_text() + "\n// A message.\nmessage Added {}\n")
    done = run(sys.executable, "scripts/gen_protos.py", "--check", cwd=tmp_path)
    assert done.returncode == 1
    assert "stale in volantidl/core/literals_pb2.py" in done.stderr


@pytest.mark.skipif(not BUF.exists(), reason="buf is not in this environment")
def test_a_breaking_change_is_noticed(tmp_path: pathlib.Path) -> None:
    for name in ("protos", "third_party", "buf.yaml"):
        run("cp", "-r", ROOT / name, tmp_path)
    against = (BUF, "breaking", "--against", "protos/baseline.binpb")
    assert run(*against, cwd=tmp_path).returncode == 0
    proto = tmp_path / "protos" / "volantidl" / "core" / "identifier.proto"
    proto.write_text(proto.read_text().replace("string org = 6;", "string org = 7;"))
    done = run(*against, cwd=tmp_path)
    assert done.returncode == 100
    assert 'field "6" with name "org"' in done.stdout
