"""Uploads in parts. Each has a folder: `upload.json`, and files `<number>-<md5>`; a part sent again replaces itself."""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
from typing import Any

import aiohttp.web

from volant_core.blobstore import files
from volant_objectstore import authentication, conditions, documents, intake, objects, refusals, wire
from volant_objectstore.documents import Element
from volant_objectstore.store import Store

_ID = re.compile(r"^[0-9a-f]{32}$")
_SMALLEST = 5 << 20
_MOST = 10_000
_PAGE = 1000
_ABOUT = "upload.json"


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    number: int
    md5: str
    path: str
    size: int
    modified_ns: int


def _folder(store: Store, request: wire.Request) -> str:
    """The folder of the upload that a request names. In a thread."""
    upload = request.query.get("uploadId", "")
    path = f"{store.uploads}/{upload}"
    about = _about(path) if _ID.match(upload) else None
    if about is None or (about["bucket"], about["key"]) != (request.bucket, request.key):
        raise refusals.RefusalError(
            "NoSuchUpload", "The specified upload does not exist: it may have been aborted or completed."
        )
    return path


def _about(path: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(pathlib.Path(path, _ABOUT).read_bytes())
    except FileNotFoundError:
        return None
    return document


def _parts(folder: str) -> dict[int, _Part]:
    found: dict[int, _Part] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            number, _, md5 = entry.name.partition("-")
            if not number.isdigit():
                continue
            status = entry.stat()
            part = _Part(int(number), md5, entry.path, status.st_size, status.st_mtime_ns)
            # Two, if a crash came between a part's second arrival and the removal of its first: the later counts.
            if part.number not in found or found[part.number].modified_ns < part.modified_ns:
                found[part.number] = part
    return dict(sorted(found.items()))


async def create(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """CreateMultipartUpload."""
    await intake.document(request, who, store.settings.document_limit)
    store.need_key(request.bucket, request.key)
    attributes = objects.attributes_of(request.headers)
    upload = secrets.token_hex(16)
    about = {
        "bucket": request.bucket,
        "key": request.key,
        "initiated": objects.iso(store.clock.now()),
        "content_type": attributes.content_type,
        "metadata": dict(attributes.metadata),
        "headers": dict(attributes.headers),
    }

    def work() -> None:
        store.need_bucket(request.bucket)
        folder = pathlib.Path(store.uploads, upload)
        folder.mkdir()
        draft = folder / f"{_ABOUT}.new"
        draft.write_text(json.dumps(about))
        draft.rename(folder / _ABOUT)

    await store.threads.long(work)
    rows = [Element("Bucket", request.bucket), Element("Key", request.key), Element("UploadId", upload)]
    return objects.xml(documents.render("InitiateMultipartUploadResult", rows))


def _keep(store: Store, request: wire.Request, number: int, draft: files.Draft, md5: str) -> _Part:
    """Make a draft a part. In a thread."""
    folder = _folder(store, request)
    path = f"{folder}/{number:05}-{md5}"
    if store.settings.fsync:
        os.fsync(draft.handle)
    status = os.fstat(draft.handle)
    with store.lock(request.bucket, request.key):
        before = _parts(folder).get(number)
        try:
            pathlib.Path(draft.path).rename(path)
        except FileNotFoundError as error:
            raise refusals.RefusalError("NoSuchUpload", "The upload was aborted meanwhile.") from error
        if before is not None and before.path != path:
            pathlib.Path(before.path).unlink(missing_ok=True)
    return _Part(number, md5, path, status.st_size, status.st_mtime_ns)


def _number(request: wire.Request) -> int:
    number = request.number("partNumber", 0, _MOST + 1)
    if not 1 <= number <= _MOST:
        raise refusals.RefusalError("InvalidArgument", f"Part number must be an integer between 1 and {_MOST}.")
    return number


async def upload_part(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """UploadPart and UploadPartCopy."""
    number = _number(request)
    if "X-Amz-Copy-Source" in request.headers:
        return await _copy_part(store, request, who, number)
    await store.threads.quick(lambda: _folder(store, request))

    def keep(body: intake.Intake, checks: dict[str, str]) -> dict[str, str]:
        _keep(store, request, number, body.draft, body.md5())
        return intake.answer_headers(checks, body.md5())

    return aiohttp.web.Response(headers=await store.intakes.receive(request, who, keep))


async def _copy_part(
    store: Store, request: wire.Request, who: authentication.Authenticated, number: int
) -> aiohttp.web.StreamResponse:
    await intake.document(request, who, 0)
    source = objects.copy_source(store, request)

    def work() -> _Part:
        found = objects.find_source(store, request, source)
        told = request.headers.get("X-Amz-Copy-Source-Range", "")
        part = conditions.byte_range(told, found.size) if told else (0, found.size)
        if part is None:
            raise refusals.RefusalError("InvalidArgument", "x-amz-copy-source-range must read bytes=first-last.")
        draft = store.intakes.draft()
        try:
            files.copy_content(found.path, draft.handle, *part)
            return _keep(store, request, number, draft, _md5_of(draft.path))
        finally:
            draft.discard()

    part = await store.threads.long(work)
    rows = [Element("LastModified", objects.iso(objects.moment_of(part.modified_ns))), Element("ETag", f'"{part.md5}"')]
    return objects.xml(documents.render("CopyPartResult", rows))


def _md5_of(path: str) -> str:
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _wanted(body: bytes) -> list[tuple[int, str]]:
    root = documents.parse(body)
    wanted = []
    for item in root.iter("Part"):
        number = documents.text_of(item, "PartNumber").strip()
        if not (number.isascii() and number.isdigit() and len(number) < 6):
            raise refusals.RefusalError("MalformedXML", "A part has no number.")
        wanted.append((int(number), documents.text_of(item, "ETag").strip().strip('"')))
    if root.tag != "CompleteMultipartUpload" or not wanted:
        raise refusals.RefusalError("MalformedXML", "You must specify at least one part.")
    if any(one[0] >= other[0] for one, other in itertools.pairwise(wanted)):
        raise refusals.RefusalError("InvalidPartOrder", "The list of parts was not in ascending order.")
    return wanted


def _chosen(there: dict[int, _Part], wanted: list[tuple[int, str]]) -> list[_Part]:
    chosen = []
    for number, etag in wanted:
        part = there.get(number)
        if part is None or part.md5 != etag:
            raise refusals.RefusalError(
                "InvalidPart", f"Part {number} could not be found: it was not uploaded, or its entity tag is another."
            )
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < _SMALLEST:
            raise refusals.RefusalError(
                "EntityTooSmall",
                f"Part {part.number} has {part.size} bytes; only the last may have less than {_SMALLEST}.",
            )
    return chosen


async def complete(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """CompleteMultipartUpload."""
    wanted = _wanted(await intake.document(request, who, store.settings.document_limit))
    try:
        digest = hashlib.md5(b"".join(bytes.fromhex(etag) for _, etag in wanted), usedforsecurity=False)
    except ValueError as error:
        raise refusals.RefusalError("InvalidPart", "An entity tag is not one that a part was answered with.") from error
    etag = f"{digest.hexdigest()}-{len(wanted)}"

    def work() -> None:
        try:
            folder = _folder(store, request)
        except refusals.RefusalError:
            # The answer to a first try may have been lost: then the object is there, made of these parts.
            there = store.files.find(request.bucket, request.key)
            if there is not None and there.attributes.etag == etag:
                return
            raise
        _join(store, request, folder, _chosen(_parts(folder), wanted), etag)

    await store.threads.long(work)
    rows = [
        Element("Location", f"{request.http.scheme}://{request.http.host}{request.path}"),
        Element("Bucket", request.bucket),
        Element("Key", request.key),
        Element("ETag", f'"{etag}"'),
    ]
    return objects.xml(documents.render("CompleteMultipartUploadResult", rows))


def _join(store: Store, request: wire.Request, folder: str, parts: list[_Part], etag: str) -> None:
    about = _about(folder) or {}
    attributes = files.Attributes(
        content_type=about["content_type"], metadata=about["metadata"], headers=about["headers"], etag=etag
    )
    store.need_bucket(request.bucket)
    draft = store.intakes.draft()
    try:
        for part in parts:
            files.copy_content(part.path, draft.handle)
        with store.lock(request.bucket, request.key):
            objects.check_before_write(store, request)
            store.files.place(draft, request.bucket, request.key, attributes)
    finally:
        draft.discard()
    shutil.rmtree(folder, ignore_errors=True)


async def abort(store: Store, request: wire.Request, who: authentication.Authenticated) -> aiohttp.web.StreamResponse:
    """AbortMultipartUpload."""
    del who
    await store.threads.long(lambda: shutil.rmtree(_folder(store, request), ignore_errors=True))
    return aiohttp.web.Response(status=204)


async def list_parts(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """ListParts."""
    del who
    after = request.number("part-number-marker", 0, _MOST)
    limit = request.number("max-parts", _PAGE, _PAGE)
    parts = await store.threads.long(lambda: _parts(_folder(store, request)))
    later = [part for part in parts.values() if part.number > after]
    shown = later[:limit]
    rows = [
        Element("Bucket", request.bucket),
        Element("Key", request.key),
        Element("UploadId", request.query["uploadId"]),
        Element("PartNumberMarker", after),
        Element("NextPartNumberMarker", shown[-1].number if shown else after),
        Element("MaxParts", limit),
        Element("IsTruncated", len(later) > len(shown)),
    ]
    for part in shown:
        fields = [
            Element("PartNumber", part.number),
            Element("LastModified", objects.iso(objects.moment_of(part.modified_ns))),
            Element("ETag", f'"{part.md5}"'),
            Element("Size", part.size),
        ]
        rows.append(Element("Part", fields))
    return objects.xml(documents.render("ListPartsResult", rows))


async def list_uploads(
    store: Store, request: wire.Request, who: authentication.Authenticated
) -> aiohttp.web.StreamResponse:
    """ListMultipartUploads."""
    del who
    prefix = request.query.get("prefix", "")
    limit = request.number("max-uploads", _PAGE, _PAGE)
    marker = (request.query.get("key-marker", ""), request.query.get("upload-id-marker", ""))

    def work() -> list[tuple[str, str, str]]:
        store.need_bucket(request.bucket)
        found = []
        for folder in pathlib.Path(store.uploads).iterdir():
            about = _about(str(folder))
            if about is not None and about["bucket"] == request.bucket and about["key"].startswith(prefix):
                found.append((about["key"], folder.name, about["initiated"]))
        after = [row for row in sorted(found) if (row[:2] > marker if marker[1] else row[0] > marker[0])]
        return after if marker[0] else sorted(found)

    later = await store.threads.long(work)
    shown = later[:limit]
    rows = [
        Element("Bucket", request.bucket),
        Element("KeyMarker", marker[0]),
        Element("UploadIdMarker", marker[1]),
        Element("Prefix", prefix),
        Element("MaxUploads", limit),
        Element("IsTruncated", len(later) > len(shown)),
    ]
    if len(later) > len(shown) and shown:
        rows += [Element("NextKeyMarker", shown[-1][0]), Element("NextUploadIdMarker", shown[-1][1])]
    for key, upload, initiated in shown:
        fields = [Element("Key", key), Element("UploadId", upload), Element("Initiated", initiated)]
        rows.append(Element("Upload", [*fields, Element("StorageClass", "STANDARD")]))
    return objects.xml(documents.render("ListMultipartUploadsResult", rows))
