"""Conditional requests and ranges, decided from headers alone."""

import datetime
import email.utils
from collections.abc import Mapping

from volant_objectstore import refusals


def _tags(value: str) -> set[str]:
    return {tag.strip().removeprefix("W/").strip('"') for tag in value.split(",")}


def _moment(value: str) -> datetime.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def check_read(headers: Mapping[str, str], etag: str, modified: datetime.datetime, prefix: str = "") -> None:
    """Refuse, or answer "not modified", as the If-… headers say. `prefix`: of the headers that a copy has."""
    failed = refusals.RefusalError(
        "PreconditionFailed", "At least one of the preconditions you specified did not hold."
    )
    whole_second = modified.replace(microsecond=0)
    match, none_match = headers.get(f"{prefix}If-Match"), headers.get(f"{prefix}If-None-Match")
    before = _moment(headers.get(f"{prefix}If-Unmodified-Since", "")) if match is None else None
    if match is not None and not _tags(match) & {etag, "*"}:
        raise failed
    if before is not None and whole_second > before:
        raise failed
    if none_match is not None:
        unchanged = bool(_tags(none_match) & {etag, "*"})
    else:
        since = _moment(headers.get(f"{prefix}If-Modified-Since", ""))
        unchanged = since is not None and whole_second <= since
    if unchanged:
        raise failed if prefix else refusals.NotModifiedError


def check_write(headers: Mapping[str, str], etag: str | None) -> None:
    """Refuse a write as If-Match and If-None-Match say; `etag` None: the object is absent."""
    match, none_match = headers.get("If-Match"), headers.get("If-None-Match")
    if match is not None and etag is None:
        raise refusals.RefusalError("NoSuchKey", "The specified key does not exist.")
    if (match is not None and not _tags(match) & {etag or "", "*"}) or (
        none_match is not None and etag is not None and _tags(none_match) & {etag, "*"}
    ):
        raise refusals.RefusalError(
            "PreconditionFailed", "At least one of the preconditions you specified did not hold."
        )


def byte_range(value: str, size: int) -> tuple[int, int] | None:
    """First byte and length; None for the whole (no range, or one that is not understood, as RFC 9110 says)."""
    unit, _, text = value.partition("=")
    first, dash, last = text.strip().partition("-")
    numbers = all(part == "" or (part.isascii() and part.isdigit() and len(part) < 19) for part in (first, last))
    if unit.strip() != "bytes" or not dash or not numbers or not (first or last):
        return None
    if not first:
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        if last and int(last) < start:
            return None
        length = min(int(last) if last else size, size - 1) - start + 1
    if length <= 0:
        raise refusals.RefusalError("InvalidRange", f"The requested range is not satisfiable: {size} bytes are there.")
    return start, length
