"""Launch plans as launching needs them: with the workflow's closure, from memory where they were used before."""

import collections
import dataclasses

from volant_admin import validation
from volant_admin.executions import store
from volant_core import postgres
from volantidl.admin import launch_plan_pb2
from volantidl.core import identifier_pb2

Key = tuple[str, str, str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A launch plan and its workflow, all of it immutable."""

    number: int
    spec: launch_plan_pb2.LaunchPlanSpec
    closure: launch_plan_pb2.LaunchPlanClosure
    workflow: int
    workflow_id: identifier_pb2.Identifier
    closure_uri: str


class Plans:
    """Finds launch plans."""

    def __init__(self, database: postgres.Database, kept: int) -> None:
        """Keep at most `kept` in memory."""
        self._database = database
        self._kept = kept
        self._plans: collections.OrderedDict[Key, Plan] = collections.OrderedDict()

    async def find(self, id_: identifier_pb2.Identifier) -> Plan | None:
        """The launch plan, if it is registered."""
        key = validation.key_of(id_)
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
            return plan
        row = await self._database.fetch_row(store.QUERIES["launch_plan"], *key)
        if row is None:
            return None
        plan = Plan(
            number=row["id"],
            spec=launch_plan_pb2.LaunchPlanSpec.FromString(row["spec"]),
            closure=launch_plan_pb2.LaunchPlanClosure.FromString(row["closure"]),
            workflow=row["workflow"],
            workflow_id=identifier_pb2.Identifier(
                resource_type=identifier_pb2.WORKFLOW,
                project=row["project"],
                domain=row["domain"],
                name=row["name"],
                version=row["version"],
            ),
            closure_uri=row["closure_uri"],
        )
        self._plans[key] = plan
        if len(self._plans) > self._kept:
            self._plans.popitem(last=False)
        return plan

    async def get(self, id_: identifier_pb2.Identifier) -> Plan:
        """The launch plan. NotFoundError when it is not registered."""
        plan = await self.find(id_)
        if plan is None:
            raise validation.no_entity("LAUNCH_PLAN", id_)
        return plan
