"""Buckets: create, list, delete; and what is in one."""

import base64
import binascii
import dataclasses
import itertools
import os
import pathlib
import shutil
import urllib.parse
from collections.abc import Iterator

import aiohttp.web

from volant_core.blobstore import files
from volant_objectstore import authentication, documents, intake, objects, refusals, wire
from volant_objectstore.documents import Element
from volant_objectstore.store import Store

_PAGE = 1000
_OWNER = [Element("ID", "volant"), Element("DisplayName", "volant")]


async def list_all(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """The buckets."""
    del request, who

    def work() -> list[Element]:
        rows = []
        for entry in sorted(os.scandir(store.files.root), key=lambda entry: entry.name):
            if entry.is_dir() and not entry.name.startswith("."):
                moment = objects.iso(objects.moment_of(entry.stat().st_mtime_ns))
                rows.append(Element("Bucket", [Element("Name", entry.name), Element("CreationDate", moment)]))
        return rows

    rows = await store.threads.long(work)
    return objects.xml(documents.render("ListAllMyBucketsResult", [Element("Owner", _OWNER), Element("Buckets", rows)]))


async def create(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """PUT of a bucket."""
    await intake.document(request, who, store.settings.document_limit)
    path = pathlib.Path(store.bucket_path(request.bucket))

    def work() -> None:
        try:
            path.mkdir()
        except FileExistsError as error:
            raise refusals.RefusalError(
                "BucketAlreadyOwnedByYou", "Your previous request to create the bucket succeeded and you own it."
            ) from error

    await store.threads.long(work)
    return aiohttp.web.Response(headers={"Location": f"/{request.bucket}"})


async def head(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """Whether a bucket is there."""
    del who
    await store.threads.quick(lambda: store.need_bucket(request.bucket))
    return aiohttp.web.Response(headers={"X-Amz-Bucket-Region": store.settings.region})


async def delete(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """Remove an empty bucket."""
    del who

    def work() -> None:
        path = store.need_bucket(request.bucket)
        if next(store.files.walk(request.bucket), None) is not None:
            raise refusals.RefusalError("BucketNotEmpty", "The bucket you tried to delete is not empty.")
        shutil.rmtree(path)

    await store.threads.long(work)
    return aiohttp.web.Response(status=204)


async def location(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """GetBucketLocation."""
    del who
    await store.threads.quick(lambda: store.need_bucket(request.bucket))
    region = "" if store.settings.region == "us-east-1" else store.settings.region
    body = documents.render("LocationConstraint", []).replace(b"></", b">" + region.encode() + b"</")
    return objects.xml(body)


async def versioning(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """GetBucketVersioning: never enabled."""
    del who
    await store.threads.quick(lambda: store.need_bucket(request.bucket))
    return objects.xml(documents.render("VersioningConfiguration", []))


@dataclasses.dataclass(slots=True)
class _Page:
    contents: list[tuple[str, files.Found, str]] = dataclasses.field(default_factory=list)
    prefixes: list[str] = dataclasses.field(default_factory=list)
    last: str = ""
    truncated: bool = False

    def count(self) -> int:
        return len(self.contents) + len(self.prefixes)


def _rows(store: Store, bucket: str, prefix: str, after: str, delimiter: str) -> Iterator[tuple[str, bool]]:
    """Keys, and common prefixes (marked), each once, in order, all greater than `after`."""
    if delimiter in ("", "/"):
        for key, entry in store.files.walk(bucket, prefix, after, delimiter):
            yield key, entry is None
        return
    previous = ""
    for key, _ in store.files.walk(bucket, prefix, after):
        head, found, _ = key[len(prefix) :].partition(delimiter)
        if not found:
            yield key, False
        elif (common := prefix + head + delimiter) != previous and common > after:
            previous = common
            yield common, True


def _page(store: Store, bucket: str, prefix: str, after: str, delimiter: str, limit: int) -> _Page:
    store.need_bucket(bucket)
    page = _Page()
    if limit == 0:
        return page
    rows = _rows(store, bucket, prefix, after, delimiter)
    for key, is_prefix in itertools.islice(rows, limit + 1):
        if page.count() == limit:
            page.truncated = True
            break
        page.last = key
        if is_prefix:
            page.prefixes.append(key)
            continue
        found = store.files.find(bucket, key)
        if found is None:  # deleted meanwhile
            continue
        try:
            page.contents.append((key, found, files.etag_of(found)))
        except FileNotFoundError:
            continue
    return page


def _render(request: wire.Request, page: _Page, head: list[Element]) -> aiohttp.web.StreamResponse:
    encode = request.query.get("encoding-type") == "url"
    owner = request.query.get("fetch-owner") == "true" or request.query.get("list-type") != "2"

    def name(text: str) -> str:
        return urllib.parse.quote(text, safe="/-._~") if encode else text

    rows = [Element("Name", request.bucket), Element("Prefix", name(request.query.get("prefix", "")))]
    if delimiter := request.query.get("delimiter", ""):
        rows.append(Element("Delimiter", name(delimiter)))
    if encode:
        rows.append(Element("EncodingType", "url"))
    rows += [Element(row.name, name(row.content)) if isinstance(row.content, str) else row for row in head]
    rows.append(Element("IsTruncated", page.truncated))
    for key, found, etag in page.contents:
        fields = [
            Element("Key", name(key)),
            Element("LastModified", objects.iso(objects.modified(found))),
            Element("ETag", f'"{etag}"'),
            Element("Size", found.size),
            Element("StorageClass", "STANDARD"),
        ]
        rows.append(Element("Contents", [*fields, Element("Owner", _OWNER)] if owner else fields))
    rows += [Element("CommonPrefixes", [Element("Prefix", name(prefix))]) for prefix in page.prefixes]
    return objects.xml(documents.render("ListBucketResult", rows))


async def list_v2(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """ListObjectsV2."""
    del who
    query = request.query
    limit = request.number("max-keys", _PAGE, _PAGE)
    token = query.get("continuation-token", "")
    after = _of_token(token) if token else query.get("start-after", "")
    page = await store.threads.long(
        lambda: _page(store, request.bucket, query.get("prefix", ""), after, query.get("delimiter", ""), limit)
    )
    head = [Element("MaxKeys", limit), Element("KeyCount", page.count())]
    if token:
        head.append(Element("ContinuationToken", token))
    if "start-after" in query:
        head.append(Element("StartAfter", query["start-after"]))
    if page.truncated:
        head.append(Element("NextContinuationToken", _token(page.last)))
    return _render(request, page, head)


async def list_v1(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """ListObjects."""
    del who
    query = request.query
    limit = request.number("max-keys", _PAGE, _PAGE)
    marker = query.get("marker", "")
    page = await store.threads.long(
        lambda: _page(store, request.bucket, query.get("prefix", ""), marker, query.get("delimiter", ""), limit)
    )
    head = [Element("MaxKeys", limit), Element("Marker", marker)]
    if page.truncated:
        head.append(Element("NextMarker", page.last))
    return _render(request, page, head)


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _of_token(token: str) -> str:
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise refusals.RefusalError("InvalidArgument", "The continuation token provided is incorrect.") from error


async def delete_many(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """DeleteObjects."""
    root = documents.parse(await intake.document(request, who, store.settings.document_limit))
    keys = [documents.text_of(item, "Key") for item in root.iter("Object")]
    if root.tag != "Delete" or not keys or len(keys) > _PAGE:
        raise refusals.RefusalError("MalformedXML", f"The document must name 1 to {_PAGE} objects to delete.")
    quiet = documents.text_of(root, "Quiet").strip() == "true"

    def work() -> list[Element]:
        store.need_bucket(request.bucket)
        rows = []
        for key in keys:
            try:
                store.need_key(request.bucket, key)
                store.files.delete(request.bucket, key)
            except (refusals.RefusalError, OSError) as error:
                refusal = error if isinstance(error, refusals.RefusalError) else refusals.of_os_error(error)
                told = [Element("Key", key), Element("Code", refusal.code), Element("Message", refusal.message)]
                rows.append(Element("Error", told))
            else:
                if not quiet:
                    rows.append(Element("Deleted", [Element("Key", key)]))
        return rows

    return objects.xml(documents.render("DeleteResult", await store.threads.long(work)))
