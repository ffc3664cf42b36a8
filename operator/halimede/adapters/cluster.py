"""The client of the API server.

It uses the transport of `kubernetes.aio`: its login, its token refresh, its connections. Paths and
bodies are built here, because discovery costs requests and the typed models cost memory, and the
few kinds that we use need neither.
"""

import asyncio
import copy
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from typing import NamedTuple, Protocol, Self

import aiohttp
import orjson
from kubernetes.aio.client import ApiClient, Configuration

from halimede import __version__
from halimede.adapters.errors import (
    ConflictError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from halimede.adapters.kinds import BY_NAME, MODEL_DEPLOYMENT, Kind
from halimede.adapters.login import LogIn
from halimede.adapters.nesting import limit_depth
from halimede.adapters.precedence import Precedence
from halimede.adapters.responses import NOT_APPLICABLE, retry_after, to_error
from halimede.adapters.store import Key, Listing, version_of
from halimede.api.base import Manifest
from halimede.render.names import MANAGER

REQUEST_SECONDS = 30.0
"""The API server needs some seconds to write an object of ten thousand levels, more under load."""
RETRY_SECONDS = 30.0
"""How long a request that the API server asks to send again later is repeated."""
RETRY_JITTER = 0.2
"""Fraction by which such a delay is longer, so that not all requests return at once."""
CONNECTIONS = 16
"""Number of connections unless said otherwise."""
PAGE = 500
AGENT = f"halimede/{__version__}"
_LIST_OF_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_APPLY = "application/apply-patch+yaml; charset=utf-8"
"""With the charset, `RESTClientObject` sends what we have encoded, instead of encoding it itself
with a slower encoder. The API server drops it (`PatchResource` of `k8s.io/apiserver`)."""
_NO_VERSION = "1"
"""A resourceVersion that no object has: the first write of an etcd has the version 2."""


class Cluster(Protocol):
    """The operations on a cluster. Every method raises `adapters.errors` only."""

    def with_precedence(self) -> "Cluster":
        """Return a client like this one whose writes have `precedence` over those of others."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object; None: it does not exist."""

    async def get_metadata(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the kind and the metadata of one object; None: it does not exist."""

    async def list_versions(self, kind: Kind, namespaces: Iterable[str]) -> Listing:
        """List what our watch of *kind* should deliver, without bodies. No namespaces: all."""

    async def create(self, manifest: Manifest, manager: str = MANAGER) -> Manifest:
        """Create the object that *manifest* describes, as *manager*; return the live object.

        Raises:
            ConflictError: There is an object of this kind and name; it has not been changed.
        """

    async def apply(self, manifest: Manifest, manager: str = MANAGER) -> Manifest:
        """Apply *manifest* server-side, as *manager*, with force; return the live object.

        Only the object with the `metadata.uid` of *manifest* is changed.

        Raises:
            ConflictError: There is no such object, or one with another uid has its name.
        """

    async def patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Manifest]
    ) -> Manifest:
        """Apply a JSON patch, as a whole or not at all; return the live object.

        Raises:
            ConflictError: The object is not the version that the patch was made for.
        """

    async def write_status(self, deployment: Manifest, status: Manifest) -> Manifest:
        """Replace the status of exactly this version of *deployment*.

        Raises:
            ConflictError: There is a newer version.
        """

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the object if it still has *uid*; it is no error if it is gone."""

    async def post_event(self, event: Manifest) -> None:
        """Create an `events.k8s.io/v1` Event."""


class _Request(NamedTuple):
    """What is sent to the API server."""

    method: str
    path: str
    headers: dict[str, str]
    body: Manifest | list[Manifest] | bytes | None


class _Response(NamedTuple):
    """What the API server has answered."""

    status: int
    text: bytes
    delay: float | None
    """The seconds after which it wants the request again; None: it does not say."""


class KubeCluster:
    """The API server of the service account or the kubeconfig."""

    def __init__(
        self,
        configuration: Configuration,
        agent: str = AGENT,
        log_in: LogIn | None = None,
        before_write: Callable[[], None] | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        """Create a client.

        Args:
            configuration: A configuration with credentials.
            agent: The User-Agent, which audit logs contain.
            log_in: Returns new credentials when the API server rejects the old ones (401).
            before_write: Called before each write is sent; an error prevents the write.
            connections: How many requests may be sent at the same time. Others wait for their
                turn, so each user of the client needs its own.
        """
        configuration.connection_pool_maxsize = connections
        # Proxies are read from the kubeconfig; searching the environment for them costs
        # more CPU per request than building the request does.
        configuration.client_session_kwargs = {"trust_env": False}
        self._client = ApiClient(configuration)
        self._agent = agent
        self._log_in = log_in
        self._before_write = before_write
        self._chance = random.random
        self._slots = asyncio.Semaphore(connections)
        self._precedence = Precedence()
        self.has_precedence = False

    def with_precedence(self) -> Self:
        """Return a client like this one whose writes have `precedence` over those of others."""
        client = copy.copy(self)
        client.has_precedence = True
        return client

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object; None: it does not exist."""
        try:
            return await self._request("GET", kind.path(namespace, name))
        except NotFoundError:
            return None

    async def get_metadata(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the kind and the metadata of one object; None: it does not exist."""
        try:
            answer = await self._request("GET", kind.path(namespace, name), accept=_METADATA)
        except NotFoundError:
            return None
        return answer | {"apiVersion": kind.api_version, "kind": kind.name}

    async def post(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object that is no child; return the live one.

        Raises:
            ConflictError: There is one of that name.
        """
        path = kind.path(manifest["metadata"]["namespace"])
        return await self._request("POST", f"{path}?fieldManager={MANAGER}", manifest)

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Replace exactly this version of an object; return the live one.

        Raises:
            ConflictError: There is a newer version.
        """
        path = kind.path(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        return await self._request("PUT", f"{path}?fieldManager={MANAGER}", manifest)

    async def review(self, kind: Kind, spec: Manifest) -> Manifest:
        """Create a review, such as a TokenReview, which is not stored; return its status."""
        review = {"apiVersion": kind.api_version, "kind": kind.name, "spec": spec}
        answer = await self._request("POST", kind.path(None), review)
        status: Manifest = answer.get("status") or {}
        return status

    async def list_versions(self, kind: Kind, namespaces: Iterable[str]) -> Listing:
        """List what our watch of *kind* should deliver, without bodies. No namespaces: all.

        A kind that the cluster does not have, such as those of Gateway API, has no objects.
        """
        versions: dict[str, tuple[Key, int]] = {}
        lowest: int | None = None
        for namespace in tuple(namespaces) or (None,):
            try:
                page_versions, version = await self._pages(kind, namespace)
            except NotFoundError:
                continue
            versions.update(page_versions)
            lowest = version if lowest is None else min(lowest, version)
        return Listing(versions, lowest or 0)

    async def create(self, manifest: Manifest, manager: str = MANAGER) -> Manifest:
        """Create the object that *manifest* describes, as *manager*; return the live object.

        A POST would record our fields as those of an update, and later applies could neither
        recognise nor remove them. An apply for a version that no object has creates a missing
        object, and conflicts with an existing one (`Store.Update` of `k8s.io/apiserver`).

        Raises:
            ConflictError: There is an object of this kind and name; it has not been changed.
        """
        return await self._apply(manifest, {"resourceVersion": _NO_VERSION}, manager)

    async def apply(self, manifest: Manifest, manager: str = MANAGER) -> Manifest:
        """Apply *manifest* server-side, as *manager*, with force; return the live object.

        Only the object with the `metadata.uid` of *manifest* is changed.

        Raises:
            ConflictError: There is no such object, or one with another uid has its name.
        """
        return await self._apply(manifest, {"uid": manifest["metadata"]["uid"]}, manager)

    async def patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Manifest]
    ) -> Manifest:
        """Apply a JSON patch, as a whole or not at all; return the live object.

        Raises:
            ConflictError: The object is not the version that the patch was made for.
        """
        path = f"{kind.path(namespace, name)}?fieldManager={MANAGER}"
        try:
            return await self._request(
                "PATCH", path, list(operations), "application/json-patch+json"
            )
        except RejectedError as error:
            if NOT_APPLICABLE in str(error):
                raise ConflictError(str(error), error.status) from error
            raise

    async def write_status(self, deployment: Manifest, status: Manifest) -> Manifest:
        """Replace the status of exactly this version of *deployment*.

        Raises:
            ConflictError: There is a newer version.
        """
        metadata = deployment["metadata"]
        identity = {field: metadata[field] for field in ("name", "namespace", "resourceVersion")}
        body = {
            "apiVersion": deployment["apiVersion"],
            "kind": deployment["kind"],
            "metadata": identity,
            "spec": deployment["spec"],
            "status": status,
        }
        path = MODEL_DEPLOYMENT.path(metadata["namespace"], metadata["name"], "status")
        return await self._request("PUT", f"{path}?fieldManager={MANAGER}", body)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the object if it still has *uid*; it is no error if it is gone."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._request("DELETE", kind.path(namespace, name), body)
        except (NotFoundError, ConflictError):
            return

    async def post_event(self, event: Manifest) -> None:
        """Create an `events.k8s.io/v1` Event."""
        namespace = event["metadata"]["namespace"]
        await self._request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)

    async def _apply(self, manifest: Manifest, bound_to: Manifest, manager: str) -> Manifest:
        metadata = manifest["metadata"] | bound_to
        return await self._request(
            "PATCH",
            BY_NAME[manifest["kind"]].path(metadata["namespace"], metadata["name"])
            + f"?fieldManager={manager}&force=true",
            orjson.dumps(manifest | {"metadata": metadata}),
            _APPLY,
        )

    async def _pages(
        self, kind: Kind, namespace: str | None
    ) -> tuple[dict[str, tuple[Key, int]], int]:
        selector = f"&labelSelector={kind.selector}" if kind.selector else ""
        base = f"{kind.path(namespace)}?limit={PAGE}{selector}"
        versions: dict[str, tuple[Key, int]] = {}
        next_page = ""
        while True:
            page = await self._request("GET", base + next_page, accept=_LIST_OF_METADATA)
            for item in page["items"] or ():
                metadata = item["metadata"]
                where = Key(metadata["namespace"], metadata["name"])
                versions[metadata["uid"]] = (where, version_of(item))
            token = page["metadata"].get("continue")
            if not token:
                return versions, version_of(page)
            next_page = f"&continue={token}"

    async def _request(
        self,
        method: str,
        path: str,
        body: Manifest | list[Manifest] | bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Manifest:
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": self._agent}
        request = _Request(method, path, headers, body)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RETRY_SECONDS
        with ExitStack() as holds:
            while True:
                if method != "GET" and not self.has_precedence:
                    await self._precedence.wait()
                response = await self._send_logged_in(request)
                if response.status < HTTPStatus.MULTIPLE_CHOICES:
                    answer: Manifest = orjson.loads(limit_depth(response.text))
                    return answer
                delay = response.delay
                if delay is None or loop.time() + delay > deadline:
                    raise to_error(response.status, response.text, delay)
                if self.has_precedence:
                    holds.enter_context(self._precedence.hold_others())
                await asyncio.sleep(delay * (1 + RETRY_JITTER * self._chance()))

    async def _send_logged_in(self, request: _Request) -> _Response:
        """Send a request, once more with new credentials if the old ones are rejected."""
        response = await self._send(request)
        if response.status == HTTPStatus.UNAUTHORIZED and self._log_in is not None:
            # Tokens from a kubeconfig's plugin expire, some after minutes.
            fresh = await self._log_in()
            self._client.configuration.api_key = fresh.api_key
            response = await self._send(request)
        return response

    async def _send(self, request: _Request) -> _Response:
        configuration = self._client.configuration
        token = (await configuration.auth_settings()).get("BearerToken")
        if token and token["value"]:
            request.headers[token["key"]] = token["value"]
        try:
            # No write waits for a connection after its check.
            async with self._slots:
                if self._before_write is not None and request.method != "GET":
                    self._before_write()
                response = await self._client.rest_client.request(
                    request.method,
                    configuration.host + request.path,
                    headers=request.headers,
                    body=request.body,
                    _request_timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
                )
                text = await response.read()
                return _Response(
                    response.status, text, retry_after(response.status, response.headers)
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or f"no response within {REQUEST_SECONDS:.0f} s"
            raise TransientError(f"the API server cannot be reached: {reason}") from error
