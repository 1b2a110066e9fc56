"""Accelerators by the names that clusters' nodes usually have for them: `@task(accelerator=accelerators.A100)`.

Parts of those that can be shared: `A100.partition_1g_5gb`, `V5E.slice_2x2`, or any by `.partitioned("…")`; a whole one:
`A100.unpartitioned`. Others: `GPUAccelerator("my-device")`.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from volant.authoring.machines import GPUAccelerator

__all__ = [
    "A10G",
    "A100",
    "A100_80GB",
    "H100",
    "H200",
    "K80",
    "L4",
    "L4_VWS",
    "L40S",
    "M60",
    "P4",
    "P100",
    "RTX_PRO_6000",
    "T4",
    "V5E",
    "V5P",
    "V6E",
    "V100",
    "GPUAccelerator",
    "MultiInstanceGPUAccelerator",
]


@dataclasses.dataclass(frozen=True)
class MultiInstanceGPUAccelerator(GPUAccelerator):
    """One that can be had in parts."""

    @property
    def unpartitioned(self) -> GPUAccelerator:
        """Only a whole one."""
        return GPUAccelerator(self.device, whole=True)

    def partitioned(self, size: str) -> GPUAccelerator:
        """A part of it, by its size."""
        return GPUAccelerator(self.device, partition_size=size)


@dataclasses.dataclass(frozen=True)
class _A100(MultiInstanceGPUAccelerator):
    device: str = "nvidia-tesla-a100"
    partition_1g_5gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-tesla-a100", "1g.5gb")
    partition_2g_10gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-tesla-a100", "2g.10gb")
    partition_3g_20gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-tesla-a100", "3g.20gb")
    partition_4g_20gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-tesla-a100", "4g.20gb")
    partition_7g_40gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-tesla-a100", "7g.40gb")


@dataclasses.dataclass(frozen=True)
class _A10080GB(MultiInstanceGPUAccelerator):
    device: str = "nvidia-a100-80gb"
    partition_1g_10gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-a100-80gb", "1g.10gb")
    partition_2g_20gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-a100-80gb", "2g.20gb")
    partition_3g_40gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-a100-80gb", "3g.40gb")
    partition_4g_40gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-a100-80gb", "4g.40gb")
    partition_7g_80gb: ClassVar[GPUAccelerator] = GPUAccelerator("nvidia-a100-80gb", "7g.80gb")


@dataclasses.dataclass(frozen=True)
class _V5E(MultiInstanceGPUAccelerator):
    device: str = "tpu-v5-lite-podslice"
    slice_1x1: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "1x1")
    slice_2x2: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "2x2")
    slice_2x4: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "2x4")
    slice_4x4: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "4x4")
    slice_4x8: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "4x8")
    slice_8x8: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "8x8")
    slice_8x16: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "8x16")
    slice_16x16: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5-lite-podslice", "16x16")


@dataclasses.dataclass(frozen=True)
class _V5P(MultiInstanceGPUAccelerator):
    device: str = "tpu-v5p-slice"
    slice_2x2x1: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "2x2x1")
    slice_2x2x2: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "2x2x2")
    slice_2x4x4: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "2x4x4")
    slice_4x4x4: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "4x4x4")
    slice_4x4x8: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "4x4x8")
    slice_4x8x8: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "4x8x8")
    slice_8x8x8: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "8x8x8")
    slice_8x8x16: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "8x8x16")
    slice_8x16x16: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "8x16x16")
    slice_16x16x16: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "16x16x16")
    slice_16x16x24: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v5p-slice", "16x16x24")


@dataclasses.dataclass(frozen=True)
class _V6E(MultiInstanceGPUAccelerator):
    device: str = "tpu-v6e-slice"
    slice_1x1: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "1x1")
    slice_2x2: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "2x2")
    slice_2x4: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "2x4")
    slice_4x4: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "4x4")
    slice_4x8: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "4x8")
    slice_8x8: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "8x8")
    slice_8x16: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "8x16")
    slice_16x16: ClassVar[GPUAccelerator] = GPUAccelerator("tpu-v6e-slice", "16x16")


A10G: GPUAccelerator = GPUAccelerator("nvidia-a10g")
H100: GPUAccelerator = GPUAccelerator("nvidia-h100")
H200: GPUAccelerator = GPUAccelerator("nvidia-h200")
K80: GPUAccelerator = GPUAccelerator("nvidia-tesla-k80")
L4: GPUAccelerator = GPUAccelerator("nvidia-l4")
L40S: GPUAccelerator = GPUAccelerator("nvidia-l40s")
L4_VWS: GPUAccelerator = GPUAccelerator("nvidia-l4-vws")
M60: GPUAccelerator = GPUAccelerator("nvidia-tesla-m60")
P100: GPUAccelerator = GPUAccelerator("nvidia-tesla-p100")
P4: GPUAccelerator = GPUAccelerator("nvidia-tesla-p4")
RTX_PRO_6000: GPUAccelerator = GPUAccelerator("nvidia-rtx-pro-6000")
T4: GPUAccelerator = GPUAccelerator("nvidia-tesla-t4")
V100: GPUAccelerator = GPUAccelerator("nvidia-tesla-v100")
A100: _A100 = _A100()
A100_80GB: _A10080GB = _A10080GB()
V5E: _V5E = _V5E()
V5P: _V5P = _V5P()
V6E: _V6E = _V6E()
