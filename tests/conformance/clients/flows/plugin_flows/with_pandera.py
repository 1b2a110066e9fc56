"""flytekitplugins-pandera."""

import flytekitplugins.pandera  # noqa: F401 - it registers itself
import pandas
import pandera.pandas
from flytekit import task, workflow
from pandera.typing import DataFrame, Series


class Schema(pandera.pandas.DataFrameModel):
    n: Series[int] = pandera.pandas.Field(ge=0)


@task
def make(rows: int) -> DataFrame[Schema]:
    return pandas.DataFrame({"n": list(range(rows))})


@task
def check(table: DataFrame[Schema]) -> str:
    return "right" if table["n"].sum() == 10 else "wrong"


@workflow
def wf() -> str:
    return check(table=make(rows=5))
