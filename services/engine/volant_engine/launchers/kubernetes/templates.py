"""PodTemplates of the cluster, read when an attempt needs one and kept for a few seconds (contract row 2.126)."""

from volant_core import clock, errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import cluster, pod_spec
from volant_engine.launchers.kubernetes import settings as kubernetes_settings


class Templates:
    """Finds the template that an attempt stands on."""

    def __init__(
        self, api: cluster.Cluster, settings: kubernetes_settings.KubernetesSettings, time: clock.Clock
    ) -> None:
        """Read them by `api`."""
        self._api = api
        self._settings = settings
        self._clock = time
        self._known: dict[tuple[str, str], tuple[float, cluster.Object | None]] = {}

    async def of(self, attempt: port.Attempt) -> cluster.Object | None:
        """The one that its task names, else the platform's where it exists; in its namespace, else in the engine's own.

        Raises:
            InvalidArgumentError: the task names one that does not exist.
        """
        named = attempt.task.metadata.pod_template_name
        name = named or self._settings.pod_template
        if not name:
            return None
        places = [pod_spec.namespace_of(attempt, self._settings), self._settings.own_namespace]
        for namespace in filter(None, places):
            found = await self._read(namespace, name)
            if found is not None:
                return found
        if named:
            where = " and ".join(filter(None, places))
            raise errors.InvalidArgumentError(f"PodTemplate '{name}' does not exist in {where}")
        return None

    async def _read(self, namespace: str, name: str) -> cluster.Object | None:
        now = self._clock.monotonic()
        known = self._known.get((namespace, name))
        if known is not None and now - known[0] < self._settings.pod_template_seconds:
            return known[1]
        try:
            found = await self._api.pod_template(namespace, name)
        except cluster.RefusedError as refused:
            message = f"the PodTemplate {namespace}/{name} can't be read: {refused.message}"
            if refused.is_away:
                raise errors.UnavailableError(message) from refused
            raise errors.FailedPreconditionError(message) from refused
        if found is not None:
            _undo_defaults(found)
        self._known[namespace, name] = now, found
        return found


def _undo_defaults(template: cluster.Object) -> None:
    """Take out the pull policies that the API server has put in for the template's own images, which are never used.

    One that was meant can't be told from one put in; the setting `image_pull_policy` is the place for that.
    """
    spec = template.get("template", {}).get("spec") or {}
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        image = container.get("image", "").rpartition("/")[2]
        is_latest = (":" not in image and "@" not in image) or image.endswith(":latest")
        if container.get("imagePullPolicy") == ("Always" if is_latest else "IfNotPresent"):
            del container["imagePullPolicy"]
