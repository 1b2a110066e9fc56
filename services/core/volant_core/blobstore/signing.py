"""AWS signature version 4: the few lines that presigning and checking share, and the presigner."""

import dataclasses
import datetime
import hashlib
import hmac
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence

from volant_core import clock as clocks

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
LONGEST = datetime.timedelta(days=7)
"""Longest life that a presigned URL can have."""


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an S3 service answers, and as whom it is spoken to."""

    url: str
    """`http://host:port` or `https://host[:port]`, without a path."""
    access_key: str
    secret_key: str = dataclasses.field(repr=False)
    region: str = "us-east-1"
    """Given, never asked for."""


def quote(text: str, safe: str = "") -> str:
    """Percent-encode by the rules of the signature: everything but letters, digits and "-._~"."""
    return urllib.parse.quote(text, safe=safe + "-._~")


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """A query string as it is signed: encoded, then sorted."""
    return "&".join(f"{key}={value}" for key, value in sorted((quote(key), quote(value)) for key, value in pairs))


def canonical_request(method: str, path: str, query: str, headers: Sequence[tuple[str, str]], payload_hash: str) -> str:
    """The text whose hash is signed. `headers`: sorted, names in lower case."""
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in headers)
    names = ";".join(name for name, _ in headers)
    return f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload_hash}"


def string_to_sign(timestamp: str, scope: str, request: str) -> str:
    """The text that the signature is of."""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode(errors='surrogateescape')).hexdigest()}"


def signing_key(secret_key: str, date: str, region: str, service: str = "s3") -> bytes:
    """The key of one day, region and service."""
    key = b"AWS4" + secret_key.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(key: bytes, text: str) -> str:
    """The signature in hex."""
    return hmac.digest(key, text.encode(), "sha256").hex()


class Presigner:
    """Makes URLs that allow one kind of request for a while. Speaks to nobody."""

    def __init__(self, endpoint: Endpoint, clock: clocks.Clock) -> None:
        """Sign for `endpoint`, which must be the one that clients connect to."""
        self._endpoint = endpoint
        self._clock = clock
        self._base, self._host = _authority(endpoint.url)

    def sign(
        self,
        method: str,
        bucket: str,
        key: str,
        expires: datetime.timedelta,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """A path-style URL. `headers` must be sent with the request exactly as they stand here."""
        endpoint = self._endpoint
        stamp = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{endpoint.region}/s3/aws4_request"
        signed = sorted([("host", self._host), *((name.lower(), value) for name, value in (headers or {}).items())])
        path = quote(f"/{bucket}/{key}", safe="/")
        query = canonical_query(
            [
                ("X-Amz-Algorithm", ALGORITHM),
                ("X-Amz-Credential", f"{endpoint.access_key}/{scope}"),
                ("X-Amz-Date", stamp),
                ("X-Amz-Expires", str(max(1, int(min(expires, LONGEST).total_seconds())))),
                ("X-Amz-SignedHeaders", ";".join(name for name, _ in signed)),
            ]
        )
        request = canonical_request(method, path, query, signed, UNSIGNED_PAYLOAD)
        key_of_day = signing_key(endpoint.secret_key, stamp[:8], endpoint.region)
        return (
            f"{self._base}{path}?{query}&X-Amz-Signature={signature(key_of_day, string_to_sign(stamp, scope, request))}"
        )


def _authority(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"not an S3 endpoint: {url!r}; expected http(s)://host[:port]")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    if parts.port is not None and parts.port != default:  # clients leave the scheme's own port out of Host
        host = f"{host}:{parts.port}"
    return f"{parts.scheme}://{host}", host
