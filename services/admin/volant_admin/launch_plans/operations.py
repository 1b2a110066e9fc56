"""What can be done with launch plans."""

from volant_admin import structure, validation
from volant_admin.launch_plans import inputs, notifications, schedules, store
from volant_admin.projects import operations as project_operations
from volant_core import clock, errors, postgres
from volantidl.admin import common_pb2, launch_plan_pb2
from volantidl.core import identifier_pb2


class LaunchPlans:
    """Launch plans."""

    def __init__(self, database: postgres.Database, projects: project_operations.Projects, clock: clock.Clock) -> None:
        """Keep the dependencies."""
        self._database = database
        self._projects = projects
        self._clock = clock

    async def create(
        self,
        request: launch_plan_pb2.LaunchPlanCreateRequest,
        state: common_pb2.NamedEntityState.ValueType = common_pb2.NAMED_ENTITY_ACTIVE,
    ) -> None:
        """Register a version, inactive.

        Args:
            request: The launch plan.
            state: Of its name, when that is new.
        """
        if not request.HasField("id"):
            raise validation.missing("id")
        if not request.HasField("spec"):
            raise validation.missing("spec, with the id of a workflow")
        spec = request.spec
        validation.identifier(spec.workflow_id, identifier_pb2.WORKFLOW)
        validation.identifier(request.id, identifier_pb2.LAUNCH_PLAN)
        await self._projects.require_active(request.id.project, request.id.domain)
        workflow = await store.workflow_interface(self._database, spec.workflow_id)
        if workflow is None:
            raise validation.no_entity("WORKFLOW", spec.workflow_id)
        key, interface = workflow
        self._check(spec)
        expected = inputs.expected_inputs(interface.inputs, spec.fixed_inputs, spec.default_inputs)
        schedule = spec.entity_metadata.schedule
        schedules.check(schedule, expected)
        spec.default_inputs.CopyFrom(expected)
        plan = launch_plan_pb2.LaunchPlan(
            id=request.id,
            spec=spec,
            closure=launch_plan_pb2.LaunchPlanClosure(
                expected_inputs=expected,
                expected_outputs=interface.outputs if interface.HasField("outputs") else None,
            ),
        )
        new = store.NewLaunchPlan(plan, key, structure.digest(plan), schedules.kind_of(schedule))
        if not await store.insert(self._database, new, state, self._clock.now()):
            await self._refuse(plan)

    async def update(self, request: launch_plan_pb2.LaunchPlanUpdateRequest) -> None:
        """Make a version active (and the one that was so inactive), or inactive."""
        validation.called(request.id, identifier_pb2.LAUNCH_PLAN)
        now = self._clock.now()
        match request.state:
            case launch_plan_pb2.ACTIVE:
                found = await store.activate(self._database, request.id, now)
            case launch_plan_pb2.INACTIVE:
                found = await store.deactivate(self._database, request.id, now)
            case _:
                raise errors.InvalidArgumentError(
                    f"Unrecognized launch plan state {request.state} for update for launch plan"
                    f" [{validation.one_line(request.id)}]"
                )
        if not found:
            raise validation.no_entity("LAUNCH_PLAN", request.id)

    async def get(self, id_: identifier_pb2.Identifier) -> launch_plan_pb2.LaunchPlan:
        """One launch plan."""
        validation.called(id_, identifier_pb2.LAUNCH_PLAN)
        found = await store.get(self._database, id_)
        if found is None:
            raise validation.no_entity("LAUNCH_PLAN", id_)
        return found

    async def get_active(self, id_: common_pb2.NamedEntityIdentifier) -> launch_plan_pb2.LaunchPlan:
        """The active version of a name."""
        validation.named_entity(id_)
        found = await store.get_active(self._database, id_)
        if found is None:
            raise errors.NotFoundError(f"No active launch plan could be found: {id_.project}:{id_.domain}:{id_.name}")
        return found

    async def list_page(self, request: common_pb2.ResourceListRequest) -> launch_plan_pb2.LaunchPlanList:
        """A page of versions."""
        if not request.HasField("id"):
            raise validation.missing("id")
        validation.list_scope(request.id.project, request.id.domain, request.id.name)
        plans, token = await store.list_page(self._database, request)
        return launch_plan_pb2.LaunchPlanList(launch_plans=plans, token=token)

    async def list_active(self, request: launch_plan_pb2.ActiveLaunchPlanListRequest) -> launch_plan_pb2.LaunchPlanList:
        """A page of active versions."""
        validation.list_scope(request.project, request.domain)
        plans, token = await store.list_active(self._database, request)
        return launch_plan_pb2.LaunchPlanList(launch_plans=plans, token=token)

    @staticmethod
    def _check(spec: launch_plan_pb2.LaunchPlanSpec) -> None:
        validation.labels(spec.labels.values)
        inputs.check_fixed(spec.fixed_inputs)
        inputs.check_defaults(spec.default_inputs)
        notifications.check(spec.entity_metadata.notifications)
        if spec.entity_metadata.HasField("launch_conditions"):
            raise errors.InvalidArgumentError(
                f"Launch condition must be empty, found {spec.entity_metadata.launch_conditions.type_url[:200]}"
            )

    async def _refuse(self, plan: launch_plan_pb2.LaunchPlan) -> None:
        """Say how a version that is there already relates to what was to be registered."""
        existing = await self.get(plan.id)
        outputs = existing.closure.expected_outputs, plan.closure.expected_outputs
        if structure.same(existing.spec, plan.spec) and structure.same(*outputs):
            raise errors.AlreadyExistsError("launch plan with identical structure already exists")
        raise errors.InvalidArgumentError(
            f"{plan.id.name} launch plan with different structure already exists. (Please register a new version of the"
            f" launch plan):\n{structure.differences(existing.spec, plan.spec)}"
        )
