"""Inputs as files and files as outputs: each type by a table, and what is wrong by its words."""

import base64
import json
import os
import signal
import subprocess
import sys

import pytest
from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2

from volant import errors
from volant.copilot import __main__ as copilot
from volant.copilot import inputs, outputs, texts
from volantidl.core import errors_pb2, execution_pb2, interface_pb2, literals_pb2, types_pb2

S = types_pb2.SimpleType
SINGLE, MULTIPART = types_pb2.BlobType.SINGLE, types_pb2.BlobType.MULTIPART


def primitive(**value):
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(**value)))


def blob(uri, dimensionality=SINGLE):
    kind = types_pb2.BlobType(dimensionality=dimensionality)
    stored = literals_pb2.Blob(uri=str(uri), metadata=literals_pb2.BlobMetadata(type=kind))
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=stored))


def listed(*items):
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))


def mapped(**items):
    return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=items))


def moment(text):
    stamp = timestamp_pb2.Timestamp()
    stamp.FromJsonString(text)
    return stamp


def simple(kind):
    return types_pb2.LiteralType(simple=kind)


def blob_type(dimensionality=SINGLE):
    return types_pb2.LiteralType(blob=types_pb2.BlobType(dimensionality=dimensionality, format="csv"))


WRITTEN = [
    (primitive(integer=-7), "-7", -7),
    (primitive(string_value=" a\nb "), " a\nb ", " a\nb "),
    (primitive(boolean=True), "true", True),
    (primitive(boolean=False), "false", False),
    (primitive(float_value=2.0), "2", 2.0),
    (primitive(float_value=0.1), "0.1", 0.1),
    (primitive(float_value=1e21), "1000000000000000000000", 1e21),
    (primitive(float_value=1.5e-7), "0.00000015", 1.5e-7),
    (primitive(float_value=float("inf")), "+Inf", "+Inf"),
    (primitive(datetime=moment("2026-11-23T20:15:00.500Z")), "2026-11-23T20:15:00.5Z", "2026-11-23T20:15:00.5Z"),
    (primitive(duration=duration_pb2.Duration(seconds=5400)), "1h30m0s", "1h30m0s"),
    (primitive(duration=duration_pb2.Duration(seconds=2, nanos=500_000_000)), "2.5s", "2.5s"),
    (primitive(duration=duration_pb2.Duration(nanos=1_500)), "1.5µs", "1.5µs"),
    (primitive(duration=duration_pb2.Duration(nanos=-20_000_000)), "-20ms", "-20ms"),
    (primitive(duration=duration_pb2.Duration()), "0s", "0s"),
    (literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void())), "null", None),
    (literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=b"xy"))), "xy", "eHk="),
    (
        literals_pb2.Literal(
            scalar=literals_pb2.Scalar(generic=json_format.ParseDict({"a": [1.5, "ü"]}, struct_pb2.Struct()))
        ),
        '{"a": [1.5, "ü"]}',
        {"a": [1.5, "ü"]},
    ),
    (
        literals_pb2.Literal(scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=primitive(integer=3)))),
        "3",
        3,
    ),
]


@pytest.mark.parametrize(("literal", "text", "value"), WRITTEN)
def test_inputs_of_simple_types(tmp_path, literal, text, value):
    inputs.Placing(tmp_path, "/in").place(literals_pb2.LiteralMap(literals={"x": literal}), "JSON")
    assert (tmp_path / "x").read_text() == text
    assert json.loads((tmp_path / "inputs.json").read_text()) == {"x": value}


def test_inputs_that_are_files(tmp_path):
    store = tmp_path / "store"
    (store / "tree" / "below").mkdir(parents=True)
    (store / "one.csv").write_text("1")
    (store / "tree" / "below" / "two").write_text("2")
    given = {
        "file": blob(store / "one.csv"),
        "tree": blob(store / "tree", MULTIPART),
        "several": listed(blob(store / "one.csv"), primitive(integer=5)),
        "empty": blob(store / "nothing", MULTIPART),
        "named": mapped(a=primitive(string_value="x"), b=listed()),
    }
    inputs.Placing(tmp_path / "in", "/var/in/").place(literals_pb2.LiteralMap(literals=given), "YAML")
    found = {str(one.relative_to(tmp_path / "in")): one for one in (tmp_path / "in").rglob("*") if one.is_file()}
    assert sorted(found) == sorted(
        ["file", "inputs.pb", "inputs.yaml", "named/a", "several/0", "several/1", "tree/below/two"]
    )
    assert (found["file"].read_text(), found["tree/below/two"].read_text()) == ("1", "2")
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(found["inputs.yaml"].read_text()) == {
        "file": "/var/in/file",
        "empty": "/var/in/empty",
        "tree": "/var/in/tree",
        "several": ["/var/in/several/0", 5],
        "named": {"a": "x", "b": []},
    }
    seen = literals_pb2.LiteralMap.FromString(found["inputs.pb"].read_bytes())
    assert seen.literals["several"].collection.literals[0].scalar.blob.uri == "/var/in/several/0"
    assert seen.literals["several"].collection.literals[1] == primitive(integer=5)
    assert given["file"].scalar.blob.uri == str(store / "one.csv")


def test_files_that_are_to_stay_where_they_are(tmp_path):
    given = literals_pb2.LiteralMap(literals={"file": blob("s3://b/one"), "x": primitive(integer=1)})
    inputs.Placing(tmp_path, "/in", copies=False).place(given, "PROTO")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["inputs.pb", "x"]
    assert literals_pb2.LiteralMap.FromString((tmp_path / "inputs.pb").read_bytes()) == given


def test_an_offloaded_input(tmp_path):
    (tmp_path / "large").write_bytes(listed(primitive(integer=1), primitive(integer=2)).SerializeToString())
    offloaded = literals_pb2.Literal(
        offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(uri=str(tmp_path / "large"))
    )
    inputs.Placing(tmp_path / "in", "/in").place(literals_pb2.LiteralMap(literals={"x": offloaded}), "JSON")
    assert json.loads((tmp_path / "in" / "inputs.json").read_text()) == {"x": [1, 2]}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"x": mapped(**{"../../etc": primitive(integer=1)})}, r"the input 'x': the key '../../etc' can't be a file"),
        ({"x": mapped(**{"": primitive(integer=1)})}, "can't be a file"),
        ({"x": blob("/no/such/file")}, "the input 'x': there is no object /no/such/file"),
    ],
)
def test_inputs_that_cannot_be_files(tmp_path, given, words):
    with pytest.raises(errors.VolantError, match=words):
        inputs.Placing(tmp_path / "in", "/in").place(literals_pb2.LiteralMap(literals=given), "JSON")


READ = [
    (S.INTEGER, "42\n", {"integer": 42}),
    (S.INTEGER, " -9223372036854775808", {"integer": -(2**63)}),
    (S.FLOAT, "3", {"float_value": 3.0}),
    (S.FLOAT, "-1.5e3", {"float_value": -1500.0}),
    (S.FLOAT, "+Inf", {"float_value": float("inf")}),
    (S.BOOLEAN, "True\n", {"boolean": True}),
    (S.BOOLEAN, "f", {"boolean": False}),
    (S.STRING, "two\nlines\n", {"string_value": "two\nlines"}),
    (S.STRING, "", {"string_value": ""}),
    (S.DATETIME, "2026-11-23T21:15:00.25+01:00", {"datetime": moment("2026-11-23T20:15:00.250Z")}),
    (S.DATETIME, "2026-11-23 20:15:00", {"datetime": moment("2026-11-23T20:15:00Z")}),
    (S.DURATION, "1h30m", {"duration": duration_pb2.Duration(seconds=5400)}),
    (S.DURATION, "-1.5s", {"duration": duration_pb2.Duration(seconds=-1, nanos=-500_000_000)}),
    (S.DURATION, "250ms", {"duration": duration_pb2.Duration(nanos=250_000_000)}),
    (S.DURATION, "1 day, 0:00:02.500000", {"duration": duration_pb2.Duration(seconds=86402, nanos=500_000_000)}),
    (S.DURATION, "0", {"duration": duration_pb2.Duration()}),
]


@pytest.mark.parametrize(("kind", "text", "value"), READ)
def test_outputs_of_simple_types(tmp_path, kind, text, value):
    (tmp_path / "x.txt").write_text(text)
    made = outputs.Collecting(tmp_path, "/out", "s3://b/raw").collect({"x": simple(kind)})
    assert made.literals["x"] == primitive(**value)


@pytest.mark.parametrize(("literal", "text", "value"), WRITTEN[:15])
def test_what_is_written_can_be_read(literal, text, value):
    kinds = {"integer": S.INTEGER, "string_value": S.STRING, "boolean": S.BOOLEAN, "float_value": S.FLOAT}
    kinds |= {"datetime": S.DATETIME, "duration": S.DURATION}
    kind = kinds[literal.scalar.primitive.WhichOneof("value")]
    again = texts.scalar_of(text.encode(), kind).primitive
    if kind == S.STRING:
        assert again.string_value == text.strip()
    else:
        assert again == literal.scalar.primitive


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (S.INTEGER, "four", r"the output 'x': /out/x must hold an integer, such as 42, and holds 'four'"),
        (S.INTEGER, "1_000", "an integer"),
        (S.INTEGER, str(2**63), "an integer"),
        (S.INTEGER, "", "holds ''"),
        (S.FLOAT, "1,5", "a number"),
        (S.FLOAT, "..", "a number"),
        (S.BOOLEAN, "yes", "true or false"),
        (S.DATETIME, "soon", "RFC 3339"),
        (S.DURATION, "5", "a duration"),
        (S.DURATION, "1h later", "a duration"),
        (S.STRUCT, "[1]", "a JSON object"),
        (S.STRUCT, "{", "a JSON object"),
        (S.STRING, "x" * (outputs.LONGEST_TEXT + 1), "has 1048577 bytes"),
    ],
)
def test_malformed_outputs(tmp_path, kind, text, words):
    (tmp_path / "x").write_text(text)
    with pytest.raises(errors.TaskFailedError, match=words):
        outputs.Collecting(tmp_path, "/out", "s3://b/raw").collect({"x": simple(kind)})


def test_text_that_is_none(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(errors.TaskFailedError, match="must hold text in UTF-8"):
        outputs.Collecting(tmp_path, "/out", "s3://b/raw").collect({"x": simple(S.STRING)})


def test_outputs_that_are_files(tmp_path):
    made_in, raw = tmp_path / "out", tmp_path / "raw"
    (made_in / "tree" / "below").mkdir(parents=True)
    (made_in / "tree" / "below" / "two").write_text("2")
    (made_in / "file.csv").write_text("1")
    (made_in / "data.json").write_text('{"a": 1}')
    kinds = {"file": blob_type(), "tree": blob_type(MULTIPART), "data": simple(S.STRUCT), "none": simple(S.NONE)}
    (made_in / "none").touch()
    made = outputs.Collecting(made_in, "/out", str(raw)).collect(kinds).literals
    assert (raw / "file").read_text() == "1"
    assert (raw / "tree" / "below" / "two").read_text() == "2"
    assert made["file"].scalar.blob.uri == str(raw / "file")
    assert made["tree"].scalar.blob.metadata.type == kinds["tree"].blob
    assert made["data"].scalar.generic["a"] == 1
    assert made["none"].scalar.HasField("none_type")


def test_what_the_copilot_may_not_read(tmp_path):
    """A folder that can't be looked into is no empty one."""
    (tmp_path / "tree" / "closed").mkdir(parents=True)
    (tmp_path / "one").write_text("1")
    (tmp_path / "tree" / "closed").chmod(0)
    (tmp_path / "one").chmod(0)
    tmp_path.chmod(0o755)
    script = """
import os, pathlib
from volant.copilot import outputs
from volantidl.core import types_pb2
if os.getuid() == 0:
    os.setuid(10001)
tree = types_pb2.LiteralType(blob=types_pb2.BlobType(dimensionality=types_pb2.BlobType.MULTIPART))
kinds = {"one": types_pb2.LiteralType(simple=types_pb2.INTEGER), "tree": tree}
outputs.Collecting(pathlib.Path(), "/out", "/nowhere").collect(kinds)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert "the output 'one': one is of the user" in done.stderr
    assert "the output 'tree': closed is of the user" in done.stderr
    assert "make it readable for others" in done.stderr


def test_references_as_outputs(tmp_path):
    (tmp_path / "file").write_text("s3://theirs/one\n")
    made = outputs.Collecting(tmp_path, "/out", "s3://b/raw", copies=False).collect({"file": blob_type()})
    assert made.literals["file"].scalar.blob.uri == "s3://theirs/one"


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    (tmp_path / "tree").write_text("x")
    (tmp_path / "two.a").touch()
    (tmp_path / "two.b").touch()
    (tmp_path / "linked" / "below").mkdir(parents=True)
    (tmp_path / "linked" / "other").symlink_to("below")
    (tmp_path / "away").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")
    kinds = {
        "pipe": blob_type(),
        "linked": blob_type(MULTIPART),
        "missing": simple(S.INTEGER),
        "tree": blob_type(MULTIPART),
        "two": simple(S.STRING),
        "away": blob_type(),
        "list": types_pb2.LiteralType(collection_type=simple(S.INTEGER)),
    }
    with pytest.raises(errors.TaskFailedError) as failed:
        outputs.Collecting(tmp_path, "/out", "s3://b/raw").collect(kinds)
    assert str(failed.value).splitlines() == [
        "the output 'away': away is a link that leads out of /out; write a file",
        "the output 'linked': other is a link to a folder, which would be left out; copy that folder",
        "the output 'list' is of a kind (collection_type) that can't be read from files, as simple types, files and folders can",
        "the output 'missing' is missing: the program ended without /out/missing (an integer, such as 42); found there: away, linked, pipe, tree, two.a, two.b",
        "the output 'pipe': pipe is neither a file nor a folder",
        "the output 'tree': /out/tree must be a folder, and is a file",
        "the output 'two' is missing: the program ended without /out/two (text in UTF-8); found there: two.a, two.b",
    ]


def test_an_error_that_the_program_tells(tmp_path):
    (tmp_path / "_ERROR").write_text("no luck\n")
    (tmp_path / "x").write_text("1")
    with pytest.raises(errors.TaskFailedError, match=r"^User Error: no luck$"):
        outputs.Collecting(tmp_path, "/out", "s3://b/raw").collect({"x": simple(S.INTEGER)})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/var/in", "/a/inputs"),
        ("/var/in/", "/a/inputs/"),
        ("cat /var/in/x >/var/in/out/y; ls '/var/in'", "cat /a/inputs/x >/a/outputs/y; ls '/a/inputs'"),
        ("--from=/var/in/x:/var/in", "--from=/a/inputs/x:/a/inputs"),
        ("/var/input /my/var/in /var/in-1 /var/in.d ./var/in", "/var/input /my/var/in /var/in-1 /var/in.d ./var/in"),
    ],
)
def test_paths_in_a_command(text, wanted):
    assert copilot.translated(text, {"/var/in": "/a/inputs", "/var/in/out": "/a/outputs"}) == wanted


# The program


def told_outputs(**kinds):
    variables = {name: interface_pb2.Variable(type=kind) for name, kind in kinds.items()}
    return base64.b64encode(interface_pb2.VariableMap(variables=variables).SerializeToString()).decode()


def options(tmp_path, **kinds):
    (tmp_path / "inputs.pb").write_bytes(
        literals_pb2.LiteralMap(literals={"x": primitive(integer=20)}).SerializeToString()
    )
    return [
        f"--folder={tmp_path / 'data'}",
        f"--inputs={tmp_path / 'inputs.pb'}",
        "--input-path=/var/in",
        "--output-path=/var/out",
        f"--output-prefix={tmp_path}",
        f"--raw-output-prefix={tmp_path / 'raw'}",
        f"--outputs={told_outputs(**kinds)}",
    ]


def run(tmp_path, script, **kinds):
    words = ["run", *options(tmp_path, **kinds), "--", "sh", "-c", script]
    done = subprocess.run(
        [sys.executable, "-m", "volant.copilot", *words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "WHERE": "/var/in/x"},
    )
    return done.returncode, done.stderr


def test_around_a_program(tmp_path):
    code, said = run(tmp_path, 'echo $(($(cat "$WHERE") + 1)) > /var/out/y', y=simple(S.INTEGER))
    assert (code, said) == (0, "")
    made = literals_pb2.LiteralMap.FromString((tmp_path / "outputs.pb").read_bytes())
    assert made.literals["y"] == primitive(integer=21)


def test_a_program_that_fails(tmp_path):
    assert run(tmp_path, "exit 3", y=simple(S.INTEGER)) == (3, "")
    assert run(tmp_path, "kill -9 $$", y=simple(S.INTEGER)) == (137, "")
    assert not (tmp_path / "error.pb").exists()


def test_a_program_without_its_output(tmp_path):
    code, said = run(tmp_path, "true", y=simple(S.INTEGER))
    assert code == 0
    document = errors_pb2.ErrorDocument.FromString((tmp_path / "error.pb").read_bytes()).error
    assert (document.code, document.message) == ("OutputUploadFailed", said.strip())
    assert document.message.startswith("the output 'y' is missing: the program ended without /var/out/y")
    assert document.origin == execution_pb2.ExecutionError.USER
    assert document.kind == errors_pb2.ContainerError.RECOVERABLE


def test_in_two_containers(tmp_path):
    """The one that uploads is there first, and works when it is told to end, even if it was so before it looked."""
    given = options(tmp_path, y=simple(S.INTEGER))
    upload = subprocess.Popen([sys.executable, "-m", "volant.copilot", "upload", *given])
    assert copilot.main(["download", *given, "--await-upload"]) == 0
    assert (tmp_path / "data" / "inputs" / "x").read_text() == "20"
    assert (tmp_path / "data" / "outputs").stat().st_mode & 0o777 == 0o777
    (tmp_path / "data" / "outputs" / "y").write_text("5")
    assert upload.poll() is None
    upload.send_signal(signal.SIGTERM)
    assert upload.wait(30) == 0
    assert literals_pb2.LiteralMap.FromString((tmp_path / "outputs.pb").read_bytes()).literals["y"].scalar


def test_whose_fault_it_is(tmp_path, capsys, monkeypatch):
    given = options(tmp_path, y=simple(S.INTEGER))
    assert copilot.main(["download", *given, "--inputs=/no/such/file"]) == copilot.USERS_FAULT
    assert "there is no object /no/such/file" in capsys.readouterr().err
    monkeypatch.setattr(copilot, "_PATIENCE", 0.0)
    assert copilot.main(["download", *given, "--await-upload"]) == copilot.PLATFORMS_FAULT
    assert "was not ready within 0 s" in capsys.readouterr().err
