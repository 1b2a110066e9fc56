"""numpy's arrays and scalars. Imported when a type of numpy is first used."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from volant import errors
from volant.types import annotated, blobs, engine, plain, transformer
from volantidl.core import literals_pb2, types_pb2


class ArrayTransformer(blobs.FileTransformer):
    """Arrays, in numpy's own file format."""

    name = "Numpy Array"
    blob_format = "NumpyArray"
    suffix = ".npy"

    def _options(self, python_type: Any) -> dict[str, Any]:
        return next((dict(extra) for extra in annotated.extras(python_type) if isinstance(extra, dict)), {})

    def accept(self, value: Any, python_type: Any) -> Any:  # noqa: ARG002
        """An array."""
        if not isinstance(value, np.ndarray):
            raise transformer.mismatch(np.ndarray, value)
        return value

    def encode(self, value: Any, python_type: Any) -> bytes:
        """The array in numpy's format."""
        buffer = io.BytesIO()
        try:
            np.save(buffer, value, allow_pickle=bool(self._options(python_type).get("allow_pickle", False)))
        except ValueError as cause:
            raise errors.TypeMismatchError(
                f"{cause}. Annotate it: Annotated[np.ndarray, kwtypes(allow_pickle=True)]"
            ) from cause
        return buffer.getvalue()

    def decode(self, data: bytes, python_type: Any) -> Any:
        """The array."""
        return np.load(io.BytesIO(data), allow_pickle=bool(self._options(python_type).get("allow_pickle", False)))

    def example(self) -> Any:
        """Numpy's array class."""
        return np.ndarray


class ScalarTransformer(transformer.Transformer):
    """numpy's numbers and truth values, as Python's."""

    name = "numpy scalar"

    def _python(self, python_type: Any) -> Any:
        kind = annotated.bare(python_type)
        for numpy_kind, python_kind in ((np.bool_, bool), (np.integer, int), (np.floating, float), (np.str_, str)):
            if isinstance(kind, type) and issubclass(kind, numpy_kind):
                return python_kind
        raise errors.TypeMismatchError(f"{transformer.describe(python_type)} has no counterpart among the simple types")

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """The simple type."""
        return engine.literal_type(self._python(python_type))

    def accept(self, value: Any, python_type: Any) -> Any:
        """The value as this numpy type."""
        return annotated.bare(python_type)(engine.accept(value, self._python(python_type)))

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:
        """As Python's."""
        return engine.to_literal(value, self._python(python_type), expected)

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """As this numpy type."""
        return annotated.bare(python_type)(engine.to_python(literal, self._python(python_type)))


_SCALARS = ScalarTransformer()
engine.register(ArrayTransformer(), np.ndarray)
# The concrete classes come first: numpy.float64 is a float too, and would be served as one.
engine.register(_SCALARS, np.integer, np.floating, np.bool_, np.float64, np.str_)
plain.register(np.generic, lambda value, _: value.item(), lambda data, kind: kind(data))
