"""S3's XML documents, written and read."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from xml.sax import saxutils

from volant_objectstore import refusals

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclasses.dataclass(frozen=True, slots=True)
class Element:
    """One element: its name, and text or children."""

    name: str
    content: "str | int | bool | Sequence[Element]"


def render(name: str, children: Iterable[Element], *, namespace: bool = True) -> bytes:
    """A whole document."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}' + (f' xmlns="{_NAMESPACE}">' if namespace else ">")
    return f"{head}{''.join(map(_render, children))}</{name}>".encode()


def error(code: str, message: str, resource: str, request_id: str) -> bytes:
    """The document of a refusal."""
    rows = [("Code", code), ("Message", message), ("Resource", resource), ("RequestId", request_id)]
    return render("Error", [Element(key, value) for key, value in rows], namespace=False)


def _render(element: Element) -> str:
    content = element.content
    if isinstance(content, bool):
        text = "true" if content else "false"
    elif isinstance(content, int):
        text = str(content)
    elif isinstance(content, str):
        text = saxutils.escape(_FORBIDDEN.sub("\ufffd", content), {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})
    else:
        text = "".join(map(_render, content))
    return f"<{element.name}>{text}</{element.name}>"


def parse(body: bytes) -> ET.Element:
    """A document's root, names without namespaces. Entities are refused: none of S3's documents has any."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise refusals.RefusalError("MalformedXML", "The XML must not declare a document type.")
    try:
        root = ET.fromstring(body)  # noqa: S314 - entities are refused above, and the size is bounded
    except (ET.ParseError, ValueError, LookupError) as error:
        raise refusals.RefusalError("MalformedXML", f"The XML can't be read: {error}.") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(element: ET.Element, name: str) -> str:
    """The text of a child, empty when it is not there."""
    return element.findtext(name) or ""
