"""Which connector serves which task type, as the connectors themselves say."""

import asyncio
import dataclasses

import structlog

from volant_core import clock, errors
from volant_engine.launchers.connectors import peer, settings
from volantidl.admin import agent_pb2
from volantidl.core import tasks_pb2

_log = structlog.get_logger(__name__)

# The platform's own: no connector is asked about them.
_OWN_TYPES = frozenset({"container", "python-task", "raw-container", "sidecar", "container_array", "dynamic"})


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A connector for one task type."""

    peer: peer.Peer
    category: agent_pb2.TaskCategory
    is_sync: bool


class Directory:
    """Asks when a type is new to it; what no one serves is asked again after a while."""

    def __init__(self, peers: list[peer.Peer], told: settings.ConnectorSettings, time: clock.Clock) -> None:
        """Look among `peers`."""
        self._peers = peers
        self._settings = told
        self._clock = time
        self._services: dict[tuple[str, int], Service] = {}
        self._asked = float("-inf")
        self._asking = asyncio.Lock()
        self._away: dict[str, str] = {}

    async def find(self, task: tasks_pb2.TaskTemplate) -> Service | None:
        """The connector for a task; None where none serves its type.

        Raises:
            UnavailableError: Nobody else could run it, and a connector that may serve it did not answer.
        """
        if task.type in _OWN_TYPES:
            return None
        found = self._known(task)
        if found is None and self._is_stale():
            async with self._asking:
                if self._is_stale():
                    await self._ask()
            found = self._known(task)
        if found is None and self._away and not task.WhichOneof("target"):
            self._asked = float("-inf")
            away = "; ".join(f"{endpoint}: {why}" for endpoint, why in self._away.items())
            raise errors.UnavailableError(
                f"no connector that answers serves the task type {task.type!r}, and some do not answer: {away}"
            )
        return found

    def of_category(self, category: agent_pb2.TaskCategory) -> Service | None:
        """The connector for a job that was created earlier."""
        return self._services.get((category.name, category.version))

    def _is_stale(self) -> bool:
        return self._clock.monotonic() - self._asked >= self._settings.discovery_seconds

    def _known(self, task: tasks_pb2.TaskTemplate) -> Service | None:
        exact = self._services.get((task.type, task.task_type_version))
        if exact is not None:
            return exact
        return next((service for (name, _), service in self._services.items() if name == task.type), None)

    async def refresh(self) -> None:
        """Ask all connectors now."""
        async with self._asking:
            await self._ask()

    async def _ask(self) -> None:
        self._away = {}
        await asyncio.gather(*(self._ask_one(one) for one in self._peers))
        self._asked = self._clock.monotonic()

    async def _ask_one(self, one: peer.Peer) -> None:
        try:
            agents = await one.list()
        except errors.VolantError as error:
            _log.warning("a connector does not say what it serves", endpoint=one.endpoint, error=error.message)
            self._away[one.endpoint] = error.message
            return
        for agent in agents:
            categories = list(agent.supported_task_categories) or [
                agent_pb2.TaskCategory(name=name) for name in agent.supported_task_types
            ]
            for category in categories:
                # The first endpoint that names a type has it.
                held = self._services.get((category.name, category.version))
                if held is None or held.peer is one:
                    self._services[category.name, category.version] = Service(one, category, agent.is_sync)
