"""Settings of the embedded object store."""

import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectStoreSettings:
    """What can be chosen."""

    access_key: str
    """Name of the one account."""
    secret_key: str = dataclasses.field(repr=False)
    """Its secret."""
    buckets: tuple[str, ...] = ("volant",)
    """Buckets that exist from the start."""
    region: str = "us-east-1"
    """What GetBucketLocation answers. Signatures for any region are accepted."""
    fsync: bool = True
    """Whether an upload has reached the disk when it is answered (else it survives every crash but the machine's)."""
    origins: tuple[str, ...] = ("*",)
    """Origins of web pages that may read and upload (every request needs a signature all the same)."""
    workers: int = 8
    """Threads that read and write."""
    upload_age: datetime.timedelta = datetime.timedelta(days=7)
    """Uploads in parts that were begun longer ago are dropped at the next start."""
    document_limit: int = 2 << 20
    """Largest XML document that is read, bytes."""
