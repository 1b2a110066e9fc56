"""Values of each simple kind, through a task and back."""

import datetime
import enum
import typing
from dataclasses import dataclass, field

from flytekit import task, workflow
from mashumaro.mixins.json import DataClassJSONMixin


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point(DataClassJSONMixin):
    x: int = 0
    y: float = 0.0
    names: typing.List[str] = field(default_factory=list)
    inner: typing.Optional[typing.Dict[str, int]] = None


class Opaque:
    """Nothing that flytekit knows: it is pickled."""

    def __init__(self, number: int) -> None:
        self.number = number


@task
def primitives(
    i: int, f: float, s: str, b: bool, at: datetime.datetime, d: datetime.timedelta
) -> typing.Tuple[int, float, str, bool, datetime.datetime, datetime.timedelta]:
    return i + 1, f * 2, s + "!", not b, at + d, d * 2


@workflow
def primitive_values(
    i: int = 1,
    f: float = 1.5,
    s: str = "é",
    b: bool = True,
    at: datetime.datetime = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc),
    d: datetime.timedelta = datetime.timedelta(hours=1),
) -> typing.Tuple[int, float, str, bool, datetime.datetime, datetime.timedelta]:
    return primitives(i=i, f=f, s=s, b=b, at=at, d=d)


@task
def collections(
    numbers: typing.List[int], named: typing.Dict[str, typing.List[float]]
) -> typing.Tuple[typing.List[int], typing.Dict[str, typing.List[float]]]:
    return numbers[::-1], {**named, "more": [1.0]}


@workflow
def collection_values(
    numbers: typing.List[int], named: typing.Dict[str, typing.List[float]]
) -> typing.Tuple[typing.List[int], typing.Dict[str, typing.List[float]]]:
    return collections(numbers=numbers, named=named)


@task
def optional(a: typing.Optional[int], b: typing.Union[int, str]) -> typing.Tuple[typing.Optional[int], str]:
    return (None if a else 1), type(b).__name__


@workflow
def union_values(b: typing.Union[int, str], a: typing.Optional[int] = None) -> typing.Tuple[typing.Optional[int], str]:
    return optional(a=a, b=b)


@task
def other(colour: Colour) -> Colour:
    return Colour.BLUE if colour is Colour.RED else Colour.RED


@workflow
def enum_values(colour: Colour = Colour.RED) -> Colour:
    return other(colour=colour)


@task
def make_point(x: int) -> Point:
    return Point(x=x, y=x / 2, names=["a", "b"], inner={"k": x})


@task
def move(point: Point) -> Point:
    point.x += 1
    return point


@task
def total(y: float, names: typing.List[str], k: str) -> str:
    return f"{y} {'-'.join(names)} {k}"


@workflow
def dataclass_values(x: int) -> typing.Tuple[Point, str]:
    moved = move(point=make_point(x=x))
    return moved, total(y=moved.y, names=moved.names, k=moved.names[0])


@task
def given(point: Point) -> int:
    assert isinstance(point, Point), type(point)
    return point.x


@workflow
def dataclass_given(point: Point) -> int:
    return given(point=point)


@task
def any_dict(d: dict) -> dict:
    return {**d, "seen": True}


@workflow
def dict_values(d: dict) -> dict:
    return any_dict(d=d)


@task
def wrap(number: int) -> Opaque:
    return Opaque(number)


@task
def unwrap(thing: Opaque) -> int:
    return thing.number


@workflow
def pickled_values(number: int) -> int:
    return unwrap(thing=wrap(number=number))
