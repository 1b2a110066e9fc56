"""Every type goes around: as it is, in lists, dictionaries, unions and optionals, and inside dataclasses."""

import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import math
import pathlib
import typing
import uuid
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pydantic
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from volant import Directory, File, FlyteError, HashMethod, StructuredDataset, context
from volant.errors import TypeMismatchError
from volant.types import engine
from volant.types.frames import kwtypes
from volantidl.core import literals_pb2

polars = pytest.importorskip("polars")
PIL_image = pytest.importorskip("PIL.Image")
sklearn_base = pytest.importorskip("sklearn.base")
sklearn_linear = pytest.importorskip("sklearn.linear_model")


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Pair(typing.NamedTuple):
    left: int
    right: str


class Model(pydantic.BaseModel):
    name: str
    sizes: list[int] = []
    mood: Mood = Mood.GOOD
    when: datetime.datetime | None = None


class Inner(pydantic.BaseModel):
    model: Model
    by_name: dict[str, Model] = {}


T = typing.TypeVar("T")
S = typing.TypeVar("S")


@dataclasses.dataclass
class Box(typing.Generic[T]):
    """A dataclass with a type of its own choice inside."""

    content: T
    many: list[T] = dataclasses.field(default_factory=list)
    below: typing.Optional["Box[T]"] = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    kind: typing.ClassVar[str] = "frozen"
    number: int
    boxed: Box[datetime.date] | None = None
    waiting: collections.deque[int] = dataclasses.field(default_factory=collections.deque)


@dataclasses.dataclass
class Deep:
    """What may stand inside of a dataclass."""

    number: int
    share: float
    text: str
    sure: bool
    raw: bytes
    when: datetime.datetime
    day: datetime.date
    clock: datetime.time
    span: datetime.timedelta
    mood: Mood
    level: Level
    choice: typing.Literal["a", "b"]
    maybe: int | None
    either: int | str
    noted: Annotated[int, "note"]
    numbers: list[int]
    by_name: dict[str, float]
    by_number: dict[int, list[str]]
    free: dict
    pair: tuple[int, str]
    many: tuple[int, ...]
    named: Pair
    chosen: set[str]
    frozen: frozenset[int]
    amount: decimal.Decimal
    key: uuid.UUID
    place: pathlib.Path
    model: Model
    scalar: np.int64
    below: typing.Optional["Deep"] = None


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
INT = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(allow_nan=False)
MOMENT = st.datetimes(
    datetime.datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime.datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(datetime.UTC),
)
DAY = st.dates(datetime.date(1970, 1, 1), datetime.date(2200, 1, 1))
SPAN = st.timedeltas(datetime.timedelta(days=-3650), datetime.timedelta(days=3650))
FREE = st.dictionaries(TEXT, st.none() | st.booleans() | INT | FLOAT | TEXT | st.lists(INT, max_size=2), max_size=3)
MODEL = st.builds(
    Model,
    name=TEXT,
    sizes=st.lists(st.integers(-100, 100), max_size=3),
    mood=st.sampled_from(Mood),
    when=st.none() | MOMENT,
)
DEEP = st.builds(
    Deep,
    number=INT,
    share=FLOAT,
    text=TEXT,
    sure=st.booleans(),
    raw=st.binary(max_size=20),
    when=MOMENT,
    day=DAY,
    clock=st.times(),
    span=SPAN,
    mood=st.sampled_from(Mood),
    level=st.sampled_from(Level),
    choice=st.sampled_from(["a", "b"]),
    maybe=st.none() | INT,
    either=INT | TEXT,
    noted=INT,
    numbers=st.lists(INT, max_size=3),
    by_name=st.dictionaries(TEXT, FLOAT, max_size=3),
    by_number=st.dictionaries(INT, st.lists(TEXT, max_size=2), max_size=2),
    free=FREE,
    pair=st.tuples(INT, TEXT),
    many=st.lists(INT, max_size=3).map(tuple),
    named=st.builds(Pair, INT, TEXT),
    chosen=st.sets(TEXT, max_size=3),
    frozen=st.frozensets(INT, max_size=3),
    amount=st.decimals(allow_nan=False, allow_infinity=False),
    key=st.uuids(),
    place=st.sampled_from([pathlib.Path("/a/b"), pathlib.Path("c")]),
    model=MODEL,
    scalar=INT.map(np.int64),
)
ARRAY = st.lists(st.floats(allow_nan=False, width=32), max_size=5).map(np.array) | st.lists(
    st.integers(-100, 100), min_size=1, max_size=5
).map(lambda items: np.array([items, items]))
COLUMNS = st.fixed_dictionaries({"n": st.lists(st.integers(-100, 100), min_size=2, max_size=2)}).flatmap(
    lambda columns: st.lists(TEXT, min_size=2, max_size=2).map(lambda texts: {**columns, "t": texts})
)
PIXELS = st.binary(min_size=12, max_size=12)
# The kind, its values, and whether they may be parts of a union (pickles take anything, so not beside others).
CASES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int": (int, INT),
    "float": (float, FLOAT),
    "str": (str, TEXT),
    "bool": (bool, st.booleans()),
    "bytes": (bytes, st.binary()),
    "none": (type(None), st.none()),
    "datetime": (datetime.datetime, MOMENT),
    "date": (datetime.date, DAY),
    "timedelta": (datetime.timedelta, SPAN),
    "time": (datetime.time, st.times()),
    "enum": (Mood, st.sampled_from(Mood)),
    "int enum": (Level, st.sampled_from(Level)),
    "literal texts": (typing.Literal["a", "b"], st.sampled_from(["a", "b"])),
    "literal numbers": (typing.Literal[1, 2], st.sampled_from([1, 2])),
    "optional": (typing.Optional[int], st.none() | INT),  # noqa: UP045
    "union": (int | str | bool, INT | TEXT | st.booleans()),
    "annotated": (Annotated[int, "note"], INT),
    "hashed": (Annotated[dict, HashMethod(lambda value: str(len(value)))], FREE),
    "list": (list, st.lists(INT, max_size=3)),
    "dict": (dict, FREE),
    "dict of numbers": (dict[int, str], st.dictionaries(INT, TEXT, max_size=3)),
    "tuple": (tuple[int, str], st.tuples(INT, TEXT)),
    "bare tuple": (tuple, st.tuples(INT, TEXT)),
    "named tuple": (Pair, st.builds(Pair, INT, TEXT)),
    "set": (set[int], st.sets(INT, max_size=3)),
    "dataclass": (Deep, DEEP),
    "generic dataclass": (
        Box[datetime.date],
        st.builds(Box, DAY, st.lists(DAY, max_size=2), st.none() | st.builds(Box, DAY)),
    ),
    "generic dataclass of anything": (Box, st.builds(Box, INT | TEXT)),
    "frozen dataclass": (
        Frozen,
        st.builds(
            Frozen,
            number=INT,
            boxed=st.none() | st.builds(Box, DAY),
            waiting=st.lists(INT, max_size=2).map(collections.deque),
        ),
    ),
    "pydantic": (Model, MODEL),
    "nested pydantic": (Inner, st.builds(Inner, model=MODEL, by_name=st.dictionaries(TEXT, MODEL, max_size=2))),
    "file": (File, TEXT.map(lambda text: ("file", text))),
    "directory": (Directory, TEXT.map(lambda text: ("directory", text))),
    "pandas": (pd.DataFrame, COLUMNS.map(pd.DataFrame)),
    "polars": (polars.DataFrame, COLUMNS.map(polars.DataFrame)),
    "polars, lazy": (polars.LazyFrame, COLUMNS.map(polars.LazyFrame)),
    "arrow": (pa.Table, COLUMNS.map(pa.table)),
    "structured dataset": (StructuredDataset, COLUMNS.map(lambda columns: StructuredDataset(pd.DataFrame(columns)))),
    "csv": (Annotated[pd.DataFrame, "csv"], COLUMNS.map(lambda columns: pd.DataFrame({"n": columns["n"]}))),
    "array": (np.ndarray, ARRAY),
    "numpy int": (np.int32, st.integers(-(2**31), 2**31 - 1).map(np.int32)),
    "numpy float": (np.float64, FLOAT.map(np.float64)),
    "numpy bool": (np.bool_, st.booleans().map(np.bool_)),
    "numpy bool as bool": (bool, st.booleans().map(np.bool_)),
    "numpy int as int": (int, st.integers(-(2**31), 2**31 - 1).map(np.int64)),
    "numpy float as float": (float, st.floats(allow_nan=False, width=32).map(np.float32)),
    "image": (PIL_image.Image, PIXELS.map(lambda data: PIL_image.frombytes("RGB", (2, 2), data))),
    "estimator": (sklearn_base.BaseEstimator, st.floats(0.1, 5).map(lambda alpha: sklearn_linear.Ridge(alpha=alpha))),
    "failure": (FlyteError, st.builds(FlyteError, TEXT, TEXT)),
    "anything": (Any, INT | TEXT | st.lists(INT)),
    "a class of one's own": (fractions.Fraction, st.fractions()),
}
SLOW = hypothesis_settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def real(value: Any, folder: pathlib.Path) -> Any:
    """Files are written where the test may write."""
    if isinstance(value, tuple) and value and value[0] in ("file", "directory"):
        place = folder / uuid.uuid4().hex
        if value[0] == "file":
            place.write_text(value[1], newline="")
            return File(str(place))
        place.mkdir()
        (place / "inside.txt").write_text(value[1], newline="")
        return Directory(str(place))
    return value


def seen(value: Any) -> Any:  # noqa: PLR0911 - one return for each type
    """What makes two values equal."""
    if isinstance(value, StructuredDataset):
        return seen(value.open(pd.DataFrame).all())
    if isinstance(value, pd.DataFrame):
        return ("frame", value.to_dict("list"))
    if isinstance(value, polars.LazyFrame):
        return seen(value.collect())
    if isinstance(value, polars.DataFrame):
        return ("frame", value.to_dict(as_series=False))
    if isinstance(value, pa.Table):
        return ("frame", value.to_pydict())
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.kind, value.tolist())
    if isinstance(value, PIL_image.Image):
        return ("image", value.size, value.tobytes())
    if isinstance(value, sklearn_base.BaseEstimator):
        return ("estimator", type(value), value.get_params())
    if isinstance(value, File):
        with open(value, newline="") as stream:
            return ("file", stream.read())
    if isinstance(value, Directory):
        return ("directory", (pathlib.Path(value) / "inside.txt").read_bytes().decode())
    if isinstance(value, list):
        return [seen(item) for item in value]
    if isinstance(value, dict):
        return {key: seen(item) for key, item in value.items()}
    return value


def around(value: Any, python_type: Any) -> Any:
    literal = engine.to_literal(value, python_type)
    travelled = literals_pb2.Literal.FromString(literal.SerializeToString())
    return engine.to_python(travelled, python_type)


@pytest.mark.parametrize("name", CASES)
class TestRoundTrip:
    """`data` draws the values: files and frames can be made only while the test runs."""

    @given(data=st.data())
    @SLOW
    def test_as_it_is(self, name: str, data: st.DataObject, tmp_path: pathlib.Path) -> None:
        python_type, values = CASES[name]
        value = real(data.draw(values), tmp_path)
        with context.using(context.Context(raw_output_prefix=str(tmp_path / "raw"))):
            found = around(value, python_type)
            assert seen(found) == seen(value)
            assert engine.accept(found, python_type) is not None or found is None

    @given(data=st.data())
    @SLOW
    def test_in_others(self, name: str, data: st.DataObject, tmp_path: pathlib.Path) -> None:
        python_type, values = CASES[name]
        value = real(data.draw(values), tmp_path)
        shapes = [(list[python_type], [value, value]), (dict[str, python_type], {"k": value})]
        if python_type not in (type(None), Any):
            shapes += [(typing.Optional[python_type], value), (typing.Optional[python_type], None)]  # noqa: UP045
        shape, whole = data.draw(st.sampled_from(shapes))
        with context.using(context.Context(raw_output_prefix=str(tmp_path / "raw"))):
            assert seen(around(whole, shape)) == seen(whole)


OUTSIDE = [
    name
    for name in CASES
    if name
    in {
        "pandas",
        "polars",
        "arrow",
        "array",
        "image",
        "estimator",
        "file",
        "directory",
        "bytes",
        "set",
        "a class of one's own",
        "csv",
        "structured dataset",
    }
]


@pytest.mark.parametrize("name", OUTSIDE)
@given(data=st.data())
@hypothesis_settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_stored_outside_is_hashed(name: str, data: st.DataObject, tmp_path: pathlib.Path) -> None:
    """Caching could never hit on a place that is new each time: the content's hash stands in for it."""
    python_type, values = CASES[name]
    value = data.draw(values)
    with context.using(context.Context(raw_output_prefix=str(tmp_path / "raw"))):
        first = engine.to_literal(real(value, tmp_path), python_type)
        # A StructuredDataset remembers where it was written.
        again = StructuredDataset(value.dataframe) if isinstance(value, StructuredDataset) else real(value, tmp_path)
        second = engine.to_literal(again, python_type)
    assert first.hash
    assert first.hash == second.hash
    in_list = engine.literal_type(list[python_type])
    assert in_list.WhichOneof("type") == "collection_type"


def test_optional_keeps_the_hash(tmp_path: pathlib.Path) -> None:
    with context.using(context.Context(raw_output_prefix=str(tmp_path))):
        assert engine.to_literal(np.arange(3), np.ndarray | None).hash


def test_iterators(tmp_path: pathlib.Path) -> None:
    kind = collections.abc.Iterator[int]
    assert list(around(iter([1, 2]), kind)) == [1, 2]


@pytest.mark.parametrize(
    ("value", "python_type", "said"),
    [
        (PIL_image.new("CMYK", (1, 1)), PIL_image.Image, r"cannot be written as PNG.*convert\('RGB'\)"),
        (polars.DataFrame({"o": [object()]}), polars.DataFrame, "cannot be written as parquet"),
        (pd.DataFrame({"o": [object()]}), pd.DataFrame, "cannot be written as Parquet"),
        (pa.table({"o": [[1]]}), Annotated[pa.Table, "csv"], "cannot be written as csv"),
        (np.array([object()], dtype=object), np.ndarray, "allow_pickle=True"),
        (io.BytesIO(), pd.DataFrame, "expected pandas"),
        ([1], np.ndarray, "expected numpy.ndarray, found list"),
        ("x", sklearn_base.BaseEstimator, "expected sklearn.base.BaseEstimator, found str"),
        ({"name": "x", "sizes": "y"}, Model, "sizes"),
        (Box("x"), Box[int], r"Box\.content: expected int, found str"),
        ({"number": "x"}, Frozen, r"Frozen\.number: expected int, found str"),
        (Frozen(number=1, boxed=Box(5)), Frozen, r"Frozen\.boxed: Box\.content: "),
        ("\ud800", str, "holds half a character"),
        ({"\ud800": 1}, dict[str, int], "holds half a character"),
        ({"a": "\ud800"}, dict, "cannot encode"),
        (10**400, float, "does not fit into a float"),
    ],
)
def test_what_can_not_be(value: Any, python_type: Any, said: str, tmp_path: pathlib.Path) -> None:
    with (
        context.using(context.Context(raw_output_prefix=str(tmp_path))),
        pytest.raises(TypeMismatchError, match=said),
    ):
        engine.to_literal(value, python_type)


@pytest.mark.parametrize("frame_type", [pd.DataFrame, polars.DataFrame, pa.Table])
def test_columns_that_are_not_there(frame_type: Any, tmp_path: pathlib.Path) -> None:
    with context.using(context.Context(raw_output_prefix=str(tmp_path))):
        literal = engine.to_literal(pd.DataFrame({"a": [1]}), pd.DataFrame)
        with pytest.raises(
            TypeMismatchError, match=r"cannot be read as .* with the columns zz: .*Change the annotation"
        ):
            engine.to_python(literal, Annotated[frame_type, kwtypes(zz=int)])
        place = pathlib.Path(literal.scalar.structured_dataset.uri, "00000")
        place.write_bytes(b"no parquet")
        with pytest.raises(TypeMismatchError, match="cannot be read as"):
            engine.to_python(literal, frame_type)


def test_nan() -> None:
    assert math.isnan(around(math.nan, float))


def test_torch(tmp_path: pathlib.Path) -> None:
    torch = pytest.importorskip("torch")
    with context.using(context.Context(raw_output_prefix=str(tmp_path))):
        tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
        assert torch.equal(around(tensor, torch.Tensor), tensor)
        module = torch.nn.Linear(2, 1)
        found = around(module, torch.nn.Linear)
        assert torch.equal(found.weight, module.weight)
        first, second = (engine.to_literal(tensor, torch.Tensor) for _ in range(2))
        assert first.hash == second.hash != ""
        assert first.scalar.blob.metadata.type.format == "PyTorchTensor"
        with pytest.raises(TypeMismatchError, match=r"expected torch\.Tensor"):
            engine.to_literal([1], torch.Tensor)
