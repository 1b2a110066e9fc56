"""What the article's examples call and leave undefined."""

import csv
import itertools
import os
import pathlib
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from volant import task


def read_file(input_path: str) -> list[list[str]]:
    with open(input_path, newline="") as stream:
        return list(csv.reader(stream))[1:]


def _rewritten(input_path: str, keep) -> str:
    with open(input_path, newline="") as stream:
        header, *rows = list(csv.reader(stream))
    handle, name = tempfile.mkstemp(suffix=".csv")
    with os.fdopen(handle, "w", newline="") as stream:
        csv.writer(stream).writerows([header, *filter(keep, rows)])
    return name


@task
def clean_data(input_path: str) -> str:
    return _rewritten(input_path, lambda row: all(row))


@task
def validate_data(input_path: str) -> str:
    return _rewritten(input_path, lambda row: float(row[-1]) > 0)


# ---- machine learning


@dataclass
class LinearModel:
    learning_rate: float
    weights: np.ndarray | None = None

    def fit(self, x, y) -> None:
        features = np.column_stack([x, np.ones(len(x))])
        self.weights = np.zeros(features.shape[1])
        for _ in range(2000):
            predicted = 1 / (1 + np.exp(-features @ self.weights))
            self.weights -= self.learning_rate * features.T @ (predicted - y) / len(y)

    def predict(self, x):
        return (np.column_stack([x, np.ones(len(x))]) @ self.weights > 0).astype(int)


def build_model(learning_rate: float = 0.1, **_: object) -> LinearModel:
    return LinearModel(learning_rate)


def load_and_split(dataset_path: str):
    frame = pd.read_csv(dataset_path)
    x, y = frame[["a", "b"]].to_numpy(), frame["label"].to_numpy()
    middle = len(frame) // 2
    return x[:middle], x[middle:], y[:middle], y[middle:]


def calculate_metrics(expected, predicted):
    from article_ml import ModelMetrics

    hits = int(((predicted == 1) & (expected == 1)).sum())
    return ModelMetrics(
        accuracy=float((predicted == expected).mean()),
        precision=hits / max(int((predicted == 1).sum()), 1),
        recall=hits / max(int((expected == 1).sum()), 1),
    )


# ---- files


def count_records(file_path: str) -> int:
    return len(read_file(file_path))


def get_file_list(bucket: str) -> list[str]:
    return sorted(str(path) for path in pathlib.Path(bucket).glob("*.csv"))


# ---- frames


def transform_data_frame(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(doubled=data["value"] * 2)


@task
def load_data(path: str) -> pd.DataFrame:
    return pd.read_csv(path)


def standard_processing(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(how="standard")


def robust_processing(df: pd.DataFrame) -> pd.DataFrame:
    return df.dropna().assign(how="robust")


# ---- calls


def call_api(endpoint: str) -> dict:
    return {"endpoint": endpoint, "status": 200}


# ---- segments


def run_clustering(data: pd.DataFrame) -> list[dict]:
    return [
        {
            "segment_id": str(name),
            "customer_count": len(part),
            "avg_value": float(part["value"].mean()),
            "features": ["value"],
        }
        for name, part in data.groupby("group")
    ]


def create_scoring_model(segments) -> pd.DataFrame:
    return pd.DataFrame({"segment": [s.segment_id for s in segments], "score": [s.avg_value for s in segments]})


# ---- features


@task
def get_active_users(date: datetime) -> list[str]:
    return [f"user-{number}" for number in range(date.day)]


def calculate_features(user_ids: list[str], date: datetime) -> pd.DataFrame:
    return pd.DataFrame({"user": user_ids, "day": [date.day] * len(user_ids)})


class feature_store:
    @staticmethod
    def write(features: pd.DataFrame) -> None:
        assert len(features)


# ---- hyperparameters


@task
def generate_param_grid() -> list[dict]:
    return [{"learning_rate": rate, "depth": depth} for rate, depth in itertools.product([0.1, 0.2], [1, 2])]


def train_and_evaluate(model, dataset: str) -> float:
    started = time.time()
    time.sleep(0.5)
    with open(os.path.join(dataset, f"{os.getpid()}-{time.monotonic_ns()}"), "w") as stream:
        stream.write(f"{started} {time.time()}")
    return model.learning_rate


# ---- ETL


def pull_from_source(source: str) -> pd.DataFrame:
    return pd.read_csv(source)


def apply_transformations(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(total=df["value"].cumsum())


def write_to_warehouse(df: pd.DataFrame, destination: str) -> None:
    df.to_csv(destination, index=False)
