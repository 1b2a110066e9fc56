"""What a request's body is once its framing is taken off: plain, or in S3's own chunks, signed or not."""

import hashlib
from collections.abc import Mapping
from typing import Protocol

from volant_core.blobstore import signing
from volant_objectstore import authentication, refusals

_LINE_LIMIT = 8192
_EMPTY = hashlib.sha256(b"").hexdigest()
_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CHUNKED = frozenset({_SIGNED, _SIGNED_TRAILER, _UNSIGNED_TRAILER})


class Decoder(Protocol):
    """Takes a body as it comes."""

    def feed(self, data: bytes) -> bytes:
        """The content in `data`."""
        ...

    def finish(self) -> Mapping[str, str]:
        """Check that the body is whole. Fields that came after it, names in lower case."""
        ...


class PlainBody:
    """A body without framing, whose hash may be signed."""

    def __init__(self, payload: str) -> None:
        """Expect the hash `payload`, or anything for UNSIGNED-PAYLOAD."""
        self._expected = None if payload == signing.UNSIGNED_PAYLOAD else payload
        self._hash = hashlib.sha256()

    def feed(self, data: bytes) -> bytes:
        """The content in `data`."""
        if self._expected is not None:
            self._hash.update(data)
        return data

    def finish(self) -> Mapping[str, str]:
        """Check the hash."""
        if self._expected is not None and self._hash.hexdigest() != self._expected:
            raise refusals.RefusalError(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        return {}


class ChunkedBody:
    """`aws-chunked`: chunks each signed on from the one before, or unsigned ones with a checksum after the last."""

    def __init__(self, who: authentication.Authenticated, length: int) -> None:
        """Decode a body of `length` bytes of content, sent by `who`."""
        self._who = who
        self._signed = who.payload != _UNSIGNED_TRAILER
        self._trailer_signed = who.payload == _SIGNED_TRAILER
        self._previous = who.signature
        self._length = length
        self._seen = 0
        self._buffer = bytearray()
        self._left = 0
        self._hash = hashlib.sha256()
        self._told = ""
        self._state = "head"
        self._trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> bytes:
        """The content in `data`."""
        self._buffer += data
        content: list[bytes] = []
        while self._step(content):
            pass
        return b"".join(content)

    def finish(self) -> Mapping[str, str]:
        """Check that the last chunk came."""
        if self._state == "trailers" and not self._buffer and not self._trailer_signed:
            self._state = "end"  # some senders leave the last empty line out
        if self._state != "end" or self._seen != self._length:
            raise refusals.RefusalError("IncompleteBody", "The body has not the number of bytes that were announced.")
        return self._trailers

    def _step(self, content: list[bytes]) -> bool:
        """Go on by one piece; whether there was one."""
        if self._state == "data":
            return self._data(content)
        if self._state == "end":
            if self._buffer:
                raise _malformed("it goes on after its end")
            return False
        line = self._line()
        if line is None:
            return False
        if self._state == "head":
            self._head(line)
        elif self._state == "gap":
            if line:
                raise _malformed("a chunk is longer than its size")
            self._state = "head"
        else:
            self._trailer(line)
        return True

    def _line(self) -> str | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LINE_LIMIT:
                raise _malformed("a line is too long")
            return None
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line.decode("latin-1")

    def _head(self, line: str) -> None:
        size, _, extension = line.partition(";")
        try:
            self._left = int(size, 16)
        except ValueError as error:
            raise _malformed("a chunk's size is not a number") from error
        if self._left < 0 or self._seen + self._left > self._length:
            raise refusals.RefusalError("IncompleteBody", "The body has more bytes than were announced.")
        self._hash = hashlib.sha256()
        self._told = extension.partition("chunk-signature=")[2].strip()
        if self._left:
            self._state = "data"
        else:
            self._verify_chunk()
            self._state = "trailers"

    def _data(self, content: list[bytes]) -> bool:
        if not self._buffer:
            return False
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        self._seen += len(piece)
        if self._signed:
            self._hash.update(piece)
        content.append(piece)
        if not self._left:
            self._verify_chunk()
            self._state = "gap"
        return True

    def _verify_chunk(self) -> None:
        if self._signed:
            self._verify("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{self._hash.hexdigest()}", self._told)

    def _trailer(self, line: str) -> None:
        if line:
            name, _, value = line.partition(":")
            if len(self._trailers) > 20:
                raise _malformed("it has too many trailers")
            self._trailers[name.strip().lower()] = value.strip()
            return
        if self._trailer_signed:
            told = self._trailers.pop("x-amz-trailer-signature", "")
            text = "".join(f"{name}:{value}\n" for name, value in sorted(self._trailers.items()))
            self._verify("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(text.encode()).hexdigest(), told)
        self._state = "end"

    def _verify(self, algorithm: str, hashes: str, told: str) -> None:
        text = f"{algorithm}\n{self._who.timestamp}\n{self._who.scope}\n{self._previous}\n{hashes}"
        self._previous = signing.signature(self._who.key, text)
        if self._previous != told:
            raise refusals.RefusalError("SignatureDoesNotMatch", "The signature of a chunk of the body is wrong.")


def _malformed(why: str) -> refusals.RefusalError:
    return refusals.RefusalError("InvalidRequest", f"The body is not one of aws-chunked encoding: {why}.")


def decoder(who: authentication.Authenticated, headers: Mapping[str, str]) -> Decoder:
    """The decoder that the request's headers ask for."""
    if who.payload not in CHUNKED:
        return PlainBody(who.payload)
    length = headers.get("X-Amz-Decoded-Content-Length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 17):
        raise refusals.RefusalError("MissingContentLength", "A body in chunks needs x-amz-decoded-content-length.")
    return ChunkedBody(who, int(length))
