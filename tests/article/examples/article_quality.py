"""Data processing pipeline, with the article's unit and integration tests of it."""

from volant import task, workflow
from typing import List
import pandas as pd
@task
def load_raw_data(s3_path: str) -> pd.DataFrame:
    return pd.read_csv(s3_path)
@task
def remove_duplicates(df: pd.DataFrame) -> pd.DataFrame:
    return df.drop_duplicates()
@task
def filter_invalid_rows(df: pd.DataFrame) -> pd.DataFrame:
    return df[df['value'] > 0]
@task
def compute_statistics(df: pd.DataFrame) -> dict:
    return {
        'mean': df['value'].mean(),
        'median': df['value'].median(),
        'count': len(df)
    }
@workflow
def data_quality_pipeline(input_path: str) -> dict:
    raw = load_raw_data(s3_path=input_path)
    deduped = remove_duplicates(df=raw)
    clean = filter_invalid_rows(df=deduped)
    stats = compute_statistics(df=clean)
    return stats


def test_remove_duplicates():
    test_df = pd.DataFrame({'id': [1, 1, 2], 'value': [10, 10, 20]})
    result = remove_duplicates(df=test_df)
    assert len(result) == 2


def test_pipeline():
    result = data_quality_pipeline(input_path="test_data.csv")
    assert result['count'] > 0
    assert result['mean'] > 0
