"""Hyperparameter tuning."""

from typing import List

from article_helpers import build_model, generate_param_grid, train_and_evaluate
from volant import dynamic, task, workflow
@task
def train_with_params(dataset: str, params: dict) -> float:
    model = build_model(**params)
    score = train_and_evaluate(model, dataset)
    return score
@dynamic
def hyperparameter_search(dataset: str, param_grid: List[dict]) -> dict:
    scores = []
    for params in param_grid:
        score = train_with_params(dataset=dataset, params=params)
        scores.append((params, score))
    best = max(scores, key=lambda x: x[1])
    return best[0]
@workflow
def tuning_pipeline(dataset_path: str) -> dict:
    param_combinations = generate_param_grid()
    best_params = hyperparameter_search(dataset=dataset_path, param_grid=param_combinations)
    return best_params
