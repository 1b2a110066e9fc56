"""One object: get, head, put, delete, copy."""

import dataclasses
import datetime
import email.utils
import os
import urllib.parse
from collections.abc import Mapping

import aiohttp.web

from volant_core.blobstore import files
from volant_objectstore import authentication, conditions, documents, intake, refusals, wire
from volant_objectstore.store import Store

_META = "x-amz-meta-"
_KEPT = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")
_METADATA_LIMIT = 8192
_OVERRIDES = {f"response-{name.lower()}": name for name in (*_KEPT, "Content-Type")}
_COPY_SOURCE = "X-Amz-Copy-Source"


def moment_of(nanoseconds: int) -> datetime.datetime:
    """A file's time."""
    return datetime.datetime.fromtimestamp(nanoseconds / 1e9, datetime.UTC)


def modified(found: files.Found) -> datetime.datetime:
    """When the content was written."""
    return moment_of(found.modified_ns)


def iso(moment: datetime.datetime) -> str:
    """A moment as S3's documents have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def attributes_of(headers: Mapping[str, str]) -> files.Attributes:
    """What a request says of the object that it stores."""
    metadata = {name.lower()[len(_META) :]: value for name, value in headers.items() if name.lower().startswith(_META)}
    kept = {name: headers[name] for name in _KEPT if name in headers}
    if encoding := kept.pop("Content-Encoding", ""):
        codings = [coding.strip() for coding in encoding.split(",") if coding.strip() != "aws-chunked"]
        if codings:
            kept["Content-Encoding"] = ",".join(codings)
    content_type = headers.get("Content-Type") or files.DEFAULT_CONTENT_TYPE
    texts = [content_type, *metadata, *metadata.values(), *kept.values()]
    if sum(len(text) for text in texts) > _METADATA_LIMIT:
        raise refusals.RefusalError("MetadataTooLarge", f"Your metadata headers exceed {_METADATA_LIMIT} bytes.")
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        raise refusals.RefusalError("InvalidArgument", "A metadata header is not UTF-8.")
    return files.Attributes(content_type=content_type, metadata=metadata, headers=kept)


def headers_of(found: files.Found, etag: str) -> dict[str, str]:
    """The headers that describe an object."""
    return {
        "ETag": f'"{etag}"',
        "Last-Modified": email.utils.format_datetime(modified(found), usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": found.attributes.content_type,
        **found.attributes.headers,
        **{_META + name: value for name, value in found.attributes.metadata.items()},
    }


async def read(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """GET and HEAD."""
    del who
    store.need_key(request.bucket, request.key)

    def start() -> tuple[int, files.Found, str, bytes | None]:
        try:
            handle, found = store.files.open(request.bucket, request.key)
        except FileNotFoundError:
            store.need_bucket(request.bucket)
            raise
        try:
            etag = files.etag_of(found)
            small = request.method == "GET" and found.size <= intake.SMALL
            data = _read_exactly(handle, found.size) if small else None
        except BaseException:
            os.close(handle)
            raise
        if small or request.method == "HEAD":
            os.close(handle)
            handle = -1
        return handle, found, etag, data

    handle, found, etag, data = await store.threads.quick(start)
    try:
        conditions.check_read(request.headers, etag, modified(found))
        headers = headers_of(found, etag) | {
            name: request.query[key] for key, name in _OVERRIDES.items() if key in request.query
        }
        part = conditions.byte_range(request.headers.get("Range", ""), found.size)
        first, length = part or (0, found.size)
        if part is not None:
            headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{found.size}"
        status = 206 if part is not None else 200
        if data is not None:
            return aiohttp.web.Response(status=status, headers=headers, body=data[first : first + length])
        headers["Content-Length"] = str(length)
        if handle < 0:
            return aiohttp.web.Response(status=status, headers=headers)
        return await _stream(
            store, request, handle, (first, length), aiohttp.web.StreamResponse(status=status, headers=headers)
        )
    finally:
        if handle >= 0:
            await store.threads.quick(lambda: os.close(handle))


async def _stream(
    store: Store, request: wire.Request, handle: int, part: tuple[int, int], response: aiohttp.web.StreamResponse
) -> aiohttp.web.StreamResponse:
    await response.prepare(request.http)
    offset, left = part
    while left > 0:
        data = await store.threads.long(lambda: os.pread(handle, min(left, intake.BLOCK), offset))  # noqa: B023
        if not data:  # only if somebody cut the file short in place
            break
        await response.write(data)
        offset += len(data)
        left -= len(data)
    await response.write_eof()
    return response


def _read_exactly(handle: int, size: int) -> bytes:
    return os.pread(handle, size, 0)


async def write(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """PUT."""
    if _COPY_SOURCE in request.headers:
        return await copy(store, request, who)
    store.need_key(request.bucket, request.key)
    attributes = attributes_of(request.headers)

    def place(body: intake.Intake, checks: dict[str, str]) -> dict[str, str]:
        store.need_bucket(request.bucket)
        digest = body.md5()
        kept = attributes
        if body.size > files.DIGEST_LIMIT:
            kept = dataclasses.replace(attributes, etag=digest)
        with store.lock(request.bucket, request.key):
            check_before_write(store, request)
            try:
                store.files.place(
                    body.draft, request.bucket, request.key, kept, exclusive=request.headers.get("If-None-Match") == "*"
                )
            except FileExistsError:
                conditions.check_write(request.headers, "*")
                raise
        return intake.answer_headers(checks, digest)

    return aiohttp.web.Response(headers=await store.intakes.receive(request, who, place))


def check_before_write(store: Store, request: wire.Request) -> None:
    """Refuse a conditional write whose condition does not hold. In a thread, under the object's lock."""
    if "If-Match" in request.headers or "If-None-Match" in request.headers:
        there = store.files.find(request.bucket, request.key)
        conditions.check_write(request.headers, None if there is None else files.etag_of(there))


async def delete(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """DELETE."""
    del who
    store.need_key(request.bucket, request.key)

    def work() -> None:
        store.need_bucket(request.bucket)
        with store.lock(request.bucket, request.key):
            if "If-Match" in request.headers:
                check_before_write(store, request)
            store.files.delete(request.bucket, request.key)

    await store.threads.long(work)
    return aiohttp.web.Response(status=204)


def copy_source(store: Store, request: wire.Request) -> tuple[str, str]:
    """Bucket and key that a copy is to be made of."""
    text, _, _ = request.headers[_COPY_SOURCE].partition("?")
    try:
        bucket, _, key = urllib.parse.unquote(text, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError as error:
        raise refusals.RefusalError("InvalidArgument", "x-amz-copy-source is not UTF-8.") from error
    store.need_key(bucket, key)
    return bucket, key


def find_source(store: Store, request: wire.Request, source: tuple[str, str]) -> files.Found:
    """The object to copy, checked against the request's conditions. In a thread."""
    found = store.files.find(*source)
    if found is None:
        store.need_bucket(source[0])
        raise refusals.RefusalError("NoSuchKey", "The specified key does not exist.")
    conditions.check_read(request.headers, files.etag_of(found), modified(found), prefix="X-Amz-Copy-Source-")
    return found


async def copy(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """PUT with a source."""
    await intake.document(request, who, 0)
    target = (request.bucket, request.key)
    store.need_key(*target)
    source = copy_source(store, request)
    replace = request.headers.get("X-Amz-Metadata-Directive", "COPY").upper() == "REPLACE"
    attributes = attributes_of(request.headers) if replace else None
    if source == target and not replace:
        raise refusals.RefusalError(
            "InvalidRequest",
            "This copy is to itself without changing anything: x-amz-metadata-directive is not REPLACE.",
        )

    def work() -> files.Found:
        store.need_bucket(request.bucket)
        find_source(store, request, source)
        with store.lock(*target):
            check_before_write(store, request)
            return store.files.copy(source, target, attributes)

    found = await store.threads.long(work)
    etag = await store.threads.long(lambda: files.etag_of(found))
    rows = [documents.Element("LastModified", iso(modified(found))), documents.Element("ETag", f'"{etag}"')]
    return xml(documents.render("CopyObjectResult", rows))


def xml(body: bytes, status: int = 200) -> aiohttp.web.Response:
    """A document as an answer."""
    return aiohttp.web.Response(status=status, body=body, headers={"Content-Type": "application/xml"})
