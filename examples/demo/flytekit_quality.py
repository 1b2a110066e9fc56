"""A data quality pipeline in stock flytekit: tables, a condition, a map task, a dynamic fan-out and a cached task."""

import functools
from typing import NamedTuple

import pandas as pd
from flytekit import conditional, dynamic, map_task, task, workflow
from flytekit.types.file import FlyteFile


class Report(NamedTuple):
    """What the pipeline finds out."""

    statistics: dict[str, float]
    verdict: str
    monthly_means: list[float]
    warmest_hours: list[str]


@task
def load(path: FlyteFile) -> pd.DataFrame:
    return pd.read_csv(path.download())


@task
def remove_duplicates(df: pd.DataFrame) -> pd.DataFrame:
    return df.drop_duplicates()


@task
def filter_invalid_rows(df: pd.DataFrame) -> pd.DataFrame:
    return df[df["value"] > -1000]


@task
def compute_statistics(df: pd.DataFrame) -> dict[str, float]:
    values = df["value"]
    return {
        "rows": float(len(df)),
        "mean": round(float(values.mean()), 2),
        "median": round(float(values.median()), 2),
        "deviation": round(float(values.std()), 2),
    }


@task(cache=True, cache_version="1.0")
def share_kept(path: FlyteFile, rows: float) -> float:
    """The share of the file's rows that survived the cleaning."""
    with open(path.download()) as file:
        return rows / (sum(1 for _ in file) - 1)


@task
def rows_of(statistics: dict[str, float]) -> float:
    return statistics["rows"]


@task
def accept(share: float) -> str:
    return f"good: {share:.1%} of the rows are clean"


@task
def reject(share: float) -> str:
    return f"poor: only {share:.1%} of the rows are clean"


@task
def months() -> list[int]:
    return list(range(1, 13))


@task
def mean_of_month(month: int, df: pd.DataFrame) -> float:
    """The mean of one month; the table is the same for each element of the map task."""
    return round(float(df.loc[pd.to_datetime(df["hour"]).dt.month == month, "value"].mean()), 1)


@task
def stations(df: pd.DataFrame) -> list[str]:
    return sorted(df["station"].unique())


@task
def warmest_hour(df: pd.DataFrame, station: str) -> str:
    row = df[df["station"] == station].nlargest(1, "value").iloc[0]
    return f"{station}: {row['value']:.1f} on {row['hour']}"


@dynamic
def warmest_hours(df: pd.DataFrame, names: list[str]) -> list[str]:
    """One task a station; how many there are is known only now."""
    return [warmest_hour(df=df, station=name) for name in names]


@workflow
def quality_pipeline(path: FlyteFile) -> Report:
    raw = load(path=path)
    unique = remove_duplicates(df=raw)
    clean = filter_invalid_rows(df=unique)
    statistics = compute_statistics(df=clean)
    share = share_kept(path=path, rows=rows_of(statistics=statistics))
    verdict = conditional("enough_left").if_(share > 0.9).then(accept(share=share)).else_().then(reject(share=share))
    monthly = map_task(functools.partial(mean_of_month, df=clean))(month=months())
    warmest = warmest_hours(df=clean, names=stations(df=clean))
    return Report(statistics, verdict, monthly, warmest)
