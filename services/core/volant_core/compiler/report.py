"""What the compiler found wrong."""

import dataclasses
import enum


class Code(enum.StrEnum):
    """The kinds of errors, by the names that Flyte's compiler gives them."""

    CYCLE_DETECTED = "CycleDetected"
    BRANCH_NODE_ID_NOT_FOUND = "BranchNodeIdNotFound"
    BRANCH_NODE_HAS_NO_CONDITION = "BranchNodeHasNoCondition"
    BRANCH_NODE_HAS_NO_DEFAULT = "BranchNodeHasNoDefault"
    VALUE_REQUIRED = "ValueRequired"
    INVALID_VALUE = "InvalidValue"
    NODE_REFERENCE_NOT_FOUND = "NodeReferenceNotFound"
    TASK_REFERENCE_NOT_FOUND = "TaskReferenceNotFound"
    WORKFLOW_REFERENCE_NOT_FOUND = "WorkflowReferenceNotFound"
    VARIABLE_NAME_NOT_FOUND = "VariableNameNotFound"
    DUPLICATE_ALIAS = "DuplicateAlias"
    DUPLICATE_NODE_ID = "DuplicateId"
    MISMATCHING_TYPES = "MismatchingTypes"
    MISMATCHING_BINDINGS = "MismatchingBindings"
    PARAMETER_BOUND_MORE_THAN_ONCE = "ParameterBoundMoreThanOnce"
    PARAMETER_NOT_BOUND = "ParameterNotBound"
    UNREACHABLE_NODES = "UnreachableNodes"
    UNRECOGNIZED_VALUE = "UnrecognizedValue"
    SYNTAX_ERROR = "SyntaxError"
    NO_NODES_FOUND = "NoNodesFound"
    ILLEGAL_ENUM_VALUE = "IllegalEnumValue"
    AMBIGUOUS_BINDING_UNION_VALUE = "AmbiguousBindingUnionValue"
    INCOMPATIBLE_BINDING_UNION_VALUE = "IncompatibleBindingUnionValue"
    NO_CONDITION_FOUND = "NoConditionFound"
    FIELD_NOT_FOUND = "FieldNotFound"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class CompileError:
    """One thing that is wrong."""

    code: Code
    node_id: str
    """The node; for what is wrong with a task or a whole workflow, a word for that."""
    description: str

    def __str__(self) -> str:
        return f"Code: {self.code}, Node Id: {self.node_id}, Description: {self.description}"


class CompileErrors(Exception):  # noqa: N818 - many of them
    """Everything that is wrong with what was to be compiled."""

    def __init__(self, errors: tuple[CompileError, ...]) -> None:
        """Keep the errors, which are sorted."""
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        lines = [f"\tError {index}: {error}\n" for index, error in enumerate(self.errors)]
        return f"Collected Errors: {len(self.errors)}\n{''.join(lines)}"


class Report:
    """Collects errors."""

    def __init__(self, where: str = "") -> None:
        """Start with none.

        Args:
            where: Added to every description; for sub-workflows, whose node ids may equal those of the workflow.
        """
        self._errors: set[CompileError] = set()
        self._where = where

    def add(self, code: Code, node_id: str, description: str) -> None:
        """Add an error; the same one twice counts once."""
        self._errors.add(CompileError(code, node_id, description + self._where))

    def extend(self, other: "Report") -> None:
        """Add all errors of another report."""
        self._errors.update(other.errors)

    @property
    def errors(self) -> frozenset[CompileError]:
        """The errors so far."""
        return frozenset(self._errors)

    @property
    def count(self) -> int:
        """The number of errors so far."""
        return len(self._errors)

    def raise_any(self) -> None:
        """Raise CompileErrors when there is one."""
        if self._errors:
            raise CompileErrors(tuple(sorted(self._errors)))
