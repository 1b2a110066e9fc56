"""Where an object lies in the folder: the one mapping between keys and file names. Standard library only.

Object `s3://bucket/a/b/c.pb` is the file `<root>/<bucket>/a~/b~/c.pb`. A key is split at "/"; in each segment "%"
becomes "%25" and "~" becomes "%7E"; the segments "", "." and ".." get a "%" in front; every segment but the last gets
"~" appended and is a folder, the last is the file. So `x` and `x/y` can both exist, no key leaves the bucket's
folder, and a name with "~" in it is never an object: `<name>~m` holds its attributes, `<name>~t<random>` is a write
under way.

Programs that must not import this package (the zygote, the SDK) repeat these few lines; `tests/blobstore/layout.json`
holds the vectors that all of them are tested with.
"""

import re

KEY_LIMIT = 1024
"""Longest key, bytes of UTF-8."""
SEGMENT_LIMIT = 200
"""Longest escaped segment, bytes of UTF-8: leaves room for "~t" and a random part within a file name's 255."""
SIDECAR = "~m"
DRAFT = "~t"

_BUCKET = re.compile(r"^[a-z0-9](?:[a-z0-9]|[.-](?=[a-z0-9])){1,61}[a-z0-9]$")
_PLAIN = re.compile(r"[A-Za-z0-9_\-]+(?:[./][A-Za-z0-9_\-]+)*")


class InvalidKeyError(ValueError):
    """A bucket or key that cannot be stored."""


class KeyTooLongError(InvalidKeyError):
    """A key, or one of its segments, is longer than the store can keep."""


def check_bucket(bucket: str) -> None:
    """Refuse what is not a bucket name by S3's rules (3 to 63 of a-z, 0-9, dot and dash)."""
    if not _BUCKET.fullmatch(bucket):
        raise InvalidKeyError(
            f"not a bucket name: {bucket[:80]!r} (3 to 63 lower-case letters, digits, dots and dashes)"
        )


def escape(segment: str) -> str:
    """One segment of a key as (the stem of) a file name."""
    if segment in ("", ".", ".."):
        return "%" + segment
    return segment.replace("%", "%25").replace("~", "%7E")


def unescape(name: str) -> str:
    """The segment that `escape` made `name` of."""
    if name.startswith("%") and name[1:] in ("", ".", ".."):
        return name[1:]
    return name.replace("%7E", "~").replace("%25", "%")


def path_of(key: str) -> str:
    """The path of a key's file, relative to its bucket's folder. `InvalidKeyError` when it cannot be stored."""
    if len(key) <= SEGMENT_LIMIT and _PLAIN.fullmatch(key):  # most keys: nothing to escape, nothing too long
        return key.replace("/", "~/")
    if not key:
        raise InvalidKeyError("an object's key is empty")
    if "\x00" in key:
        raise InvalidKeyError("an object's key holds a NUL character")
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidKeyError("an object's key is not valid Unicode") from error
    if size > KEY_LIMIT:
        raise KeyTooLongError(f"an object's key is too long: {size} bytes; the limit is {KEY_LIMIT}")
    names = [escape(segment) for segment in key.split("/")]
    longest = max(len(name.encode()) for name in names)
    if longest > SEGMENT_LIMIT:
        raise KeyTooLongError(
            f"a part of a key is too long: {longest} bytes; the limit between two '/' is {SEGMENT_LIMIT}"
        )
    return "~/".join(names)


def key_of(path: str) -> str:
    """The key of a file's path relative to its bucket's folder: the inverse of `path_of`."""
    *folders, name = path.split("/")
    return "/".join([*(unescape(folder.removesuffix("~")) for folder in folders), unescape(name)])
