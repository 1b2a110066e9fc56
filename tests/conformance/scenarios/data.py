"""Values, caching, and how executions are started."""

import datetime

from flows import caching, kinds, maps, runs, values
from recorder.steps import Recover, Relaunch, Run, Scenario

_SHAPE = values.Shape("s", values.Point(1, 2.0, ["l"]), {"k": 1})
_EVERYTHING = {
    "i": 2**53 + 1,
    "f": -0.1,
    "s": "ünï",
    "b": True,
    "t": datetime.datetime(1969, 7, 20, 20, 17, 40, 5, tzinfo=datetime.UTC),
    "d": datetime.timedelta(days=400, microseconds=1),
    "numbers": [1, 2, 3],
    "words": {"b": "2", "a": "1"},
    "shape": _SHAPE,
    "colour": values.Colour.GREEN,
    "maybe": None,
}
_SALTED = {"salt": "{salt}", "x": 3}

SCENARIOS = (
    Scenario("values_primitives", values.primitives),
    Scenario("values_dataclass_attributes", values.dataclass_attributes),
    Scenario("values_collections", values.collections),
    Scenario("values_unions", values.unions, (Run(), Run({"a": 1, "b": 2}))),
    Scenario("values_enums", values.enums),
    Scenario("values_files", values.files),
    Scenario("values_tables", values.tables, (Run({"uri": "s3://elsewhere/table"}),)),
    Scenario("values_pickles", values.pickles),
    Scenario("values_offloaded", values.offloaded, (Run({"size": 10_600_000}),), memory="600Mi"),
    Scenario("values_through", values.everything_in, (Run(_EVERYTHING),)),
    Scenario("values_constants", values.bound_constants),
    Scenario("values_mixtures", values.bound_mixtures, (Run({"x": 3}),)),
    Scenario("cache_miss_and_hit", caching.plain, (Run(_SALTED), Run(_SALTED))),
    Scenario("cache_overwritten", caching.plain, (Run(_SALTED), Run(_SALTED, {"overwrite_cache": True}))),
    Scenario("cache_one_after_another", caching.one_after_another, (Run(_SALTED),)),
    Scenario("cache_serialized", caching.serialized, (Run(_SALTED), Run(_SALTED))),
    Scenario(
        "cache_ignored_inputs",
        caching.ignored_inputs,
        (Run({"salt": "{salt}", "noise": 1}), Run({"salt": "{salt}", "noise": 2})),
    ),
    Scenario(
        "cache_in_map",
        caching.in_map,
        (Run({"salt": ["{salt}", "{salt}"], "x": [1, 2]}), Run({"salt": ["{salt}", "{salt}"], "x": [1, 3]})),
    ),
    Scenario("cache_in_subworkflow", caching.in_subworkflow, (Run(_SALTED), Run(_SALTED))),
    Scenario("cache_of_dynamic", caching.of_dynamic, (Run(_SALTED), Run(_SALTED))),
    Scenario("cache_by_hash", caching.by_hash, (Run({"salt": "{salt}"}), Run({"salt": "{salt}"}))),
    Scenario("cache_of_failure", caching.failing, (Run({"salt": "{salt}"}),)),
    Scenario("cache_without_outputs", caching.without_outputs, (Run({"salt": "{salt}"}), Run({"salt": "{salt}"}))),
    Scenario("cache_relaunched", caching.plain, (Run(_SALTED), Relaunch(), Relaunch(overwrite_cache=True))),
    Scenario("recover_success", kinds.echoes, (Run({"x": 1}), Recover())),
    Scenario("recover_failure", kinds.subworkflow_fails, (Run({"x": 1}), Recover())),
    Scenario("recover_map", maps.fails, (Run({"numbers": [1, 3]}), Recover())),
    Scenario("recover_plan_failure", kinds.plan_node_fails, (Run({"x": 1}), Recover())),
    Scenario("defaults", kinds.many_defaults),
    Scenario("fixed_and_default", runs.mixed_plan, (Run({"c": 3}), Run({"b": 20, "c": 3}))),
    Scenario(
        "environment",
        runs.environments,
        (Run(), Run(spec={"envs": {"values": [{"key": "FROM_RUN", "value": "run"}]}})),
    ),
    Scenario("overrides", runs.overridden, (Run({"x": 3}),)),
    Scenario(
        "override_of_cache",
        runs.overridden_cache,
        (Run({"salt": "{salt}", "x": 1}), Run({"salt": "{salt}", "x": 1})),
    ),
    Scenario("override_of_timeout", runs.overridden_timeout, (Run({"seconds": 300.0}),), quick=False),
    Scenario("interruptible_task", runs.interruptible_task, (Run({"x": 3}),)),
    Scenario(
        "interruptible_workflow",
        runs.interruptible_workflow,
        (Run({"x": 3}), Run({"x": 3}, {"interruptible": False})),
    ),
    Scenario(
        "labels",
        kinds.echoes,
        (
            Run(
                {"x": 3},
                {
                    "labels": {"values": {"team": "blue"}},
                    "annotations": {"values": {"note": "n"}},
                    "tags": ["one", "two"],
                    "max_parallelism": 1,
                },
            ),
        ),
    ),
    Scenario("parallelism_of_one", runs.side_by_side, (Run({"x": 3}, {"max_parallelism": 1}),)),
    Scenario("eager", runs.eager_sum, (Run({"x": 3}),), needs=(runs.chain_of,), quick=False),
    Scenario("eager_failure", runs.eager_failure, (Run({"x": 3}),), needs=(runs.raising_flow,), quick=False),
    Scenario("shell_task", runs.shell_flow, (Run({"word": "hello"}),)),
)
