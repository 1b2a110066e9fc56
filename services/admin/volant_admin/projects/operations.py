"""What can be done with projects."""

import datetime

from volant_admin import validation
from volant_admin.projects import store
from volant_admin.settings import AdminSettings
from volant_core import clock, errors, postgres
from volantidl.admin import project_pb2

_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 300


class Projects:
    """Projects and domains."""

    def __init__(self, database: postgres.Database, settings: AdminSettings, clock: clock.Clock) -> None:
        """Keep the dependencies."""
        self._database = database
        self._settings = settings
        self._clock = clock
        self._domains = frozenset(domain.id for domain in settings.domains)
        self._checked: dict[str, float] = {}

    async def seed(self) -> None:
        """Make the projects that the settings name, where they are not there."""
        for identifier in self._settings.seed_projects:
            await store.seed(self._database, identifier, self._clock.now())

    async def register(self, project: project_pb2.Project) -> None:
        """Add a project."""
        validation.require(project.name, "project_name")
        self._check(project)
        try:
            await store.insert(self._database, project, self._clock.now())
        except postgres.UniqueViolationError as error:
            raise errors.AlreadyExistsError(
                "value with matching already exists (duplicate key value violates unique constraint"
                f' "{error.constraint}"): there is a project {project.id}'
            ) from error

    async def update(self, project: project_pb2.Project) -> None:
        """Replace what can be changed of a project."""
        validation.require(project.id, "project_id")
        if await store.get(self._database, project.id) is None:
            raise not_found(project.id)
        self._check(project)
        found = await store.update(self._database, project, self._clock.now())
        self._checked.pop(project.id, None)
        if not found:
            raise not_found(project.id)

    async def get(self, identifier: str) -> project_pb2.Project:
        """One project with its domains."""
        validation.require(identifier, "project_id")
        project = await store.get(self._database, identifier)
        if project is None:
            raise not_found(identifier)
        project.domains.extend(self.domains())
        return project

    async def list_page(self, request: project_pb2.ProjectListRequest) -> project_pb2.Projects:
        """A page of projects with their domains."""
        projects, token = await store.list_page(self._database, request)
        domains = self.domains()
        for project in projects:
            project.domains.extend(domains)
        return project_pb2.Projects(projects=projects, token=token)

    def domains(self) -> list[project_pb2.Domain]:
        """The domains that every project has."""
        return [project_pb2.Domain(id=domain.id, name=domain.name) for domain in self._settings.domains]

    async def require_active(self, project: str, domain: str) -> None:
        """The gate before every write: the project exists and is active, the domain is known.

        Raises:
            InvalidArgumentError: One of them is not so; for an inactive project with an InactiveProject detail.
        """
        age = self._clock.monotonic() - self._checked.get(project, float("-inf"))
        if age > self._settings.project_check_age / datetime.timedelta(seconds=1):
            found = await self._existing(project, f"and domain [{domain}] are registered")
            if found.state != project_pb2.Project.ACTIVE:
                raise inactive(project)
            self._checked[project] = self._clock.monotonic()
        self.require_domain(domain)

    def require_domain(self, domain: str) -> None:
        """Refuse a domain that is not in the settings."""
        if domain not in self._domains:
            raise errors.InvalidArgumentError(f"domain [{domain}] is unrecognized by system")

    async def require_active_project(self, project: str) -> None:
        """The gate before writes that belong to a project as a whole."""
        found = await self._existing(project, "is registered")
        if found.state != project_pb2.Project.ACTIVE:
            raise inactive(project)

    async def require_existing(self, project: str) -> None:
        """Refuse a project that does not exist; an archived one will do."""
        await self._existing(project, "exists")

    async def _existing(self, project: str, what: str) -> project_pb2.Project:
        validation.storable(project, "project")
        found = await store.get(self._database, project)
        if found is None:
            raise errors.InvalidArgumentError(
                f"failed to validate that project [{project}] {what}, err: [{not_found(project).message}]"
            )
        return found

    @staticmethod
    def _check(project: project_pb2.Project) -> None:
        validation.require(project.id, "project_id")
        validation.labels(project.labels.values)
        if problem := validation.dns_label(project.id):
            raise errors.InvalidArgumentError(f"invalid project id [{project.id}]: [{problem}]")
        validation.max_length(project.name, "project_name", _LONGEST_NAME)
        validation.max_length(project.description, "project_description", _LONGEST_DESCRIPTION)
        validation.storable(project.name, "project_name")
        validation.storable(project.description, "project_description", 4 * _LONGEST_DESCRIPTION)
        if project.domains:
            raise errors.InvalidArgumentError(
                "Domains are currently only set system wide. Please retry without domains included in your request."
            )


def not_found(identifier: str) -> errors.NotFoundError:
    """The error for a project that does not exist."""
    return errors.NotFoundError(f"project [{identifier}] not found")


def inactive(identifier: str) -> errors.InvalidArgumentError:
    """The error for a project that is archived."""
    return errors.InvalidArgumentError(
        f"project [{identifier}] is not active", project_pb2.InactiveProject(id=identifier)
    )
