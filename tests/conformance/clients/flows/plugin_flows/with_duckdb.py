"""flytekitplugins-duckdb."""

import pandas
from flytekit import kwtypes, task, workflow
from flytekitplugins.duckdb import DuckDBQuery

query = DuckDBQuery(
    name="plugin_flows.with_duckdb.query",
    query="SELECT SUM(n) AS total FROM table_in",
    inputs=kwtypes(table_in=pandas.DataFrame),
)


@task
def make(rows: int) -> pandas.DataFrame:
    return pandas.DataFrame({"n": list(range(rows))})


@task
def check(table: pandas.DataFrame) -> str:
    return "right" if int(table["total"].iloc[0]) == 10 else "wrong"


@workflow
def wf() -> str:
    return check(table=query(table_in=make(rows=5)))
