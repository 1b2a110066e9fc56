"""Replaces the suite's test_fetch_execute_workflow: the same, on a workflow that takes over a second.

Appended to the suite's test_remote.py by flytekit_remote.sh, for it shares that module's registration.
"""


def test_fetch_execute_slow_workflow(register):
    remote = FlyteRemote(Config.auto(config_file=CONFIG), PROJECT, DOMAIN)  # noqa: F821
    flyte_workflow = remote.fetch_workflow(name="basic.slow_workflow.my_wf", version=VERSION)  # noqa: F821
    execution = remote.execute(flyte_workflow, inputs={}, wait=True)
    assert execution.outputs["o0"] == "hello world"
    assert isinstance(execution.closure.duration, datetime.timedelta)  # noqa: F821
    assert execution.closure.duration > datetime.timedelta(seconds=1)  # noqa: F821

    execution_to_terminate = remote.execute(flyte_workflow, {})
    remote.terminate(execution_to_terminate, cause="just because")
