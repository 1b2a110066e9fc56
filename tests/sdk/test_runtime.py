"""The entry point: what a task process reads, does and leaves behind."""

import os
import pathlib
import subprocess
import sys
import tarfile
import time

import pytest

from volant import errors
from volant.runtime import arguments, entrypoint, fast
from volant.storage import folder, router
from volant.types import engine
from volantidl.core import dynamic_job_pb2, errors_pb2, execution_pb2, literals_pb2

KIND = errors_pb2.ContainerError.Kind
ORIGIN = execution_pb2.ExecutionError.ErrorKind


class Attempt:
    """Runs the entry point in this process, as a fork of a warm interpreter does."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.outputs_folder = folder / "out"

    def __call__(self, name, *options, resolver=None, loader=None, **inputs):
        literals = {key: engine.to_literal(value, type(value)) for key, value in inputs.items()}
        return self.run(name, literals, *options, resolver=resolver, loader=loader)

    def run(self, name, literals, *options, resolver=None, loader=None):
        source = self.folder / "inputs.pb"
        source.write_bytes(literals_pb2.LiteralMap(literals=literals).SerializeToString())
        words = ["--inputs", str(source), "--output-prefix", str(self.outputs_folder)]
        words += ["--raw-output-data-prefix", str(self.folder / "raw"), *options]
        words += ["--resolver", resolver or "volant.runtime.resolver.default_task_resolver", "--"]
        return entrypoint.main([*words, *(loader or ["task-module", "sdk_flows", "task-name", name])])

    @property
    def outputs(self):
        content = (self.outputs_folder / "outputs.pb").read_bytes()
        return dict(literals_pb2.LiteralMap.FromString(content).literals)

    @property
    def error(self):
        return errors_pb2.ErrorDocument.FromString((self.outputs_folder / "error.pb").read_bytes()).error

    @property
    def files(self):
        return sorted(os.listdir(self.outputs_folder)) if self.outputs_folder.exists() else []


@pytest.fixture
def attempt(tmp_path):
    return Attempt(tmp_path)


def test_outputs(attempt):
    assert attempt("add", a=2) == 0
    assert attempt.files == ["outputs.pb"]
    assert engine.to_python(attempt.outputs["o0"], int) == 5
    assert (attempt.outputs_folder / "outputs.pb").read_bytes().hex() == "0a0c0a026f3012060a040a020805"


def test_no_outputs(attempt, capsys):
    assert attempt("nothing", a=2) == 0
    assert (attempt.outputs_folder / "outputs.pb").read_bytes() == b""
    assert capsys.readouterr().out == "nothing of 2\n"


def test_several_outputs(attempt):
    attempt("divide", a=7, b=2)
    assert [engine.to_python(attempt.outputs[name], int) for name in ("o0", "o1")] == [3, 1]


def test_async_task(attempt):
    attempt("add_later", a=2, b=3)
    assert engine.to_python(attempt.outputs["o0"], int) == 5


def test_user_error(attempt):
    assert attempt("broken", a=7) == 0
    assert attempt.files == ["error.pb"]
    error = attempt.error
    assert (error.code, error.kind, error.origin) == ("USER:RuntimeError", KIND.NON_RECOVERABLE, ORIGIN.USER)
    assert error.timestamp.seconds > time.time() - 60
    lines = error.message.splitlines()
    assert lines[0] == "Trace:"
    first_frame = next(line for line in lines if line.strip().startswith("File"))
    assert "sdk_flows.py" in first_frame
    assert "in broken" in first_frame
    assert lines[-1].strip() == "ValueError: no 7 today"
    assert "volant/runtime" not in error.message


def test_recoverable_error(attempt, tmp_path):
    (tmp_path / "tries").mkdir()
    assert attempt("flaky", folder=str(tmp_path / "tries")) == 0
    assert (attempt.error.code, attempt.error.kind) == ("USER:Recoverable", KIND.RECOVERABLE)
    assert attempt.error.origin == ORIGIN.USER


@pytest.mark.parametrize(("name", "inputs"), [("wrong_output", {"a": 1}), ("add", {"a": "text"}), ("add", {"b": 1})])
def test_values_of_the_wrong_type(attempt, name, inputs):
    assert attempt(name, **inputs) == 0
    assert (attempt.error.code, attempt.error.kind) == ("SYSTEM", KIND.NON_RECOVERABLE)
    assert attempt.error.origin == ORIGIN.SYSTEM
    assert f"sdk_flows.{name}" in attempt.error.message


def test_missing_inputs_file(attempt):
    words = ["--inputs", "/nowhere/inputs.pb", "--output-prefix", str(attempt.outputs_folder), "--"]
    assert entrypoint.main([*words, "task-module", "sdk_flows", "task-name", "add"]) == 0
    assert (attempt.error.code, attempt.error.kind) == ("SYSTEM", KIND.RECOVERABLE)
    assert attempt.error.origin == ORIGIN.SYSTEM


@pytest.mark.parametrize(
    "loader",
    [["task-module", "sdk_flows", "task-name", "nope"], ["task-module", "no_module", "task-name", "x"], ["odd"]],
)
def test_task_that_cannot_be_loaded(attempt, loader):
    assert attempt("add", a=1, loader=loader) == 0
    assert (attempt.error.code, attempt.error.kind) == ("USER:RuntimeError", KIND.NON_RECOVERABLE)
    assert attempt.error.origin == ORIGIN.USER


def test_failure_exit_code_where_it_is_wanted(attempt, monkeypatch):
    monkeypatch.setenv("FLYTE_FAIL_ON_ERROR", "true")
    assert attempt("broken", a=7) == 1


def test_distributed_workers_write_errors_apart(attempt, monkeypatch):
    monkeypatch.setenv("_F_DES", "earliest")
    monkeypatch.setenv("_F_WN", "worker-3")
    attempt("broken", a=7)
    (name,) = attempt.files
    assert name.startswith("error-")
    content = (attempt.outputs_folder / name).read_bytes()
    assert errors_pb2.ErrorDocument.FromString(content).error.worker == "worker-3"


def test_outputs_that_are_not_wanted(attempt):
    assert attempt("ignoring", a=1) == 0
    assert attempt.files == []


def test_deck(attempt):
    attempt("decked", a=1)
    assert attempt.files == ["deck.html", "outputs.pb"]
    page = (attempt.outputs_folder / "deck.html").read_text()
    assert page.index("<b>first</b>") < page.index("<p>seen 1</p>")


def test_checkpoints_over_two_attempts(attempt, tmp_path):
    first, second = str(tmp_path / "cp0"), str(tmp_path / "cp1")
    attempt("counting", "--checkpoint-path", first, "--prev-checkpoint", '""', a=5)
    assert engine.to_python(attempt.outputs["o0"], int) == 0
    attempt("counting", "--checkpoint-path", second, "--prev-checkpoint", first, a=5)
    assert engine.to_python(attempt.outputs["o0"], int) == 5
    assert (tmp_path / "cp1" / "_dst_cp").read_bytes() == b"10"


def test_secrets(attempt, monkeypatch, tmp_path):
    monkeypatch.setenv("_FSEC_G_K", "from the environment")
    attempt("secretive")
    assert engine.to_python(attempt.outputs["o0"], str) == "from the environment"
    monkeypatch.delenv("_FSEC_G_K")
    monkeypatch.setenv("FLYTE_SECRETS_DEFAULT_DIR", str(tmp_path / "secrets"))
    (tmp_path / "secrets" / "g").mkdir(parents=True)
    (tmp_path / "secrets" / "g" / "k").write_text("from a file")
    attempt("secretive")
    assert engine.to_python(attempt.outputs["o0"], str) == "from a file"


def test_missing_secret(attempt):
    attempt("secretive")
    assert "secret_requests=[Secret(group='g', key='k')]" in attempt.error.message


def test_offloading(attempt, monkeypatch):
    monkeypatch.setenv("_F_L_MIN_SIZE_MB", "1")
    attempt("big", size=2 * 1024 * 1024)
    assert attempt.files == ["o0_offloaded_metadata.pb", "outputs.pb"]
    literal = attempt.outputs["o0"]
    assert literal.offloaded_metadata.size_bytes > 2 * 1024 * 1024
    assert literal.hash
    assert len(engine.to_python(literal, str)) == 2 * 1024 * 1024


def test_offloading_has_a_limit(attempt, monkeypatch):
    monkeypatch.setenv("_F_L_MIN_SIZE_MB", "1")
    monkeypatch.setenv("_F_L_MAX_SIZE_MB", "1")
    attempt("big", size=2 * 1024 * 1024)
    assert "more than the platform takes" in attempt.error.message


@pytest.mark.parametrize("index", [0, 1, 2])
def test_map_element(attempt, monkeypatch, index):
    monkeypatch.setenv("BATCH_JOB_ARRAY_INDEX_VAR_NAME", "FLYTE_K8S_ARRAY_INDEX")
    monkeypatch.setenv("FLYTE_K8S_ARRAY_INDEX", str(index))
    literals = {"a": engine.to_literal([1, 2, 3], list[int]), "b": engine.to_literal(10, int)}
    loader = ["vars", "b", "resolver", "volant.runtime.resolver.default_task_resolver"]
    loader += ["task-module", "sdk_flows", "task-name", "add"]
    assert attempt.run("add", literals, resolver="volant.runtime.mapped.map_task_resolver", loader=loader) == 0
    assert engine.to_python(attempt.outputs["o0"], int) == 11 + index


def test_dynamic_task_writes_its_graph(attempt, monkeypatch):
    from volant.serialization import settings

    monkeypatch.setenv("_F_SS_C", settings.SerializationSettings(version="v").to_environment())
    assert attempt("grow", "--dynamic-addl-distro", "s3://b/c.tar.gz", "--dynamic-dest-dir", ".", n=2) == 0
    assert attempt.files == ["futures.pb"]
    content = (attempt.outputs_folder / "futures.pb").read_bytes()
    spec = dynamic_job_pb2.DynamicJobSpec.FromString(content)
    assert [node.id for node in spec.nodes] == ["dn0", "dn1"]
    assert spec.min_successes == 2
    assert [one.id.name for one in spec.tasks] == ["sdk_flows.add"]
    assert list(spec.tasks[0].container.args[:3]) == [
        "volant-fast-execute",
        "--additional-distribution",
        "s3://b/c.tar.gz",
    ]


def test_dynamic_task_without_calls(attempt):
    assert attempt("grow", n=0) == 0
    assert engine.to_python(attempt.outputs["o0"], list[int]) == []


def test_content_outside_of_literals(attempt, tmp_path):
    attempt("unannotated", thing=[1, 2])
    literal = attempt.outputs["o0"]
    assert literal.scalar.blob.uri.startswith(str(tmp_path / "raw"))
    assert engine.to_python(literal, object) == {"got": [1, 2]}


def test_folder_store(attempt, monkeypatch, tmp_path):
    """The platform's own bucket is reached as a folder."""
    root = tmp_path / "objects"
    monkeypatch.setenv("VOLANT_STORE_ROOT", str(root))
    monkeypatch.setenv("VOLANT_STORE_BUCKET", "volant")
    inputs = literals_pb2.LiteralMap(literals={"a": engine.to_literal(2, int)})
    router.write("s3://volant/m/in.pb", inputs.SerializeToString())
    assert (root / "volant" / "m~" / "in.pb").is_file()
    words = ["--inputs", "s3://volant/m/in.pb", "--output-prefix", "s3://volant/m/n0/data/0", "--"]
    assert entrypoint.main([*words, "task-module", "sdk_flows", "task-name", "add"]) == 0
    assert list(router.walk("s3://volant/m")) == ["in.pb", "n0/data/0/outputs.pb"]


def test_layout_is_the_stores():
    import json

    vectors = json.loads((pathlib.Path(__file__).parent.parent / "blobstore" / "layout.json").read_text())
    for vector in vectors["files"]:
        assert folder.relative_path(vector["key"]) == vector["path"]


def test_arguments():
    parsed = arguments.parse(
        [
            "--inputs=i",
            "--output-prefix",
            "o",
            "--raw-output-data-prefix",
            "{{.rawOutputDataPrefix}}",
            "--prev-checkpoint",
            '""',
        ]
        + ["--resolver", "r", "--", "task-module", "m", "--odd", "x"]
    )
    assert (parsed.inputs, parsed.output_prefix, parsed.raw_output_prefix, parsed.previous_checkpoint) == (
        "i",
        "o",
        "",
        "",
    )
    assert parsed.loader == ("task-module", "m", "--odd", "x")


def test_cost_of_an_attempt(attempt):
    """About a millisecond in a warm process; the bound leaves room for a busy machine."""
    attempt("add", a=2)
    costs = []
    for _ in range(20):
        started = time.process_time()
        attempt("add", a=2)
        costs.append(time.process_time() - started)
    assert sorted(costs)[len(costs) // 2] < 0.005


def test_fast_execution(attempt, tmp_path):
    """The program for launchers that don't unpack code themselves."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "shipped_flow.py").write_text(
        "from volant import task\n\n@task\ndef twice(x: int) -> int:\n    return 2 * x\n"
    )
    with tarfile.open(tmp_path / "code.tar.gz", "w:gz") as archive:
        archive.add(code / "shipped_flow.py", "shipped_flow.py")
    inputs = literals_pb2.LiteralMap(literals={"x": engine.to_literal(4, int)})
    (tmp_path / "in.pb").write_bytes(inputs.SerializeToString())
    target = tmp_path / "unpacked"
    words = ["--additional-distribution", str(tmp_path / "code.tar.gz"), "--dest-dir", str(target), "--"]
    words += ["volant-execute", "--inputs", str(tmp_path / "in.pb"), "--output-prefix", str(attempt.outputs_folder)]
    words += ["--resolver", "volant.runtime.resolver.default_task_resolver", "--"]
    before = list(sys.path)
    try:
        assert fast.main([*words, "task-module", "shipped_flow", "task-name", "twice"]) == 0
    finally:
        sys.path[:] = before
        sys.modules.pop("shipped_flow", None)
    assert engine.to_python(attempt.outputs["o0"], int) == 8


def test_process_that_dies_leaves_nothing(attempt):
    attempt.folder.joinpath("in.pb").write_bytes(
        literals_pb2.LiteralMap(literals={"a": engine.to_literal(1, int)}).SerializeToString()
    )
    words = ["--inputs", str(attempt.folder / "in.pb"), "--output-prefix", str(attempt.outputs_folder), "--"]
    command = [
        sys.executable,
        "-m",
        "volant.runtime.entrypoint",
        *words,
        "task-module",
        "sdk_flows",
        "task-name",
        "exits",
    ]
    flows = pathlib.Path(__file__).parent / "flows"
    assert subprocess.run(command, cwd=flows, check=False, timeout=60).returncode == 3
    assert attempt.files == []


@pytest.mark.parametrize("has_filters", [True, False], ids=["newer", "before-3.11.4"])
def test_code_is_unpacked_and_stays_in_its_folder(tmp_path, monkeypatch, has_filters) -> None:
    if not has_filters:
        monkeypatch.delattr(tarfile, "data_filter")
    (tmp_path / "flow.py").write_text("x = 1\n")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for archive, name, inside in (
        ("good", "flow.py", "code/flow.py"),
        ("up", "flow.py", "../flow.py"),
        ("link", "link", "link"),
    ):
        with tarfile.open(tmp_path / f"{archive}.tar.gz", "w:gz") as made:
            made.add(tmp_path / name, arcname=inside)
    fast.unpack(str(tmp_path / "good.tar.gz"), tmp_path / "into")
    assert (tmp_path / "into" / "code" / "flow.py").read_text() == "x = 1\n"
    for archive in ("up", "link"):
        with pytest.raises((errors.DefinitionError, tarfile.TarError)):
            fast.unpack(str(tmp_path / f"{archive}.tar.gz"), tmp_path / "into")
