"""The suite's test of an executed workflow's duration and of terminating, on a workflow that takes over a second."""

import datetime

from flytekit.configuration import Config
from flytekit.remote.remote import FlyteRemote

from tests.flytekit.integration.remote.test_remote import CONFIG, DOMAIN, PROJECT, VERSION, register  # noqa: F401


def test_fetch_execute_slow_workflow(register):  # noqa: F811
    remote = FlyteRemote(Config.auto(config_file=CONFIG), PROJECT, DOMAIN)
    flyte_workflow = remote.fetch_workflow(name="basic.slow_workflow.my_wf", version=VERSION)
    execution = remote.execute(flyte_workflow, inputs={}, wait=True)
    assert execution.outputs["o0"] == "hello world"
    assert isinstance(execution.closure.duration, datetime.timedelta)
    assert execution.closure.duration > datetime.timedelta(seconds=1)

    execution_to_terminate = remote.execute(flyte_workflow, {})
    remote.terminate(execution_to_terminate, cause="just because")
