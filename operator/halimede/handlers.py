"""What kopf is for here: it finds the resources, watches them, and keeps the watches alive.

Every event is a matter of microseconds: it goes into the store and puts a key on the queue.
There are no other handlers, hence no finalizers, no annotations and no writes of kopf's own.
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
from halimede.adapters.store import Key, Store
from halimede.api.v1alpha1 import GROUP
from halimede.reconcile.queue import WorkQueue
from halimede.reconcile.references import ReferencedObjects

DEBOUNCE_SECONDS = 0.1
"""How long to wait after a child's event: they come in bursts, and one look does for a burst."""

_NOTHING: kopf.BodyEssence = {}


def registry(
    store: Store, named: Mapping[Kind, ReferencedObjects], queue: WorkQueue[Key], log_in: LogIn
) -> kopf.OperatorRegistry:
    """Register one event handler per watched kind, and the log-in.

    Args:
        store: Takes what is ours.
        named: Take what specs name, by kind.
        queue: Takes whom an event concerns.
        log_in: Logs kopf in.
    """
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.ConnectionInfo:
        try:
            return _connection(await log_in())
        except SettingsError as error:
            raise kopf.LoginError(str(error)) from error

    kopf.on.login(registry=handlers)(login)
    for kind in WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=handlers, id="seen")(
            _handler(kind, store, named.get(kind), queue)
        )
    return handlers


def settings(*, namespaced: bool) -> kopf.OperatorSettings:
    """Set kopf up to watch, and to do nothing besides."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.posting.level = logging.CRITICAL
    chosen.networking.request_timeout = 60
    # Belt and braces: bookmarks show earlier whether a watch is dead.
    chosen.watching.server_timeout = 300
    chosen.watching.client_timeout = 360
    chosen.watching.chunk_size = 500
    # Without cluster-wide rights neither CRDs nor namespaces can be watched.
    chosen.scanning.disabled = namespaced
    # Unused: nothing of ours is stored on objects. Were it ever, it should bear our name.
    chosen.persistence.finalizer = f"{GROUP}/finalizer"
    chosen.persistence.diffbase_storage = _NoDiffs()
    chosen.persistence.progress_storage = _NoProgress()
    for kind in WATCHED:
        # Specs name users' own ConfigMaps and HTTPRoutes.
        if kind.selector and kind not in REFERENCED:
            chosen.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.selector
    return chosen


class _NoDiffs(kopf.DiffBaseStorage):
    """Remember no former state of objects: kopf copies each body thrice otherwise, per event."""

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
    """Remember no handlers' progress: event handlers have none."""

    @override
    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        return None

    @override
    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Store nothing."""

    @override
    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Find nothing to remove."""

    @override
    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Leave the object alone."""

    @override
    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def _handler(
    kind: Kind, store: Store, named: ReferencedObjects | None, queue: WorkQueue[Key]
) -> Callable[..., Awaitable[None]]:
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        telemetry.LAST_EVENT.set_to_current_time()
        manifest, deleted = dict(event["object"]), event["type"] == "DELETED"
        # Nobody is concerned if our own write comes back, or an old version late.
        concerned = store.drop(kind, manifest) if deleted else store.put(kind, manifest)
        if named is not None:
            concerned += named.on_event(manifest, deleted=deleted)
        for key in concerned:
            if kind is MODEL_DEPLOYMENT:
                queue.add(key)
            else:
                queue.add_after(key, DEBOUNCE_SECONDS)

    return seen


def _connection(configuration: Configuration) -> kopf.ConnectionInfo:
    """Translate the log-in of `kubernetes.aio` to kopf's.

    kopf has log-ins of its own; its one for service accounts needs the cluster's DNS.
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
