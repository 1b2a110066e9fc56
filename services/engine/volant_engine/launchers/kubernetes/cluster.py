"""The API server, as the launcher uses it: plain JSON in and out, refusals as one exception. No policy, no state.

kubernetes_asyncio finds the cluster and keeps the credentials fresh; its typed objects are left aside, because the pure
parts work on what is on the wire.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import kubernetes_asyncio.client
import kubernetes_asyncio.config

from volant_core import errors
from volant_engine.launchers.kubernetes import settings as kubernetes_settings

Object = dict[str, Any]
_PAGE = 500
_HTTP_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


class RefusedError(Exception):
    """The API server said no."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        """Its answer: the HTTP status, its one word, its sentence, and when it wants to be asked again (seconds)."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def is_away(self) -> bool:
        """Whether this says nothing about what was asked."""
        return self.status == 429 or self.status >= 500


class Cluster:
    """One cluster."""

    def __init__(self, settings: kubernetes_settings.KubernetesSettings) -> None:
        """Nothing is read or opened before `open`."""
        self._settings = settings
        self._client: kubernetes_asyncio.client.ApiClient | None = None

    async def open(self) -> None:
        """Read the credentials. FailedPreconditionError, with a sentence, when there are none."""
        configuration = kubernetes_asyncio.client.Configuration()
        settings = self._settings
        try:
            if settings.kubeconfig is not None:
                await kubernetes_asyncio.config.load_kube_config(
                    config_file=str(settings.kubeconfig),
                    context=settings.context or None,
                    client_configuration=configuration,
                    persist_config=False,
                )
            else:
                kubernetes_asyncio.config.load_incluster_config(  # type: ignore[no-untyped-call]
                    client_configuration=configuration
                )
        except (kubernetes_asyncio.config.ConfigException, OSError) as error:
            where = settings.kubeconfig or "the pod's service account"
            raise errors.FailedPreconditionError(
                f"can't tell from {where} how to reach the Kubernetes cluster: {error}; "
                "set kubernetes.kubeconfig, or run the engine in the cluster"
            ) from error
        configuration.connection_pool_maxsize = 0  # logs and watches each hold one
        self._client = kubernetes_asyncio.client.ApiClient(configuration)
        self._client.user_agent = f"volant-engine/{settings.installation}"

    async def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            await self._client.close()

    # Objects of any kind, by their paths

    async def create(self, path: str, manifest: Mapping[str, Any]) -> Object:
        """Make an object below `path`; it as it was stored."""
        return await self._json("POST", path, body=manifest)

    async def get(self, path: str) -> Object:
        """The object as it is."""
        return await self._json("GET", path)

    async def delete(self, path: str, *, grace: int | None = None, uid: str = "") -> None:
        """Have an object deleted, and what it owns; one that is not there is fine. `uid` guards against another."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._json("DELETE", path, body=body)
        except RefusedError as refused:
            if refused.status not in {404, 409}:
                raise

    async def list_objects(self, path: str, selector: str) -> tuple[list[Object], str]:
        """All objects with these labels, and the version of the world in which they were so."""
        found: list[Object] = []
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            page = await self._json("GET", path, query=query)
            found.extend(page["items"])
            more = page["metadata"].get("continue")
            if not more:
                return found, page["metadata"]["resourceVersion"]
            query["continue"] = more

    async def watch(self, path: str, selector: str, version: str) -> AsyncIterator[Object]:
        """Changes since `version`, until the stream ends. RefusedError 410: that is too long ago."""
        settings = self._settings
        query = {
            "labelSelector": selector,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(settings.watch_seconds)),
        }
        patience = aiohttp.ClientTimeout(sock_connect=settings.call_seconds, sock_read=settings.quiet_seconds)
        async with self._stream(path, query, patience) as chunks:
            rest = b""
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield _event(line)

    @contextlib.asynccontextmanager
    async def log(
        self, namespace: str, name: str, container: str, *, follow: bool
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """What a container has written, in pieces; with `follow`, what it writes from now on as well."""
        query = {"container": container, **({"follow": "true"} if follow else {})}
        patience = aiohttp.ClientTimeout(
            sock_connect=self._settings.call_seconds, sock_read=None if follow else self._settings.call_seconds
        )
        async with self._stream(f"/api/v1/namespaces/{namespace}/pods/{name}/log", query, patience) as chunks:
            yield chunks

    # Others

    async def create_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a namespace; one that is there is fine."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}}
        try:
            await self._json("POST", "/api/v1/namespaces", body=body)
        except RefusedError as refused:
            if refused.status != 409:
                raise

    async def pod_template(self, namespace: str, name: str) -> Object | None:
        """A PodTemplate; None when it is not there."""
        try:
            return await self._json("GET", f"/api/v1/namespaces/{namespace}/podtemplates/{name}")
        except RefusedError as refused:
            if refused.status == 404:
                return None
            raise

    # Calls

    async def _json(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Object:
        patience = aiohttp.ClientTimeout(total=self._settings.call_seconds)
        try:
            async with await self._request(method, path, query, body, patience) as response:
                data = await response.read()
                if response.status >= 300:
                    raise _refusal(response, data)
        except _HTTP_ERRORS as error:
            raise errors.UnavailableError(f"the Kubernetes API server does not answer: {error!r}") from error
        answer: Object = json.loads(data)
        return answer

    @contextlib.asynccontextmanager
    async def _stream(
        self, path: str, query: Mapping[str, str], patience: aiohttp.ClientTimeout
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        try:
            async with asyncio.timeout(self._settings.call_seconds):
                response = await self._request("GET", path, query, None, patience)
            try:
                if response.status >= 300:
                    raise _refusal(response, await response.read())
                yield response.content.iter_any()
            finally:
                response.close()
        except _HTTP_ERRORS as error:
            raise errors.UnavailableError(f"the stream from the Kubernetes API server broke: {error!r}") from error

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        patience: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        assert self._client is not None, "opened before it is used"
        response: aiohttp.ClientResponse = await self._client.call_api(
            path,
            method,
            {},
            list((query or {}).items()),
            {"Accept": "application/json, */*", "Content-Type": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=patience,
        )
        return response


def _event(line: bytes) -> Object:
    event: Object = json.loads(line)
    if event["type"] == "ERROR":
        status = event["object"]
        raise RefusedError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
    return event


def _refusal(response: aiohttp.ClientResponse, data: bytes) -> RefusedError:
    try:
        status = json.loads(data)
        reason, message = status.get("reason", ""), status.get("message", "")
    except (ValueError, AttributeError):
        reason, message = response.reason or "", data.decode(errors="replace")[:1000]
    try:
        after = float(response.headers.get("Retry-After", "0"))
    except ValueError:
        after = 0.0
    return RefusedError(response.status, reason, message, after)
