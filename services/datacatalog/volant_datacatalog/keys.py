"""Names of datasets and tags: which are whole, and how they are shown."""

from typing import NamedTuple

from volant_core import errors
from volantidl.datacatalog import datacatalog_pb2

_LIMIT = 2000


class DatasetKey(NamedTuple):
    """What a dataset is found by."""

    project: str
    domain: str
    name: str
    version: str

    def __str__(self) -> str:
        """As Flyte's messages show it."""
        return f'project:"{self.project}" name:"{self.name}" domain:"{self.domain}" version:"{self.version}"'

    def message(self, uuid: str = "") -> datacatalog_pb2.DatasetID:
        """The message."""
        return datacatalog_pb2.DatasetID(
            project=self.project, domain=self.domain, name=self.name, version=self.version, UUID=uuid
        )


def need(value: str, what: str) -> str:
    """A field that must be given."""
    if not value:
        raise missing(what)
    return value


def missing(what: str) -> errors.InvalidArgumentError:
    """The refusal of a request that lacks something. Clients know its wording."""
    return errors.InvalidArgumentError(f"missing {what}")


def dataset_key(id_: datacatalog_pb2.DatasetID) -> DatasetKey:
    """The key of a dataset's identifier, which must be whole; an absent identifier is an empty one."""
    if not id_.ByteSize():
        raise missing("dataset")
    key = DatasetKey(id_.project, id_.domain, id_.name, id_.version)
    for field, value in zip(("project", "domain", "name", "version"), key, strict=True):
        need(value, field)
    check_length("dataset", *key)
    return key


def check_length(what: str, *parts: str) -> None:
    """Refuse names that no index of the database can hold."""
    length = sum(len(part.encode()) for part in parts)
    if length > _LIMIT:
        raise errors.InvalidArgumentError(f"the names of the {what} have {length} bytes in all; the limit is {_LIMIT}")


def not_found(entity: str, identifier: str) -> errors.NotFoundError:
    """The refusal of a request for something that is not there."""
    return errors.NotFoundError(f"missing entity of type {entity} with identifier {identifier}")


def already_exists(constraint: str) -> errors.AlreadyExistsError:
    """The refusal of a request to make what is there."""
    return errors.AlreadyExistsError(
        f'value with matching already exists (duplicate key value violates unique constraint "{constraint}")'
    )
