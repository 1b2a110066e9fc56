"""Any value, by cloudpickle: what serves the types that nothing else does."""

from __future__ import annotations

import importlib
import logging
import pickle
from typing import Any

from volant import errors
from volant.storage import router
from volant.types import blobs, containers, engine, plain, transformer
from volantidl.core import literals_pb2, types_pb2

FORMAT = "PythonPickle"
_log = logging.getLogger("volant.types")


def dumps(value: Any) -> bytes:
    """Pickle a value, by cloudpickle where the standard library's way is not enough."""
    try:
        cloudpickle = importlib.import_module("cloudpickle")
    except ImportError:
        cloudpickle = None
    try:
        data: bytes = pickle.dumps(value, 5) if cloudpickle is None else cloudpickle.dumps(value, 5)
    except Exception as cause:
        if cloudpickle is None:
            raise errors.MissingDependencyError(
                "cloudpickle", f"passing {transformer.excerpt(value)} between tasks"
            ) from cause
        raise errors.TypeMismatchError(
            f"cannot pickle {transformer.excerpt(value)}: {cause}. Make it inside of the task that uses it"
        ) from cause
    return data


class PickleTransformer(transformer.Transformer):
    """Values of any type, in a file."""

    name = "FlytePickle"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """A blob of format PythonPickle."""
        _log.info(
            "%s travels as a pickle; a type that is known by name travels better", transformer.describe(python_type)
        )
        result = types_pb2.LiteralType(blob=types_pb2.BlobType(format=FORMAT))
        result.metadata.update({"python_class_name": str(python_type)})
        return result

    def accept(self, value: Any, python_type: Any) -> Any:
        """Anything for Any, else an instance of the class."""
        return super().accept(value, python_type)

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:  # noqa: ARG002
        """A file, named by its content."""
        self.accept(value, python_type)
        data = dumps(value)
        return blobs.write(data, FORMAT)

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """The object; also from a value of a better known type, which a pickled parameter may be given."""
        scalar = literal.scalar.WhichOneof("value")
        if scalar == "none_type":
            return None
        if scalar != "blob":
            if python_type is Any:
                return self._of_known_kind(literal)
            raise transformer.undecodable(python_type, literal)
        data = router.read(literal.scalar.blob.uri)
        try:
            return pickle.loads(data)  # noqa: S301 - a task trusts the values of its own workflow
        except ImportError as cause:
            raise errors.MissingDependencyError(cause.name or "cloudpickle", "reading a pickled value") from cause

    def _of_known_kind(self, literal: literals_pb2.Literal) -> Any:
        if literal.scalar.WhichOneof("value") in {"binary", "generic"}:
            return plain.payload(literal)
        kind = containers.kind_of(literal)
        if kind is Any:
            raise transformer.undecodable(Any, literal)
        return engine.to_python(literal, kind)

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """Any."""
        return Any if literal_type.WhichOneof("type") == "blob" and literal_type.blob.format == FORMAT else None


engine.register_fallback("pickle", PickleTransformer())
