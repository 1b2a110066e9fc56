"""Every value crosses both ways between this SDK and the stock flytekit: each reads what the other writes."""

import dataclasses
import datetime
import enum
import pathlib
import typing
from collections import OrderedDict
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flytekit import FlyteContextManager
from flytekit import kwtypes as flyte_kwtypes
from flytekit.core.type_engine import TypeEngine
from flytekit.models.literals import Literal as FlyteLiteral
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile
from flytekit.types.structured import StructuredDataset as FlyteStructuredDataset

from volant import context
from volant.types import engine
from volant.types.files import Directory, File
from volant.types.frames import StructuredDataset, kwtypes
from volantidl.core import literals_pb2, types_pb2

pytestmark = pytest.mark.filterwarnings("ignore")


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclasses.dataclass
class Inner:
    q: int
    w: str | None = None


@dataclasses.dataclass
class Everything:
    a: int
    b: float
    c: str
    d: bool
    e: list[int]
    f: dict[str, float]
    g: Inner
    h: typing.Optional[Inner]  # noqa: UP045 - both notations
    i: list[Inner]
    j: datetime.datetime
    k: datetime.timedelta
    l: Color  # noqa: E741
    m: typing.Union[int, str]  # noqa: UP007
    n: dict[int, str]
    o: dict
    r: datetime.date
    v: tuple[int, str]
    x: int = 4
    y: list[str] = dataclasses.field(default_factory=list)
    z: typing.Optional[int] = None  # noqa: UP045


EVERYTHING = Everything(
    a=1,
    b=2.5,
    c="text",
    d=True,
    e=[1, 2],
    f={"k": 1.5},
    g=Inner(1, "w"),
    h=None,
    i=[Inner(2), Inner(3, "x")],
    j=datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.UTC),
    k=datetime.timedelta(hours=3, microseconds=5),
    l=Color.GREEN,
    m="either",
    n={1: "one", 2: "two"},
    o={"free": [1, {"form": None}]},
    r=datetime.date(2024, 1, 2),
    v=(1, "two"),
    y=["a", "b"],
)
UTC = datetime.UTC

PLAIN: list[tuple[str, Any, Any]] = [
    ("int", int, 3),
    ("int negative", int, -(2**62)),
    ("int zero", int, 0),
    ("int largest", int, 2**63 - 1),
    ("float", float, 2.5),
    ("float whole", float, 3.0),
    ("float tiny", float, 5e-324),
    ("float infinite", float, float("inf")),
    ("bool true", bool, True),
    ("bool false", bool, False),
    ("str", str, "hello"),
    ("str empty", str, ""),
    ("str unicode", str, "naïve – 東京 🎉"),
    ("str long", str, "x" * 10_000),
    ("datetime", datetime.datetime, datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
    ("datetime microseconds", datetime.datetime, datetime.datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("date", datetime.date, datetime.date(2024, 2, 29)),
    ("timedelta", datetime.timedelta, datetime.timedelta(days=2, seconds=5, microseconds=7)),
    ("timedelta negative", datetime.timedelta, datetime.timedelta(seconds=-90)),
    ("none", type(None), None),
    ("enum", Color, Color.RED),
    ("literal str", typing.Literal["a", "b"], "b"),
    ("literal int", typing.Literal[1, 2], 2),
    ("list int", list[int], [1, 2, 3]),
    ("list empty", list[int], []),
    ("list str", list[str], ["a", ""]),
    ("list list", list[list[float]], [[1.0], [], [2.0, 3.0]]),
    ("List", typing.List[bool], [True, False]),  # noqa: UP006
    ("dict str int", dict[str, int], {"a": 1, "b": 2}),
    ("dict empty", dict[str, int], {}),
    ("dict str list", dict[str, list[int]], {"a": [1], "b": []}),
    ("dict str dict", dict[str, dict[str, str]], {"a": {"b": "c"}}),
    ("list dict", list[dict[str, int]], [{"a": 1}, {}]),
    ("dict untyped", dict, {"a": 1, "b": [1, 2.5, "x", None, True, {"c": {}}]}),
    ("dict untyped empty", dict, {}),
    ("dict int keys", dict[int, str], {1: "a", 2: "b"}),
    ("optional some", typing.Optional[int], 5),  # noqa: UP045
    ("optional none", typing.Optional[int], None),  # noqa: UP045
    ("optional new notation", int | None, 7),
    ("optional str", str | None, "s"),
    ("optional list", typing.Optional[list[int]], [1]),  # noqa: UP045
    ("union int of int str", int | str, 5),
    ("union str of int str", int | str, "five"),
    ("union float bool", float | bool, True),
    ("union of three", int | str | None, None),
    ("list of optional", list[typing.Optional[int]], [1, None, 2]),  # noqa: UP045
    ("dict of union", dict[str, int | str], {"a": 1, "b": "x"}),
    ("dataclass small", Inner, Inner(1)),
    ("dataclass full", Everything, EVERYTHING),
    ("optional dataclass", typing.Optional[Inner], Inner(4, "z")),  # noqa: UP045
    ("optional dataclass none", typing.Optional[Inner], None),  # noqa: UP045
    ("list dataclass", list[Inner], [Inner(1), Inner(2, "b")]),
    ("dict dataclass", dict[str, Inner], {"a": Inner(1)}),
    ("bytes", bytes, b"\x00\xff raw"),
    ("set", set, {1, 2}),
    ("time", datetime.time, datetime.time(3, 4, 5)),
    ("complex", complex, 1 + 2j),
    ("range", range, range(3)),
    ("annotated", Annotated[int, "note"], 3),
    ("array ints", np.ndarray, np.arange(6).reshape(2, 3)),
    ("array floats", np.ndarray, np.array([1.5, np.nan])),
    ("array texts", np.ndarray, np.array(["a", "bc"])),
    ("frame", pd.DataFrame, pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})),
    ("frame empty", pd.DataFrame, pd.DataFrame({"a": pd.Series([], dtype="int64")})),
    (
        "frame of times",
        pd.DataFrame,
        pd.DataFrame({"t": pd.to_datetime(["2024-01-01", "2024-06-01"]), "f": [1.5, None]}),
    ),
    ("table", pa.Table, pa.table({"a": [1, 2], "b": ["x", None]})),
    ("list of frames", list[pd.DataFrame], [pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})]),
    ("dict of arrays", dict[str, np.ndarray], {"a": np.zeros(2)}),
]


@pytest.fixture(autouse=True)
def _store(tmp_path: pathlib.Path) -> typing.Iterator[None]:
    with context.using(context.Context(raw_output_prefix=str(tmp_path / "raw"))):
        yield


def to_flyte(literal: literals_pb2.Literal) -> FlyteLiteral:
    from flyteidl.core import literals_pb2 as flyte_literals

    return FlyteLiteral.from_flyte_idl(flyte_literals.Literal.FromString(literal.SerializeToString()))


def from_flyte(literal: FlyteLiteral) -> literals_pb2.Literal:
    return literals_pb2.Literal.FromString(literal.to_flyte_idl().SerializeToString())


def type_of_flyte(python_type: Any) -> types_pb2.LiteralType:
    return types_pb2.LiteralType.FromString(TypeEngine.to_literal_type(python_type).to_flyte_idl().SerializeToString())


def flyte_write(value: Any, python_type: Any) -> literals_pb2.Literal:
    ctx = FlyteContextManager.current_context()
    return from_flyte(TypeEngine.to_literal(ctx, value, python_type, TypeEngine.to_literal_type(python_type)))


def flyte_read(literal: literals_pb2.Literal, python_type: Any) -> Any:
    return TypeEngine.to_python_value(FlyteContextManager.current_context(), to_flyte(literal), python_type)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
        return True
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        return True
    if isinstance(one, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other) and type(one) is type(other)


def inline(literal: literals_pb2.Literal) -> bool:
    """Whether the value stands in the literal itself."""
    return not any(word in str(literal) for word in ("blob {", "structured_dataset {"))


def without_hash(literal: literals_pb2.Literal) -> literals_pb2.Literal:
    copy = literals_pb2.Literal()
    copy.CopyFrom(literal)
    copy.hash = ""
    return copy


@pytest.mark.parametrize(("python_type", "value"), [case[1:] for case in PLAIN], ids=[case[0] for case in PLAIN])
class TestValues:
    def test_same_type(self, python_type: Any, value: Any) -> None:
        assert engine.literal_type(python_type) == type_of_flyte(python_type)

    def test_flytekit_reads_ours(self, python_type: Any, value: Any) -> None:
        assert equal(value, flyte_read(engine.to_literal(value, python_type), python_type))

    def test_we_read_flytekits(self, python_type: Any, value: Any) -> None:
        assert equal(value, engine.to_python(flyte_write(value, python_type), python_type))

    def test_we_read_ours(self, python_type: Any, value: Any) -> None:
        assert equal(value, engine.to_python(engine.to_literal(value, python_type), python_type))

    def test_same_literal(self, python_type: Any, value: Any) -> None:
        ours = engine.to_literal(value, python_type)
        if inline(ours):
            assert without_hash(ours) == flyte_write(value, python_type)


@pytest.mark.parametrize("value", [{"a": [1, {"b": "c"}]}, {"n": 3, "f": 1.5, "none": None}, {}])
def test_old_form_of_plain_data(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    """Both forms are read, and the old one is written where it's asked for."""
    monkeypatch.setenv("FLYTE_USE_OLD_DC_FORMAT", "true")
    assert engine.to_python(flyte_write(value, dict), dict) == value
    assert flyte_read(engine.to_literal(value, dict), dict) == value


def test_old_form_of_a_dataclass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_USE_OLD_DC_FORMAT", "true")
    value = Inner(3, "w")
    assert engine.to_python(flyte_write(value, Inner), Inner) == value
    assert flyte_read(engine.to_literal(value, Inner), Inner) == value


def test_files(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("a,b\n1,2\n")
    ours = engine.to_literal(File(str(source)), File["csv"])
    theirs = flyte_write(FlyteFile["csv"](str(source)), FlyteFile["csv"])
    assert engine.literal_type(File["csv"]) == type_of_flyte(FlyteFile["csv"])
    assert pathlib.Path(flyte_read(ours, FlyteFile["csv"]).download()).read_text() == source.read_text()
    assert pathlib.Path(engine.to_python(theirs, File["csv"]).download()).read_text() == source.read_text()
    assert ours.scalar.blob.metadata == theirs.scalar.blob.metadata


def test_file_metadata_travels(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"x")
    ours = engine.to_literal(File(str(source), metadata={"k": "v"}), File)
    assert flyte_read(ours, FlyteFile).metadata == {"k": "v"}
    theirs = flyte_write(FlyteFile(str(source), metadata={"k": "v"}), FlyteFile)
    assert engine.to_python(theirs, File).metadata == {"k": "v"}


def test_directories(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "d"
    (source / "below").mkdir(parents=True)
    (source / "below" / "x.txt").write_text("x")
    ours = engine.to_literal(Directory(source), Directory)
    assert engine.literal_type(Directory["svg"]) == type_of_flyte(FlyteDirectory["svg"])
    assert (pathlib.Path(flyte_read(ours, FlyteDirectory)) / "below" / "x.txt").read_text() == "x"
    theirs = flyte_write(FlyteDirectory(str(source)), FlyteDirectory)
    assert (engine.to_python(theirs, Directory) / "below/x.txt").read_text() == "x"


@dataclasses.dataclass
class WithFile:
    file: FlyteFile
    folder: FlyteDirectory
    table: FlyteStructuredDataset
    maybe: FlyteFile | None = None


@dataclasses.dataclass
class WithOurs:
    file: File
    folder: Directory
    table: StructuredDataset
    maybe: File | None = None


WithOurs.__name__ = "WithFile"


def test_references_in_dataclasses(tmp_path: pathlib.Path) -> None:
    (tmp_path / "f.txt").write_text("content")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "y").write_text("y")
    frame = pd.DataFrame({"a": [1, 2]})
    assert engine.literal_type(WithOurs) == type_of_flyte(WithFile)
    ours = engine.to_literal(
        WithOurs(File(tmp_path / "f.txt"), Directory(tmp_path / "d"), StructuredDataset(dataframe=frame)), WithOurs
    )
    found = flyte_read(ours, WithFile)
    assert pathlib.Path(found.file.download()).read_text() == "content"
    assert (pathlib.Path(found.folder) / "y").read_text() == "y"
    pd.testing.assert_frame_equal(found.table.open(pd.DataFrame).all(), frame)
    theirs = flyte_write(
        WithFile(
            FlyteFile(str(tmp_path / "f.txt")),
            FlyteDirectory(str(tmp_path / "d")),
            FlyteStructuredDataset(dataframe=frame),
        ),
        WithFile,
    )
    back = engine.to_python(theirs, WithOurs)
    assert pathlib.Path(back.file.download()).read_text() == "content"
    assert (back.folder / "y").read_text() == "y"
    pd.testing.assert_frame_equal(back.table.open(pd.DataFrame).all(), frame)


def test_structured_datasets() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    ours = engine.to_literal(StructuredDataset(dataframe=frame), StructuredDataset)
    pd.testing.assert_frame_equal(flyte_read(ours, FlyteStructuredDataset).open(pd.DataFrame).all(), frame)
    theirs = flyte_write(FlyteStructuredDataset(dataframe=frame), FlyteStructuredDataset)
    pd.testing.assert_frame_equal(engine.to_python(theirs, StructuredDataset).open(pd.DataFrame).all(), frame)
    assert engine.to_python(theirs, StructuredDataset).open(pa.Table).all().num_rows == 2


def test_columns_are_chosen() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    ours, theirs = Annotated[pd.DataFrame, kwtypes(a=int)], Annotated[pd.DataFrame, flyte_kwtypes(a=int)]
    assert engine.literal_type(ours) == type_of_flyte(theirs)
    written = flyte_write(frame, pd.DataFrame)
    assert list(engine.to_python(written, ours).columns) == ["a"]
    assert list(flyte_read(engine.to_literal(frame, pd.DataFrame), theirs).columns) == ["a"]


def test_csv_frames() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    ours = engine.to_literal(StructuredDataset(dataframe=frame), Annotated[StructuredDataset, "csv"])
    pd.testing.assert_frame_equal(flyte_read(ours, pd.DataFrame), frame)
    theirs = flyte_write(FlyteStructuredDataset(dataframe=frame), Annotated[FlyteStructuredDataset, "csv"])
    pd.testing.assert_frame_equal(engine.to_python(theirs, pd.DataFrame), frame)


def test_arrow_schema() -> None:
    schema = pa.schema([("a", pa.int64())])
    assert engine.literal_type(Annotated[pd.DataFrame, schema]) == type_of_flyte(Annotated[pd.DataFrame, schema])


def test_ordered_columns() -> None:
    columns = OrderedDict(x=int, y=OrderedDict(z=float, w=str))
    assert engine.literal_type(Annotated[pd.DataFrame, columns]) == type_of_flyte(Annotated[pd.DataFrame, columns])


def test_pydantic_models() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Below(pydantic.BaseModel):
        n: int
        color: Color = Color.RED

    class Model(pydantic.BaseModel):
        name: str
        below: Below
        many: list[Below] = []
        when: datetime.datetime | None = None

    Model.model_rebuild()
    value = Model(name="x", below=Below(n=1), many=[Below(n=2)], when=datetime.datetime(2024, 1, 1, tzinfo=UTC))
    assert engine.literal_type(Model) == type_of_flyte(Model)
    assert engine.to_literal(value, Model) == flyte_write(value, Model)
    assert engine.to_python(flyte_write(value, Model), Model) == value
    assert flyte_read(engine.to_literal(value, Model), Model) == value


def test_pydantic_with_files(tmp_path: pathlib.Path) -> None:
    pydantic = pytest.importorskip("pydantic")
    (tmp_path / "f.txt").write_text("content")

    class Model(pydantic.BaseModel):
        file: File
        table: StructuredDataset | None = None

    Model.model_rebuild(_types_namespace={"File": File, "StructuredDataset": StructuredDataset})
    literal = engine.to_literal(Model(file=File(tmp_path / "f.txt")), Model)
    assert pathlib.Path(engine.to_python(literal, Model).file.download()).read_text() == "content"


def test_images() -> None:
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.new("RGB", (4, 3), (255, 0, 0))
    assert engine.literal_type(image_module.Image) == type_of_flyte(image_module.Image)
    assert flyte_read(engine.to_literal(image, image_module.Image), image_module.Image).getpixel((1, 1)) == (255, 0, 0)
    assert engine.to_python(flyte_write(image, image_module.Image), image_module.Image).size == (4, 3)


def test_estimators() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    base = pytest.importorskip("sklearn.base")
    fitted = linear.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    assert engine.literal_type(base.BaseEstimator) == type_of_flyte(base.BaseEstimator)
    ours = engine.to_literal(fitted, base.BaseEstimator)
    assert flyte_read(ours, base.BaseEstimator).coef_[0] == pytest.approx(2.0)
    theirs = flyte_write(fitted, base.BaseEstimator)
    assert engine.to_python(theirs, base.BaseEstimator).coef_[0] == pytest.approx(2.0)


def test_values_outside_the_literal_are_hashed() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    for value, python_type in ((frame, pd.DataFrame), (np.arange(3), np.ndarray), ({1, 2}, set)):
        first, second = (engine.to_literal(value, python_type) for _ in range(2))
        assert first.hash
        assert first.hash == second.hash
    other = engine.to_literal(pd.DataFrame({"a": [1, 3]}), pd.DataFrame)
    assert other.hash != engine.to_literal(frame, pd.DataFrame).hash
