"""What is asked of flytekit's plugins: a workflow with each (flows/plugin_flows), on the platform."""

from command_runs import Step

_NAMES = {
    "polars": "data frames",
    "pandera": "data frames with a schema that is checked",
    "deck": "renderers for decks",
    "sqlalchemy": "a query as a task",
    "duckdb": "a query as a task",
    "papermill": "a notebook as a task",
    "omegaconf": "configurations",
    "optuna": "trials, run by an eager task",
    "pod": "pod specs and pod templates",
    "memray": "a profile as a deck",
    "extras": "flytekit's own: shell and SQLite tasks, arrays, pydantic, JSON lines, protobuf",
}
STEPS = [
    step
    for name, what in _NAMES.items()
    for step in (
        Step(
            f"pyflyte run -p flytesnacks -d development --remote --wait --poll-interval 1 --copy all plugin_flows/with_{name}.py wf",
            "executions/",
            keeps={"execution": r"executions/([a-zA-Z0-9-]+)"},
            remark=what,
        ),
        Step("show flytesnacks development {execution}", '"string_value": "right"'),
    )
]
