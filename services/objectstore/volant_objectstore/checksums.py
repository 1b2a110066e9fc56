"""The checksums that a client may send with a body, in a header or after the last chunk."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from volant_objectstore import refusals

PREFIX = "x-amz-checksum-"
SLOW_LIMIT = 8 << 20
"""Bytes up to which a CRC that Python has no fast code for is checked (in 1 s); a longer body is taken as it is."""


class Digest(Protocol):
    """What takes bytes and gives a digest."""

    def update(self, data: bytes, /) -> None:
        """Take more."""
        ...

    def digest(self) -> bytes:
        """The digest of all."""
        ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _table(polynomial: int) -> list[int]:
    table = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


class _SlowCrc:
    """A reflected CRC whose start and end are all ones."""

    def __init__(self, table: list[int], width: int) -> None:
        self._table = table
        self._width = width
        self._ones = (1 << 8 * width) - 1
        self._value = self._ones
        self._seen = 0

    def update(self, data: bytes, /) -> None:
        self._seen += len(data)
        if self._seen > SLOW_LIMIT:
            return
        table, value = self._table, self._value
        for byte in data:
            value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
        self._value = value

    def digest(self) -> bytes:
        if self._seen > SLOW_LIMIT:
            return b""
        return (self._value ^ self._ones).to_bytes(self._width, "big")


_CRC32C = _table(0x82F63B78)
_CRC64NVME = _table(0x9A6C9329AC4BC9B5)

ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "crc32": _Crc32,
    "crc32c": lambda: _SlowCrc(_CRC32C, 4),
    "crc64nvme": lambda: _SlowCrc(_CRC64NVME, 8),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}


class Checks:
    """The digests of one body that are compared with what the client says."""

    def __init__(self, headers: Mapping[str, str], trailers: str) -> None:
        """Take what is in the request's headers; `trailers`: names of fields that come after the body."""
        self._digests: dict[str, Digest] = {}
        self._told: dict[str, str] = {}
        for name, value in headers.items():
            lower = name.lower()
            if lower.startswith(PREFIX) and lower.removeprefix(PREFIX) in ALGORITHMS:
                self._expect(lower, value)
        for name in trailers.lower().split(","):
            if name.strip().startswith(PREFIX):
                self._expect(name.strip(), None)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._md5_told = _decoded(headers["Content-MD5"], 16) if headers.get("Content-MD5") else None

    def _expect(self, name: str, value: str | None) -> None:
        algorithm = ALGORITHMS.get(name.removeprefix(PREFIX))
        if algorithm is None:
            raise refusals.RefusalError("InvalidRequest", f"The checksum {name} is not known here.")
        self._digests[name] = algorithm()
        if value is not None:
            self._told[name] = value

    def update(self, data: bytes) -> None:
        """Take more of the body."""
        self._md5.update(data)
        for digest in self._digests.values():
            digest.update(data)

    def finish(self, trailers: Mapping[str, str]) -> dict[str, str]:
        """Compare. The checksums, as headers for the answer."""
        told = self._told | {name: value for name, value in trailers.items() if name in self._digests}
        if self._md5_told is not None and self._md5_told != self._md5.digest():
            raise refusals.RefusalError("BadDigest", "The Content-MD5 you specified did not match what we received.")
        answer = {}
        for name, digest in self._digests.items():
            value = base64.b64encode(digest.digest()).decode()
            if name not in told:
                raise refusals.RefusalError("InvalidRequest", f"The trailer {name} was announced and did not come.")
            if value and told[name] != value:
                raise refusals.RefusalError(
                    "XAmzContentChecksumMismatch", f"The {name} you specified did not match what we received."
                )
            answer[name] = told[name]
        return answer

    def md5(self) -> str:
        """The MD5 in hex."""
        return self._md5.hexdigest()


def _decoded(text: str, size: int) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise refusals.RefusalError("InvalidDigest", "The Content-MD5 you specified is not valid.") from error
    if len(value) != size:
        raise refusals.RefusalError("InvalidDigest", "The Content-MD5 you specified is not valid.")
    return value
