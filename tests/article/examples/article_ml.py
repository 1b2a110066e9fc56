"""Machine learning training workflow."""

from article_helpers import build_model, calculate_metrics, load_and_split
from volant import task, workflow
from dataclasses import dataclass
@dataclass
class ModelMetrics:
    accuracy: float
    precision: float
    recall: float
@task
def prepare_features(dataset_path: str) -> tuple:
    # Load and split data
    X_train, X_test, y_train, y_test = load_and_split(dataset_path)
    return X_train, X_test, y_train, y_test
@task(cache=True, cache_version="1.0")
def train_model(X_train, y_train, learning_rate: float):
    model = build_model(learning_rate=learning_rate)
    model.fit(X_train, y_train)
    return model
@task
def evaluate_model(model, X_test, y_test) -> ModelMetrics:
    predictions = model.predict(X_test)
    return calculate_metrics(y_test, predictions)
@workflow
def ml_training_pipeline(
    dataset: str,
    learning_rate: float = 0.001
) -> ModelMetrics:
    X_train, X_test, y_train, y_test = prepare_features(dataset_path=dataset)
    model = train_model(X_train=X_train, y_train=y_train, learning_rate=learning_rate)
    metrics = evaluate_model(model=model, X_test=X_test, y_test=y_test)
    return metrics
