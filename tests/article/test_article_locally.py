"""Every example of the article, run on this machine, with its results checked."""

import datetime
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

EXAMPLES = pathlib.Path(__file__).parent / "examples"


@pytest.fixture(autouse=True)
def _examples(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def records(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("id,value\n1,10\n1,10\n2,20\n3,-5\n,7\n4,30\n")
    return str(file)


@pytest.fixture
def labelled(tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    frame["label"] = (frame["a"] + frame["b"] > 0).astype(int)
    file = tmp_path / "labelled.csv"
    frame.to_csv(file, index=False)
    return str(file)


def test_task_and_workflow(records):
    import article_tasks

    assert article_tasks.process_data(input_path=records) == 6
    assert article_tasks.data_pipeline(raw_data=records) == 4
    assert not article_tasks.data_pipeline.is_eager


def test_launch_plan():
    import article_tasks

    plan = article_tasks.daily_pipeline
    assert plan.name == "daily_data_pipeline"
    assert plan.settings.schedule.schedule == "0 0 * * *"
    assert plan.interface.defaults == {"raw_data": "s3://bucket/data/"}


def test_script(records, tmp_path):
    """The article's `if __name__ == "__main__"`: plain Python."""
    target = tmp_path / "local/path/to"
    target.mkdir(parents=True)
    (target / "data.csv").write_text(pathlib.Path(records).read_text())
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "article_tasks.py")], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "Processed 4 records\n"


def test_data_quality(tmp_path):
    import article_quality

    (tmp_path / "test_data.csv").write_text("id,value\n1,10\n1,10\n2,20\n3,-5\n4,30\n")
    article_quality.test_remove_duplicates()
    article_quality.test_pipeline()
    assert article_quality.data_quality_pipeline(input_path="test_data.csv") == {
        "mean": 20.0,
        "median": 20.0,
        "count": 3,
    }


def test_training(labelled):
    import article_ml

    assert not article_ml.ml_training_pipeline.is_eager
    metrics = article_ml.ml_training_pipeline(dataset=labelled, learning_rate=0.5)
    assert isinstance(metrics, article_ml.ModelMetrics)
    assert metrics.accuracy > 0.9


def test_training_is_cached(labelled, monkeypatch):
    import article_helpers
    import article_ml

    article_ml.ml_training_pipeline(dataset=labelled)
    calls = []
    original = article_helpers.build_model
    monkeypatch.setattr(article_ml, "build_model", lambda **kw: calls.append(kw) or original(**kw))
    article_ml.ml_training_pipeline(dataset=labelled)
    assert calls == []
    frame = pd.read_csv(labelled)
    frame.iloc[0, 0] += 1.0
    frame.to_csv(labelled, index=False)
    article_ml.ml_training_pipeline(dataset=labelled)
    assert len(calls) == 1


def test_dynamic(tmp_path):
    import article_dynamic

    bucket = tmp_path / "bucket"
    bucket.mkdir()
    for count in (1, 2, 3):
        (bucket / f"{count}.csv").write_text("h\n" + "row\n" * count)
    assert article_dynamic.batch_processing_pipeline(bucket_name=str(bucket)) == [1, 2, 3]


def test_settings():
    import article_settings

    result = article_settings.heavy_computation(data=pd.DataFrame({"value": [1, 2]}))
    assert list(result["doubled"]) == [2, 4]
    assert article_settings.heavy_computation.settings.requests.cpu == "2"
    call = article_settings.flaky_external_api_call
    assert call(endpoint="/x") == {"endpoint": "/x", "status": 200}
    assert (call.settings.retries, call.settings.timeout, call.settings.interruptible) == (
        3,
        datetime.timedelta(hours=2),
        True,
    )


@pytest.mark.parametrize(("content", "how"), [("value\n1\n2\n", "standard"), ("value,x\n1,\n2,3\n", "robust")])
def test_conditional(tmp_path, content, how):
    import article_conditional

    (tmp_path / "in.csv").write_text(content)
    assert not article_conditional.adaptive_pipeline.is_eager
    assert set(article_conditional.adaptive_pipeline(input_path="in.csv")["how"]) == {how}


def test_custom_types(tmp_path):
    import article_segments

    (tmp_path / "in.csv").write_text("group,value\na,1\na,3\nb,5\n")
    scores = article_segments.segmentation_pipeline(input_data="in.csv")
    assert scores.to_dict("list") == {"segment": ["a", "b"], "score": [2.0, 5.0]}


def test_features():
    import article_features

    assert article_features.feature_pipeline(date=datetime.datetime(2024, 1, 5, tzinfo=datetime.UTC)) == "success"


def test_tuning_runs_in_parallel(tmp_path):
    import article_tuning

    assert article_tuning.tuning_pipeline(dataset_path=str(tmp_path))["learning_rate"] == 0.2
    spans = sorted(tuple(map(float, one.read_text().split())) for one in tmp_path.iterdir() if one.is_file())
    assert len(spans) == 4
    assert max(start for start, _ in spans) < min(end for _, end in spans)


def test_etl(tmp_path):
    import article_etl

    assert article_etl.etl_pipeline.is_eager
    (tmp_path / "good.csv").write_text("value\n1\n2\n")
    (tmp_path / "bad.csv").write_text("value\n1\n-2\n")
    out = tmp_path / "out.csv"
    assert article_etl.etl_pipeline(source="good.csv", destination=str(out)) == "loaded"
    assert list(pd.read_csv(out)["total"]) == [1, 3]
    out.unlink()
    with pytest.raises(ValueError, match="Data quality checks failed"):
        article_etl.etl_pipeline(source="bad.csv", destination=str(out))
    assert not out.exists()
