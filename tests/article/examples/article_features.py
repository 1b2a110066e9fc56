"""Feature engineering pipeline."""

from datetime import datetime
from typing import List

import pandas as pd
from article_helpers import calculate_features, feature_store, get_active_users
from volant import task, workflow
@task(cache=True, cache_version="2.0")
def compute_user_features(user_ids: List[str], date: datetime) -> pd.DataFrame:
    # Expensive feature computation
    return calculate_features(user_ids, date)
@task
def write_to_feature_store(features: pd.DataFrame) -> str:
    feature_store.write(features)
    return "success"
@workflow
def feature_pipeline(date: datetime) -> str:
    users = get_active_users(date=date)
    features = compute_user_features(user_ids=users, date=date)
    result = write_to_feature_store(features=features)
    return result
