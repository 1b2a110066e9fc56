"""What comes with flytekit itself: a shell task, SQLite, numpy, pydantic, JSON lines, protobuf."""

import pathlib
import sqlite3
import typing

import numpy
import pandas
from flytekit import kwtypes, task, workflow
from flytekit.extras.sqlite3.task import SQLite3Config, SQLite3Task
from flytekit.extras.tasks.shell import OutputLocation, ShellTask
from flytekit.types.file import FlyteFile
from flytekit.types.iterator import JSON
from google.protobuf.struct_pb2 import Struct
from pydantic import BaseModel

# Not the temporary folder: each attempt has one of its own.
DATABASE = pathlib.Path("/tmp") / "volant-clients-extras.sqlite"

shell = ShellTask(
    name="plugin_flows.with_extras.shell",
    script="echo {inputs.word} > {outputs.file}",
    inputs=kwtypes(word=str),
    output_locs=[OutputLocation(var="file", var_type=FlyteFile, location="/tmp/volant-clients-{inputs.word}.txt")],
)
lite = SQLite3Task(
    name="plugin_flows.with_extras.lite",
    query_template="SELECT n FROM numbers WHERE n >= {{ .inputs.least }}",
    inputs=kwtypes(least=int),
    output_schema_type=pandas.DataFrame,
    task_config=SQLite3Config(uri=str(DATABASE)),
)


class Model(BaseModel):
    n: int
    names: typing.List[str]


@task
def prepare() -> int:
    DATABASE.unlink(missing_ok=True)
    with sqlite3.connect(DATABASE) as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER)")
        connection.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(5)])
    return 2


@task
def make() -> typing.Tuple[numpy.ndarray, Model, typing.Iterator[JSON], Struct]:
    values = Struct()
    values.update({"a": [1, 2]})
    return numpy.arange(4), Model(n=1, names=["a"]), iter([{"a": 1}, {"a": 2}]), values


@task
def check(
    file: FlyteFile,
    table: pandas.DataFrame,
    array: numpy.ndarray,
    model: Model,
    lines: typing.Iterator[JSON],
    values: Struct,
) -> str:
    with open(file) as opened:
        word = opened.read().strip()
    found = [word, list(table["n"]), int(array.sum()), model.names, [line["a"] for line in lines], list(values["a"])]
    return "right" if found == ["word", [2, 3, 4], 6, ["a"], [1, 2], [1, 2]] else f"wrong: {found}"


@workflow
def wf() -> str:
    array, model, lines, values = make()
    file = shell(word="word")
    table = lite(least=prepare())
    return check(file=file, table=table, array=array, model=model, lines=lines, values=values)
