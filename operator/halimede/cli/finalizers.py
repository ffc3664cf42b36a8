"""`halimede remove-finalizers`: let ModelDeployments be deleted without the operator."""

from collections.abc import Sequence

from halimede.adapters.cluster import Cluster, KubeCluster
from halimede.adapters.errors import ConflictError, NotFoundError, OperatorError
from halimede.adapters.kinds import MODEL_DEPLOYMENT
from halimede.adapters.login import log_in
from halimede.adapters.store import Key
from halimede.api.v1alpha1 import ROUTE_FINALIZER
from halimede.plan.finalize import finalizer_patch


async def remove_all(namespaces: Sequence[str]) -> dict[Key, OperatorError | None]:
    """Log in and remove the finalizer from every ModelDeployment.

    Args:
        namespaces: Where; empty: in all namespaces.

    Returns:
        The objects that had the finalizer, each with the reason why it still has it, or None.

    Raises:
        OperatorError: There is no cluster, or the objects cannot be listed.
    """
    cluster = KubeCluster(await log_in(), log_in=log_in)
    results: dict[Key, OperatorError | None] = {}
    try:
        listing = await cluster.list_versions(MODEL_DEPLOYMENT, namespaces)
        for key in sorted(key for key, _ in listing.versions.values()):
            try:
                if await remove_finalizer(cluster, key):
                    results[key] = None
            except OperatorError as error:
                results[key] = error
    finally:
        await cluster.close()
    return results


async def remove_finalizer(cluster: Cluster, key: Key) -> bool:
    """Remove our finalizer from one object; return whether it had it.

    Raises:
        OperatorError: The object cannot be read or patched.
    """
    while True:
        live = await cluster.get_metadata(MODEL_DEPLOYMENT, key.namespace, key.name)
        if live is None or ROUTE_FINALIZER not in live["metadata"].get("finalizers", ()):
            return False
        operations = finalizer_patch(live["metadata"], present=False)
        try:
            await cluster.patch(MODEL_DEPLOYMENT, key.namespace, key.name, operations)
        except NotFoundError:
            return False
        except ConflictError:
            continue  # the object has changed since it was read
        return True
