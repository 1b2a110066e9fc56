"""The compiler: from registered templates to a type-checked graph, or to everything that is wrong with them.

Pure and deterministic: the same templates give the same bytes. Time is linear in the number of nodes and edges, but it
is CPU: callers with large graphs run it in a thread. Admin compiles at registration, the engine for dynamic nodes. Not
here: fetching what a workflow refers to, and anything about running it.
"""

from volant_core.compiler.castability import castable, type_of_literal
from volant_core.compiler.closures import compile_workflow, required_entities
from volant_core.compiler.describe import describe
from volant_core.compiler.interfaces import END_NODE, START_NODE, LaunchPlanInterface, identifier_key
from volant_core.compiler.quantities import parse_quantity
from volant_core.compiler.report import Code, CompileError, CompileErrors
from volant_core.compiler.tasks import compile_task

__all__ = [
    "END_NODE",
    "START_NODE",
    "Code",
    "CompileError",
    "CompileErrors",
    "LaunchPlanInterface",
    "castable",
    "compile_task",
    "compile_workflow",
    "describe",
    "identifier_key",
    "parse_quantity",
    "required_entities",
    "type_of_literal",
]
