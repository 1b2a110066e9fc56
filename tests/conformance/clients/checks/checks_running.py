"""How tasks run."""

import datetime

from flytekit.models.core.execution import WorkflowExecutionPhase as Phase
from session import FLYTEKIT, PROJECT, equal


def check_cache(s):
    first = s.run("running.cached", {"x": 1}, nodes=True)
    second = s.run("running.cached", {"x": 1}, nodes=True)
    equal(second.outputs["o0"], first.outputs["o0"])
    assert s.run("running.cached", {"x": 1}, overwrite_cache=True).outputs["o0"] > first.outputs["o0"]
    first = s.run("running.cached_alone", {"x": 1})
    equal(s.run("running.cached_alone", {"x": 1}).outputs["o0"], first.outputs["o0"])
    return "hit, overwritten, serialized"


def check_retries(s):
    folder = s.folder / "tries"
    folder.mkdir(exist_ok=True)
    done = s.run("running.retried", {"folder": str(folder)}, nodes=True)
    equal(done.outputs["o0"], 3)
    equal([attempt.closure.phase for attempt in done.node_executions["n0"].task_executions], [5, 5, 3])


def check_user_error(s):
    done = s.wait(s.start("running.failing", {"x": 0}), nodes=True)
    equal(done.closure.phase, Phase.FAILED)
    for part in ("ZeroDivisionError", "division by zero", "running.py"):
        assert part in done.closure.error.message, done.closure.error.message
    equal(done.node_executions["n1"].closure.phase, 5)
    return done.node_executions["n1"].closure.error.code


def check_task_environment(s):
    done = s.run("running.environments")
    declared, name, version = (done.outputs[f"o{number}"] for number in range(3))
    equal((declared, name), ("declared", done.id.name))
    return f"the task ran with flytekit {version}"


def check_deck(s):
    from flyteidl.service import dataproxy_pb2

    done = s.run("running.decks", {"x": 41}, nodes=True)
    node = done.node_executions["n0"]
    assert node.closure.deck_uri.endswith("/deck.html"), node.closure.deck_uri
    if not hasattr(s.remote.client, "get_download_artifact_signed_url"):
        return "written"
    answer = s.remote.client.get_download_artifact_signed_url(
        node_id="n0",
        project=PROJECT,
        domain=done.id.domain,
        name=done.id.name,
        artifact_type=dataproxy_pb2.ARTIFACT_TYPE_DECK,
        expires_in=datetime.timedelta(minutes=5),
    )
    import requests

    page = requests.get(answer.signed_url[0], timeout=10)
    assert page.status_code == 200, page.status_code
    assert "41 is the number" in page.text, page.text[:500]
    return "written, fetched by signed address"


def check_image_spec(s):
    equal(s.run("running.images").outputs["o0"], "ran")
    task = s.remote.fetch_task(name="client_flows.running.imaged", version=s.version)
    return task.template.container.image if hasattr(task, "template") else task.container.image


def check_secret(s):
    equal(s.run("running.secrets").outputs["o0"], "abracadabra")


def check_eager(s):
    task = s.remote.fetch_task(name="client_flows.eagers.outer", version=s.version)
    equal(s.succeeded(s.wait(s.remote.execute(task, inputs={"x": 3}))).outputs["o0"], 40)
    return "with FlyteRemote, of the first kind" if FLYTEKIT < (1, 15) else "of the second kind, nested"
