"""Custom types. The article's `CustomerSegment(...)` stands for "with its fields"; here they are filled in."""

from typing import List

import pandas as pd
from article_helpers import create_scoring_model, load_data, run_clustering
from dataclasses import dataclass
from volant import task, workflow
from dataclasses_json import dataclass_json
@dataclass_json
@dataclass
class CustomerSegment:
    segment_id: str
    customer_count: int
    avg_value: float
    features: List[str]
@task
def identify_segments(data: pd.DataFrame) -> List[CustomerSegment]:
    segments = run_clustering(data)
    return [CustomerSegment(**cluster) for cluster in segments]
@task
def score_segments(segments: List[CustomerSegment]) -> pd.DataFrame:
    return create_scoring_model(segments)
@workflow
def segmentation_pipeline(input_data: str) -> pd.DataFrame:
    data = load_data(path=input_data)
    segments = identify_segments(data=data)
    scores = score_segments(segments=segments)
    return scores
