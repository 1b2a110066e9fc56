"""A table of temperatures is cleaned and summed up: four tasks and a workflow, with Volant's SDK."""

import pandas as pd

from volant import task, workflow


@task
def load_raw_data(path: str) -> pd.DataFrame:
    return pd.read_csv(path)


@task
def remove_duplicates(df: pd.DataFrame) -> pd.DataFrame:
    unique = df.drop_duplicates()
    print(f"{len(df) - len(unique)} duplicates among {len(df)} rows")
    return unique


@task
def filter_invalid_rows(df: pd.DataFrame) -> pd.DataFrame:
    valid = df[df["value"] > 0]
    print(f"{len(df) - len(valid)} invalid rows")
    return valid


@task(cache=True, cache_version="1.0")
def compute_statistics(df: pd.DataFrame) -> dict:
    return {
        "mean": round(float(df["value"].mean()), 2),
        "median": round(float(df["value"].median()), 2),
        "count": len(df),
    }


@workflow
def data_quality_pipeline(path: str) -> dict:
    """Clean a table and sum it up.

    Args:
        path: A CSV file with the columns station, hour and value.
    """
    raw = load_raw_data(path=path)
    deduped = remove_duplicates(df=raw)
    clean = filter_invalid_rows(df=deduped)
    return compute_statistics(df=clean)
