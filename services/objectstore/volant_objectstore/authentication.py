"""Who sends a request, by AWS signature version 4 in the Authorization header or in the query."""

import dataclasses
import datetime
import hmac
import re
from collections.abc import Mapping

from volant_core import clock as clocks
from volant_core.blobstore import signing
from volant_objectstore import refusals, wire

_CREDENTIAL = re.compile(r"^(?P<key>.+)/(?P<date>\d{8})/(?P<region>[A-Za-z0-9-]*)/s3/aws4_request$")
_HEADER = re.compile(
    r"^AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$"
)
_SKEW = datetime.timedelta(minutes=15)
_LONGEST = int(signing.LONGEST.total_seconds())


@dataclasses.dataclass(frozen=True, slots=True)
class Authenticated:
    """A request whose signature is right; what a signed body goes on from."""

    payload: str
    """The hash of the body in hex, or one of the names for a body that is signed otherwise or not at all."""
    timestamp: str
    scope: str
    key: bytes = dataclasses.field(repr=False)
    signature: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Claim:
    credential: str
    signed_headers: str
    signature: str
    timestamp: str
    payload: str
    query: Mapping[str, str]


class Authenticator:
    """Checks signatures against the one account."""

    def __init__(self, access_key: str, secret_key: str, clock: clocks.Clock) -> None:
        """Accept this pair of keys."""
        self._access_key = access_key
        self._secret_key = secret_key
        self._clock = clock
        self._keys: dict[tuple[str, str], bytes] = {}

    def check(self, request: wire.Request) -> Authenticated:
        """Refuse the request unless it is signed rightly."""
        if "X-Amz-Signature" in request.query or "X-Amz-Algorithm" in request.query:
            claim = self._presigned(request)
        elif "Authorization" in request.headers:
            claim = self._signed(request)
        else:
            raise refusals.RefusalError("AccessDenied", "Anonymous access is not allowed; sign the request.")
        return self._verify(request, claim)

    def _signed(self, request: wire.Request) -> _Claim:
        found = _HEADER.match(request.headers["Authorization"].strip())
        if found is None:
            raise refusals.RefusalError(
                "AuthorizationHeaderMalformed", "The Authorization header is not one of AWS signature version 4."
            )
        timestamp = request.headers.get("X-Amz-Date", "")
        moment = _moment(timestamp)
        if moment is None:
            raise refusals.RefusalError("AccessDenied", "A signed request needs a valid x-amz-date header.")
        if abs(self._clock.now() - moment) > _SKEW:
            raise refusals.RefusalError(
                "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
            )
        payload = request.headers.get("X-Amz-Content-SHA256", "")
        if not payload:
            raise refusals.RefusalError("InvalidRequest", "A signed request needs the header x-amz-content-sha256.")
        return _Claim(found[1], found[2], found[3], timestamp, payload, request.query)

    def _presigned(self, request: wire.Request) -> _Claim:
        query = dict(request.query)
        timestamp, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        moment = _moment(timestamp)
        wrong = "AuthorizationQueryParametersError"
        if query.get("X-Amz-Algorithm") != signing.ALGORITHM or moment is None:
            raise refusals.RefusalError(wrong, "The query is not signed by AWS signature version 4.")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 8 and 0 < int(expires) <= _LONGEST):
            raise refusals.RefusalError(wrong, f"X-Amz-Expires must be between 1 and {_LONGEST} seconds.")
        now = self._clock.now()
        if moment > now + _SKEW:
            raise refusals.RefusalError("AccessDenied", "Request is not valid yet.")
        if now > moment + datetime.timedelta(seconds=int(expires)):
            raise refusals.RefusalError("AccessDenied", "Request has expired.")
        signature = query.pop("X-Amz-Signature", "")
        payload = query.get("X-Amz-Content-Sha256") or signing.UNSIGNED_PAYLOAD
        return _Claim(
            query.get("X-Amz-Credential", ""),
            query.get("X-Amz-SignedHeaders", ""),
            signature,
            timestamp,
            payload,
            query,
        )

    def _verify(self, request: wire.Request, claim: _Claim) -> Authenticated:
        credential = _CREDENTIAL.match(claim.credential)
        if credential is None or credential["date"] != claim.timestamp[:8]:
            raise refusals.RefusalError(
                "AuthorizationHeaderMalformed", "The credential must read <key>/<date>/<region>/s3/aws4_request."
            )
        if not hmac.compare_digest(credential["key"].encode(errors="replace"), self._access_key.encode()):
            raise refusals.RefusalError(
                "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
            )
        names = claim.signed_headers.split(";")
        _refuse_unsigned(request, names)
        headers = [(name, ",".join(request.http.headers.getall(name, []))) for name in names]
        scope = claim.credential.removeprefix(f"{credential['key']}/")
        key = self._key(credential["date"], credential["region"])
        text = signing.canonical_request(
            request.method,
            signing.quote(request.path, safe="/"),
            signing.canonical_query(claim.query.items()),
            headers,
            claim.payload,
        )
        expected = signing.signature(key, signing.string_to_sign(claim.timestamp, scope, text))
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise refusals.RefusalError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and"
                " signing method.",
            )
        return Authenticated(claim.payload, claim.timestamp, scope, key, expected)

    def _key(self, date: str, region: str) -> bytes:
        key = self._keys.get((date, region))
        if key is None:
            if len(self._keys) > 100:
                self._keys.clear()
            key = self._keys[date, region] = signing.signing_key(self._secret_key, date, region)
        return key


def _refuse_unsigned(request: wire.Request, names: list[str]) -> None:
    """A URL for one PUT must not become one for a copy by a header that was added to it."""
    if "host" not in names:
        raise refusals.RefusalError("AccessDenied", "The Host header must be signed.")
    for name in request.headers:
        lower = name.lower()
        if lower.startswith("x-amz-") and lower not in names and lower != "x-amz-content-sha256":
            raise refusals.RefusalError("AccessDenied", f"There was a header that was not signed: {lower}.")


def _moment(timestamp: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
