"""What values in one file have in common: the literal, the content hash, writing and reading."""

from __future__ import annotations

import abc
import hashlib
from typing import Any

from volant import context
from volant.storage import router
from volant.types import transformer
from volantidl.core import literals_pb2, types_pb2

SINGLE = types_pb2.BlobType.SINGLE
MULTIPART = types_pb2.BlobType.MULTIPART


def content_hash(data: bytes) -> str:
    """The hash that stands in `Literal.hash` for a value kept outside the literal."""
    return hashlib.sha256(data).hexdigest()


def blob_type(
    blob_format: str, dimensionality: types_pb2.BlobType.BlobDimensionality.ValueType = SINGLE
) -> types_pb2.LiteralType:
    """The type of files of a format."""
    return types_pb2.LiteralType(blob=types_pb2.BlobType(format=blob_format, dimensionality=dimensionality))


def blob_literal(
    uri: str,
    blob_format: str,
    hashed: str = "",
    dimensionality: types_pb2.BlobType.BlobDimensionality.ValueType = SINGLE,
) -> literals_pb2.Literal:
    """A literal that points to a file."""
    kind = types_pb2.BlobType(format=blob_format, dimensionality=dimensionality)
    blob = literals_pb2.Blob(uri=uri, metadata=literals_pb2.BlobMetadata(type=kind))
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=blob), hash=hashed)


def write(data: bytes, blob_format: str, suffix: str = "") -> literals_pb2.Literal:
    """Put bytes into a new file below the raw output prefix."""
    digest = content_hash(data)
    uri = context.current_context().new_uri(f"{digest[:32]}{suffix}")
    router.write(uri, data)
    return blob_literal(uri, blob_format, digest)


def uri_of(literal: literals_pb2.Literal, python_type: Any) -> str:
    """The file that a literal points to."""
    if literal.scalar.WhichOneof("value") != "blob":
        raise transformer.undecodable(python_type, literal)
    return literal.scalar.blob.uri


class FileTransformer(transformer.Transformer):
    """Base for values that are one file: subclasses say how they become bytes and back."""

    blob_format: str
    suffix = ""

    @abc.abstractmethod
    def encode(self, value: Any, python_type: Any) -> bytes:
        """The file's content."""

    @abc.abstractmethod
    def decode(self, data: bytes, python_type: Any) -> Any:
        """The value from the file's content."""

    @abc.abstractmethod
    def example(self) -> Any:
        """The Python type that stands for the format."""

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:  # noqa: ARG002
        """A blob of the format."""
        return blob_type(self.blob_format)

    def to_literal(
        self,
        value: Any,
        python_type: Any,
        expected: types_pb2.LiteralType,  # noqa: ARG002
    ) -> literals_pb2.Literal:
        """A new file."""
        return write(self.encode(self.accept(value, python_type), python_type), self.blob_format, self.suffix)

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """Read the file."""
        return self.decode(router.read(uri_of(literal, python_type)), python_type)

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """The Python type that stands for the format."""
        is_ours = literal_type.WhichOneof("type") == "blob" and literal_type.blob.format == self.blob_format
        return self.example() if is_ours else None
