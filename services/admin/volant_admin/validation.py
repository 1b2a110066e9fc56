"""Checks of requests that many nouns share, with the texts that clients know."""

import re
from collections.abc import Mapping

from volant_core import errors
from volantidl.admin import common_pb2
from volantidl.core import identifier_pb2

LONGEST_NAME = 1000
"""Bytes of UTF-8: with the other fields of a key it must fit into a row of an index."""
LONGEST_VERSION = 500
"""Bytes of UTF-8, likewise."""
_LABELS_LIMIT = 16
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_LABEL = 63
_LONGEST_SUBDOMAIN = 253


def require(value: str, name: str) -> None:
    """Refuse an empty text, and one that can't be stored."""
    if not value:
        raise missing(name)
    storable(value, name)


def storable(value: str, name: str, limit: int = LONGEST_NAME) -> None:
    """Refuse a text with NUL characters, or longer than `limit` bytes."""
    if "\x00" in value:
        raise errors.InvalidArgumentError(f"{name} must not contain NUL characters")
    if len(value.encode(errors="surrogatepass")) > limit:
        raise errors.InvalidArgumentError(f"{name} cannot exceed {limit} bytes")


def missing(name: str) -> errors.InvalidArgumentError:
    """The error for something absent."""
    return errors.InvalidArgumentError(f"missing {name}")


def identifier(id_: identifier_pb2.Identifier, expected: identifier_pb2.ResourceType.ValueType) -> None:
    """Refuse an identifier of another type, or with an empty field."""
    if not id_.ByteSize():
        raise missing("id")
    if id_.resource_type != expected:
        raise errors.InvalidArgumentError(
            f"unexpected resource type {resource_type_name(id_.resource_type)} for identifier [{one_line(id_)}],"
            f" expected {resource_type_name(expected)} instead"
        )
    identifier_fields(id_)


def called(id_: identifier_pb2.Identifier, expected: identifier_pb2.ResourceType.ValueType) -> None:
    """The same, for a method that says the type by itself: an identifier without one (flytectl's) gets it."""
    if not id_.ByteSize():
        raise missing("id")
    if id_.resource_type == identifier_pb2.UNSPECIFIED:
        id_.resource_type = expected
    identifier(id_, expected)


def called_as(id_: identifier_pb2.Identifier, expected: identifier_pb2.ResourceType.ValueType) -> None:
    """Refuse an identifier of another type; one without a type will do."""
    if id_.resource_type != identifier_pb2.UNSPECIFIED:
        identifier(id_, expected)


def identifier_fields(id_: identifier_pb2.Identifier) -> None:
    """Refuse an identifier with an empty field."""
    require(id_.project, "project")
    require(id_.domain, "domain")
    require(id_.name, "name")
    require(id_.version, "version")
    storable(id_.version, "version", LONGEST_VERSION)


def resource_type_name(value: int) -> str:
    """The name of a resource type in lower case, as texts have it; the number of an unknown one."""
    found = identifier_pb2.ResourceType.DESCRIPTOR.values_by_number.get(value)
    return found.name.lower() if found else str(value)


def one_line(id_: identifier_pb2.Identifier) -> str:
    """An identifier for people."""
    return f"resource_type:{resource_type_name(id_.resource_type).upper()} {key_line(id_)}"


def key_line(id_: identifier_pb2.Identifier) -> str:
    """The same without its type."""
    return f'project:"{id_.project}" domain:"{id_.domain}" name:"{id_.name}" version:"{id_.version}"'


def no_entity(kind: str, id_: identifier_pb2.Identifier) -> errors.NotFoundError:
    """The error for an entity of a kind, such as TASK, that does not exist."""
    return errors.NotFoundError(f"missing entity of type {kind} with identifier {key_line(id_)}")


def key_of(id_: identifier_pb2.Identifier) -> tuple[str, str, str, str]:
    """What entities are looked up by; the first parameters of many statements."""
    return id_.project, id_.domain, id_.name, id_.version


def resource_type(value: int) -> None:
    """Refuse a resource type that is unknown or not given."""
    if value == identifier_pb2.UNSPECIFIED or value not in identifier_pb2.ResourceType.values():
        raise errors.InvalidArgumentError("invalid value for resource_type")


def named_entity(id_: common_pb2.NamedEntityIdentifier) -> None:
    """Refuse a name with an empty field."""
    require(id_.project, "project")
    require(id_.domain, "domain")
    require(id_.name, "name")


def list_scope(project: str, domain: str, name: str = "") -> None:
    """Refuse a list request without project and domain; the name may be empty."""
    require(project, "project")
    require(domain, "domain")
    storable(name, "name")


def max_length(value: str, name: str, limit: int) -> None:
    """Refuse a text of more than `limit` characters."""
    if len(value) > limit:
        raise errors.InvalidArgumentError(f"{name} cannot exceed {limit} characters")


def labels(values: Mapping[str, str], limit: int = _LABELS_LIMIT) -> None:
    """Refuse too many labels, and those that Kubernetes would not take."""
    if len(values) > limit:
        raise errors.InvalidArgumentError(f"labels map cannot exceed {limit} entries")
    for key in sorted(values):
        if problem := _qualified_name(key):
            raise errors.InvalidArgumentError(f"invalid label key [{key}]: [{problem}]")
        value = values[key]
        if value and (len(value) > _LONGEST_LABEL or not _LABEL_NAME.fullmatch(value)):
            raise errors.InvalidArgumentError(
                f"invalid label value [{value}]: [a valid label must be an empty string or at most 63 alphanumeric"
                " characters, '-', '_' or '.', and must start and end with an alphanumeric character]"
            )


def annotations(values: Mapping[str, str]) -> None:
    """Refuse annotations whose keys Kubernetes would not take."""
    for key in sorted(values):
        if problem := _qualified_name(key.lower()):
            raise errors.InvalidArgumentError(f"invalid annotation key [{key}]: [{problem}]")


def _qualified_name(key: str) -> str:
    """What is wrong with a label key; empty when nothing is."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _LONGEST_SUBDOMAIN or not _DNS_SUBDOMAIN.fullmatch(prefix)):
        return "prefix part must be a lowercase RFC 1123 subdomain, such as 'example.com'"
    if not name or len(name) > _LONGEST_LABEL or not _LABEL_NAME.fullmatch(name):
        return (
            "name part must consist of at most 63 alphanumeric characters, '-', '_' or '.', and must start and end"
            " with an alphanumeric character"
        )
    return ""


def dns_label(value: str) -> str:
    """What is wrong with a name as a DNS-1123 label; empty when nothing is."""
    if len(value) > _LONGEST_LABEL:
        return f"must be no more than {_LONGEST_LABEL} characters"
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", value):
        return (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and"
            " end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
            " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
    return ""
