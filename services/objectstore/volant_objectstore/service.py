"""The HTTP application: which request goes where, and what every answer has."""

import asyncio
import contextlib
import dataclasses
import pathlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp.web
import structlog

from volant_core import clock as clocks
from volant_objectstore import authentication, buckets, documents, multipart, objects, refusals, wire
from volant_objectstore import store as stores
from volant_objectstore.settings import ObjectStoreSettings

_log = structlog.get_logger(__name__)
_Handler = Callable[[stores.Store, wire.Request, authentication.Authenticated], Awaitable[aiohttp.web.StreamResponse]]
_REQUEST_ID = "volant_request_id"
_METHODS = "GET, HEAD, PUT, POST, DELETE"

_OBJECT: dict[tuple[str, str], _Handler] = {
    ("GET", ""): objects.read,
    ("HEAD", ""): objects.read,
    ("PUT", ""): objects.write,
    ("DELETE", ""): objects.delete,
    ("POST", "uploads"): multipart.create,
    ("PUT", "uploadId"): multipart.upload_part,
    ("POST", "uploadId"): multipart.complete,
    ("DELETE", "uploadId"): multipart.abort,
    ("GET", "uploadId"): multipart.list_parts,
}
_BUCKET: dict[tuple[str, str], _Handler] = {
    ("GET", ""): buckets.list_v1,
    ("HEAD", ""): buckets.head,
    ("PUT", ""): buckets.create,
    ("DELETE", ""): buckets.delete,
    ("GET", "list-type"): buckets.list_v2,
    ("GET", "location"): buckets.location,
    ("GET", "versioning"): buckets.versioning,
    ("GET", "uploads"): multipart.list_uploads,
    ("POST", "delete"): buckets.delete_many,
}
_SUBRESOURCES = (
    "uploadId", "uploads", "delete", "location", "versioning", "list-type", "accelerate", "acl", "analytics",
    "attributes", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "logging",
    "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
    "replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent", "versions", "website",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectStore:
    """The running service."""

    app: aiohttp.web.Application


@contextlib.asynccontextmanager
async def open_objectstore(
    *, root: pathlib.Path, settings: ObjectStoreSettings, clock: clocks.Clock
) -> AsyncIterator[ObjectStore]:
    """Serve the folder `root`, which no other object store may serve at the same time (its adapter may write there).

    What to listen on is the caller's: `app` is an application of its own, answering every path.
    """
    store = await asyncio.to_thread(stores.prepare, root, settings, clock)
    authenticator = authentication.Authenticator(settings.access_key, settings.secret_key, clock)

    async def handle(http: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        return await _answer(store, authenticator, http)

    async def decorate(http: aiohttp.web.Request, response: aiohttp.web.StreamResponse) -> None:
        response.headers["X-Amz-Request-Id"] = http[_REQUEST_ID]
        response.headers.update(_cross_origin(store, http))

    app = aiohttp.web.Application()
    app.on_response_prepare.append(decorate)
    app.router.add_route("*", "/{path:.*}", handle)
    try:
        yield ObjectStore(app)
    finally:
        store.threads.close()


async def _answer(
    store: stores.Store, authenticator: authentication.Authenticator, http: aiohttp.web.Request
) -> aiohttp.web.StreamResponse:
    http[_REQUEST_ID] = request_id = secrets.token_hex(8).upper()
    if http.method == "OPTIONS":
        return _preflight(store, http)
    try:
        request = wire.of(http, request_id)
        return await _handler(request)(store, request, authenticator.check(request))
    except refusals.NotModifiedError:
        return aiohttp.web.Response(status=304)
    except refusals.RefusalError as refusal:
        return _refused(http, refusal, request_id)
    except (ConnectionResetError, BrokenPipeError):  # the client went away
        raise
    except OSError as error:
        known = refusals.of_os_error(error)
        if known.status == 500:
            _log.exception("object store failed", path=http.raw_path.partition("?")[0], request_id=request_id)
        return _refused(http, known, request_id)
    except Exception:  # noqa: BLE001 - a client of S3 understands nothing but its documents
        _log.exception("object store failed", path=http.raw_path.partition("?")[0], request_id=request_id)
        return _refused(
            http, refusals.RefusalError("InternalError", "The object store failed; its log says how."), request_id
        )


def _handler(request: wire.Request) -> _Handler:
    if not request.bucket:
        if request.method in ("GET", "HEAD") and request.path == "/":
            return buckets.list_all
        raise refusals.RefusalError("MethodNotAllowed", "The specified method is not allowed against this resource.")
    routes = _OBJECT if request.key else _BUCKET
    subresource = next((name for name in _SUBRESOURCES if name in request.query), "")
    if subresource == "policy" and request.method == "GET":
        raise refusals.RefusalError("NoSuchBucketPolicy", "The bucket policy does not exist.")
    handler = routes.get((request.method, subresource))
    if handler is None:
        what = f"{request.method} of ?{subresource}" if subresource else f"The method {request.method}"
        raise refusals.RefusalError("NotImplemented", f"{what} is not offered by this object store.")
    return handler


def _refused(http: aiohttp.web.Request, refusal: refusals.RefusalError, request_id: str) -> aiohttp.web.Response:
    if http.method == "HEAD":
        return aiohttp.web.Response(status=refusal.status, headers={"X-Minio-Error-Code": refusal.code})
    resource = http.raw_path.partition("?")[0]
    return objects.xml(documents.error(refusal.code, refusal.message, resource, request_id), refusal.status)


def _cross_origin(store: stores.Store, http: aiohttp.web.Request) -> dict[str, str]:
    origin = http.headers.get("Origin", "")
    allowed = store.settings.origins
    if not origin or not ("*" in allowed or origin in allowed):
        return {}
    return {
        "Access-Control-Allow-Origin": "*" if "*" in allowed else origin,
        "Access-Control-Expose-Headers": "ETag, Content-Range, Content-Length, Last-Modified, X-Amz-Request-Id",
        "Vary": "Origin",
    }


def _preflight(store: stores.Store, http: aiohttp.web.Request) -> aiohttp.web.Response:
    if not _cross_origin(store, http):
        return aiohttp.web.Response(status=403)
    headers = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Max-Age": "3600"}
    if asked := http.headers.get("Access-Control-Request-Headers", ""):
        headers["Access-Control-Allow-Headers"] = asked
    return aiohttp.web.Response(status=204, headers=headers)
