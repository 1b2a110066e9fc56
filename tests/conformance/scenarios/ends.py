"""Failures of each class, and aborts in each phase."""

from flows import dynamics, failures, gates, kinds, maps
from recorder.steps import Abort, Recover, Run, Scenario

_X = (Run({"x": 1}),)

SCENARIOS = (
    Scenario("user_error", failures.user_error, _X),
    Scenario("recoverable", failures.recoverable, _X),
    Scenario("recoverable_exhausted", failures.recoverable_exhausted, _X),
    Scenario("not_retried", failures.not_retried, _X),
    Scenario("timed_out", failures.timed_out, _X, quick=False),
    Scenario("non_zero_exit", failures.non_zero_exit, (Run({"code": 3}),)),
    Scenario("missing_output", failures.missing_output, _X),
    Scenario("killed", failures.killed, _X),
    Scenario("both_budgets", failures.both_budgets, _X),
    Scenario("wrong_type", failures.wrong_type, _X),
    Scenario("system_exit", failures.system_exit, _X),
    Scenario("error_with_cause", failures.error_with_cause, _X),
    Scenario("fail_at_once", failures.fail_at_once, _X),
    Scenario("fail_later", failures.fail_later, _X),
    Scenario("failure_node", failures.with_failure_node, _X),
    Scenario("failure_node_unneeded", failures.failure_node_unneeded, _X),
    Scenario("failure_node_fails", failures.failure_node_fails, _X),
    Scenario("failure_node_below", failures.failure_node_below, _X),
    Scenario("failure_workflow", failures.failure_workflow, _X),
    Scenario("no_such_key", failures.no_such_key, _X),
    Scenario("container_fine", failures.container_fine),
    Scenario(
        "container_fails",
        failures.container_fails,
        (Run({"without_program": False}), Run({"without_program": True})),
    ),
    Scenario("container_with_data", failures.container_with_data, (Run({"x": 1, "word": "hello"}),)),
    Scenario("abort_task", failures.long_nap, (Run({"seconds": 300.0}), Abort("n0"))),
    Scenario("abort_gate", gates.task_gate_task, (*_X, Abort("n1"), Recover(), Abort("n1", cause="again"))),
    Scenario("abort_map", maps.long_naps, (Run({"seconds": [300.0, 300.0]}), Abort("n0"))),
    Scenario("abort_dynamic", dynamics.nap_in_dynamic, (Run({"seconds": 300.0}), Abort("n0/dn0"))),
    Scenario("abort_subworkflow", gates.gate_in_subworkflow, (*_X, Abort("n0/n1"))),
    Scenario("abort_plan", kinds.plan_of_gate, (*_X, Abort("n0"))),
    Scenario("abort_failure_node", failures.slow_failure_node, (*_X, Abort("", "FAILING"))),
    Scenario(
        "abort_queued", failures.one_nap_at_a_time, (Run({"seconds": 300.0}, {"max_parallelism": 1}), Abort("n0"))
    ),
    Scenario(
        "abort_awaiting", failures.nap_in_turn, (Run({"salt": "{salt}", "seconds": 300.0}), Abort("n2", "QUEUED"))
    ),
    Scenario("abort_ended", kinds.echoes, (*_X, Abort("", "SUCCEEDED"))),
)
