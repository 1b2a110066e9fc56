"""PIL's images. Imported when a type of PIL is first used."""

from __future__ import annotations

import io
from typing import Any

import PIL.Image

from volant import errors
from volant.types import blobs, engine, transformer


class ImageTransformer(blobs.FileTransformer):
    """Images, as PNG."""

    name = "PIL.Image"
    blob_format = "PIL.Image"
    suffix = ".png"

    def accept(self, value: Any, python_type: Any) -> Any:
        """An image."""
        if not isinstance(value, PIL.Image.Image):
            raise transformer.mismatch(python_type, value)
        return value

    def encode(self, value: Any, python_type: Any) -> bytes:  # noqa: ARG002
        """The image as PNG."""
        buffer = io.BytesIO()
        try:
            value.save(buffer, format="PNG")
        except OSError as cause:  # a mode that PNG has not
            raise errors.TypeMismatchError(
                f"this image cannot be written as PNG: {cause}. Convert it first: image.convert('RGB')"
            ) from cause
        return buffer.getvalue()

    def decode(self, data: bytes, python_type: Any) -> Any:  # noqa: ARG002
        """The image."""
        return PIL.Image.open(io.BytesIO(data))

    def example(self) -> Any:
        """PIL's image class."""
        return PIL.Image.Image


engine.register(ImageTransformer(), PIL.Image.Image)
