"""Launch plans: a workflow with inputs and settings of its own, started by hand, by a schedule or as a node."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from volant import errors, user_code
from volant.authoring import entity, interface, notification, schedule, workflow
from volant.types import engine


class ConcurrencyLimitBehavior(enum.Enum):
    """What happens to an execution over the limit."""

    SKIP = 1


@dataclasses.dataclass(frozen=True)
class ConcurrencyPolicy:
    """How many executions of a launch plan may run at once."""

    max_concurrency: int
    behavior: ConcurrencyLimitBehavior = ConcurrencyLimitBehavior.SKIP

    def __post_init__(self) -> None:
        if not isinstance(self.max_concurrency, int) or self.max_concurrency < 1:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: ConcurrencyPolicy(max_concurrency={self.max_concurrency!r}): give a "
                f"number from 1"
            )


@dataclasses.dataclass(frozen=True)
class LaunchPlanSettings:
    """How executions of a launch plan are run."""

    schedule: schedule.Schedule | None = None
    notifications: Sequence[notification.Notification] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    raw_output_prefix: str = ""
    max_parallelism: int = 0
    overwrite_cache: bool = False
    auto_activate: bool = False
    concurrency: ConcurrencyPolicy | None = None
    service_account: str = ""


class LaunchPlan(entity.Entity):
    """A workflow with inputs and settings of its own. Made by `create` and `get_or_create`."""

    _known: ClassVar[dict[str, LaunchPlan]] = {}

    def __init__(
        self,
        name: str,
        target: workflow.Workflow,
        default_inputs: Mapping[str, Any],
        fixed_inputs: Mapping[str, Any],
        settings: LaunchPlanSettings,
    ) -> None:
        line = user_code.caller_line()
        _check_inputs(line, name, target, default_inputs, fixed_inputs)
        inputs = {key: kind for key, kind in target.interface.inputs.items() if key not in fixed_inputs}
        defaults = {key: value for key, value in target.interface.defaults.items() if key in inputs}
        signature = interface.Interface(
            inputs=inputs,
            outputs=target.interface.outputs,
            defaults={**defaults, **default_inputs},
            output_class=target.interface.output_class,
            docs=target.interface.docs,
        )
        super().__init__(name, signature)
        self.workflow = target
        self.fixed_inputs: dict[str, Any] = dict(fixed_inputs)
        self.settings = settings
        _check_schedule(line, self)

    @classmethod
    def create(
        cls,
        name: str,
        workflow: workflow.Workflow,
        default_inputs: Mapping[str, Any] | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> LaunchPlan:
        """Make a launch plan; its name must be new.

        Args:
            name: The name to register under.
            workflow: The workflow that it starts.
            default_inputs: Values for inputs that aren't given.
            fixed_inputs: Values that cannot be given otherwise.
            settings: schedule, notifications, labels, annotations, raw_output_prefix, max_parallelism,
                overwrite_cache, auto_activate, concurrency, service_account.
        """
        if name in cls._known:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: there is a launch plan {name!r} already; use get_or_create"
            )
        made = cls(name, workflow, default_inputs or {}, fixed_inputs or {}, _settings(settings))
        cls._known[name] = made
        return made

    @classmethod
    def get_or_create(
        cls,
        workflow: workflow.Workflow,
        name: str | None = None,
        default_inputs: Mapping[str, Any] | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> LaunchPlan:
        """The launch plan of a name, made if there's none; without a name, the workflow's default one.

        Args:
            workflow: The workflow that it starts.
            name: The name to register under.
            default_inputs: Values for inputs that aren't given.
            fixed_inputs: Values that cannot be given otherwise.
            settings: As in `create`.
        """
        if name is None:
            if default_inputs or fixed_inputs or any(value is not None for value in settings.values()):
                raise errors.DefinitionError(
                    f"{user_code.caller_line()}: the default launch plan of {workflow.name} takes "
                    f"no settings; give a name"
                )
            name = workflow.name
        made = cls(name, workflow, default_inputs or {}, fixed_inputs or {}, _settings(settings))
        known = cls._known.get(name)
        if known is None or known.workflow is not workflow:
            # A module that is loaded anew defines its workflow anew; two different workflows are an error.
            if known is not None and known.workflow.name != workflow.name:
                raise errors.DefinitionError(
                    f"{user_code.caller_line()}: the launch plan {name!r} is one of {known.workflow.name} already"
                )
            cls._known[name] = made
            return made
        same = (known.settings, known.fixed_inputs, known.interface.defaults)
        if same != (made.settings, made.fixed_inputs, made.interface.defaults):
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: there is a launch plan {name!r} with other inputs or settings; "
                f"give this one another name"
            )
        return known

    @classmethod
    def get_default_launch_plan(cls, workflow: workflow.Workflow) -> LaunchPlan:
        """The launch plan without settings, named like its workflow."""
        return cls(workflow.name, workflow, {}, {}, LaunchPlanSettings())

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Run its workflow on this machine."""
        given = {**self.interface.defaults, **inputs, **self.fixed_inputs}
        return self.workflow.run(given)


def _settings(given: Mapping[str, Any]) -> LaunchPlanSettings:
    options = {key: value for key, value in given.items() if value is not None}
    known = {field.name for field in dataclasses.fields(LaunchPlanSettings)}
    for key in options:
        if key not in known:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: a launch plan has no setting {key!r}; it has {', '.join(sorted(known))}"
                f"{user_code.near_miss(key, known)}"
            )
    return LaunchPlanSettings(**options)


def _check_inputs(
    line: str, name: str, target: workflow.Workflow, default_inputs: Mapping[str, Any], fixed_inputs: Mapping[str, Any]
) -> None:
    for kind, values in (("default_inputs", default_inputs), ("fixed_inputs", fixed_inputs)):
        for key, value in values.items():
            if key not in target.interface.inputs:
                raise errors.DefinitionError(
                    f"{line}: launch plan {name!r}, {kind}: {target.name} has no input {key!r}; "
                    f"it has {', '.join(target.interface.inputs) or 'none'}"
                    f"{user_code.near_miss(key, target.interface.inputs)}"
                )
            try:
                engine.accept(value, target.interface.inputs[key])
            except errors.TypeMismatchError as cause:
                raise errors.TypeMismatchError(f"{line}: launch plan {name!r}, {kind}, {key!r}: {cause}") from cause
    both = sorted(set(default_inputs) & set(fixed_inputs))
    if both:
        raise errors.DefinitionError(f"{line}: launch plan {name!r}: {both[0]!r} is both a default and a fixed input")


def _check_schedule(line: str, plan: LaunchPlan) -> None:
    when = plan.settings.schedule
    if when is None:
        return
    if not isinstance(when, schedule.Schedule):
        raise errors.DefinitionError(
            f"{line}: launch plan {plan.name!r}: schedule={when!r} is no CronSchedule or FixedRate. "
            f"Write schedule=CronSchedule(schedule=…)"
        )
    kickoff = when.kickoff_time_input_arg
    if kickoff and kickoff not in plan.interface.inputs:
        raise errors.DefinitionError(
            f"{line}: launch plan {plan.name!r}: kickoff_time_input_arg={kickoff!r} is no input of "
            f"{plan.workflow.name}; it has {', '.join(plan.interface.inputs) or 'none'}"
        )
    missing = [key for key in plan.interface.required if key != kickoff]
    if missing:
        raise errors.DefinitionError(
            f"{line}: launch plan {plan.name!r} has a schedule, but its input {missing[0]!r} has no value. "
            f"Give one in default_inputs or fixed_inputs"
        )
