"""The types that travel between tasks, their encodings, and the registry for more.

Admitted here: transformers, one module for each family of types, and what they share. Not admitted: anything that
knows of tasks, workflows or the platform.
"""

from volant.types import simple  # noqa: I001 - modules register themselves, in this order
from volant.types import containers, pickled, structs, files, frames, failures, messages
from volant.types.annotated import HashMethod, TypeAnnotation
from volant.types.engine import register, register_lazy
from volant.types.transformer import Transformer

register_lazy("numpy", "volant.types.arrays")
register_lazy("pydantic", "volant.types.models")
register_lazy("PIL", "volant.types.images")
register_lazy("sklearn", "volant.types.estimators")
register_lazy("torch", "volant.types.tensors")

__all__ = [
    "HashMethod",
    "Transformer",
    "TypeAnnotation",
    "containers",
    "failures",
    "files",
    "frames",
    "messages",
    "pickled",
    "register",
    "register_lazy",
    "simple",
    "structs",
]
