"""Tasks, workflows and launch plans: the article's first three examples."""

from article_helpers import clean_data, read_file, validate_data
from volant import task
@task
def process_data(input_path: str) -> int:
    # Your processing logic here
    records = read_file(input_path)
    return len(records)


from volant import workflow
@workflow
def data_pipeline(raw_data: str) -> int:
    cleaned = clean_data(input_path=raw_data)
    validated = validate_data(input_path=cleaned)
    count = process_data(input_path=validated)
    return count


from volant import LaunchPlan, CronSchedule
daily_pipeline = LaunchPlan.get_or_create(
    data_pipeline,
    name="daily_data_pipeline",
    schedule=CronSchedule(cron_expression="0 0 * * *"),
    default_inputs={"raw_data": "s3://bucket/data/"}
)


if __name__ == "__main__":
    result = data_pipeline(raw_data="local/path/to/data.csv")
    print(f"Processed {result} records")
