"""flytekitplugins-polars."""

import polars
from flytekit import task, workflow


@task
def make(rows: int) -> polars.DataFrame:
    return polars.DataFrame({"n": list(range(rows))})


@task
def check(table: polars.DataFrame) -> str:
    return "right" if table["n"].sum() == 10 else "wrong"


@workflow
def wf() -> str:
    return check(table=make(rows=5))
