"""AdminService: launch plans."""

from volant_admin.launch_plans import operations
from volant_core import rpc
from volantidl.admin import common_pb2, launch_plan_pb2


class LaunchPlanMethods:
    """The RPCs of launch plans."""

    def __init__(self, launch_plans: operations.LaunchPlans) -> None:
        """Keep the operations."""
        self._launch_plans = launch_plans

    async def CreateLaunchPlan(
        self, request: launch_plan_pb2.LaunchPlanCreateRequest, context: rpc.RpcContext
    ) -> launch_plan_pb2.LaunchPlanCreateResponse:
        await self._launch_plans.create(request)
        return launch_plan_pb2.LaunchPlanCreateResponse()

    async def UpdateLaunchPlan(
        self, request: launch_plan_pb2.LaunchPlanUpdateRequest, context: rpc.RpcContext
    ) -> launch_plan_pb2.LaunchPlanUpdateResponse:
        await self._launch_plans.update(request)
        return launch_plan_pb2.LaunchPlanUpdateResponse()

    async def GetLaunchPlan(
        self, request: common_pb2.ObjectGetRequest, context: rpc.RpcContext
    ) -> launch_plan_pb2.LaunchPlan:
        return await self._launch_plans.get(request.id)

    async def GetActiveLaunchPlan(
        self, request: launch_plan_pb2.ActiveLaunchPlanRequest, context: rpc.RpcContext
    ) -> launch_plan_pb2.LaunchPlan:
        return await self._launch_plans.get_active(request.id)

    async def ListLaunchPlans(
        self, request: common_pb2.ResourceListRequest, context: rpc.RpcContext
    ) -> launch_plan_pb2.LaunchPlanList:
        return await self._launch_plans.list_page(request)

    async def ListActiveLaunchPlans(
        self, request: launch_plan_pb2.ActiveLaunchPlanListRequest, context: rpc.RpcContext
    ) -> launch_plan_pb2.LaunchPlanList:
        return await self._launch_plans.list_active(request)
