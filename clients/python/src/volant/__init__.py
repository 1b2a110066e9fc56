"""Volant's SDK: typed tasks and workflows as Python functions.

Names are imported when they are first used, so `import volant` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volant.authoring.caching import Cache as Cache
    from volant.authoring.caching import CacheFunctionBody as CacheFunctionBody
    from volant.authoring.caching import CachePolicy as CachePolicy
    from volant.authoring.caching import VersionParameters as VersionParameters
    from volant.authoring.conditional import conditional as conditional
    from volant.authoring.containers import ContainerTask as ContainerTask
    from volant.authoring.containers import Echo as Echo
    from volant.authoring.containers import OutputLocation as OutputLocation
    from volant.authoring.containers import ShellTask as ShellTask
    from volant.authoring.containers import SQLite3Config as SQLite3Config
    from volant.authoring.containers import SQLite3Task as SQLite3Task
    from volant.authoring.containers import SQLTask as SQLTask
    from volant.authoring.dynamic import dynamic as dynamic
    from volant.authoring.gate import approve as approve
    from volant.authoring.gate import sleep as sleep
    from volant.authoring.gate import wait_for_input as wait_for_input
    from volant.authoring.image import ImageSpec as ImageSpec
    from volant.authoring.imperative import Environment as Environment
    from volant.authoring.imperative import ImperativeWorkflow as ImperativeWorkflow
    from volant.authoring.imperative import create_node as create_node
    from volant.authoring.launch_plan import ConcurrencyLimitBehavior as ConcurrencyLimitBehavior
    from volant.authoring.launch_plan import ConcurrencyPolicy as ConcurrencyPolicy
    from volant.authoring.launch_plan import LaunchPlan as LaunchPlan
    from volant.authoring.machines import GPUAccelerator as GPUAccelerator
    from volant.authoring.machines import PodTemplate as PodTemplate
    from volant.authoring.mapping import map_task as map_task
    from volant.authoring.notebook import NotebookTask as NotebookTask
    from volant.authoring.notification import Email as Email
    from volant.authoring.notification import PagerDuty as PagerDuty
    from volant.authoring.notification import Slack as Slack
    from volant.authoring.notification import WorkflowExecutionPhase as WorkflowExecutionPhase
    from volant.authoring.reference import get_reference_entity as get_reference_entity
    from volant.authoring.reference import reference_launch_plan as reference_launch_plan
    from volant.authoring.reference import reference_task as reference_task
    from volant.authoring.reference import reference_workflow as reference_workflow
    from volant.authoring.resources import Resources as Resources
    from volant.authoring.schedule import CronSchedule as CronSchedule
    from volant.authoring.schedule import FixedRate as FixedRate
    from volant.authoring.task import ExecutionMode as ExecutionMode
    from volant.authoring.task import task as task
    from volant.authoring.workflow import WorkflowFailurePolicy as WorkflowFailurePolicy
    from volant.authoring.workflow import eager as eager
    from volant.authoring.workflow import workflow as workflow
    from volant.checkpoint import Checkpoint as Checkpoint
    from volant.client.asynchronous import AsyncRemote as AsyncRemote
    from volant.client.remote import Remote as Remote
    from volant.context import current_context as current_context
    from volant.deck import Deck as Deck
    from volant.deck import DeckField as DeckField
    from volant.errors import DefinitionError as DefinitionError
    from volant.errors import IgnoreOutputs as IgnoreOutputs
    from volant.errors import RecoverableError as RecoverableError
    from volant.errors import TypeMismatchError as TypeMismatchError
    from volant.errors import VolantError as VolantError
    from volant.secrets import Secret as Secret
    from volant.types.annotated import HashMethod as HashMethod
    from volant.types.annotated import TypeAnnotation as TypeAnnotation
    from volant.types.failures import FlyteError as FlyteError
    from volant.types.files import Directory as Directory
    from volant.types.files import File as File
    from volant.types.frames import StructuredDataset as StructuredDataset
    from volant.types.frames import kwtypes as kwtypes

__version__ = "0.1.0"

_HOMES = {
    "AsyncRemote": "volant.client.asynchronous",
    "Cache": "volant.authoring.caching",
    "CacheFunctionBody": "volant.authoring.caching",
    "CachePolicy": "volant.authoring.caching",
    "Checkpoint": "volant.checkpoint",
    "ConcurrencyLimitBehavior": "volant.authoring.launch_plan",
    "ConcurrencyPolicy": "volant.authoring.launch_plan",
    "ContainerTask": "volant.authoring.containers",
    "CronSchedule": "volant.authoring.schedule",
    "Deck": "volant.deck",
    "DeckField": "volant.deck",
    "DefinitionError": "volant.errors",
    "Directory": "volant.types.files",
    "Echo": "volant.authoring.containers",
    "Email": "volant.authoring.notification",
    "Environment": "volant.authoring.imperative",
    "ExecutionMode": "volant.authoring.task",
    "File": "volant.types.files",
    "FixedRate": "volant.authoring.schedule",
    "FlyteError": "volant.types.failures",
    "GPUAccelerator": "volant.authoring.machines",
    "HashMethod": "volant.types.annotated",
    "IgnoreOutputs": "volant.errors",
    "ImageSpec": "volant.authoring.image",
    "ImperativeWorkflow": "volant.authoring.imperative",
    "LaunchPlan": "volant.authoring.launch_plan",
    "NotebookTask": "volant.authoring.notebook",
    "OutputLocation": "volant.authoring.containers",
    "PagerDuty": "volant.authoring.notification",
    "PodTemplate": "volant.authoring.machines",
    "RecoverableError": "volant.errors",
    "Remote": "volant.client.remote",
    "Resources": "volant.authoring.resources",
    "SQLTask": "volant.authoring.containers",
    "SQLite3Config": "volant.authoring.containers",
    "SQLite3Task": "volant.authoring.containers",
    "Secret": "volant.secrets",
    "ShellTask": "volant.authoring.containers",
    "Slack": "volant.authoring.notification",
    "StructuredDataset": "volant.types.frames",
    "TypeAnnotation": "volant.types.annotated",
    "TypeMismatchError": "volant.errors",
    "VersionParameters": "volant.authoring.caching",
    "VolantError": "volant.errors",
    "WorkflowExecutionPhase": "volant.authoring.notification",
    "WorkflowFailurePolicy": "volant.authoring.workflow",
    "approve": "volant.authoring.gate",
    "conditional": "volant.authoring.conditional",
    "create_node": "volant.authoring.imperative",
    "current_context": "volant.context",
    "dynamic": "volant.authoring.dynamic",
    "eager": "volant.authoring.workflow",
    "get_reference_entity": "volant.authoring.reference",
    "kwtypes": "volant.types.frames",
    "map_task": "volant.authoring.mapping",
    "reference_launch_plan": "volant.authoring.reference",
    "reference_task": "volant.authoring.reference",
    "reference_workflow": "volant.authoring.reference",
    "sleep": "volant.authoring.gate",
    "task": "volant.authoring.task",
    "wait_for_input": "volant.authoring.gate",
    "workflow": "volant.authoring.workflow",
}

__all__ = [
    "AsyncRemote",
    "Cache",
    "CacheFunctionBody",
    "CachePolicy",
    "Checkpoint",
    "ConcurrencyLimitBehavior",
    "ConcurrencyPolicy",
    "ContainerTask",
    "CronSchedule",
    "Deck",
    "DeckField",
    "DefinitionError",
    "Directory",
    "Echo",
    "Email",
    "Environment",
    "ExecutionMode",
    "File",
    "FixedRate",
    "FlyteError",
    "GPUAccelerator",
    "HashMethod",
    "IgnoreOutputs",
    "ImageSpec",
    "ImperativeWorkflow",
    "LaunchPlan",
    "NotebookTask",
    "OutputLocation",
    "PagerDuty",
    "PodTemplate",
    "RecoverableError",
    "Remote",
    "Resources",
    "SQLTask",
    "SQLite3Config",
    "SQLite3Task",
    "Secret",
    "ShellTask",
    "Slack",
    "StructuredDataset",
    "TypeAnnotation",
    "TypeMismatchError",
    "VersionParameters",
    "VolantError",
    "WorkflowExecutionPhase",
    "WorkflowFailurePolicy",
    "__version__",
    "approve",
    "conditional",
    "create_node",
    "current_context",
    "dynamic",
    "eager",
    "get_reference_entity",
    "kwtypes",
    "map_task",
    "reference_launch_plan",
    "reference_task",
    "reference_workflow",
    "sleep",
    "task",
    "wait_for_input",
    "workflow",
]


if not TYPE_CHECKING:  # a checker would take any name to be there

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'volant' has no attribute {name!r}")
        found = getattr(importlib.import_module(home), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
