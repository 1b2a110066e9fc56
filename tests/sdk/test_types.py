"""Types: what goes in comes out, whatever it is; what is no value of a type is refused."""

import dataclasses
import datetime
import decimal
import enum
import http.server
import math
import pathlib
import threading
import typing
import uuid

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from volant import HashMethod, TypeAnnotation, context
from volant.errors import DefinitionError, NotFoundError, StorageError, TypeMismatchError
from volant.storage import folder, router, s3
from volant.types import compatibility, engine, register, transformer
from volantidl.core import literals_pb2, types_pb2


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclasses.dataclass
class Leaf:
    number: int
    text: str | None = None


@dataclasses.dataclass
class Tree:
    name: str
    leaves: list[Leaf] = dataclasses.field(default_factory=list)
    parts: dict[str, float] = dataclasses.field(default_factory=dict)
    when: datetime.datetime | None = None
    color: Color = Color.RED
    below: typing.Optional["Tree"] = None
    amount: decimal.Decimal = decimal.Decimal(0)
    ids: list[uuid.UUID] = dataclasses.field(default_factory=list)
    pair: tuple[int, str] = (0, "")
    names: set[str] = dataclasses.field(default_factory=set)


INT = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(allow_nan=False)
TEXT = st.text(st.characters(codec="utf-8"))
MOMENT = st.datetimes(
    datetime.datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime.datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(datetime.UTC),
)
PLAIN = st.recursive(
    st.none() | st.booleans() | INT | FLOAT | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
LEAF = st.builds(Leaf, INT, st.none() | TEXT)
TREE = st.recursive(
    st.builds(Tree, TEXT, st.lists(LEAF, max_size=3), st.dictionaries(TEXT, FLOAT, max_size=3), st.none() | MOMENT),
    lambda inner: st.builds(
        Tree,
        TEXT,
        below=inner,
        color=st.sampled_from(Color),
        amount=st.decimals(allow_nan=False, allow_infinity=False),
        ids=st.lists(st.uuids(), max_size=2),
        pair=st.tuples(INT, TEXT),
        names=st.sets(TEXT, max_size=3),
    ),
    max_leaves=3,
)
SIMPLE: list[tuple[typing.Any, st.SearchStrategy[typing.Any]]] = [
    (int, INT),
    (float, FLOAT),
    (str, TEXT),
    (bool, st.booleans()),
    (datetime.datetime, MOMENT),
    (datetime.date, st.dates(datetime.date(1970, 1, 1), datetime.date(2200, 1, 1))),
    (datetime.timedelta, st.timedeltas(datetime.timedelta(days=-3650), datetime.timedelta(days=3650))),
    (Color, st.sampled_from(Color)),
    (typing.Literal["a", "b"], st.sampled_from(["a", "b"])),
    (dict, st.dictionaries(TEXT, PLAIN, max_size=4)),
    (Leaf, LEAF),
    (Tree, TREE),
    (bytes, st.binary()),
]


@st.composite
def typed_values(draw: st.DrawFn, depth: int = 2) -> tuple[typing.Any, typing.Any]:
    """A type, and a value of it."""
    if depth == 0 or draw(st.booleans()):
        python_type, values = draw(st.sampled_from(SIMPLE))
        return python_type, draw(values)
    inner, value = draw(typed_values(depth=depth - 1))
    kind = draw(st.sampled_from(["list", "dict", "optional", "none"]))
    if kind == "list":
        return list[inner], [value] * draw(st.integers(0, 2))
    if kind == "dict":
        return dict[str, inner], {draw(TEXT): value}
    return typing.Optional[inner], value if kind == "optional" else None  # noqa: UP045 - inner may be a string


SLOW = hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@given(typed_values())
@SLOW
def test_round_trip(tmp_path: pathlib.Path, case: tuple[typing.Any, typing.Any]) -> None:
    python_type, value = case
    with context.using(context.Context(raw_output_prefix=str(tmp_path))):
        literal = engine.to_literal(value, python_type)
        travelled = literals_pb2.Literal.FromString(literal.SerializeToString())
        assert engine.to_python(travelled, python_type) == value


@given(typed_values())
@SLOW
def test_a_type_takes_its_own_values(case: tuple[typing.Any, typing.Any]) -> None:
    known = engine.literal_type(case[0])
    assert compatibility.assignable(known, known)
    assert compatibility.words(known)


@given(typed_values(), typed_values())
@SLOW
def test_no_value_makes_another_error(
    tmp_path: pathlib.Path, case: tuple[typing.Any, typing.Any], other: tuple[typing.Any, typing.Any]
) -> None:
    """A value of one type given as another is taken or refused, and nothing else happens."""
    with context.using(context.Context(raw_output_prefix=str(tmp_path))):
        try:
            literal = engine.to_literal(other[1], case[0])
        except TypeMismatchError:
            return
        engine.to_python(literal, case[0])


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (int, 1.5),
        (int, True),
        (int, "1"),
        (int, None),
        (int, 2**63),
        (float, "1"),
        (float, False),
        (str, 1),
        (str, None),
        (bool, 1),
        (bool, np.int64(1)),
        (datetime.datetime, "2024-01-01"),
        (datetime.date, datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)),
        (datetime.timedelta, 5),
        (type(None), 0),
        (Color, "blue"),
        (typing.Literal[1, 2], 3),
        (typing.Literal[1, 2], True),
        (list[int], (1, 2)),
        (list[int], [1, "x"]),
        (dict[str, int], {1: 1}),
        (dict[str, int], [("a", 1)]),
        (dict, {"a": object()}),
        (int | None, "x"),
        (Leaf, Tree("x")),
        (Leaf, {"number": "x"}),
        (Leaf, {"other": 1}),
        (np.ndarray, [1, 2]),
    ],
)
def test_wrong_values(python_type: typing.Any, value: typing.Any) -> None:
    with pytest.raises(TypeMismatchError, match=r"expected|cannot|fit|missing"):
        engine.to_literal(value, python_type)


def test_near_values() -> None:
    assert engine.to_python(engine.to_literal(1, float), float) == 1.0
    assert engine.to_python(engine.to_literal(np.float32(1.5), float), float) == 1.5
    assert engine.to_python(engine.to_literal({"number": 1}, Leaf), Leaf) == Leaf(1)
    naive = datetime.datetime(2024, 1, 1)  # noqa: DTZ001
    assert engine.to_python(engine.to_literal(naive, datetime.datetime), datetime.datetime).tzinfo is datetime.UTC
    assert math.isnan(engine.to_python(engine.to_literal(float("nan"), float), float))


@pytest.mark.parametrize(
    ("literal", "python_type"), [("text", int), (1, str), ([1], dict[str, int]), ({"a": 1}, list[int])]
)
def test_wrong_literals(literal: typing.Any, python_type: typing.Any) -> None:
    kind = {str: str, int: int, list: list[int], dict: dict[str, int]}[type(literal)]
    with pytest.raises(TypeMismatchError, match="expected a value for"):
        engine.to_python(engine.to_literal(literal, kind), python_type)


def test_numpy_scalars_as_types() -> None:
    assert engine.literal_type(np.int64).simple == types_pb2.SimpleType.INTEGER
    found = engine.to_python(engine.to_literal(np.int32(5), np.int32), np.int32)
    assert found == 5
    assert type(found) is np.int32


def test_user_hash() -> None:
    kind = typing.Annotated[dict, HashMethod(lambda value: f"h{len(value)}")]
    assert engine.to_literal({"a": 1}, kind).hash == "h1"
    assert engine.to_literal([{"a": 1}], list[kind]).collection.literals[0].hash == "h1"


def test_type_annotation() -> None:
    known = engine.literal_type(typing.Annotated[int, TypeAnnotation({"unit": "m"})])
    assert known.annotation.annotations["unit"] == "m"
    assert not engine.literal_type(int).HasField("annotation")


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


class MoneyTransformer(transformer.Transformer):
    name = "money"

    def literal_type(self, python_type: typing.Any) -> types_pb2.LiteralType:
        return types_pb2.LiteralType(simple=types_pb2.SimpleType.INTEGER)

    def to_literal(
        self, value: typing.Any, python_type: typing.Any, expected: types_pb2.LiteralType
    ) -> literals_pb2.Literal:
        return engine.to_literal(value.cents, int)

    def to_python(self, literal: literals_pb2.Literal, python_type: typing.Any) -> Money:
        return Money(engine.to_python(literal, int))


def test_registry() -> None:
    register(MoneyTransformer(), Money)
    assert engine.to_python(engine.to_literal(Money(5), Money), Money).cents == 5
    assert engine.to_python(engine.to_literal([Money(5)], list[Money]), list[Money])[0].cents == 5
    with pytest.raises(DefinitionError, match="already registered"):
        register(MoneyTransformer(), Money)
    register(MoneyTransformer(), Money, override=True)


@pytest.mark.parametrize(
    ("given_type", "wanted", "fits"),
    [
        (int, int, True),
        (int, float, False),
        (int, int | None, True),
        (int | None, int, False),
        (int | str, int | str | None, True),
        (list[int], list[int], True),
        (list[int], list[str], False),
        (dict[str, int], dict[str, int], True),
        (dict[str, int], dict, False),
        (dict, dict, True),
        (Leaf, dict, True),
        (Leaf, Leaf, True),
        (Leaf, Tree, False),
        (Color, str, True),
        (str, Color, True),
        (bytes, set, True),
        (bool, int, False),
    ],
)
def test_assignable(given_type: typing.Any, wanted: typing.Any, fits: bool) -> None:
    assert compatibility.assignable(engine.literal_type(given_type), engine.literal_type(wanted)) is fits


# ---- storage


@pytest.mark.parametrize("key", ["a", "a/b", "x/y~/z", "a%b", "../..", "a//b", "é/ü"])
def test_folder_store(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, key: str) -> None:
    monkeypatch.setenv("VOLANT_STORE_ROOT", str(tmp_path))
    monkeypatch.setenv("VOLANT_STORE_BUCKET", "b")
    router.write(f"s3://b/p/{key}", b"data")
    assert router.read(f"s3://b/p/{key}") == b"data"
    assert list(router.walk("s3://b/p")) == [key]
    assert router.exists(f"s3://b/p/{key}")
    assert all(path.resolve().is_relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with pytest.raises(NotFoundError):
        router.read("s3://b/none")
    with pytest.raises(StorageError, match="too long"):
        folder.escape("x" * 201)


def test_signature() -> None:
    """The example of Amazon's documentation (GET of an object, with these keys and this date)."""
    settings = s3.S3Settings(
        endpoint="https://examplebucket.s3.amazonaws.com",
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = s3.sign(settings, "GET", "/", "lifecycle=", empty, datetime.datetime(2013, 5, 24, tzinfo=datetime.UTC))
    assert headers["authorization"].endswith(
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )


def test_a_download_whose_connection_breaks(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again: half an object is none."""
    bodies = [b"four", b"0123456789"]

    class Store(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "10")
            self.end_headers()
            self.wfile.write(bodies.pop(0))

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.HTTPServer(("127.0.0.1", 0), Store) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("FLYTE_AWS_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(s3, "_FIRST_PAUSE", 0.001)
        router.download("s3://b/k", tmp_path / "k")
        server.shutdown()
        thread.join()
    assert (tmp_path / "k").read_bytes() == b"0123456789"


def test_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_AWS_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(s3, "_FIRST_PAUSE", 0.001)
    with pytest.raises(StorageError, match="failed 6 times"):
        router.read("s3://b/k")
