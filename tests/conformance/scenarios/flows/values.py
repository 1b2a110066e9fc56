"""A value of each type, out of one task and into another."""

import dataclasses
import datetime
import enum
import functools
import pathlib
import typing
from typing import Annotated

import flytekit
from flytekit import Resources, StructuredDataset, kwtypes, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile
from flytekit.types.pickle import FlytePickle

from flows.small import echo, echo_text, task

UTC = datetime.UTC


@task
def makes_primitives() -> tuple[int, float, str, bool, datetime.datetime, datetime.timedelta, datetime.date]:
    when = datetime.datetime(2021, 12, 31, 23, 59, 59, 123456, tzinfo=UTC)
    return (
        -(2**40),
        1.5e-7,
        'a "text" with ünï\n',
        False,
        when,
        datetime.timedelta(days=-1, microseconds=5),
        when.date(),
    )


@task
def reads_primitives(
    i: int, f: float, s: str, b: bool, t: datetime.datetime, d: datetime.timedelta, day: datetime.date
) -> str:
    return repr((i, f, s, b, t, d, day))


@workflow
def primitives() -> str:
    i, f, s, b, t, d, day = makes_primitives()
    return reads_primitives(i=i, f=f, s=s, b=b, t=t, d=d, day=day)


@dataclasses.dataclass
class Point:
    x: int
    y: float
    labels: list[str]


@dataclasses.dataclass
class Shape:
    name: str
    corner: Point
    sizes: dict[str, int]


@task
def makes_shape() -> Shape:
    return Shape("box", Point(3, 0.5, ["a", "b"]), {"wide": 4})


@task
def reads_shape(shape: Shape, corner: Point, x: int, label: str, wide: int, y: float) -> str:
    return repr((shape, corner, x, label, wide, y))


@workflow
def dataclass_attributes() -> str:
    s = makes_shape()
    return reads_shape(
        shape=s, corner=s.corner, x=s.corner.x, label=s.corner.labels[1], wide=s.sizes["wide"], y=s.corner.y
    )


@task
def makes_collections() -> tuple[list[list[int]], dict[str, list[str]], dict, list[dict[str, float]]]:
    return [[1, 2], [], [3]], {"k": ["v", "w"], "empty": []}, {"free": [1, {"deep": None}]}, [{"a": 0.25}]


@task
def reads_collections(one: int, word: str, free: dict, nested: list[int], ratio: float) -> str:
    return repr((one, word, free, nested, ratio))


@workflow
def collections() -> tuple[str, list[list[int]], dict[str, list[str]]]:
    lists, texts, free, dicts = makes_collections()
    said = reads_collections(one=lists[0][1], word=texts["k"][0], free=free, nested=lists[2], ratio=dicts[0]["a"])
    return said, lists, texts


@task
def reads_unions(a: int | None, b: int | str, c: str | None = None) -> str | None:
    return None if a is None else f"{a} {b!r} {c!r}"


@workflow
def unions(a: int | None = None, b: int | str = "text") -> tuple[str | None, str | None]:
    return reads_unions(a=a, b=b), reads_unions(a=3, b=4, c="five")


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


@task
def other_colour(colour: Colour) -> Colour:
    return Colour.GREEN if colour == Colour.RED else Colour.RED


@workflow
def enums(colour: Colour = Colour.RED) -> Colour:
    return other_colour(colour=other_colour(colour=colour))


@task
def makes_files() -> tuple[FlyteFile, FlyteDirectory, FlyteFile[typing.TypeVar("txt")]]:
    file = pathlib.Path("made.bin")
    file.write_bytes(b"bytes")
    folder = pathlib.Path("folder")
    folder.mkdir(exist_ok=True)
    (folder / "one.txt").write_text("one")
    (folder / "two.txt").write_text("two")
    text = pathlib.Path("made.txt")
    text.write_text("text")
    return FlyteFile(str(file)), FlyteDirectory(str(folder)), FlyteFile(str(text))


@task
def reads_files(file: FlyteFile, folder: FlyteDirectory, text: FlyteFile[typing.TypeVar("txt")]) -> str:
    names = sorted(path.name for path in pathlib.Path(folder.download()).iterdir())
    return f"{pathlib.Path(file.download()).read_bytes()!r} {names} {pathlib.Path(text.download()).read_text()}"


@workflow
def files() -> str:
    file, folder, text = makes_files()
    return reads_files(file=file, folder=folder, text=text)


Rows = Annotated[StructuredDataset, kwtypes(a=int, b=str)]


@task
def names_tables(uri: str) -> tuple[StructuredDataset, Rows]:
    """Tables that are only named: to read one takes more memory than a small task has."""
    return StructuredDataset(uri=uri, file_format="parquet"), StructuredDataset(uri=uri, file_format="csv")


@task
def reads_names(table: StructuredDataset, rows: Rows) -> str:
    return f"{table.uri} {table.file_format} {rows.uri} {rows.file_format} {[c.name for c in rows.metadata.structured_dataset_type.columns]}"


@workflow
def tables(uri: str) -> str:
    table, rows = names_tables(uri=uri)
    return reads_names(table=table, rows=rows)


class Own:
    """Known to nobody: it is pickled."""

    def __init__(self, number: int) -> None:
        self.number = number


@task
def makes_pickles() -> tuple[Own, FlytePickle]:
    return Own(5), {"any": 1}


@task
def reads_pickles(own: Own, anything: FlytePickle) -> str:
    return f"{own.number} {anything}"


@workflow
def pickles() -> str:
    own, anything = makes_pickles()
    return reads_pickles(own=own, anything=anything)


roomy = functools.partial(flytekit.task, requests=Resources(cpu="300m"), limits=Resources(cpu="1"))


@roomy(environment={"_F_L_MIN_SIZE_MB": "10"})
def makes_much(size: int) -> tuple[str, int]:
    return "x" * size, size


@roomy
def reads_much(text: str, size: int) -> str:
    return f"{len(text)} {size}"


@workflow
def offloaded(size: int) -> str:
    """Ten megabytes is from where Flyte has literals put elsewhere, when it is told to."""
    text, count = makes_much(size=size)
    return reads_much(text=text, size=count)


@workflow
def everything_in(
    i: int,
    f: float,
    s: str,
    b: bool,
    t: datetime.datetime,
    d: datetime.timedelta,
    numbers: list[int],
    words: dict[str, str],
    shape: Shape,
    colour: Colour,
    maybe: int | None,
) -> tuple[
    int,
    float,
    str,
    bool,
    datetime.datetime,
    datetime.timedelta,
    list[int],
    dict[str, str],
    Shape,
    Colour,
    int | None,
    int,
]:
    """Values from the caller to the outputs, without a task between."""
    echo(x=i)
    return i, f, s, b, t, d, numbers, words, shape, colour, maybe, shape.corner.x


@workflow
def bound_constants() -> tuple[int, str]:
    return echo(x=41), echo_text(text="constant")


@task
def takes_all(numbers: list[int], words: dict[str, int], shape: Shape) -> str:
    return repr((numbers, words, shape))


@workflow
def bound_mixtures(x: int) -> str:
    """Lists and maps of constants and promises."""
    made = echo(x=x)
    return takes_all(numbers=[made, 2, x], words={"made": made, "two": 2}, shape=Shape("s", Point(1, 2.0, []), {}))
