"""What rollouts of the ModelDeployments in a file will take, without a cluster."""

from halimede.api.expose import ExposeType
from halimede.manifests import deployments, documents
from halimede.rollout.forecast import Question, forecast
from halimede.rollout.forecast_text import text


def foretold(manifests: str, per_second: float, stable_errors: float) -> str:
    """Write a forecast for every ModelDeployment in *manifests*.

    Args:
        manifests: YAML documents.
        per_second: Requests per second to each of the models.
        stable_errors: Error rate of the stable revision, from 0 to 1.

    Raises:
        ValueError: A document is not to be understood; the message names the field.
    """
    return "\n".join(
        text(
            md.metadata.name,
            forecast(
                Question(
                    md.spec.rollout,
                    per_second,
                    stable_errors,
                    by_pods=md.spec.expose.type is ExposeType.SERVICE,
                )
            ),
        )
        for md in deployments(documents(manifests))
    )
