"""The settings that an execution runs with: each from the first level that has it.

Request, launch plan, matchable attributes of the workflow or of project and domain, those of the project, settings.
"""

from collections.abc import Iterable
from typing import Any

from volant_core import errors
from volantidl.admin import (
    common_pb2,
    execution_pb2,
    launch_plan_pb2,
    matchable_resource_pb2,
)
from volantidl.core import security_pb2

Level = execution_pb2.ExecutionSpec | launch_plan_pb2.LaunchPlanSpec | matchable_resource_pb2.WorkflowExecutionConfig


def merged(
    spec: execution_pb2.ExecutionSpec,
    plan: launch_plan_pb2.LaunchPlanSpec,
    attributes: Iterable[matchable_resource_pb2.WorkflowExecutionConfig],
    project_labels: common_pb2.Labels,
    max_parallelism: int,
) -> execution_pb2.ExecutionSpec:
    """A copy of the spec with everything that lower levels say where it says nothing."""
    effective = execution_pb2.ExecutionSpec()
    effective.CopyFrom(spec)
    effective.ClearField("inputs")
    effective.ClearField("labels")
    effective.ClearField("annotations")
    effective.ClearField("envs")
    effective.ClearField("raw_output_data_config")
    effective.ClearField("security_context")
    effective.max_parallelism = 0
    levels: list[Level] = [spec, plan, *attributes]
    for level in levels:
        _merge(effective, level)
    _fold_roles(effective, spec, plan)
    if effective.max_parallelism == 0:
        effective.max_parallelism = max_parallelism
    for key, value in project_labels.values.items():
        if key not in effective.labels.values:
            effective.labels.values[key] = value
    if not effective.security_context.HasField("run_as"):
        effective.security_context.run_as.SetInParent()
    if not effective.execution_env_assignments:
        effective.execution_env_assignments.extend(plan.execution_env_assignments)
    return effective


def _merge(effective: execution_pb2.ExecutionSpec, level: Level) -> None:
    if effective.max_parallelism == 0 and level.max_parallelism > 0:
        effective.max_parallelism = level.max_parallelism
    if not effective.HasField("security_context") and _has_identity(level.security_context):
        effective.security_context.CopyFrom(level.security_context)
    if not effective.raw_output_data_config.output_location_prefix:
        _take(effective, level, "raw_output_data_config", level.raw_output_data_config.output_location_prefix)
    if not effective.labels.values:
        _take(effective, level, "labels", level.labels.values)
    if not effective.annotations.values:
        _take(effective, level, "annotations", level.annotations.values)
    if not effective.envs.values:
        _take(effective, level, "envs", level.envs.values)
    if not effective.HasField("interruptible") and level.HasField("interruptible"):
        effective.interruptible.CopyFrom(level.interruptible)
    if level.overwrite_cache:
        effective.overwrite_cache = True


def _take(effective: execution_pb2.ExecutionSpec, level: Level, field: str, there: Any) -> None:
    if there:
        getattr(effective, field).CopyFrom(getattr(level, field))


def _has_identity(context: security_pb2.SecurityContext) -> bool:
    who = context.run_as
    return bool(who.k8s_service_account or who.iam_role or who.execution_identity)


def _fold_roles(
    effective: execution_pb2.ExecutionSpec,
    spec: execution_pb2.ExecutionSpec,
    plan: launch_plan_pb2.LaunchPlanSpec,
) -> None:
    """The ways in which roles were given before there were security contexts."""
    if effective.HasField("security_context"):
        return
    for role in (spec.auth_role, plan.auth_role, plan.auth):
        if role.assumable_iam_role or role.kubernetes_service_account:
            effective.security_context.run_as.iam_role = role.assumable_iam_role
            effective.security_context.run_as.k8s_service_account = role.kubernetes_service_account
            return
    if plan.role:
        effective.security_context.run_as.iam_role = plan.role


def cluster_assignment(
    spec: execution_pb2.ExecutionSpec, stored: bytes | None, project: str, domain: str
) -> matchable_resource_pb2.MatchingAttributes:
    """What is stored of the pool to run on, if anything. Raises InvalidArgumentError when the request wants another."""
    attributes = matchable_resource_pb2.MatchingAttributes.FromString(stored or b"")
    wanted = spec.cluster_assignment.cluster_pool_name
    there = attributes.cluster_assignment.cluster_pool_name
    if wanted and there and wanted != there:
        raise errors.InvalidArgumentError(
            f'execution with project "{project}" and domain "{domain}" cannot run on cluster pool "{wanted}", because'
            f' its configured to run on pool "{there}"'
        )
    return attributes


def notifications(
    spec: execution_pb2.ExecutionSpec, plan: launch_plan_pb2.LaunchPlanSpec
) -> list[common_pb2.Notification]:
    """Whom to tell of the end: the request's list, no one when it says so, else the launch plan's."""
    if spec.notifications.notifications:
        return list(spec.notifications.notifications)
    if spec.disable_all:
        return []
    return list(plan.entity_metadata.notifications)


def project_labels(data: bytes | None) -> common_pb2.Labels:
    """The labels of a project row."""
    return common_pb2.Labels.FromString(data or b"")
