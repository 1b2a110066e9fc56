"""More memory for attempts after one that ran out of it, where settings ask for it.

What the last one had is noted beside its outputs, so that whichever engine launches the next one knows it.
"""

from volant_core import errors
from volant_core.blobstore import port as blob_port
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import resources
from volant_engine.launchers.kubernetes import settings as kubernetes_settings

_NOTE = "out_of_memory"


async def needed(
    blobs: blob_port.BlobStore, attempt: port.Attempt, settings: kubernetes_settings.KubernetesSettings
) -> str:
    """What an attempt needs more than its task asks for; nothing where none before it ran out of memory."""
    if not settings.oom_factor:
        return ""
    for number in range(attempt.number - 1, -1, -1):
        try:
            had = (await blobs.get(_place(attempt, number))).decode()
        except errors.NotFoundError:
            continue
        return resources.grown(had, settings.oom_factor, settings.oom_most)
    return ""


async def note(blobs: blob_port.BlobStore, attempt: port.Attempt, memory: str) -> None:
    """This attempt had `memory` and ran out of it."""
    await blobs.put(_place(attempt, attempt.number), memory.encode())


def _place(attempt: port.Attempt, number: int) -> str:
    # An attempt's folder is called by its number.
    return f"{attempt.output_prefix.rstrip('/').rpartition('/')[0]}/{number}/{_NOTE}"
