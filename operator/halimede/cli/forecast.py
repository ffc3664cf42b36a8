"""Forecasts of rollouts of the ModelDeployments in a file, without a cluster."""

from halimede.api.expose import ExposeType
from halimede.cli.manifests import load_documents, parse_model_deployments
from halimede.forecast.forecast import ForecastInput, forecast_rollout
from halimede.forecast.report import format_forecast


def forecast_manifests(manifests: str, per_second: float, stable_errors: float) -> str:
    """Return a forecast for every ModelDeployment in *manifests*.

    Args:
        manifests: YAML documents.
        per_second: Requests per second to each of the models.
        stable_errors: Error rate of the stable revision, from 0 to 1.

    Raises:
        ValueError: A document is invalid; the message names the field.
    """
    return "\n".join(
        format_forecast(
            md.metadata.name,
            forecast_rollout(
                ForecastInput(
                    md.spec.rollout,
                    per_second,
                    stable_errors,
                    no_router=md.spec.expose.type is ExposeType.SERVICE,
                )
            ),
        )
        for md in parse_model_deployments(load_documents(manifests))
    )
