"""What the port's `sign_put` and `sign_get` are for every adapter."""

import base64
import datetime
from collections.abc import Mapping

from volant_core import errors
from volant_core.blobstore import signing, uris


class Signs:
    """The signing half of an adapter."""

    def __init__(self, presigner: signing.Presigner | None) -> None:
        """Sign with `presigner`; None: signing is refused."""
        self._presigner = presigner

    def sign_put(
        self,
        uri: str,
        expires: datetime.timedelta,
        *,
        content_md5: bytes | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> tuple[str, dict[str, str]]:
        """A URL that allows one PUT for a while, and the headers that must be sent with it (they are signed)."""
        bucket, key = uris.split(uri)
        headers = {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        if content_md5 is not None:
            headers["Content-MD5"] = base64.b64encode(content_md5).decode()
        return self._needed().sign("PUT", bucket, key, expires, headers), headers

    def sign_get(self, uri: str, expires: datetime.timedelta) -> str:
        """A URL that allows a GET for a while."""
        bucket, key = uris.split(uri)
        return self._needed().sign("GET", bucket, key, expires)

    def _needed(self) -> signing.Presigner:
        if self._presigner is None:
            raise errors.FailedPreconditionError("this store has no public S3 endpoint to sign URLs for")
        return self._presigner
