"""Every example of the article, registered and run on an embedded platform, with the same results as locally."""

import datetime
import itertools
import json
import pathlib

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from volant import Remote
from volant.cli import main
from volant.client import channel
from volantidl.admin import common_pb2, launch_plan_pb2

EXAMPLES = pathlib.Path(__file__).parent / "examples"
WAIT_S = 60


@pytest.fixture(autouse=True)
def _examples(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.fixture(scope="module")
def remote(platform_endpoint):
    return Remote(platform_endpoint, insecure=True)


def run(remote, entity, **inputs):
    execution = remote.execute(entity, inputs, root=EXAMPLES, copy="all").wait(WAIT_S)
    assert execution.is_successful, f"{execution.error}\n{[(n.id, n.phase, n.error) for n in execution.nodes.values()]}"
    return execution


@pytest.fixture
def records(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("id,value\n1,10\n1,10\n2,20\n3,-5\n,7\n4,30\n")
    return str(file)


def test_task(remote, records):
    import article_tasks

    assert run(remote, article_tasks.process_data, input_path=records).outputs["o0"] == 6


def test_workflow(remote, records):
    import article_tasks

    assert run(remote, article_tasks.data_pipeline, raw_data=records).outputs["o0"] == 4


def test_launch_plan(remote, records):
    import article_tasks

    execution = run(remote, article_tasks.daily_pipeline, raw_data=records)
    assert execution.outputs["o0"] == 4
    found = remote.fetch_launch_plan("daily_data_pipeline")
    assert found.defaults == {"raw_data"}
    request = common_pb2.ObjectGetRequest(id=found.id)
    plan = remote.connection.call(channel.ADMIN, "GetLaunchPlan", request, launch_plan_pb2.LaunchPlan)
    assert plan.spec.entity_metadata.schedule.cron_schedule.schedule == "0 0 * * *"
    literal = plan.spec.default_inputs.parameters["raw_data"].default
    assert literal.scalar.primitive.string_value == "s3://bucket/data/"


def test_registering(platform_endpoint, monkeypatch):
    """The article's `pyflyte register workflows.py`, with our command."""
    monkeypatch.setenv("VOLANT_ENDPOINT", platform_endpoint)
    words = ["register", str(EXAMPLES / "article_tasks.py"), "--copy", "all"]
    first = CliRunner().invoke(main, words)
    assert first.exit_code == 0, first.output
    again = CliRunner().invoke(main, [*words, "-o", "json"])
    told = json.loads(again.stdout)
    assert (told["new"], told["unchanged"]) == (0, len(told["entities"]))
    assert {"daily_data_pipeline", "article_tasks.data_pipeline", "article_tasks.process_data"} <= {
        one["name"] for one in told["entities"]
    }


def test_data_quality(remote, tmp_path):
    import article_quality

    (tmp_path / "test_data.csv").write_text("id,value\n1,10\n1,10\n2,20\n3,-5\n4,30\n")
    execution = run(remote, article_quality.data_quality_pipeline, input_path=str(tmp_path / "test_data.csv"))
    assert execution.outputs["o0"] == {"mean": 20.0, "median": 20.0, "count": 3}


def test_training_and_its_cache(remote, tmp_path):
    import article_ml

    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    frame["label"] = (frame["a"] + frame["b"] > 0).astype(int)
    file = tmp_path / "labelled.csv"
    frame.to_csv(file, index=False)
    first = run(remote, article_ml.ml_training_pipeline, dataset=str(file), learning_rate=0.5)
    assert first.outputs["o0"].accuracy > 0.9
    assert first.nodes["n1"].cache_status == "CACHE_POPULATED"
    second = run(remote, article_ml.ml_training_pipeline, dataset=str(file), learning_rate=0.5)
    assert second.nodes["n1"].cache_status == "CACHE_HIT"
    frame.iloc[0, 0] += 1.0
    frame.to_csv(file, index=False)
    third = run(remote, article_ml.ml_training_pipeline, dataset=str(file), learning_rate=0.5)
    assert third.nodes["n1"].cache_status == "CACHE_POPULATED"


def test_dynamic(remote, tmp_path):
    import article_dynamic

    bucket = tmp_path / "bucket"
    bucket.mkdir()
    for count in (1, 2, 3):
        (bucket / f"{count}.csv").write_text("h\n" + "row\n" * count)
    execution = run(remote, article_dynamic.batch_processing_pipeline, bucket_name=str(bucket))
    assert execution.outputs["o0"] == [1, 2, 3]
    assert len(execution.nodes["n1"].children) >= 3


def test_settings(remote):
    import article_settings

    data = pd.DataFrame({"value": [1, 2]})
    found = run(remote, article_settings.heavy_computation, data=data).outputs["o0"]
    assert list(found["doubled"]) == [2, 4]
    answer = run(remote, article_settings.flaky_external_api_call, endpoint="/x").outputs["o0"]
    assert answer == {"endpoint": "/x", "status": 200}


@pytest.mark.parametrize(("content", "how"), [("value\n1\n2\n", "standard"), ("value,x\n1,\n2,3\n", "robust")])
def test_conditional(remote, tmp_path, content, how):
    import article_conditional

    (tmp_path / "in.csv").write_text(content)
    execution = run(remote, article_conditional.adaptive_pipeline, input_path=str(tmp_path / "in.csv"))
    assert set(execution.outputs["o0"]["how"]) == {how}


def test_custom_types(remote, tmp_path):
    import article_segments

    (tmp_path / "in.csv").write_text("group,value\na,1\na,3\nb,5\n")
    scores = run(remote, article_segments.segmentation_pipeline, input_data=str(tmp_path / "in.csv")).outputs["o0"]
    assert scores.to_dict("list") == {"segment": ["a", "b"], "score": [2.0, 5.0]}


def test_features(remote):
    import article_features

    execution = run(remote, article_features.feature_pipeline, date=datetime.datetime(2024, 1, 5, tzinfo=datetime.UTC))
    assert execution.outputs["o0"] == "success"


def test_tuning_runs_in_parallel(remote, tmp_path):
    import article_tuning

    execution = run(remote, article_tuning.tuning_pipeline, dataset_path=str(tmp_path))
    assert execution.outputs["o0"]["learning_rate"] == 0.2
    spans = sorted(tuple(map(float, one.read_text().split())) for one in tmp_path.iterdir() if one.is_file())
    assert len(spans) == 4
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)), "none ran beside another"


def test_etl(remote, tmp_path):
    import article_etl

    (tmp_path / "good.csv").write_text("value\n1\n2\n")
    (tmp_path / "bad.csv").write_text("value\n1\n-2\n")
    out = tmp_path / "out.csv"
    good = {"source": str(tmp_path / "good.csv"), "destination": str(out)}
    assert run(remote, article_etl.etl_pipeline, **good).outputs["o0"] == "loaded"
    assert list(pd.read_csv(out)["total"]) == [1, 3]
    out.unlink()
    bad = {"source": str(tmp_path / "bad.csv"), "destination": str(out)}
    execution = remote.execute(article_etl.etl_pipeline, bad, root=EXAMPLES, copy="all").wait(WAIT_S)
    assert execution.phase == "FAILED"
    assert "ValueError: Data quality checks failed" in execution.error.message
    assert not out.exists()
