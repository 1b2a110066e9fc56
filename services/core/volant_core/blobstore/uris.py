"""`s3://bucket/key` taken apart and put together."""

from volant_core import errors
from volant_core.blobstore import layout

SCHEME = "s3://"


def split(uri: str) -> tuple[str, str]:
    """Bucket and key. InvalidArgumentError when `uri` is not that of an object that could be stored."""
    if not uri.startswith(SCHEME):
        raise errors.InvalidArgumentError(f"not the URI of an object: {uri[:200]!r}; expected s3://bucket/key")
    bucket, _, key = uri[len(SCHEME) :].partition("/")
    try:
        layout.check_bucket(bucket)
        layout.path_of(key)
    except layout.InvalidKeyError as error:
        raise errors.InvalidArgumentError(f"{uri[:200]!r}: {error}") from error
    return bucket, key


def split_prefix(uri: str) -> tuple[str, str]:
    """Bucket and key prefix, which may be empty."""
    if not uri.startswith(SCHEME):
        raise errors.InvalidArgumentError(f"not a URI prefix: {uri[:200]!r}; expected s3://bucket/prefix")
    bucket, _, prefix = uri[len(SCHEME) :].partition("/")
    try:
        layout.check_bucket(bucket)
    except layout.InvalidKeyError as error:
        raise errors.InvalidArgumentError(f"{uri[:200]!r}: {error}") from error
    return bucket, prefix


def join(bucket: str, *parts: str) -> str:
    """`s3://bucket/part/part…`, the parts as they are, but for slashes at their ends."""
    return SCHEME + "/".join([bucket, *(part.strip("/") for part in parts if part.strip("/"))])
