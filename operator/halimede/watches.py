"""The watches: kopf finds the resources and keeps the watches alive.

The objects do not pass through kopf (`adapters.watch_session`), so it writes nothing: no
finalizers and no annotations.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from halimede import telemetry
from halimede.adapters.errors import SettingsError
from halimede.adapters.kinds import (
    ENDPOINT_SLICE,
    MODEL_DEPLOYMENT,
    POD,
    REFERENCED,
    WATCHED,
    Kind,
)
from halimede.adapters.login import LogIn
from halimede.adapters.store import Store
from halimede.adapters.watch_session import Deliver, watch_session
from halimede.api.base import Manifest
from halimede.plan.priority import has_new_command
from halimede.reconcile.queue import WorkQueue
from halimede.reconcile.references import ReferencedObjects

DEBOUNCE_SECONDS = 0.1
"""Delay after a child's event: they come in bursts, and one reconcile covers a burst."""
DECIDE_REQUESTS = (POD, ENDPOINT_SLICE)
"""The kinds by which requests may have to be taken back."""
WATCH_BACKOFFS = (1.0, 1.0, 2.0, 3.0, 5.0)
"""Delays in seconds after a list or a watch has failed; the last one is repeated."""

log = logging.getLogger(__name__)


def registry(deliver: Deliver, log_in: LogIn) -> kopf.OperatorRegistry:
    """Return a registry that makes kopf watch each kind, with the login handler.

    Args:
        deliver: Takes the objects.
        log_in: Returns the credentials for kopf.
    """
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.AiohttpSession:
        try:
            connection = _connection(await log_in())
        except SettingsError as error:
            raise kopf.LoginError(str(error)) from error
        session = watch_session(
            deliver,
            connection.as_ssl_context(),
            connection.as_http_headers(),
            connection.proxy_url,
        )
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

    async def on_event(**_: Any) -> None:
        """Do nothing: kopf watches only kinds that have a handler, but is given no objects."""

    kopf.on.login(registry=handlers)(login)
    for kind in WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=handlers)(on_event)
    return handlers


def settings(*, namespaced: bool) -> kopf.OperatorSettings:
    """Return settings with which kopf only watches."""
    result = kopf.OperatorSettings()
    result.posting.enabled = False
    result.networking.request_timeout = 60
    # kopf would end with an error after a minute in which the API server only answers 5xx or 403.
    result.networking.error_backoffs = _Endless(WATCH_BACKOFFS)
    # Each end of a watch costs a request, for each kind and watched namespace. It need not end to
    # show that it is alive: bookmarks show that within `inactivity_timeout` (70 s).
    result.watching.server_timeout = 3600
    result.watching.client_timeout = 3660
    # A list is parsed as a whole, and an object may have more than a megabyte.
    result.watching.chunk_size = 25
    # Without cluster-wide rights neither CRDs nor namespaces can be watched.
    result.scanning.disabled = namespaced
    for kind in WATCHED:
        # Specs reference users' own ConfigMaps and HTTPRoutes, which lack our label.
        if kind.selector and kind not in REFERENCED:
            result.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.selector
    return result


@dataclass(frozen=True, slots=True)
class _Endless:
    """Delays of which the last one is repeated for ever; it has no length, as kopf expects."""

    delays: tuple[float, ...]

    def __iter__(self) -> Iterator[float]:
        return chain(self.delays, repeat(self.delays[-1]))


def delivery(store: Store, named: Mapping[Kind, ReferencedObjects], queue: WorkQueue) -> Deliver:
    """Return what stores the watched objects and puts the affected keys on the queue.

    Args:
        store: Stores the objects that are ours.
        named: Store the objects that specs reference, by kind.
        queue: Receives the keys of the ModelDeployments that an event affects.
    """

    def deliver(kind: Kind, manifest: Manifest, *, deleted: bool) -> None:
        telemetry.LAST_EVENT.set_to_current_time()
        # No key if the event is our own write or an older version.
        affected = store.drop(kind, manifest) if deleted else store.put(kind, manifest)
        if kind in named:
            affected += named[kind].on_event(manifest, deleted=deleted)
        if kind is MODEL_DEPLOYMENT:
            delay, urgent = 0.0, not deleted and has_new_command(manifest)
        else:
            delay, urgent = DEBOUNCE_SECONDS, kind in DECIDE_REQUESTS
        for key in affected:
            queue.add_changed(key, delay, urgent=urgent)

    def deliver_safely(kind: Kind, manifest: Manifest, *, deleted: bool) -> None:
        try:
            deliver(kind, manifest, deleted=deleted)
        except Exception:
            # A bug in the processing of one object must not end the watch of all.
            name = manifest["metadata"].get("name")
            log.exception("Could not process an event of %s %s", kind.name, name)

    return deliver_safely


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
