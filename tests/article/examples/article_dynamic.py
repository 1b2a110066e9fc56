"""Dynamic workflows."""

from typing import List

from article_helpers import count_records, get_file_list
from volant import task, dynamic, workflow
@task
def process_file(file_path: str) -> int:
    # Process a single file
    return count_records(file_path)
@dynamic
def process_all_files(file_list: List[str]) -> List[int]:
    results = []
    for file_path in file_list:
        result = process_file(file_path=file_path)
        results.append(result)
    return results
@task
def list_files(bucket: str) -> List[str]:
    # List all files in bucket
    return get_file_list(bucket)
@workflow
def batch_processing_pipeline(bucket_name: str) -> List[int]:
    files = list_files(bucket=bucket_name)
    counts = process_all_files(file_list=files)
    return counts
