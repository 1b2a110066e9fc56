"""scikit-learn's estimators. Imported when a type of scikit-learn is first used."""

from __future__ import annotations

import io
from typing import Any

import joblib
import sklearn.base

from volant.types import blobs, engine


class EstimatorTransformer(blobs.FileTransformer):
    """Estimators, by joblib."""

    name = "Sklearn Estimator"
    blob_format = "SklearnEstimator"
    suffix = ".joblib"

    def encode(self, value: Any, python_type: Any) -> bytes:  # noqa: ARG002
        """The estimator in joblib's format."""
        buffer = io.BytesIO()
        joblib.dump(value, buffer)
        return buffer.getvalue()

    def decode(self, data: bytes, python_type: Any) -> Any:  # noqa: ARG002
        """The estimator."""
        return joblib.load(io.BytesIO(data))

    def example(self) -> Any:
        """The base of all estimators."""
        return sklearn.base.BaseEstimator


engine.register(EstimatorTransformer(), sklearn.base.BaseEstimator)
