"""flytekitplugins-sqlalchemy: a task whose container comes ready made; here it runs with the tasks' interpreter."""

import pathlib
import sqlite3

import pandas
from flytekit import kwtypes, task, workflow
from flytekitplugins.sqlalchemy import SQLAlchemyConfig, SQLAlchemyTask

# Not the temporary folder: each attempt has one of its own.
DATABASE = pathlib.Path("/tmp") / "volant-clients.sqlite"


@task
def prepare() -> int:
    DATABASE.unlink(missing_ok=True)
    with sqlite3.connect(DATABASE) as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER)")
        connection.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(5)])
    return 2


query = SQLAlchemyTask(
    "plugin_flows.with_sqlalchemy.query",
    query_template="SELECT n FROM numbers WHERE n >= {{ .inputs.least }}",
    inputs=kwtypes(least=int),
    output_schema_type=pandas.DataFrame,
    task_config=SQLAlchemyConfig(uri=f"sqlite:///{DATABASE}"),
)


@task
def check(table: pandas.DataFrame) -> str:
    return "right" if list(table["n"]) == [2, 3, 4] else f"wrong: {table}"


@workflow
def wf() -> str:
    return check(table=query(least=prepare()))
