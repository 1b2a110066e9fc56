"""Resource allocation; retry and timeout configuration."""

from datetime import timedelta

import pandas as pd
from article_helpers import call_api, transform_data_frame as transform_data
from volant import Resources
from volant import task
@task(requests=Resources(cpu="2", mem="4Gi"), limits=Resources(cpu="4", mem="8Gi"))
def heavy_computation(data: pd.DataFrame) -> pd.DataFrame:
    # Resource-intensive processing
    return transform_data(data)


@task(
    retries=3,
    timeout=timedelta(hours=2),
    interruptible=True
)
def flaky_external_api_call(endpoint: str) -> dict:
    response = call_api(endpoint)
    return response
