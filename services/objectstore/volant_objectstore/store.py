"""What every request handler works with."""

import dataclasses
import pathlib
import shutil
import threading

from volant_core import clock as clocks
from volant_core.blobstore import files, layout
from volant_objectstore import intake, refusals, settings

_STRIPES = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Store:
    """The folder, the threads, the settings."""

    files: files.ObjectFiles
    threads: intake.Threads
    intakes: intake.Intakes
    settings: settings.ObjectStoreSettings
    clock: clocks.Clock
    uploads: str
    """Folder of the multipart uploads under way."""
    locks: tuple[threading.Lock, ...]
    """One is held from a check of what is there to the change that depends on it."""

    def lock(self, bucket: str, key: str) -> threading.Lock:
        """The lock of an object."""
        return self.locks[hash((bucket, key)) % _STRIPES]

    def need_bucket(self, bucket: str) -> str:
        """A bucket's folder. In a thread. RefusalError when the bucket is not there."""
        path = pathlib.Path(self.bucket_path(bucket))
        if not path.is_dir():
            raise refusals.RefusalError("NoSuchBucket", f"The specified bucket does not exist: {bucket}.")
        return str(path)

    def bucket_path(self, bucket: str) -> str:
        """A bucket's folder, there or not. RefusalError for what is not a bucket's name."""
        try:
            return self.files.bucket_path(bucket)
        except layout.InvalidKeyError as error:
            raise refusals.RefusalError("InvalidBucketName", f"The specified bucket is not valid: {error}.") from error

    def need_key(self, bucket: str, key: str) -> str:
        """An object's file, there or not. RefusalError for a key that can't be stored."""
        try:
            return self.files.path(bucket, key)
        except layout.KeyTooLongError as error:
            raise refusals.RefusalError("KeyTooLongError", f"Your key is too long: {error}.") from error
        except layout.InvalidKeyError as error:
            raise refusals.RefusalError("InvalidArgument", f"The key can't be stored: {error}.") from error


def prepare(root: pathlib.Path, chosen: settings.ObjectStoreSettings, clock: clocks.Clock) -> Store:
    """Make the folders, and drop what a crash left half received. Blocks."""
    incoming, uploads = root / ".incoming", root / ".multipart"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True, exist_ok=True)
    uploads.mkdir(exist_ok=True)
    begun_before = (clock.now() - chosen.upload_age).timestamp()
    for upload in uploads.iterdir():
        if upload.stat().st_mtime < begun_before:  # the last part came, or went, then
            shutil.rmtree(upload, ignore_errors=True)
    objects = files.ObjectFiles(root, fsync=chosen.fsync)
    for bucket in chosen.buckets:
        pathlib.Path(objects.bucket_path(bucket)).mkdir(exist_ok=True)
    threads = intake.Threads(chosen.workers)
    return Store(
        files=objects,
        threads=threads,
        intakes=intake.Intakes(str(incoming), threads),
        settings=chosen,
        clock=clock,
        uploads=str(uploads),
        locks=tuple(threading.Lock() for _ in range(_STRIPES)),
    )
