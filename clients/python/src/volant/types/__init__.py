"""The types that travel between tasks, their encodings, and the registry for more.

Admitted here: transformers, one module for each family of types, and what they share. Not admitted: anything that
knows of tasks, workflows or the platform.
"""

from volant.types import simple  # noqa: I001 - modules register themselves, in this order
from volant.types import containers, pickled, structs
from volant.types.annotated import HashMethod, TypeAnnotation
from volant.types.engine import register
from volant.types.transformer import Transformer

__all__ = ["HashMethod", "Transformer", "TypeAnnotation", "containers", "pickled", "register", "simple", "structs"]
