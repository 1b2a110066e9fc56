"""torch's tensors and modules. Imported when a type of torch is first used."""

from __future__ import annotations

import io
from typing import Any

import torch

from volant.types import blobs, engine


class TensorTransformer(blobs.FileTransformer):
    """Tensors, by torch's own format; on the CPU where there's no GPU."""

    name = "PyTorch Tensor"
    blob_format = "PyTorchTensor"
    suffix = ".pt"

    def encode(self, value: Any, python_type: Any) -> bytes:  # noqa: ARG002
        """The value in torch's format."""
        buffer = io.BytesIO()
        torch.save(value, buffer)
        return buffer.getvalue()

    def decode(self, data: bytes, python_type: Any) -> Any:  # noqa: ARG002
        """The value."""
        device = None if torch.cuda.is_available() else torch.device("cpu")
        return torch.load(io.BytesIO(data), map_location=device, weights_only=False)

    def example(self) -> Any:
        """Torch's tensor class."""
        return torch.Tensor


class ModuleTransformer(TensorTransformer):
    """Modules, with their code by reference."""

    name = "PyTorch Module"
    blob_format = "PyTorchModule"

    def example(self) -> Any:
        """Torch's module class."""
        return torch.nn.Module


engine.register(TensorTransformer(), torch.Tensor)
engine.register(ModuleTransformer(), torch.nn.Module)
