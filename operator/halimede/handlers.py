"""The use of kopf: it discovers the resources, watches them, and keeps the watches alive.

An event handler takes microseconds: it updates the store and adds keys to the queue. There are
no other handlers, so kopf writes nothing itself: no finalizers and no annotations.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import kopf
from kubernetes.aio.client import Configuration
from typing_extensions import override

from halimede import telemetry
from halimede.adapters.cluster import LogIn
from halimede.adapters.errors import SettingsError
from halimede.adapters.kinds import MODEL_DEPLOYMENT, REFERENCED, WATCHED, Kind
from halimede.adapters.store import Store
from halimede.adapters.watch_session import watch_session
from halimede.api.v1alpha1 import GROUP
from halimede.reconcile.queue import WorkQueue
from halimede.reconcile.references import ReferencedObjects

DEBOUNCE_SECONDS = 0.1
"""Delay after a child's event: they come in bursts, and one reconcile covers a burst."""

_NOTHING: kopf.BodyEssence = {}


def registry(
    store: Store, named: Mapping[Kind, ReferencedObjects], queue: WorkQueue, log_in: LogIn
) -> kopf.OperatorRegistry:
    """Return a registry with one event handler per watched kind, and the login handler.

    Args:
        store: Stores the objects that are ours.
        named: Store the objects that specs reference, by kind.
        queue: Receives the keys of the ModelDeployments that an event affects.
        log_in: Returns the credentials for kopf.
    """
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.AiohttpSession:
        try:
            connection = _connection(await log_in())
        except SettingsError as error:
            raise kopf.LoginError(str(error)) from error
        session = watch_session(
            connection.as_ssl_context(), connection.as_http_headers(), connection.proxy_url
        )
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

    kopf.on.login(registry=handlers)(login)
    for kind in WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=handlers, id="seen")(
            _handler(kind, store, named.get(kind), queue)
        )
    return handlers


def settings(*, namespaced: bool) -> kopf.OperatorSettings:
    """Return settings with which kopf only watches."""
    result = kopf.OperatorSettings()
    result.posting.enabled = False
    result.posting.level = logging.CRITICAL
    result.networking.request_timeout = 60
    # Each end of a watch costs a request, for each kind and watched namespace. It need not end to
    # show that it is alive: bookmarks show that within `inactivity_timeout` (70 s).
    result.watching.server_timeout = 3600
    result.watching.client_timeout = 3660
    # A list is parsed as a whole, and an object may have more than a megabyte.
    result.watching.chunk_size = 25
    # Until then kopf keeps a task and the last event for each object that has changed.
    result.queueing.idle_timeout = 0.5
    # Without cluster-wide rights neither CRDs nor namespaces can be watched.
    result.scanning.disabled = namespaced
    # Unused, as nothing is stored on objects; the name is ours in case that ever changes.
    result.persistence.finalizer = f"{GROUP}/finalizer"
    result.persistence.diffbase_storage = _NoDiffs()
    result.persistence.progress_storage = _NoProgress()
    for kind in WATCHED:
        # Specs reference users' own ConfigMaps and HTTPRoutes, which lack our label.
        if kind.selector and kind not in REFERENCED:
            result.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.selector
    return result


class _NoDiffs(kopf.DiffBaseStorage):
    """Stores no earlier state of objects: kopf would copy each body three times per event."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return _NOTHING

    @override
    def fetch(self, *, body: kopf.Body) -> None:
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


class _NoProgress(kopf.ProgressStorage):
    """Stores no progress of handlers: event handlers have none."""

    @override
    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        return None

    @override
    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Store nothing."""

    @override
    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Remove nothing."""

    @override
    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Leave the object alone."""

    @override
    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def _handler(
    kind: Kind, store: Store, named: ReferencedObjects | None, queue: WorkQueue
) -> Callable[..., Awaitable[None]]:
    async def on_watch_event(event: kopf.RawEvent, **_: Any) -> None:
        telemetry.LAST_EVENT.set_to_current_time()
        manifest, deleted = dict(event["object"]), event["type"] == "DELETED"
        # No key if the event is our own write or an older version.
        affected = store.drop(kind, manifest) if deleted else store.put(kind, manifest)
        if named is not None:
            affected += named.on_event(manifest, deleted=deleted)
        for key in affected:
            if kind is MODEL_DEPLOYMENT:
                queue.add(key)
            else:
                queue.add_after(key, DEBOUNCE_SECONDS)

    return on_watch_event


def _connection(configuration: Configuration) -> kopf.ConnectionInfo:
    """Convert the configuration of `kubernetes.aio` to kopf's.

    kopf's own login for service accounts is not used: it needs the cluster's DNS.
    """
    token = configuration.api_key.get("BearerToken")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        ca_data=None if configuration.ssl_ca_cert else configuration.ca_cert_data,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        token=token.split()[-1] if token else None,
        proxy_url=configuration.proxy,
    )
