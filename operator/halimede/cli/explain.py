"""`halimede explain`: explain a ModelDeployment in the cluster."""

from pydantic import ValidationError

from halimede.adapters.cluster import Cluster, KubeCluster
from halimede.adapters.errors import OperatorError
from halimede.adapters.kinds import MODEL_DEPLOYMENT
from halimede.adapters.login import log_in
from halimede.api.v1alpha1 import ModelDeployment
from halimede.rollout.explain import explain_rollout


class ExplainError(OperatorError):
    """The object does not exist or cannot be parsed."""


async def explain_by_name(namespace: str, name: str) -> str:
    """Log in, read the object and return its explanation.

    Raises:
        OperatorError: There is no cluster, the user lacks a permission, or the object does not
            exist or cannot be parsed.
    """
    cluster = KubeCluster(await log_in(), log_in=log_in)
    try:
        return await explain_object(cluster, namespace, name)
    finally:
        await cluster.close()


async def explain_object(cluster: Cluster, namespace: str, name: str) -> str:
    """Read the object and return its explanation.

    Raises:
        OperatorError: As for `explain_by_name`.
    """
    manifest = await cluster.get(MODEL_DEPLOYMENT, namespace, name)
    if manifest is None:
        raise ExplainError(
            f"there is no ModelDeployment {name} in namespace {namespace}, or the cluster has"
            " no such kind: list them with `kubectl get mdeploy -A`"
        )
    try:
        return explain_rollout(ModelDeployment.from_manifest(manifest))
    except ValidationError as error:
        raise ExplainError(
            f"{namespace}/{name} does not match the schema of this version: {error}"
        ) from error
