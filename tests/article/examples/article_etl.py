"""ETL with data quality checks."""

import pandas as pd
from article_helpers import apply_transformations, pull_from_source, write_to_warehouse
from volant import task, workflow
from great_expectations import DataContext
@task
def extract_data(source: str) -> pd.DataFrame:
    return pull_from_source(source)
@task
def validate_data(df: pd.DataFrame) -> bool:
    context = DataContext()
    results = context.run_validation_operator(
        "validate_data",
        assets_to_validate=[df]
    )
    return results.success
@task
def transform_data(df: pd.DataFrame) -> pd.DataFrame:
    return apply_transformations(df)
@task
def load_data(df: pd.DataFrame, destination: str) -> str:
    write_to_warehouse(df, destination)
    return "loaded"
@workflow
def etl_pipeline(source: str, destination: str) -> str:
    raw = extract_data(source=source)
    is_valid = validate_data(df=raw)
    if not is_valid:
        raise ValueError("Data quality checks failed")
    transformed = transform_data(df=raw)
    result = load_data(df=transformed, destination=destination)
    return result
