"""Conditional execution."""

import pandas as pd
from article_helpers import load_data, robust_processing, standard_processing
from volant import task, workflow, conditional
@task
def check_data_quality(df: pd.DataFrame) -> bool:
    return df.isnull().sum().sum() == 0
@task
def process_clean_data(df: pd.DataFrame) -> pd.DataFrame:
    return standard_processing(df)
@task
def process_dirty_data(df: pd.DataFrame) -> pd.DataFrame:
    return robust_processing(df)
@workflow
def adaptive_pipeline(input_path: str) -> pd.DataFrame:
    data = load_data(path=input_path)
    is_clean = check_data_quality(df=data)
    return (
        conditional("quality_check")
        .if_(is_clean.is_true())
        .then(process_clean_data(df=data))
        .else_()
        .then(process_dirty_data(df=data))
    )
