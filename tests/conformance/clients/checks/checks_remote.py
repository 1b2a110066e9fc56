"""Registering, running, fetching, listing: FlyteRemote and the command line."""

import datetime
import json
import sys
import time

import flytekit
from absent import Absent
from flytekit.configuration import FastSerializationSettings, ImageConfig, SerializationSettings
from flytekit.models.core.execution import WorkflowExecutionPhase as Phase
from session import DOMAIN, FLOWS, FLYTEKIT, PROJECT, equal, until


def check_pyflyte_register(s):
    said = s.pyflyte("register", "-p", PROJECT, "-d", DOMAIN, "--version", s.version, "client_flows")
    assert "client_flows.graphs.cron_plan" in said, said[-2000:]
    equal(s.workflow("graphs.chain").id.version, s.version)
    return "fast registration of a package"


def check_pyflyte_register_again(s):
    s.pyflyte("register", "-p", PROJECT, "-d", DOMAIN, "--version", s.version, "client_flows")


def check_pyflyte_run_remote(s):
    said = s.pyflyte("run", "--remote", "client_flows/graphs.py", "nested", "--x", "3")
    equal(s.succeeded(s.wait(s.named(said))).outputs["o0"], 15)
    return "script mode"


def check_pyflyte_run_remote_task(s):
    said = s.pyflyte("run", "--remote", "client_flows/values.py", "given", "--point", json.dumps({"x": 4, "y": 0.5}))
    equal(s.succeeded(s.wait(s.named(said))).outputs["o0"], 4)


def check_pyflyte_run_remote_entity(s):
    words = ("run", "-p", PROJECT, "-d", DOMAIN)
    # Before 1.14 a name with a version is not understood.
    plan = "client_flows.graphs.chain_plan" + (f":{s.version}" if FLYTEKIT >= (1, 14) else "")
    said = s.pyflyte(*words, "remote-launchplan", plan, "--x", "20")
    equal(s.succeeded(s.wait(s.named(said))).outputs["o0"], 41)
    return "run remote-launchplan"


def check_pyflyte_run_local(s):
    said = s.pyflyte("run", "client_flows/graphs.py", "chain", "--x", "3")
    assert "7" in said, said


def _settings(version, source=None):
    fast = FastSerializationSettings()
    if source:
        fast = FastSerializationSettings(enabled=True, destination_dir=".", distribution_location=source)
    image = ImageConfig.auto_default_image()
    return SerializationSettings(image, PROJECT, DOMAIN, version, fast_serialization_settings=fast)


def _flows(module):
    if str(FLOWS) not in sys.path:
        sys.path.insert(0, str(FLOWS))
    return __import__(f"client_flows.{module}", fromlist=["x"])


def check_register_and_execute_local_entities(s):
    """The tasks find the module by PYTHONPATH."""
    graphs = _flows("graphs")
    registered = s.remote.register_workflow(graphs.chain, _settings("local"), version="local")
    done = s.wait(s.remote.execute(registered, inputs={"x": 5}))
    equal(s.succeeded(done).outputs["o0"], 11)
    done = s.wait(s.remote.execute(graphs.double, inputs={"x": 5}, version="local"))
    equal(s.succeeded(done).outputs["o0"], 10)
    plan = s.remote.register_launch_plan(
        graphs.fixed_plan, **_plan_arguments(s.remote.register_launch_plan, _settings("local"))
    )
    equal(s.succeeded(s.wait(s.remote.execute(plan, inputs={}))).outputs["o0"], 13)
    return "register_workflow, register_launch_plan, execute"


def _plan_arguments(function, settings):
    """The settings' argument came late."""
    names = function.__code__.co_varnames
    more = {"serialization_settings": settings} if "serialization_settings" in names else {}
    return {"version": "local", "project": PROJECT, "domain": DOMAIN, **more}


def check_fast_register_workflow(s):
    if not hasattr(s.remote, "fast_register_workflow"):
        raise Absent("from 1.13")
    graphs = _flows("graphs")
    from flytekit.tools.fast_registration import FastPackageOptions

    options = FastPackageOptions([])
    registered = s.remote.fast_register_workflow(graphs.nested, _settings("fast"), "fast", fast_package_options=options)
    equal(s.succeeded(s.wait(s.remote.execute(registered, inputs={"x": 1}))).outputs["o0"], 7)


def check_register_script(s):
    graphs = _flows("graphs")
    registered = s.remote.register_script(
        graphs.chain,
        image_config=ImageConfig.auto_default_image(),
        project=PROJECT,
        domain=DOMAIN,
        version="script",
        destination_dir=".",
        source_path=str(FLOWS),
        module_name="client_flows.graphs",
    )
    equal(s.succeeded(s.wait(s.remote.execute(registered, inputs={"x": 1}))).outputs["o0"], 3)


def check_fetch(s):
    task = s.remote.fetch_task(name="client_flows.graphs.add", version=s.version)
    equal(sorted(task.interface.inputs), ["a", "b"])
    workflow = s.remote.fetch_workflow(name="client_flows.graphs.branches")
    plan = s.remote.fetch_launch_plan(name="client_flows.graphs.cron_plan", version=s.version)
    equal(plan.entity_metadata.schedule.cron_schedule.schedule, "0 0 1 1 *")
    equal(s.remote.fetch_task_lazy(name="client_flows.graphs.add", version=s.version).name, task.name)
    assert workflow.id.version, "the newest version"
    return "fetch_task, _workflow, _launch_plan, newest versions, lazily"


def check_execute_fetched(s):
    task = s.remote.fetch_task(name="client_flows.graphs.add", version=s.version)
    equal(s.succeeded(s.wait(s.remote.execute(task, inputs={"a": 1, "b": 2}))).outputs["o0"], 3)
    plan = s.remote.fetch_launch_plan(name="client_flows.graphs.chain_plan", version=s.version)
    equal(s.succeeded(s.wait(s.remote.execute(plan, inputs={}))).outputs["o0"], 11)
    return "a task and a launch plan"


def check_execute_options(s):
    options = flytekit.tools.translator.Options(
        labels=flytekit.Labels({"team": "clients"}),
        annotations=flytekit.Annotations({"why": "matrix"}),
        max_parallelism=4,
    )
    arguments = {"options": options, "overwrite_cache": True, "envs": {"CLIENTS_ENV": "1"}, "tags": ["one", "two"]}
    done = s.run("graphs.chain", {"x": 1}, execution_name_prefix="mine", **arguments)
    equal(done.spec.labels.values, {"team": "clients"})
    equal(done.spec.annotations.values, {"why": "matrix"})
    equal(done.spec.max_parallelism, 4)
    equal(sorted(done.spec.tags), ["one", "two"])
    equal(done.spec.envs.envs, {"CLIENTS_ENV": "1"})
    assert done.id.name.startswith("mine-"), done.id.name
    return "labels, annotations, parallelism, cache overwritten, environment, tags, name"


def check_sync_nodes(s):
    done = s.run("graphs.launches", {"x": 2}, nodes=True)
    equal(done.outputs["o0"], 18)
    equal(sorted(done.node_executions), ["end-node", "n0", "n1", "n2", "start-node"])
    assert done.node_executions["n0"].workflow_executions, "the child execution is shown"
    equal(done.node_executions["n2"].outputs["o0"], 18)
    equal(done.node_executions["n2"].task_executions[0].outputs["o0"], 18)
    done = s.run("graphs.nested", {"x": 2}, nodes=True)
    equal(done.node_executions["n0"].subworkflow_node_executions["n0-0-n0"].outputs["o0"], 4)
    return "nodes, their inputs and outputs, children"


def check_list(s):
    recent = s.remote.recent_executions(limit=5)
    equal(len(recent), 5)
    times = [one.closure.created_at for one in recent]
    equal(times, sorted(times, reverse=True))
    tasks = s.remote.list_tasks_by_version(version=s.version, limit=100)
    assert "client_flows.graphs.add" in {task.id.name for task in tasks}, "listed"
    remark = "recent_executions, list_tasks_by_version"
    if hasattr(s.remote, "list_projects"):
        assert PROJECT in {project.id for project in s.remote.list_projects()}
        remark += ", list_projects"
    return remark


def check_launch_plan_states(s):
    plan = s.remote.fetch_launch_plan(name="client_flows.graphs.chain_plan", version=s.version)
    s.remote.activate_launchplan(plan.id)
    if not hasattr(s.remote, "fetch_active_launchplan"):
        return "activated"
    equal(s.remote.fetch_active_launchplan(name=plan.id.name).id.version, s.version)
    if not hasattr(s.remote, "deactivate_launchplan"):
        return "activated, fetched"
    s.remote.deactivate_launchplan(plan.id)
    until(lambda: s.remote.fetch_active_launchplan(name=plan.id.name) is None, "no active version")
    return "activated, fetched, deactivated"


def check_wait_with_nodes(s):
    """As flytekit's users wait: each poll reads all nodes."""
    execution = s.start("graphs.nested", {"x": 3})
    done = s.remote.wait(execution, poll_interval=datetime.timedelta(seconds=0.1))
    equal(s.succeeded(done).outputs["o0"], 15)


def check_terminate(s):
    execution = s.start("running.napping", {"seconds": 300.0})

    def runs():
        nodes = s.remote.sync_execution(execution, sync_nodes=True).node_executions
        return "n0" in nodes and nodes["n0"].closure.phase == 2

    until(runs, "the task runs")
    s.remote.terminate(execution, cause="enough")
    done = s.wait(execution)
    equal(done.closure.phase, Phase.ABORTED)
    equal(done.closure.abort_metadata.cause, "enough")


def check_recover(s):
    inputs = {"x": 3, "folder": str(s.folder)}
    done = s.wait(s.start("running.recoverable", inputs), nodes=True)
    equal(done.closure.phase, Phase.FAILED)
    (s.folder / "repaired").touch()
    again = s.wait(s.remote.fetch_execution(name=s.remote.client.recover_execution(done.id).name), nodes=True)
    equal(s.succeeded(again).outputs["o0"], 7)
    metadata = again.spec.metadata
    equal((metadata.mode, metadata.reference_execution.name), (5, done.id.name))
    task = again.node_executions["n0"].closure.task_node_metadata
    assert task is None or not again.node_executions["n0"].task_executions, "n0 was not run again"
    return "recover_execution"


def check_relaunch(s):
    done = s.run("graphs.chain", {"x": 8})
    identifier = s.remote.client.relaunch_execution(done.id)
    equal(s.succeeded(s.wait(s.remote.fetch_execution(name=identifier.name))).outputs["o0"], 17)


def check_wait_times_out(s):
    execution = s.start("running.napping", {"seconds": 3.0})
    try:
        s.remote.wait(execution, timeout=datetime.timedelta(seconds=0.5), poll_interval=datetime.timedelta(seconds=0.1))
    except Exception as error:
        said = f"{type(error).__name__} {error}".lower()
    else:
        said = "it waited for 3 seconds"
    assert "timeout" in said or "timed out" in said, said
    s.succeeded(s.wait(execution))


def check_errors(s):
    start = time.monotonic()
    try:
        s.remote.fetch_task(name="no.such.task", version="1")
    except Exception as error:
        equal(type(error).__name__, "FlyteEntityNotExistException")
    else:
        raise AssertionError("there is no such task")
    assert time.monotonic() - start < 20, "it took too long to say no"


def check_console_url(s):
    execution = s.run("graphs.chain", {"x": 1})
    url = s.remote.generate_console_url(execution)
    assert url.endswith(f"/console/projects/{PROJECT}/domains/{DOMAIN}/executions/{execution.id.name}"), url


def check_backfill(s):
    if FLYTEKIT[:2] == (1, 12):
        raise Absent("it refuses the workflow that it made, before it asks a platform")
    day = datetime.datetime(2023, 12, 30)  # noqa: DTZ001 - as old releases want it
    made = s.remote.launch_backfill(
        PROJECT,
        DOMAIN,
        day,
        datetime.datetime(2024, 1, 3),  # noqa: DTZ001
        "client_flows.graphs.cron_plan",
        s.version,
        version="backfill",
        execute=True,
    )
    s.succeeded(s.wait(made))


def check_execution_metrics(s):
    from flyteidl.admin.execution_pb2 import WorkflowExecutionGetMetricsRequest as Request
    from flytekit.clients.friendly import SynchronousFlyteClient

    done = s.run("graphs.chain", {"x": 1})
    if "get_execution_metrics" in vars(SynchronousFlyteClient):
        span = s.remote.client.get_execution_metrics(done.id)
        assert len(span.spans) > 3, "its parts"
        return "friendly client"
    answer = s.remote.client.get_execution_metrics(Request(id=done.id.to_flyte_idl(), depth=10))
    assert len(answer.span.spans) > 3, "its parts"
    return "raw client"
