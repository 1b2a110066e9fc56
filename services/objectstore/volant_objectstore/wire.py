"""A request as S3 sees it: bucket, key and query, taken from what stood on the wire."""

import dataclasses
import urllib.parse
from collections.abc import Mapping

import aiohttp.web

from volant_objectstore import refusals


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    http: aiohttp.web.Request
    method: str
    path: str
    """Decoded, from the leading slash on. Never normalized: keys may hold "..", and signatures cover what was sent."""
    query: Mapping[str, str]
    bucket: str
    key: str
    request_id: str

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, without regard to case."""
        return self.http.headers

    def number(self, name: str, default: int, largest: int) -> int:
        """A number of the query."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise refusals.RefusalError("InvalidArgument", f"{name} must be a number from 0 to {largest}.")
        return min(int(text), largest)


def of(http: aiohttp.web.Request, request_id: str) -> Request:
    """Take a request apart."""
    target, _, query = http.raw_path.partition("?")
    if not target.startswith("/"):
        raise refusals.RefusalError("InvalidURI", "The request's path must start with a slash.")
    try:
        path = urllib.parse.unquote(target, errors="strict")
        pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100))
    except (UnicodeDecodeError, ValueError) as error:
        raise refusals.RefusalError("InvalidURI", "The request's URI can't be read: not UTF-8, or too long.") from error
    bucket, _, key = path[1:].partition("/")
    return Request(http, http.method, path, pairs, bucket, key, request_id)
