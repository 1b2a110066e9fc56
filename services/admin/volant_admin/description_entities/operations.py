"""What can be done with descriptions: read them."""

from volant_admin import validation
from volant_admin.description_entities import store
from volant_core import postgres
from volantidl.admin import description_entity_pb2
from volantidl.core import identifier_pb2


class DescriptionEntities:
    """Descriptions of versions."""

    def __init__(self, database: postgres.Database) -> None:
        """Keep the database."""
        self._database = database

    async def get(self, id_: identifier_pb2.Identifier) -> description_entity_pb2.DescriptionEntity:
        """The description of one version; of a task, where the type is not given."""
        if id_.resource_type == identifier_pb2.UNSPECIFIED and id_.ByteSize():
            id_.resource_type = identifier_pb2.TASK
        validation.resource_type(id_.resource_type)
        validation.identifier_fields(id_)
        found = await store.get(self._database, id_)
        if found is None:
            raise validation.no_entity(validation.resource_type_name(id_.resource_type).upper(), id_)
        return found

    async def list_page(
        self, request: description_entity_pb2.DescriptionEntityListRequest
    ) -> description_entity_pb2.DescriptionEntityList:
        """A page of the descriptions of a name's versions; of a task, where the type is not given."""
        if not request.HasField("id"):
            raise validation.missing("id")
        validation.named_entity(request.id)
        if request.resource_type == identifier_pb2.UNSPECIFIED:
            request.resource_type = identifier_pb2.TASK
        found, token = await store.list_page(self._database, request)
        return description_entity_pb2.DescriptionEntityList(descriptionEntities=found, token=token)
