"""What can be done with names."""

from volant_admin import validation
from volant_admin.named_entities import store
from volant_core import clock, errors, postgres
from volantidl.admin import common_pb2
from volantidl.core import identifier_pb2

_ARCHIVABLE = frozenset({identifier_pb2.WORKFLOW, identifier_pb2.TASK, identifier_pb2.LAUNCH_PLAN})
_LONGEST_DESCRIPTION = 300


class NamedEntities:
    """Names and their metadata."""

    def __init__(self, database: postgres.Database, clock: clock.Clock) -> None:
        """Keep the dependencies."""
        self._database = database
        self._clock = clock

    async def get(self, request: common_pb2.NamedEntityGetRequest) -> common_pb2.NamedEntity:
        """One name."""
        validation.resource_type(request.resource_type)
        _require_named(request.resource_type, "Cannot get NamedEntityMetadata")
        validation.named_entity(request.id)
        found = await store.get(self._database, request.resource_type, request.id)
        if found is None:
            raise _not_found(request.resource_type, request.id)
        return found

    async def update(self, request: common_pb2.NamedEntityUpdateRequest) -> None:
        """Replace a name's state, and its description unless none is given."""
        validation.resource_type(request.resource_type)
        validation.named_entity(request.id)
        if not request.HasField("metadata"):
            raise validation.missing("metadata")
        metadata = request.metadata
        if metadata.state != common_pb2.NAMED_ENTITY_ACTIVE and request.resource_type not in _ARCHIVABLE:
            name = identifier_pb2.ResourceType.Name(request.resource_type)
            raise errors.InvalidArgumentError(f"Resource [{name}] cannot have its state updated")
        validation.max_length(metadata.description, "description", _LONGEST_DESCRIPTION)
        validation.storable(metadata.description, "description", 4 * _LONGEST_DESCRIPTION)
        if not await store.update(self._database, request, self._clock.now()):
            raise _not_found(request.resource_type, request.id)

    async def list_page(self, request: common_pb2.NamedEntityListRequest) -> common_pb2.NamedEntityList:
        """A page of names with their metadata."""
        validation.list_scope(request.project, request.domain)
        validation.resource_type(request.resource_type)
        _require_named(request.resource_type, "Cannot list entity names")
        entities, token = await store.list_page(self._database, request)
        return common_pb2.NamedEntityList(entities=entities, token=token)

    async def list_identifiers(
        self,
        resource_type: identifier_pb2.ResourceType.ValueType,
        request: common_pb2.NamedEntityIdentifierListRequest,
        method: str,
    ) -> common_pb2.NamedEntityIdentifierList:
        """A page of bare names of one kind."""
        validation.list_scope(request.project, request.domain)
        entities, token = await store.list_identifiers(self._database, resource_type, request, method)
        return common_pb2.NamedEntityIdentifierList(entities=entities, token=token)


def _require_named(resource_type: int, what: str) -> None:
    """Refuse what has no names here: datasets."""
    if resource_type not in _ARCHIVABLE:
        kind = validation.resource_type_name(resource_type).upper()
        raise errors.InvalidArgumentError(f"{what} for resource type: {kind}")


def _not_found(resource_type: int, id_: common_pb2.NamedEntityIdentifier) -> errors.NotFoundError:
    kind = validation.resource_type_name(resource_type).upper()
    return errors.NotFoundError(
        f'missing entity of type {kind} with identifier project:"{id_.project}" domain:"{id_.domain}" name:"{id_.name}"'
    )
