"""Hyperparameters are tried side by side: a model of the temperature by day and hour, with Volant's SDK."""

import itertools

import numpy as np
import pandas as pd

from volant import dynamic, task, workflow


@task
def generate_param_grid() -> list[dict]:
    return [{"waves": waves, "ridge": ridge} for waves, ridge in itertools.product((1, 2, 4), (0.0, 1000.0))]


@task
def train_with_params(dataset: str, params: dict) -> float:
    """How much of the temperature's variance a sum of waves explains, on days that it has not seen."""
    df = pd.read_csv(dataset).drop_duplicates()
    df = df[(df["value"] > 0) & (df["station"] == "seattle")]
    hours = pd.to_datetime(df["hour"])
    features = [np.ones(len(df))]
    for angle in (2 * np.pi * hours.dt.dayofyear / 365, 2 * np.pi * hours.dt.hour / 24):
        for wave in range(1, int(params["waves"]) + 1):
            features += [np.sin(wave * angle), np.cos(wave * angle)]
    x, y = np.stack(features, axis=1), df["value"].to_numpy()
    known = (hours.dt.dayofyear % 2 == 0).to_numpy()
    penalty = params["ridge"] * np.eye(x.shape[1])
    weights = np.linalg.solve(x[known].T @ x[known] + penalty, x[known].T @ y[known])
    score = 1 - np.var(y[~known] - x[~known] @ weights) / np.var(y[~known])
    print(f"{params}: {score:.4f}")
    return round(float(score), 4)


@dynamic
def hyperparameter_search(dataset: str, param_grid: list[dict]) -> dict:
    scores = []
    for params in param_grid:
        score = train_with_params(dataset=dataset, params=params)  # starts at once, beside the others
        scores.append((params, score))
    best = max(scores, key=lambda x: x[1])  # waits: here values are looked at
    return {**best[0], "score": best[1]}


@workflow
def tuning_pipeline(dataset: str) -> dict:
    """Find the best hyperparameters.

    Args:
        dataset: The CSV file of temperatures.
    """
    return hyperparameter_search(dataset=dataset, param_grid=generate_param_grid())
