"""Which phases are terminal, and which change of phase is legal: from a terminal one, none."""

from typing import TypeAlias

from volantidl.core import execution_pb2

_Execution = execution_pb2.WorkflowExecution
_Node = execution_pb2.NodeExecution
_Task = execution_pb2.TaskExecution

TERMINAL_EXECUTION = frozenset({_Execution.SUCCEEDED, _Execution.FAILED, _Execution.TIMED_OUT, _Execution.ABORTED})
TERMINAL_NODE = frozenset(
    {_Node.SUCCEEDED, _Node.FAILED, _Node.TIMED_OUT, _Node.ABORTED, _Node.SKIPPED, _Node.RECOVERED}
)
TERMINAL_TASK = frozenset({_Task.SUCCEEDED, _Task.FAILED, _Task.ABORTED})

GOOD_NODE = frozenset({_Node.SUCCEEDED, _Node.RECOVERED})
"""Phases of a node whose outputs may be used."""


ExecutionPhase: TypeAlias = execution_pb2.WorkflowExecution.Phase.ValueType
NodePhase: TypeAlias = execution_pb2.NodeExecution.Phase.ValueType
TaskPhase: TypeAlias = execution_pb2.TaskExecution.Phase.ValueType


def execution_may_become(old: ExecutionPhase, new: ExecutionPhase) -> bool:
    """Whether an execution may go from `old` to `new`."""
    if old in TERMINAL_EXECUTION or old == new:
        return False
    if old == _Execution.ABORTING:
        return new in TERMINAL_EXECUTION
    return not (old == _Execution.RUNNING and new == _Execution.QUEUED)
